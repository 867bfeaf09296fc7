//! One identity with more connections than it can use: an agent out of order, or somebody else with its certificate and key.

use std::net::SocketAddr;

use portolan_shared::model::{SensorId, TenantId};
use portolan_store::{AuditEntry, AuditSeverity, StoreError};
use serde_json::json;

use super::App;

impl App {
    /// Notes that a sensor has more connections than it can use. `sources`: where they come from, the newest last.
    pub async fn crowded(
        &self,
        tenant: TenantId,
        sensor: SensorId,
        sources: &[SocketAddr],
    ) -> Result<(), StoreError> {
        let mut addresses: Vec<String> = sources.iter().map(|source| source.ip().to_string()).collect();
        let newest = addresses.last().cloned().unwrap_or_default();
        addresses.sort_unstable();
        addresses.dedup();
        tracing::warn!(%sensor, sources = ?addresses, "a sensor has more connections than it can use");
        let entry = AuditEntry {
            at: self.clock.now(),
            actor: format!("address:{newest}"),
            action: "sensor.crowded".to_owned(),
            object: format!("sensor:{sensor}"),
            severity: AuditSeverity::Notice,
            details: json!({ "connections": sources.len(), "sources": addresses }),
        };
        self.store.append_audit(tenant, &entry).await?;
        Ok(())
    }
}
