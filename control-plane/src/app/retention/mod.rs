//! How long the past is kept: what the tenant says of it, and the task that forgets.

mod forget;
mod settings;
