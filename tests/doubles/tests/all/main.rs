//! The doubles, tried from outside, and held against the real programs.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod client;
mod content;
mod faults;
mod gitlab;
mod private_ca;
mod products;
mod proxies;
mod real_registry;
mod registry_blobs;
mod registry_double;
mod registry_lists;
mod token_service;
