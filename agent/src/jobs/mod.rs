//! Jobs: what a sensor can be asked to do. Typed and read-only; each is put before the local policy first.
//!
//! `job` says what a job is and how it ends, in words that the uplink understands. `registry_jobs` carries jobs out: it builds a client for
//! the registry, with its trust, its credential and the policy as its `gate`, and sends a walk through it
//! ([`inventory`](crate::inventory)), or the doctor (`portolan_registry::doctor`). `snapshot` is the policy that a job keeps to
//! from its beginning, `bound` the end of its time, `passage` what the policy says of each step of its way. `meters` and `day` count what
//! all jobs do together, because the policy bounds that. All jobs share one [`RepositoryTurns`](crate::inventory::RepositoryTurns), so that
//! two at one registry never read the same repository at once. Nothing here knows how a job arrived or how its results travel.

mod bound;
mod day;
mod gate;
mod job;
mod meters;
mod passage;
mod registry_jobs;
mod snapshot;

#[cfg(test)]
mod chain_tests;
#[cfg(test)]
mod gitlab_tests;
#[cfg(test)]
mod limits_tests;
#[cfg(test)]
mod look_tests;
#[cfg(test)]
mod sealed_tests;
#[cfg(test)]
mod tests;

pub use job::{JobControl, JobEnd, JobRefusal, Jobs, ProbeJob, SyncJob};
pub(crate) use passage::Passage;
pub use registry_jobs::{RegistryAccess, RegistryJobs};
