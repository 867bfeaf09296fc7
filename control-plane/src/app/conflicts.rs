//! One identity in two places: a copied disk, a restored snapshot, a stolen key. Who is the right one cannot be known from here, so both are
//! shut out until a person has looked.

use data_encoding::HEXLOWER;
use jiff::SignedDuration;
use portolan_shared::model::{SensorId, TenantId};
use portolan_store::{AuditEntry, AuditSeverity, Conflicts, MachineFacts, StandingChange, StoreError};
use serde_json::{Value, json};

use super::App;

/// Sensors of one tenant that are shut out by themselves within [`WINDOW`], and tenants that this happens to: so many at once are our fault,
/// not a thief's.
const AT_LEAST: u64 = 3;
/// Or, where there are many, this share of the tenant's active sensors, and of all tenants: one in a hundred.
const SHARE: u64 = 100;
const WINDOW: SignedDuration = SignedDuration::from_mins(10);

/// What is known of a presenter of an identity, for people to tell two of them apart.
fn sighting(machine: &MachineFacts) -> Value {
    let fingerprint = machine.fingerprint.as_ref().map_or(&[][..], |bytes| bytes);
    json!({
        "fingerprint": HEXLOWER.encode(fingerprint),
        "boot_id": machine.boot_id,
        "starts": machine.incarnation,
        "source": machine.seen_from,
    })
}

/// Whether one more sensor of a tenant is shut out by itself. No tenant can use up what is another's: only many of them together stop it for
/// all.
fn may_quarantine(lately: &Conflicts) -> bool {
    lately.of_tenant < AT_LEAST.max(lately.active_of_tenant / SHARE)
        && lately.other_tenants < AT_LEAST.max(lately.tenants / SHARE)
}

impl App {
    /// An identity was seen twice: shuts the sensor out, unless there are suddenly so many conflicts that the fault must be ours. Then there is
    /// only an entry; the caller refuses whoever presented itself second, in either case.
    pub async fn conflict(
        &self,
        tenant: TenantId,
        sensor: SensorId,
        why: &str,
        second: &MachineFacts,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let stored = self.store.sensor(tenant, sensor).await?;
        let first = stored.map(|record| record.machine).unwrap_or_default();
        let lately = self.store.conflicts_since(tenant, now - WINDOW).await?;
        let quarantine = may_quarantine(&lately);
        let action = if quarantine {
            "sensor.quarantine"
        } else {
            "sensor.conflict"
        };
        let mut entry = AuditEntry {
            at: now,
            actor: format!("address:{}", second.seen_from),
            action: action.to_owned(),
            object: format!("sensor:{sensor}"),
            severity: AuditSeverity::High,
            details: json!({ "why": why, "first": sighting(&first), "second": sighting(second) }),
        };
        if !quarantine {
            tracing::error!(%sensor, ?lately, "too many identities are seen twice: no sensor is quarantined by itself any more; look into the control plane first");
            // Whoever is not shut out can come again at once.
            if let Some(times) = self.may_tell_of_conflict(sensor) {
                entry.details["times"] = times.into();
                self.store.append_audit(tenant, &entry).await?;
            }
            return Ok(());
        }
        let changed = self
            .store
            .change_standing(tenant, sensor, StandingChange::Quarantine, now, &entry)
            .await?;
        if changed {
            tracing::error!(%sensor, why, "an identity was seen twice: the sensor is quarantined");
            self.signals.denials.notify_one();
            // Its leases went back to the queue.
            self.signals.runs.notify_one();
        }
        Ok(())
    }

    /// Somebody showed an identity that is in use, or an old state of it, and went away when it was asked whether it is alive: what an agent
    /// that crashed had sent last, or a copy that lies low.
    pub async fn sighted(
        &self,
        tenant: TenantId,
        sensor: SensorId,
        why: &str,
        seen: &MachineFacts,
    ) -> Result<(), StoreError> {
        let entry = AuditEntry {
            at: self.clock.now(),
            actor: format!("address:{}", seen.seen_from),
            action: "sensor.sighted".to_owned(),
            object: format!("sensor:{sensor}"),
            severity: AuditSeverity::Notice,
            details: json!({ "why": why, "sighting": sighting(seen) }),
        };
        self.store.append_audit(tenant, &entry).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conflicts(of_tenant: u64, active_of_tenant: u64, other_tenants: u64, tenants: u64) -> Conflicts {
        Conflicts {
            of_tenant,
            active_of_tenant,
            other_tenants,
            tenants,
        }
    }

    #[test]
    fn three_of_a_tenant_are_shut_out_by_themselves_or_one_in_a_hundred() {
        for (active, most) in [(0, 3), (399, 3), (400, 4), (10_000, 100)] {
            assert!(
                may_quarantine(&conflicts(most - 1, active, 0, 1)),
                "{active}: at the bound"
            );
            assert!(!may_quarantine(&conflicts(most, active, 0, 1)), "{active}: above");
        }
    }

    #[test]
    fn only_many_tenants_together_stop_it_for_another_one() {
        for (tenants, most) in [(1, 3), (399, 3), (500, 5)] {
            assert!(
                may_quarantine(&conflicts(0, 1, most - 1, tenants)),
                "{tenants}: at the bound"
            );
            assert!(
                !may_quarantine(&conflicts(0, 1, most, tenants)),
                "{tenants}: above"
            );
        }
    }
}
