//! Renewal of the certificate: asked for over the session, stored, then used by a session that takes the place of the former one.

use std::sync::Arc;

use portolan_shared::model::Reason;
use portolan_shared::tls::CertificateHealth;

use super::failure::Failure;
use super::issued;
use super::run::Uplink;
use crate::keyring::{StoredCertificate, TlsKey};

impl Uplink {
    /// Asks for a new certificate if it is time and there is a session to ask over.
    pub(super) fn start_renewal(&mut self) {
        if self.renewing.is_some() || self.end.is_some() || !self.renewal_due() {
            return;
        }
        let Some(session) = &self.current else {
            return;
        };
        let made = TlsKey::generate().and_then(|key| Ok((key.signing_request()?, key)));
        let (request, key) = match made {
            Ok(made) => made,
            Err(error) => {
                self.renewal_failed(&Failure::Local(error.to_string()));
                return;
            }
        };
        let answer = session.renew(request);
        let (keyring, clock) = (Arc::clone(&self.parts.keyring), Arc::clone(&self.parts.clock));
        self.renewing = Some(Box::pin(async move {
            let bundle = answer.await?;
            let enrolled = keyring.enrolled();
            issued::certificate(
                &bundle,
                &key,
                &enrolled.deployment,
                enrolled.sensor,
                enrolled.tenant,
                clock.now(),
            )
        }));
    }

    fn renewal_due(&self) -> bool {
        let renewal = self.renewal.as_ref();
        renewal.is_some_and(|renewal| renewal.is_due(&*self.parts.clock))
    }

    pub(super) fn on_renewed(&mut self, renewed: Result<StoredCertificate, Failure>) {
        let stored = renewed.and_then(|certificate| {
            // On disk before it is used: the control plane voids the old one at the first use of the new one.
            self.parts
                .keyring
                .store_certificate(certificate)
                .map_err(|error| Failure::of_state(&error))
        });
        if let Err(failure) = stored {
            self.renewal_failed(&failure);
            return;
        }
        self.use_certificate();
        tracing::info!("the certificate was renewed");
        self.view.send_modify(|view| view.renewals += 1);
    }

    fn renewal_failed(&mut self, failure: &Failure) {
        let told = failure.told();
        if told.is_some_and(|told| told.reason == Reason::SensorRevoked) {
            self.revoked();
            return;
        }
        let asked = told.and_then(|told| told.retry_after);
        if let Some(renewal) = &mut self.renewal {
            renewal.failed(asked, self.parts.clock.uptime(), &*self.parts.rng);
        }
        let held = self.parts.keyring.certificate();
        let health = held.map_or(CertificateHealth::Expired, |held| {
            held.life().health(self.parts.clock.now())
        });
        let text = failure.with_causes();
        match health {
            CertificateHealth::Good => tracing::warn!(failure = text, "the certificate was not renewed"),
            CertificateHealth::Degraded | CertificateHealth::Critical | CertificateHealth::Expired => {
                tracing::error!(failure = text, ?health, "the certificate was not renewed");
            }
        }
        self.view.send_modify(|view| view.renewal_failure = Some(text));
    }
}
