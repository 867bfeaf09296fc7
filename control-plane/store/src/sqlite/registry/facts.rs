//! What is known of a registry.

use jiff::Timestamp;
use portolan_shared::model::{RegistryFacts, RegistryId, TenantId};
use sqlx::{Sqlite, Transaction};

use super::super::columns::Columns;
use super::super::failure::During as _;
use super::super::rows::json;
use crate::{KnownFacts, StoreError};

/// Takes in what a sensor found out.
pub(in super::super) async fn learn(
    tx: &mut Transaction<'static, Sqlite>,
    (tenant, registry): (TenantId, RegistryId),
    facts: &RegistryFacts,
    now: Timestamp,
    could_be_read: bool,
) -> Result<(), StoreError> {
    const ACTION: &str = "keep facts of a registry";
    let row = sqlx::query("SELECT facts FROM registry WHERE tenant_id = ?1 AND registry_id = ?2")
        .bind(tenant.as_bytes().as_slice())
        .bind(registry.as_bytes().as_slice())
        .fetch_one(&mut **tx)
        .await
        .during(ACTION)?;
    // What cannot be read any more gives way to what is known now.
    let mut known: KnownFacts = Columns::of("registry", &row).json("facts").unwrap_or_default();
    known.learn(facts.clone(), now, could_be_read);
    sqlx::query("UPDATE registry SET facts = ?3 WHERE tenant_id = ?1 AND registry_id = ?2")
        .bind(tenant.as_bytes().as_slice())
        .bind(registry.as_bytes().as_slice())
        .bind(json("facts of a registry", &known)?)
        .execute(&mut **tx)
        .await
        .during(ACTION)?;
    Ok(())
}
