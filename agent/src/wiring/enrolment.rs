//! The command that makes a sensor.

use std::path::PathBuf;
use std::sync::Arc;

use portolan_shared::process::{Clock, Rng, Tasks};
use portolan_shared::secret::{EnrolmentToken, EnrolmentTokenError, Secret};

use super::machine::host_facts;
use crate::audit::account_of_enrolment;
use crate::keyring::{Enrolled, Keyring, KeyringError, StateDir};
use crate::policy::{AllowanceError, Allowed, write_first_policy};
use crate::settings::ProxySettings;
use crate::uplink::{Connector, EnrolError, Enroller};

/// What `portolan-agent enroll` was told.
pub struct EnrolCommand {
    /// The token, as it was given.
    pub token: Secret,
    /// Where state lies.
    pub data_dir: PathBuf,
    /// Where the policy lies.
    pub policy: PathBuf,
    /// What the first policy is to allow.
    pub allow: Allowed,
    /// The way to the control plane.
    pub proxy: ProxySettings,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<dyn Rng>,
    /// Owns the connection.
    pub tasks: Tasks,
}

/// Enrolment did not happen.
#[derive(Debug, thiserror::Error)]
pub enum EnrolmentError {
    /// The token is none.
    #[error(transparent)]
    Token(#[from] EnrolmentTokenError),
    /// The state directory.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The control plane, or the way to it.
    #[error(transparent)]
    Enrol(#[from] EnrolError),
    /// The first policy was not written; nothing was sent.
    #[error(transparent)]
    Policy(#[from] AllowanceError),
}

/// An enrolment that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolReport {
    /// As whom.
    pub enrolled: Enrolled,
    /// The directory was enrolled with this token before.
    pub before: bool,
}

/// A token that ended longer ago than this is worth a warning; the control plane decides, and clocks differ.
const TOLERANCE_SECONDS: i64 = 300;

/// Writes the first policy, then enrols. Doing it again after a failure continues where it was.
pub async fn enrol(command: EnrolCommand) -> Result<EnrolReport, EnrolmentError> {
    let token = EnrolmentToken::parse(command.token.expose())?;
    let late = command.clock.now().as_second() - token.expires_at.as_second();
    if late > TOLERANCE_SECONDS {
        tracing::warn!(
            expired = %token.expires_at,
            now = %command.clock.now(),
            "this token has expired by this machine's clock; the control plane decides"
        );
    }
    let dir = StateDir::open(&command.data_dir)?;
    // What cannot be told of afterwards is not done.
    let outgoing =
        account_of_enrolment(&command.data_dir, Arc::clone(&command.clock)).map_err(KeyringError::File)?;
    let connector = Connector::new(command.proxy, Arc::clone(&command.clock), command.tasks);
    let enroller = Enroller {
        connector: connector.counted_in(Arc::clone(&outgoing)),
        clock: command.clock,
        rng: command.rng,
        host: host_facts(),
    };
    // Whose directory it is says more than that a policy lies there already.
    Keyring::may_enrol(&dir, token.invitation)?;
    // Then the policy, so that one that is in the way is noticed before the token is used up.
    if !command.allow.registries.is_empty() {
        write_first_policy(&command.policy, &command.allow)?;
    }
    let outcome = enroller.enrol(&dir, &token).await;
    outgoing.record_now();
    let outcome = outcome?;
    Ok(EnrolReport {
        enrolled: outcome.enrolled,
        before: outcome.before,
    })
}
