//! One request at a time, under our own rules: no redirect, proxy, cookie or retry that this folder did not decide on.
//!
//! - `limits`: every bound, in one value
//! - `guard`, `resolve`: which hosts and addresses may be connected to
//! - `endpoint`: one connection pool a host, with that host's TLS configuration
//! - `exchange`: one attempt: redirects, deadlines, the bounded body
//! - `redirect`, `body`, `retry`, `quota`: what `exchange` and `patience` decide by
//! - `neighbours`: which other hosts the registry speaks of
//! - `throttle`, `allowance`, `pauses`, `waits`: how many requests at once, a second, and altogether, which hosts are left alone for a while,
//!   and how long altogether
//! - `patience`: what is tried again
//! - `failure`: what went wrong, from the library's errors

mod allowance;
mod body;
mod endpoint;
mod exchange;
mod failure;
mod guard;
mod limits;
mod neighbours;
mod patience;
#[cfg(test)]
mod patience_tests;
mod pauses;
mod quota;
mod redirect;
mod resolve;
mod retry;
mod throttle;
mod waits;

pub use guard::{AddressRules, AnyHost, Gate, Guard, Hop, Pass, Purpose, Refusal, Refused};
pub use limits::Limits;
pub use resolve::{Resolver, SystemResolver};

pub(crate) use allowance::Allowance;
pub(crate) use endpoint::Origin;
pub(crate) use exchange::{Outgoing, Reply, Transport, TransportParts};
pub(crate) use limits::URL_BYTES;
pub(crate) use throttle::Throttle;
