//! What can be wrong with the state directory.

use std::path::PathBuf;

use jiff::Timestamp;
use portolan_shared::model::SensorId;
use portolan_shared::process::FileError;

/// The state directory cannot be used as it is. Nothing in it was deleted.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// Another agent holds the lock.
    #[error("another agent is using {}: stop it first, or use another --data-dir", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// A file could not be read or written.
    #[error("the state directory cannot be used")]
    File(#[source] FileError),
    /// A file's content does not match its checksum, or makes no sense.
    #[error("state file {} is damaged: {why}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// In which way.
        why: String,
    },
    /// The identity key cannot be read.
    #[error(
        "the identity key {} cannot be used: {why}. Nothing was deleted. Restore the file from a backup; if there is none, revoke this \
         sensor in the control plane and enrol again with a new token and an empty --data-dir", path.display()
    )]
    IdentityLost {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// There is no enrolment.
    #[error(
        "{} holds no enrolled sensor: make a token with `portolan sensor invite` and run `portolan-agent enroll TOKEN --data-dir {}`",
        path.display(), path.display()
    )]
    NotEnrolled {
        /// The directory.
        path: PathBuf,
    },
    /// The directory belongs to a sensor already.
    #[error("{} already belongs to sensor {sensor}: use another --data-dir for another sensor", path.display())]
    AlreadyEnrolled {
        /// The directory.
        path: PathBuf,
        /// Its sensor.
        sensor: SensorId,
    },
    /// The control plane revoked this sensor.
    #[error(
        "sensor {sensor} was revoked by its control plane at {at}: enrol again with a new token and another --data-dir"
    )]
    Revoked {
        /// Which sensor.
        sensor: SensorId,
        /// When this sensor was told.
        at: Timestamp,
    },
    /// A new trust bundle has nothing in common with the one in use.
    #[error("trust bundle {version} shares no root with bundle {current}, which is in use")]
    TrustUnrelated {
        /// The version that was refused.
        version: u64,
        /// The version in use.
        current: u64,
    },
    /// Which versions of sealed credentials have worked is not known, or cannot be remembered.
    #[error("the record of credential versions {0}")]
    Versions(&'static str),
    /// A key could not be made or used.
    #[error("a key could not be {0}")]
    Key(&'static str),
}

impl From<FileError> for KeyringError {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}
