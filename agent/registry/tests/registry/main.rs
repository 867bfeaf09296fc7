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
mod delegated;
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
mod gitlab_obstacles;
mod gitlab_refusals;
mod gitlab_rest_tags;
mod gitlab_strangers;
mod gitlab_tags;
mod gitlab_web_address;
mod logins;
mod manifests;
mod meters;
mod paging;
mod referrers;
mod rotated_logins;
mod server;
mod tls;
mod tokens;
mod transport;
