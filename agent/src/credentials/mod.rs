//! Logins that were sealed for this sensor: taken, opened, used and forgotten.
//!
//! A sealed credential comes with the job that needs it. `vault` takes it: it compares what the credential is bound to with the registry of
//! the job, field by field, asks the local policy, the versions that have worked and the clock, and opens it, all before anything is
//! contacted; `refused` says what did not fit, by the name of the field and never by a value. What came out is a `login`: the ciphertext for
//! as long as its job holds it, and the plain text in memory only, wiped after 15 minutes without a request and opened again when one is
//! made. `source` hands it to the registry client of the job, request by request, so that a newer version is used from the next request on;
//! `gate` stands in front of the job's gate and keeps that client to the hosts that the credential is bound to: to its `reach`, which a newer
//! version in the hands of the same job narrows and never widens.
//!
//! A version that has authenticated in a sync becomes the lowest that is taken, for ever and over restarts; a probe tries and changes nothing.
//!
//! # For this sensor only
//!
//! What this sensor can open it seals again to one kind of key: its own latest one ([`Recipient::own`]). The protocol has no message that
//! names another sensor, or a key, to seal to, so there is nothing that a control plane could ask for and nothing for a policy to decide. A
//! sensor that joins waits until whoever entered the credential seals it again.
//!
//! [`Recipient::own`]: portolan_shared::secret::sealed::Recipient::own

mod gate;
mod login;
mod reach;
mod refused;
mod source;
mod vault;

#[cfg(test)]
pub(crate) mod bench;
#[cfg(test)]
mod tests;

pub use gate::BoundGate;
pub use login::SealedLogin;
pub use refused::CredentialRefused;
pub use source::SealedSource;
pub use vault::SealedVault;
