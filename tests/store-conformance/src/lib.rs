#![doc = include_str!("../README.md")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "all of this runs in tests, where a panic is how a case fails"
)]

pub mod access;
pub mod age;
pub mod approval;
pub mod audit;
pub mod audit_chain;
pub mod beside;
pub mod blackout;
pub mod budget;
mod cases;
pub mod claims;
pub mod close;
pub mod commit;
pub mod content;
pub mod credential;
pub mod credential_log;
pub mod enrolment;
pub mod event;
pub mod event_count;
pub mod facts;
pub mod feed;
pub mod fence;
pub mod filtered;
pub mod follow;
pub mod follower;
pub mod forget;
pub mod freshness;
mod heard;
pub mod image;
pub mod lapse;
pub mod lease;
pub mod left_out;
pub mod looked;
pub mod model;
pub mod offer;
pub mod partial;
pub mod past;
pub mod past_model;
pub mod probe;
pub mod queue;
pub mod reasons;
pub mod registry;
pub mod replay;
pub mod schedule;
pub mod sealing;
pub mod sensor;
mod site;
pub mod standing;
mod suite;
mod suite_of_runs;
pub mod tag_sets;
pub mod timeline;
pub mod unannounced;
pub mod unused;
mod values;
pub mod vanish;
mod vault;
pub mod webhook;
pub mod webhook_delivery;
pub mod webhook_turn;

pub use site::{
    Site, at, commit_of, digest, image_of, note, noted, observation, requeue_expired, state_hash,
};

#[cfg(test)]
mod tests;
