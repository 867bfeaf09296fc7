//! The client against servers that behave as real registries do, and as hostile ones might. Every server is on loopback.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod auth;
mod client;
mod endless;
mod faults;
mod logins;
mod manifests;
mod paging;
mod referrers;
mod schema1;
mod server;
mod tls;
mod tokens;
mod transport;
