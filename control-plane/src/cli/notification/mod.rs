//! What has to be written where, so that a registry notifies of pushes: `portolan registry show NAME --webhook`.

mod agent;
mod registry;
mod show;
mod snippet;

pub(super) use show::show_webhook;
