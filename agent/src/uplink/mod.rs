//! The way to the control plane: enrolment, the session, renewal, uploads. Knows jobs as a trait and nothing of registries.
//!
//! The rules are pure machines with events and the time as arguments: `admission` (by which way in, and what follows from a refusal),
//! `continuity` (what is stored before it is acknowledged), `reconnect` (when to try again), `liveness` (who is alive), `lease` (what is still
//! ours), `sequence` (nothing lost), `renewal` (when to ask for a new certificate), `upload_pack` (what fits into a message).
//! `account` says what kinds of data messages and requests are.
//! Around them is one loop, `run` (with `step`, `opening`, `ending` and `renew`), that owns sessions and jobs and sends the heartbeats
//! itself, so that a sensor whose loop hangs falls silent. `session` is one session, `attempts` the jobs that outlive it, `probes` the
//! doctor's rounds, `upload` the way up of one attempt, over a connection of its own. `sealing` sees to the keys that credentials are sealed to.
//!
//! A message of a kind that this build does not know changes nothing. The `Hello` says what a sensor can do, and a job or probe of a kind that it
//! cannot is answered with `UNSUPPORTED`; a message that is no offer at all has no answer in the protocol. It is recorded in the sensor's audit log as
//! `message.unknown`, and one that is larger than any may be, which ends the session, as `message.oversized` (`audit`).
//!
//! State changes only on what the control plane said over an authenticated connection ([`Failure::told`]); an error that carries no reason
//! of its own came from somewhere in between and leads to another try, nothing else.

mod account;
mod admission;
mod advice;
mod attempts;
mod audit;
mod channel;
mod continuity;
mod dial;
mod ending;
mod endpoint;
mod enrol;
mod events;
mod failure;
mod issued;
mod lease;
mod liveness;
mod offered;
mod opening;
mod probes;
mod reconnect;
mod recover;
mod renew;
mod renewal;
mod run;
mod sealing;
mod sequence;
mod session;
mod step;
mod upload;
mod upload_link;
mod upload_pack;
mod view;
mod who_am_i;

pub use channel::Connector;
pub use endpoint::Endpoint;
pub use enrol::{EnrolError, EnrolOutcome, Enroller};
pub use failure::Failure;
pub use reconnect::Told;
pub use run::{Uplink, UplinkEnd, UplinkHandle, UplinkParts};
pub use view::{LastWork, Phase, RefusedView, RunningView, UplinkView};
