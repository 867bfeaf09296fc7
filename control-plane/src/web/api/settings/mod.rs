//! `/settings`: what a tenant wants.

pub(super) mod retention;

pub use retention::RetentionView;
