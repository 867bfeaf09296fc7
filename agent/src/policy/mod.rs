//! The local policy: what this agent may do, whoever asks. A file that belongs to the machine's administrator; nothing remote can change,
//! extend or disable it. Missing or empty, it allows nothing.
//!
//! ```toml
//! version = 1
//!
//! [[allow]]
//! host = "gitlab.example.com"          # exact, or "*.example.com" for everything below it
//! ports = [443, 5050]                  # [443] if absent
//! addresses = ["public", "10.0.0.0/8"] # what the host may resolve to: "public", "private", ranges; ["public"] if absent
//! realms = ["login.example.com"]       # token services on other hosts that get this registry's credential
//! storage = ["s3.example.com:9000"]    # other hosts that its downloads may come from
//! credentials = ["file:/etc/portolan/*", "env:GITLAB"] # which references the control plane may name for it; see below if absent
//! plaintext = false                    # http instead of https
//! ```
//!
//! Without `credentials`, an entry allows [`DEFAULT_CREDENTIALS`]: files where credentials are kept, `env:*`, and `docker-config`
//! without a path. What else the agent can read is nobody's business but this machine's.
//!
//! A request is judged in this order: the registry by its host, port and scheme; each hop (token service, redirect) by the rule of the
//! registry it belongs to; each address that a host resolves to. Link-local addresses, cloud metadata services, multicast and
//! the like are never contacted; loopback only where the file names it literally. Pure: nothing here resolves or connects.

mod address;
mod credentials;
mod decide;
mod faults;
mod file;
mod first;
mod host;
mod live;

pub use address::{AddressRange, AddressSet};
pub use credentials::{CredentialPattern, DEFAULT_CREDENTIALS};
pub use decide::{HopPurpose, Policy, PolicyRefusal};
pub use faults::{PolicyFault, PolicyFaults};
pub use file::{POLICY_BYTES, PolicyError};
pub use first::{Allowance, AllowanceError, Allowed, first_policy, write_first_policy};
pub use host::{HostPattern, HostPort};
pub use live::LivePolicy;
