//! What a use case answers when it does not do what it was asked.

use jiff::Timestamp;
use portolan_shared::model::{CredentialId, InvitationId, RegistryName, RunId, RunState, SensorState};
use portolan_store::{Role, StoreError};

/// Why a use case was not carried out. Every variant has a stable code ([`AppError::code`]); a code never changes its meaning.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// No API token, or none that is valid. Which of the two, and why, is for the log alone.
    #[error("a valid API token is required")]
    Unauthenticated,
    /// The caller's role is too small.
    #[error("this takes the role {needs}; the token's role is {has}")]
    Forbidden {
        /// The least role that may do it.
        needs: Role,
        /// The caller's role.
        has: Role,
    },
    /// There is no such thing in the caller's tenant. Whether another tenant has it makes no difference.
    #[error("{what} {name:?} does not exist")]
    NotFound {
        /// Of which noun.
        what: &'static str,
        /// How it was named.
        name: String,
    },
    /// A name that must be unique is in use.
    #[error("{what} {name:?} exists already")]
    Taken {
        /// Of which noun.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A sensor's name is promised to whoever uses an open invitation.
    #[error(
        "an open invitation for {name:?} exists until {expires_at}: use its token, or withdraw it, or wait"
    )]
    InvitedAlready {
        /// The name.
        name: String,
        /// The invitation.
        invitation: InvitationId,
        /// When it ends.
        expires_at: Timestamp,
    },
    /// A sensor's name was that of a sensor which is shut out.
    #[error("sensor {name:?} was revoked; its name stays taken: choose another one")]
    NameOfRevoked {
        /// The name.
        name: String,
    },
    /// Repositories were asked for that the registry's patterns leave out.
    #[error(
        "the patterns of registry {registry} leave out {repositories}: they are {patterns}; name other repositories, or widen the patterns",
        repositories = list(repositories), patterns = list(patterns)
    )]
    OutsidePatterns {
        /// The registry.
        registry: RegistryName,
        /// Those that are not wanted, at most [`AppError::CANDIDATES`].
        repositories: Vec<String>,
        /// The registry's patterns, at most [`AppError::CANDIDATES`].
        patterns: Vec<String>,
    },
    /// A sensor's state does not allow what was asked for.
    #[error("sensor {sensor} is {state}: {demand}")]
    Standing {
        /// The sensor's name.
        sensor: String,
        /// Its state.
        state: SensorState,
        /// What it would take.
        demand: &'static str,
    },
    /// No sensor is left that could carry out a run.
    #[error("every sensor of registry {registry} is revoked: give it another one")]
    NoSensor {
        /// The registry.
        registry: RegistryName,
    },
    /// As many probes of the tenant wait as may.
    #[error("{most} probes wait for their sensors already: try again when some have ended")]
    TooManyProbes {
        /// How many may.
        most: u32,
    },
    /// A version of a sealed credential does not follow the last one.
    #[error("{}", follow(*credential, *next))]
    CredentialVersion {
        /// The credential that the registry has, if it has one.
        credential: Option<CredentialId>,
        /// The version that would follow.
        next: u64,
    },
    /// There is no version to go back to.
    #[error("the credential of registry {registry} stays as it is: {why}")]
    NoFormerCredential {
        /// The registry.
        registry: RegistryName,
        /// Why not.
        why: &'static str,
    },
    /// None of the sensors that could do it can open the registry's credential.
    #[error("the credential of registry {registry} is not sealed to {sensors}: enter it again for {them}", sensors = list(sensors),
        them = if sensors.len() == 1 { "this sensor" } else { "these sensors" })]
    AwaitingSealing {
        /// The registry.
        registry: String,
        /// Names of the sensors, at most [`AppError::CANDIDATES`].
        sensors: Vec<String>,
    },
    /// A value is not acceptable.
    #[error("{field}: {why}")]
    Invalid {
        /// Which value.
        field: &'static str,
        /// What is wrong with it, and what would be right.
        why: String,
    },
    /// A value names something that the tenant does not have.
    #[error("{what} {name:?} is named here but does not exist, or is revoked")]
    UnknownReference {
        /// Of which noun.
        what: &'static str,
        /// How it was named.
        name: String,
    },
    /// A reference could mean several repositories.
    #[error("{reference:?} could mean several repositories: say which registry")]
    Ambiguous {
        /// What was asked for.
        reference: String,
        /// What it could mean, as unambiguous references, sorted; at most [`AppError::CANDIDATES`].
        candidates: Vec<String>,
    },
    /// Somebody else changed it since the caller looked.
    #[error("{what} was changed since it was read: read it again")]
    OutOfDate {
        /// Of which noun.
        what: &'static str,
    },
    /// The run cannot be cancelled any more.
    #[error("run {run} has ended: {state}")]
    RunEnded {
        /// Which run.
        run: RunId,
        /// How it ended.
        state: RunState,
    },
    /// The bytes of a manifest are known of, but are not held.
    #[error("the content of {digest} is not held: {why}")]
    ContentUnavailable {
        /// Its digest.
        digest: String,
        /// The code of the finding that says why, or why not otherwise.
        why: String,
    },
    /// What was asked for is older than what is kept.
    #[error(
        "of what was before {earliest} not all is kept, as the settings of retention want it: ask for a later time"
    )]
    HistoryForgotten {
        /// Since when the past is known.
        earliest: Timestamp,
    },
    /// What was asked for is older than anything that is known of it.
    #[error("nothing was known of {what} before {earliest}, when it was first seen: ask for a later time")]
    HistoryUnknown {
        /// Of what.
        what: String,
        /// When it was first seen.
        earliest: Timestamp,
    },
    /// A cursor of the change feed from which nobody can go on without a gap.
    #[error(
        "changes behind this cursor are not there any more, or it is of another database: begin anew without a cursor, and take the baseline for all there is"
    )]
    CursorExpired,
    /// As many follow the change feed as may.
    #[error(
        "no more than {most} streams of changes, and polls that wait, may be open at present: close one, or try again later"
    )]
    TooManyReaders {
        /// How many may.
        most: usize,
    },
    /// As many tests of webhooks are under way as may, of the tenant or of all.
    #[error(
        "{most} tests of webhooks are under way already, and nothing was sent: try again when one has ended"
    )]
    TooManyTests {
        /// How many may.
        most: usize,
    },
    /// A webhook cannot go on from where it is.
    #[error("what webhook {webhook} was not told of is not kept any more: it can only go on from now")]
    WebhookForgotten {
        /// Its name.
        webhook: String,
    },
    /// The database did not answer. Trying again later may help.
    #[error("the database does not answer")]
    Unavailable(#[source] StoreError),
    /// A fault of ours.
    #[error("the control plane failed")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl AppError {
    /// Most candidates that an ambiguous reference lists, and most of anything else that an error lists.
    pub const CANDIDATES: usize = 20;

    /// The code by which programs tell errors apart.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden { .. } => "forbidden",
            Self::NotFound { .. } => "not_found",
            Self::Taken { .. } | Self::InvitedAlready { .. } | Self::NameOfRevoked { .. } => "taken",
            Self::OutsidePatterns { .. } => "outside_patterns",
            Self::Standing { .. } => "sensor_state",
            Self::NoSensor { .. } => "no_sensor",
            Self::TooManyProbes { .. } => "too_many_probes",
            Self::CredentialVersion { .. } => "credential_version",
            Self::NoFormerCredential { .. } => "no_former_credential",
            Self::AwaitingSealing { .. } => "awaiting_sealing",
            Self::Invalid { .. } => "invalid",
            Self::UnknownReference { .. } => "unknown_reference",
            Self::Ambiguous { .. } => "ambiguous_reference",
            Self::OutOfDate { .. } => "out_of_date",
            Self::RunEnded { .. } => "run_ended",
            Self::ContentUnavailable { .. } => "content_unavailable",
            Self::HistoryForgotten { .. } => "history_forgotten",
            Self::HistoryUnknown { .. } => "history_unknown",
            Self::CursorExpired => "cursor_expired",
            Self::TooManyReaders { .. } => "too_many_streams",
            Self::TooManyTests { .. } => "too_many_tests",
            Self::WebhookForgotten { .. } => "webhook_forgotten",
            Self::Unavailable(_) => "unavailable",
            Self::Internal(_) => "internal",
        }
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers hand over an id, a text or an error alike"
    )]
    pub(super) fn not_found(what: &'static str, name: impl ToString) -> Self {
        Self::NotFound {
            what,
            name: name.to_string(),
        }
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers hand over an id, a text or an error alike"
    )]
    pub(super) fn invalid(field: &'static str, why: impl ToString) -> Self {
        Self::Invalid {
            field,
            why: why.to_string(),
        }
    }
}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Taken { what, name } => Self::Taken { what, name },
            StoreError::Unknown { what, name } => Self::UnknownReference { what, name },
            StoreError::Refused { what, why } => Self::Invalid { field: what, why },
            StoreError::Unavailable { .. } => Self::Unavailable(error),
            StoreError::Stale(_) | StoreError::Rejected { .. } | StoreError::Corrupt { .. } => {
                Self::Internal(Box::new(error))
            }
        }
    }
}

fn follow(credential: Option<CredentialId>, next: u64) -> String {
    match credential {
        Some(id) => format!(
            "the next version of the registry's credential is version {next} of {id}: seal again as that"
        ),
        None => "the registry has no sealed credential: the first version has the number 1".to_owned(),
    }
}

/// What a list has, for a sentence.
fn list(names: &[String]) -> String {
    names.join(", ")
}
