//! What sensors that are connected must hear of credentials: that there is a newer version, or that one is not theirs any more.

use std::sync::Arc;

use portolan_shared::model::{CredentialId, RegistryId, SensorId, TenantId};
use portolan_store::{StoreError, Withdrawn};

use crate::app::{App, Dispatcher, SessionCommand};

/// News of a credential.
#[derive(Debug, Clone)]
pub enum CredentialNotice {
    /// Another version is in use: whoever reads the registry gets it.
    Changed(TenantId, RegistryId),
    /// These sensors must not keep it.
    Withdrawn(Arc<[SensorId]>, CredentialId),
}

impl App {
    /// Another version of a registry's credential is in use.
    pub(super) fn tell_changed(&self, tenant: TenantId, registry: RegistryId) {
        // Without a receiver nobody is connected here. The next job brings the version that is in use then.
        let _ = self
            .signals
            .credentials
            .send(CredentialNotice::Changed(tenant, registry));
    }

    /// A credential is not these sensors' any more.
    pub(in crate::app) fn tell_withdrawn(&self, withdrawn: Withdrawn) {
        if let Some(credential) = withdrawn.credential
            && !withdrawn.recipients.is_empty()
        {
            let notice = CredentialNotice::Withdrawn(withdrawn.recipients.into(), credential);
            let _ = self.signals.credentials.send(notice);
        }
    }
}

impl Dispatcher {
    /// Passes a notice on to the sessions of this process that it concerns. What does not reach its sensor has gone from its memory when it
    /// was not used for a quarter of an hour, and is given to nobody by then.
    pub(in crate::app) async fn pass_on(&self, notice: CredentialNotice) -> Result<(), StoreError> {
        match notice {
            CredentialNotice::Changed(tenant, registry) => {
                let reading = self.app.store.reading_attempt(tenant, registry).await?;
                if let Some(held) = reading
                    && let Some(session) = self.sessions.of(held.sensor)
                {
                    session.tell(SessionCommand::Credential(held.attempt, registry));
                }
            }
            CredentialNotice::Withdrawn(sensors, credential) => {
                for session in sensors.iter().filter_map(|sensor| self.sessions.of(*sensor)) {
                    session.tell(SessionCommand::Withdraw(credential));
                }
            }
        }
        Ok(())
    }
}
