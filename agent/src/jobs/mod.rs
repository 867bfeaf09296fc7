//! Jobs: what a sensor can be asked to do. Typed and read-only; each is put before the local policy first.
//!
//! `job` says what a job is and how it ends, in words that the uplink understands. `registry_jobs` carries jobs out: it builds a client for
//! the registry, with its trust, its credential and the policy as its `gate`, and sends a walk through it
//! ([`inventory`](crate::inventory)), or the doctor (`portolan_registry::doctor`). Nothing here knows how a job arrived or how its results travel.

mod gate;
mod job;
mod registry_jobs;

#[cfg(test)]
mod gitlab_tests;
#[cfg(test)]
mod tests;

pub use job::{JobControl, JobEnd, JobRefusal, Jobs, ProbeJob, SyncJob};
pub use registry_jobs::{RegistryAccess, RegistryJobs};
