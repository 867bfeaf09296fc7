//! Stands in front of a credential and records that it was opened. Never what was in it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use portolan_registry::{Credential, CredentialError, Credentials, LoginHolder, Logins};
use serde_json::json;

use super::entry::{Entry, Outcome};
use super::log::AuditLog;
use super::withheld::Rate;

/// Credentials whose opening is recorded: once for each job, and again after a login was refused.
pub(crate) struct AuditedCredentials {
    inner: Arc<dyn Credentials>,
    log: Arc<AuditLog>,
    reference: String,
    registry: String,
    noted: AtomicBool,
}

impl AuditedCredentials {
    /// In front of what this reference leads to.
    pub(crate) fn new(
        inner: Arc<dyn Credentials>,
        log: Arc<AuditLog>,
        reference: String,
        registry: String,
    ) -> Self {
        Self {
            inner,
            log,
            reference,
            registry,
            noted: AtomicBool::new(false),
        }
    }

    fn note<T>(&self, opened: &Result<T, CredentialError>) {
        if self.noted.swap(true, Ordering::Relaxed) {
            return;
        }
        let why = opened.as_ref().err().map(ToString::to_string);
        let outcome = if why.is_none() {
            Outcome::Ok
        } else {
            Outcome::Failed
        };
        let details = json!({"registry": self.registry, "why": why});
        let object = format!("credential:{}", self.reference);
        let entry = Entry::by_agent("credential.opened", object, details).with(outcome);
        self.log.append_paced(Rate::DONE, &self.registry, entry);
    }
}

#[async_trait]
impl Credentials for AuditedCredentials {
    async fn current(&self) -> Result<Option<Credential>, CredentialError> {
        let opened = self.inner.current().await;
        self.note(&opened);
        opened
    }

    async fn logins(&self) -> Result<Logins, CredentialError> {
        let opened = self.inner.logins().await;
        self.note(&opened);
        opened
    }

    fn program(&self) -> Option<String> {
        self.inner.program()
    }

    fn refused(&self, login: &Credential) {
        self.noted.store(false, Ordering::Relaxed);
        self.inner.refused(login);
    }

    fn accepted(&self, login: &Credential) {
        self.inner.accepted(login);
    }

    fn kept_by(&self, holder: Weak<dyn LoginHolder>) {
        self.inner.kept_by(holder);
    }
}
