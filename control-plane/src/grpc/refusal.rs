//! Errors towards sensors: the one table from what went wrong to what is said. Detail that was not foreseen goes to the log alone.

use std::error::Error;
use std::time::Duration;

use data_encoding::HEXLOWER;
use portolan_proto::convert::{FieldError, Refusal};
use portolan_shared::model::Reason;
use portolan_shared::process::{Clock, Rng};
use portolan_store::{StaleFence, StoreError};
use tonic::{Code, Status};

use crate::app::{EnrolmentError, IngestError, RecoveryError, RenewalError};
use crate::ca::RequestError;

/// Makes refusals that carry time and request id.
pub(super) struct Refuser<'a> {
    pub(super) clock: &'a dyn Clock,
    pub(super) rng: &'a dyn Rng,
    pub(super) request_id: &'a str,
}

/// A new id for a request.
pub(super) fn request_id(rng: &dyn Rng) -> String {
    let mut random = [0; 8];
    rng.fill(&mut random);
    HEXLOWER.encode(&random)
}

impl Refuser<'_> {
    /// A refusal for a reason.
    pub(super) fn with(&self, reason: Reason, text: impl Into<String>) -> Refusal {
        let text = text.into();
        tracing::debug!(request_id = self.request_id, %reason, text, "refused");
        Refusal {
            reason,
            retry_after: None,
            server_time: self.clock.now(),
            request_id: self.request_id.to_owned(),
            text,
        }
    }

    /// Come back later, between `wait` and twice that.
    pub(super) fn later(&self, reason: Reason, text: &str, wait: Duration) -> Refusal {
        let wait = wait.max(Duration::from_millis(1));
        Refusal {
            retry_after: Some(self.rng.between(wait, wait * 2)),
            ..self.with(reason, text)
        }
    }

    /// A message that is not acceptable.
    pub(super) fn field(&self, error: &FieldError) -> Refusal {
        self.with(Reason::ProtocolViolation, error.to_string())
    }

    /// A failure of the store.
    pub(super) fn store(&self, error: &StoreError) -> Refusal {
        match error {
            StoreError::Stale(StaleFence::Session) => {
                self.with(Reason::StaleSession, "a newer session of this sensor exists")
            }
            // That there is no such run in its tenant is not for the sensor to know.
            StoreError::Stale(StaleFence::Attempt | StaleFence::Run) => self.with(
                Reason::StaleAttempt,
                "the attempt is not the current one of its run",
            ),
            StoreError::Refused { .. } | StoreError::Unknown { .. } | StoreError::Taken { .. } => {
                self.with(Reason::ProtocolViolation, error.to_string())
            }
            StoreError::Unavailable { .. } => {
                self.log(error);
                let text = "the database does not answer";
                self.later(Reason::StorageUnavailable, text, Duration::from_secs(2))
            }
            StoreError::Rejected { .. } | StoreError::Corrupt { .. } => self.internal(error),
        }
    }

    /// A failure of ours.
    pub(super) fn internal(&self, error: &(dyn Error + 'static)) -> Refusal {
        self.log(error);
        self.with(Reason::Internal, "the control plane failed")
    }

    /// A refused upload.
    pub(super) fn ingest(&self, error: &IngestError) -> Refusal {
        match error {
            IngestError::Batch(inner) => self.with(Reason::ProtocolViolation, inner.to_string()),
            IngestError::TagSet(inner) => self.with(Reason::ProtocolViolation, inner.to_string()),
            IngestError::Store(inner) => self.store(inner),
            IngestError::Interrupted => self.later(
                Reason::Draining,
                "the control plane stops",
                Duration::from_secs(1),
            ),
        }
    }

    /// A refused enrolment.
    pub(super) fn enrolment(&self, error: &EnrolmentError) -> Refusal {
        match error {
            EnrolmentError::Invalid(_) => self.with(Reason::TokenInvalid, error.to_string()),
            EnrolmentError::AlreadyBound => self.with(Reason::TokenAlreadyBound, error.to_string()),
            EnrolmentError::Store(inner) => self.store(inner),
            EnrolmentError::Ca(inner) => self.internal(inner),
        }
    }

    /// A refused recovery.
    pub(super) fn recovery(&self, error: &RecoveryError) -> Refusal {
        match error {
            // As for an identity that does not exist.
            RecoveryError::Refused(Reason::IdentityUnknown) => {
                self.with(Reason::IdentityUnknown, "the identity is not known")
            }
            RecoveryError::Refused(reason) => self.with(*reason, error.to_string()),
            RecoveryError::Store(inner) => self.store(inner),
            RecoveryError::Ca(inner) => self.internal(inner),
        }
    }

    /// A refused renewal.
    pub(super) fn renewal(&self, error: &RenewalError) -> Refusal {
        match error {
            RenewalError::Refused(reason) => self.with(*reason, error.to_string()),
            RenewalError::TooMany => self.later(
                Reason::Overloaded,
                "too many renewals within an hour",
                Duration::from_secs(600),
            ),
            RenewalError::Store(inner) => self.store(inner),
            RenewalError::Ca(inner) => self.internal(inner),
        }
    }

    /// A refused certificate request.
    pub(super) fn request(&self, error: RequestError) -> Refusal {
        let reason = match error {
            RequestError::TooLarge => Reason::MessageTooLarge,
            RequestError::Syntax | RequestError::Key | RequestError::Signature => Reason::ProtocolViolation,
        };
        self.with(reason, error.to_string())
    }

    /// What a status that tonic made itself means: it has no detail yet.
    pub(super) fn bare(&self, status: &Status) -> Refusal {
        let reason = match status.code() {
            Code::OutOfRange | Code::ResourceExhausted => Reason::MessageTooLarge,
            Code::Unimplemented => Reason::Unsupported,
            Code::Cancelled | Code::DeadlineExceeded => Reason::Overloaded,
            Code::Internal | Code::InvalidArgument | Code::Unknown => Reason::ProtocolViolation,
            _ => Reason::Internal,
        };
        self.with(reason, status.message())
    }

    fn log(&self, error: &(dyn Error + 'static)) {
        tracing::error!(request_id = self.request_id, error, "a request failed");
    }
}
