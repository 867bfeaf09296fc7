//! The local policy: what this agent may do, whoever asks. A file that belongs to the machine's administrator; nothing remote can change,
//! extend or disable it. Missing or empty, it allows nothing.
//!
//! Its keys, their defaults and the ids of the rules are described for administrators in `deploy/agent/policy.md`, and tests compare. Without
//! `credentials`, an entry allows [`DEFAULT_CREDENTIALS`]: files and mounted secrets where credentials are kept, `env:*`, `systemd:*`, and
//! `docker-config` without a path. What else the agent can read is nobody's business but this machine's.
//!
//! There is no rate limit unless one is written. The registry is protected already by the budget that its definition has and by a client
//! that slows down when answers do, and a default of a few requests per second would make an inventory that takes seconds take an hour. For
//! the same reason jobs may take a day. Every path that is asked is built by the adapter of a product behind the path of the registry's URL, which
//! the control plane says and `paths` bound: without the key, to [`DEFAULT_PATHS`]. What may be done is read only, by the methods GET and HEAD, and POST where a token service wants it.
//!
//! There is nothing about sensors that this one trusts either: no message exists by which it could be asked to seal a credential for another.
//!
//! A request is judged in this order: the registry by its host, port, scheme and path; each hop (token service, redirect) by the rule of the
//! registry it belongs to; each address that a host resolves to. Link-local addresses, cloud metadata services, multicast and
//! the like are never contacted, nor is the sensor's own control plane; loopback only where the file names it literally. Pure: nothing here resolves or connects, or counts; the
//! limits are kept by [`jobs`](crate::jobs).

mod address;
mod command;
mod control_plane;
mod credentials;
mod decide;
mod egress;
mod egress_text;
mod entry;
mod explain;
mod faults;
mod file;
mod first;
mod hop;
mod host;
mod lack;
mod limits;
mod live;
mod modes;
mod opened;
mod owner;
mod path;
mod sharing;
mod told;
mod upload;
mod value;
mod warnings;
mod window;

#[cfg(test)]
mod rule_ids_tests;

pub use address::{AddressRange, AddressSet};
pub use control_plane::ControlPlaneDoors;
pub use credentials::{CredentialPattern, DEFAULT_CREDENTIALS};
pub use decide::{Policy, PolicyRefusal};
pub use egress::{Egress, EgressFormat, Needed, ResolvedHosts};
pub use faults::{PolicyFault, PolicyFaults};
pub use file::{POLICY_BYTES, PolicyError};
pub use first::{Allowance, AllowanceError, Allowed, first_policy, write_first_policy};
pub use hop::HopPurpose;
pub use host::{HostPattern, HostPort};
pub use limits::{AgentLimits, Rate, RegistryLimits};
pub use live::{LivePolicy, exposure};
pub use opened::OpenedEntry;
pub use path::{DEFAULT_PATHS, PathPattern};
pub use told::Told;
pub use window::{Hour, Window};
