//! A start that finds its sensor revoked.
//!
//! It ends with an exit code that tells a supervisor to leave it, as the session did in which the sensor was told. Some supervisors know no exit
//! codes, containers' restart policies among them: they would start it for ever. A second such start within [`AGAIN_WITHIN`] shows one of
//! those at work, and waits instead; unless systemd or a person made it, who [know the code](Starter::heeds_codes). It contacts nobody. A sensor that is shut out for a while asks the control plane whether that still holds, with
//! a proof of its identity key; a revoked one has destroyed that key, and no word could bring it back.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::SensorId;
use portolan_shared::process::{Clock, FileError, Tasks, read_bounded, write_atomically};
use tokio::net::TcpListener;
use tokio::time::sleep;

use super::agent::AgentError;
use super::report::at_rest;
use super::starter::Starter;
use crate::keyring::{Enrolment, Keyring, KeyringError, StateDir};
use crate::settings::Settings;
use crate::status::{StatusReport, StatusSocket, StatusSource, serve_health};

/// Name of the file in the data directory that says when a start found its sensor revoked last: a time, for people to read as well.
const LAST_START: &str = "revoked.start";
/// Bytes of that file: more is none.
const LAST_START_BYTES: u64 = 64;
/// Starts that are less than this apart are somebody's who does not look at exit codes.
const AGAIN_WITHIN: SignedDuration = SignedDuration::from_hours(1);
/// So often a waiting agent looks whether there is another sensor in its directory.
const LOOK_EVERY: Duration = Duration::from_mins(1);
/// At every so many looks, which is once an hour, it says what it waits for, and takes note that it does.
const LOOKS_UNTIL_WORD: u32 = 60;

/// For the log and the status.
const WHAT_TO_DO: &str = "this sensor was revoked, and is started again and again: nothing is done and nobody contacted. Stop what starts it; to come \
                          back, enrol with a new token on an empty data directory";

/// How the wait of a revoked sensor ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitEnd {
    /// It was told to stop.
    Stopped,
    /// Another sensor was enrolled in the directory: started again, the agent is that one.
    Replaced,
}

/// A revoked sensor that something starts again and again.
pub struct RevokedWait {
    sensor: SensorId,
    data_dir: PathBuf,
    report: StatusReport,
    health: Option<TcpListener>,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
}

impl RevokedWait {
    /// What a start is to do that failed with `error`: wait, if that is what it says of this `sensor`, and such a start was made a short time ago. Takes
    /// note of the start. Health that cannot be served is done without: a start that ended for it would be made again.
    ///
    /// # Errors
    /// The error itself where there is nothing to wait for, or its `starter` heeds exit codes: the start ends with it.
    pub async fn instead_of(
        error: AgentError,
        settings: &Settings,
        starter: Starter,
        clock: Arc<dyn Clock>,
        tasks: Tasks,
    ) -> Result<Self, AgentError> {
        let AgentError::Keyring(KeyringError::Revoked { sensor, .. }) = &error else {
            return Err(error);
        };
        let sensor = *sensor;
        let is_again = is_again(&settings.data_dir, clock.now());
        if starter.heeds_codes() || !is_again {
            return Err(error);
        }
        let mut report = at_rest(&settings.data_dir, &settings.policy, clock.now())?;
        report.warnings.push(WHAT_TO_DO.to_owned());
        let health = match settings.health.listen {
            Some(address) => match TcpListener::bind(address).await {
                Ok(listener) => Some(listener),
                Err(error) => {
                    tracing::warn!(%address, %error, "no health requests are answered");
                    let warning = format!("cannot listen on {address} for health requests: {error}");
                    report.warnings.push(warning);
                    None
                }
            },
            None => None,
        };
        Ok(Self {
            sensor,
            data_dir: settings.data_dir.clone(),
            report: StatusReport {
                running: true,
                alive: true,
                ..report
            },
            health,
            clock,
            tasks,
        })
    }

    /// Where health is served, if it is: alive, and not ready.
    #[must_use]
    pub fn health_address(&self) -> Option<SocketAddr> {
        self.health
            .as_ref()
            .and_then(|listener| listener.local_addr().ok())
    }

    /// Waits until the shutdown drains, or there is another sensor. Contacts nobody.
    pub async fn run(self) -> WaitEnd {
        let shutdown = self.tasks.shutdown().clone();
        let data_dir = &self.data_dir;
        let source: Arc<dyn StatusSource> = Arc::new(Waiting(self.report));
        match StatusSocket::bind(data_dir, Arc::clone(&source)) {
            Ok(socket) => self.tasks.spawn("status socket", socket.serve(shutdown.clone())),
            Err(error) => {
                tracing::warn!(%error, "no status socket: `portolan-agent status` will not see this agent");
            }
        }
        if let Some(listener) = self.health {
            self.tasks
                .spawn("health", serve_health(listener, source, shutdown.clone()));
        }
        let mut looks = 0;
        let end = loop {
            if looks == 0 {
                tracing::error!(
                    sensor = %self.sensor,
                    data_dir = %data_dir.display(),
                    "{WHAT_TO_DO}"
                );
            }
            tokio::select! {
                () = shutdown.draining() => break WaitEnd::Stopped,
                () = sleep(LOOK_EVERY) => {}
            }
            looks = (looks + 1) % LOOKS_UNTIL_WORD;
            match Keyring::enrolment_in(&StateDir::for_looking(data_dir)) {
                Ok(Some(Enrolment::Enrolled(_))) => break WaitEnd::Replaced,
                // A start after this one waits at once.
                Ok(Some(Enrolment::Revoked(_))) if looks == 0 => note(data_dir, self.clock.now()),
                Ok(Some(Enrolment::Revoked(_) | Enrolment::PendingEnrol(_)) | None) => {}
                Err(error) => tracing::warn!(%error, "the state directory cannot be looked at"),
            }
        };
        shutdown.start_cut();
        end
    }
}

/// What is told of it.
struct Waiting(StatusReport);

impl StatusSource for Waiting {
    fn report(&self) -> StatusReport {
        self.0.clone()
    }
}

/// Whether such a start was made a short time ago. This one counts for the next.
fn is_again(data_dir: &Path, now: Timestamp) -> bool {
    let former = last_start(data_dir).unwrap_or_else(|error| {
        tracing::warn!(%error, "when this sensor was started last is not known");
        None
    });
    note(data_dir, now);
    // A clock that was set back since is no reason to end for ever.
    former.is_some_and(|former| now.duration_since(former).abs() < AGAIN_WITHIN)
}

fn last_start(data_dir: &Path) -> Result<Option<Timestamp>, FileError> {
    let content = read_bounded(&data_dir.join(LAST_START), LAST_START_BYTES)?;
    let text = content.and_then(|bytes| String::from_utf8(bytes).ok());
    Ok(text.and_then(|text| text.trim().parse().ok()))
}

fn note(data_dir: &Path, now: Timestamp) {
    if let Err(error) = write_atomically(&data_dir.join(LAST_START), format!("{now}\n").as_bytes()) {
        tracing::warn!(%error, "this start cannot be noted: the next one ends as well");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_start_within_an_hour_is_somebody_who_does_not_look() {
        let folder = tempfile::tempdir().unwrap();
        let at = |minutes: i64| {
            is_again(
                folder.path(),
                Timestamp::from_second(1_800_000_000 + 60 * minutes).unwrap(),
            )
        };
        assert!(!at(0), "a person may look what is wrong");
        assert!(at(5) && at(64), "each counts from the one before");
        assert!(!at(64 + 60), "an hour later it may be a person again");
        assert!(at(64 + 1), "the clock was set back");
        assert!(!at(-60 * 24), "by so much that nothing is known");
        std::fs::write(folder.path().join(LAST_START), "yesterday").unwrap();
        assert!(!at(0) && at(1));
        std::fs::write(folder.path().join(LAST_START), [b'1'; 65]).unwrap();
        assert!(!at(2) && at(3));
    }

    #[test]
    fn where_nothing_can_be_noted_every_start_ends() {
        let folder = tempfile::tempdir().unwrap();
        let gone = folder.path().join("gone");
        assert!(!is_again(&gone, Timestamp::UNIX_EPOCH) && !is_again(&gone, Timestamp::UNIX_EPOCH));
    }
}
