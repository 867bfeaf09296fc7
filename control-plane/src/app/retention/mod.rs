//! How long the past is kept: what the tenant says of it, the task that forgets, and whether the time is to be believed by which it does.

mod clocks;
mod forget;
mod settings;
