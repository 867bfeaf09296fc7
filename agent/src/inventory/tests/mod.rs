//! The walk against a registry and a control plane in memory.
//!
//! `registry`, with `lists`, is a [`Source`](super::Source) that counts what it is asked and fails where it is told to. `control_plane` is an
//! [`Upload`](super::Upload) with the rules of the real one (`stored` has those about content), and refuses a manifest that comes before
//! what is below it. `image` makes manifests. The others are tests, one subject a file.

mod ages;
mod budget;
mod control_plane;
mod coverage;
mod crash;
mod deletions;
mod depth;
mod filters;
mod image;
mod kinds;
mod lists;
mod property;
mod references;
mod referrers;
mod registry;
mod repeat;
mod scene;
mod schedules;
mod shortfall;
mod steering;
mod stored;
mod terms;
mod turns;

pub(crate) use control_plane::{ControlPlane, Trouble};
