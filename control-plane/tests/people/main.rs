//! The people's door, through the real router over the real store: what the API answers, whom it refuses, and that its document is true.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod access;
mod audit;
mod closing;
mod commands;
mod conditions;
mod conformity;
mod credential_life;
mod credential_scene;
mod credentials;
mod dead_ends;
mod desk;
mod document;
mod errors;
mod facts;
mod filters;
mod interrupt;
mod inventory;
mod preview;
mod probes;
mod refusals;
mod registries;
mod runs;
mod sealing;
mod sealing_hosts;
mod sealing_keys;
mod sealing_scene;
mod sensors;
mod serving;
mod shop;
mod standing;
mod vault;
mod world;
