//! The change feed: `changes` reads the ledger in the order of its commits, `present` what there is now, `retention` is what is to be kept of the
//! past, `forget` removes the rest, `number` gives a place to what has none. Who writes the ledger counts `tenant.feed_no` up: see
//! `inventory/commit.rs` and `run/vanish.rs`, and `registry/remove.rs` for registries that go.

mod changes;
mod forget;
mod number;
mod present;
mod retention;
mod runs;
mod traits;

pub(super) use number::number_all;

#[cfg(test)]
mod plan_tests;
