//! `/tokens`: API tokens of the tenant.

pub(super) mod create;
pub(super) mod list;
pub(super) mod revoke;
mod view;

pub use view::{CreateToken, CreatedToken, Token};
