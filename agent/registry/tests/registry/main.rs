//! The client against servers that behave as real registries do, and as hostile ones might. Every server is on loopback.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod auth;
mod budget;
mod client;
mod conformance;
mod endless;
mod faults;
mod findings;
mod flavours;
mod flavours_forges;
mod flavours_hosted;
mod flavours_stores;
mod gitlab;
mod gitlab_bounds;
mod gitlab_discovery;
mod gitlab_double;
mod gitlab_groups;
mod gitlab_kinds;
mod gitlab_refusals;
mod gitlab_strangers;
mod gitlab_tags;
mod gitlab_web_address;
mod logins;
mod manifests;
mod paging;
mod referrers;
mod server;
mod tls;
mod tokens;
mod transport;
