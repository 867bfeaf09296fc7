//! The way out to endpoints that people name: webhooks. The one place from which the control plane speaks to hosts that somebody else chose, so
//! here is decided which may be contacted at all.
//!
//! - Only `https`, and only addresses of the Internet: not loopback, not private networks, nothing reserved for a purpose, in whatever form it is
//!   written. The server's `--webhook-allow` makes exceptions, also for `http`; link-local addresses and metadata services of clouds are none.
//! - A name is resolved once for each message, everything that it resolves to must be acceptable, and the connection goes to exactly these
//!   addresses: what the name resolves to a moment later does not matter.
//! - Redirects are not followed, proxies of the environment not used: either would choose another address.
//! - Of an answer only status and `Retry-After` are kept. Every attempt has an end, whatever the endpoint does.
//! - What is said of a failure is what somebody who watches from outside would know; not which address a name has inside, nor whether there is such a name.

mod address;
mod courier;
mod failure;
mod names;

pub use address::{AddressBlock, AddressBlockError};
pub use courier::{HttpCourier, HttpCourierParts};
pub use names::{Names, SystemNames};

#[cfg(test)]
mod tests;
