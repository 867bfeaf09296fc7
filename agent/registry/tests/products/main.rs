//! The ways of single products, tried against doubles of these: one file a product, and in `inventory` what all of them need.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod artifactory;
mod credentials;
mod gitea;
mod google;
mod harbor;
mod hostile;
mod inventory;
mod nexus;
mod parts;
mod quay;
mod unreadable;
mod zot;
