//! Renewal: the next certificate, while the present one is good.

use std::net::IpAddr;

use portolan_shared::model::Reason;
use portolan_shared::tls::PeerIdentity;
use portolan_store::{AuditSeverity, Certificate, RenewalOutcome, StoreError};
use serde_json::json;

use super::IssuedSensor;
use super::entry::{entry, issued};
use crate::app::App;
use crate::ca::{Authority, CaError, RequestedKey};

/// Why a certificate was not renewed.
#[derive(Debug, thiserror::Error)]
pub enum RenewalError {
    /// The sensor may not have one.
    #[error("the sensor may not have a new certificate: {0}")]
    Refused(Reason),
    /// More than six within an hour.
    #[error("too many renewals within an hour")]
    TooMany,
    /// The database failed.
    #[error("the new certificate could not be stored")]
    Store(#[from] StoreError),
    /// No certificate could be made.
    #[error("no certificate could be issued")]
    Ca(#[from] CaError),
}

impl App {
    /// Issues a sensor's next certificate. The one that it holds stays valid until the new one is first used. `source`: where the wish came
    /// from. A new one that takes the place of one which was never used is worth a look: its answer was lost, or somebody else has asked.
    pub async fn renew(
        &self,
        authority: &Authority,
        identity: &PeerIdentity,
        key: &RequestedKey,
        source: IpAddr,
    ) -> Result<IssuedSensor, RenewalError> {
        let (tenant, sensor) = (identity.tenant, identity.sensor);
        let held = self.store.sensor(tenant, sensor).await?;
        let Some(held) = held else {
            return Err(RenewalError::Refused(Reason::IdentityUnknown));
        };
        let now = self.clock.now();
        let planned = authority.plan(now);
        let certificate = Certificate {
            serial: planned.serial,
            not_after: planned.not_after(),
        };
        let (severity, replaces_unused) = match held.new {
            Some(_) => (AuditSeverity::Notice, true),
            None => (AuditSeverity::Info, false),
        };
        let details = json!({ "source": source.to_string(), "replaces_unused": replaces_unused });
        let details = issued(&certificate, details);
        let (actor, object) = (format!("sensor:{sensor}"), format!("sensor:{sensor}"));
        let entry = entry(now, actor, "sensor.renew", object, severity, details);
        match self
            .store
            .store_renewal(tenant, sensor, identity.serial, &certificate, now, &entry)
            .await?
        {
            RenewalOutcome::Stored => {}
            RenewalOutcome::TooMany => return Err(RenewalError::TooMany),
            RenewalOutcome::Refused(reason) => return Err(RenewalError::Refused(reason)),
        }
        let chain = authority.issue_sensor(planned, tenant, sensor, key)?;
        Ok(IssuedSensor {
            sensor,
            tenant,
            chain,
            not_after: certificate.not_after,
        })
    }
}
