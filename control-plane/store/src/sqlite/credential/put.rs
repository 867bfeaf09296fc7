//! Versions of credentials, into use and out of it.

use jiff::Timestamp;
use portolan_shared::model::{CredentialId, RegistryId, RegistryUrl, SensorId, TenantId};
use portolan_shared::secret::sealed::CredentialBinding;
use sqlx::{Sqlite, Transaction};

use crate::sqlite::columns::{Columns, integer, millis};
use crate::sqlite::failure::During as _;
use crate::sqlite::rows::{self, hex, json};
use crate::sqlite::{SqliteStore, audit, registry};
use crate::{
    AuditEntry, EntryFor, KEPT_PAST_VERSIONS, NewCredential, PutOutcome, RegistryRecord, RevertOutcome,
    StoreError, Withdrawn,
};

type Tx = Transaction<'static, Sqlite>;
type Place = (TenantId, RegistryId);

const PUT: &str = "take a credential into use";

pub(super) async fn put(
    store: &SqliteStore,
    credential: &NewCredential,
    note: EntryFor<'_, Option<u64>>,
) -> Result<PutOutcome, StoreError> {
    let mut tx = store.write().await?;
    let outcome = put_within(&mut tx, credential, note).await?;
    if outcome == PutOutcome::Put {
        tx.commit().await.during(PUT)?;
    }
    Ok(outcome)
}

/// The same as part of more. Whatever the outcome is but [`PutOutcome::Put`], the transaction must not be committed.
pub(in super::super) async fn put_within(
    tx: &mut Tx,
    credential: &NewCredential,
    note: EntryFor<'_, Option<u64>>,
) -> Result<PutOutcome, StoreError> {
    let binding = &credential.version.binding;
    let place = (binding.tenant, binding.registry);
    let Some(record) = registry::find(tx, place.0, place.1).await? else {
        return Ok(PutOutcome::UnknownRegistry);
    };
    if binding
        .difference_from_registry(place.0, place.1, &record.registry.url)
        .is_some()
    {
        return Ok(PutOutcome::Elsewhere);
    }
    let current = current(tx, place).await?;
    let (id, next) = match current {
        None => (None, 1),
        Some((id, _)) => (Some(id), last_version(tx, place.0, id).await? + 1),
    };
    if binding.version != next || id.is_some_and(|id| id != binding.credential) {
        return Ok(PutOutcome::OutOfDate(id, next));
    }
    if id.is_none() && last_version(tx, place.0, binding.credential).await? > 0 {
        return Ok(PutOutcome::IdTaken);
    }
    if let Some((id, version)) = current {
        make_room(tx, place, (id, version)).await?;
    }
    insert(tx, credential).await?;
    forget_past(tx, place).await?;
    touch_registry(tx, record, credential.now).await?;
    if let Some(entry) = note(&current.map(|(_, version)| version)) {
        audit::append(tx, place.0, &entry).await?;
    }
    Ok(PutOutcome::Put)
}

/// Id and version of the credential in use.
pub(in super::super) async fn current(
    tx: &mut Tx,
    place: Place,
) -> Result<Option<(CredentialId, u64)>, StoreError> {
    let row = sqlx::query(
        "SELECT credential_id, version FROM credential WHERE tenant_id = ?1 AND registry_id = ?2 AND state = 'current'",
    )
    .bind(place.0.as_bytes().as_slice())
    .bind(place.1.as_bytes().as_slice())
    .fetch_optional(&mut **tx)
    .await
    .during("find a credential")?;
    let Some(row) = row else { return Ok(None) };
    let row = Columns::of("credential", &row);
    Ok(Some((
        row.bytes("credential_id", CredentialId::from_slice)?,
        row.number("version")?,
    )))
}

async fn last_version(tx: &mut Tx, tenant: TenantId, id: CredentialId) -> Result<u64, StoreError> {
    let row = sqlx::query(
        "SELECT coalesce(max(version), 0) AS last FROM credential WHERE tenant_id = ?1 AND credential_id = ?2",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(id.as_bytes().as_slice())
    .fetch_one(&mut **tx)
    .await
    .during(PUT)?;
    Columns::of("credential", &row).number("last")
}

/// Of the version in use and the one before it, the one that has worked is kept; if both have, or neither, the one in use.
async fn make_room(tx: &mut Tx, place: Place, (id, version): (CredentialId, u64)) -> Result<(), StoreError> {
    let older_is_better: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM credential WHERE tenant_id = ?1 AND registry_id = ?2 AND state = 'former' AND worked_at IS NOT NULL)
            AND EXISTS (SELECT 1 FROM credential WHERE tenant_id = ?1 AND registry_id = ?2 AND state = 'current' AND worked_at IS NULL)",
    )
    .bind(place.0.as_bytes().as_slice())
    .bind(place.1.as_bytes().as_slice())
    .fetch_one(&mut **tx)
    .await
    .during(PUT)?;
    if older_is_better {
        return end(tx, place, "current").await;
    }
    end(tx, place, "former").await?;
    sqlx::query(
        "UPDATE credential SET state = 'former' WHERE tenant_id = ?1 AND credential_id = ?2 AND version = ?3",
    )
    .bind(place.0.as_bytes().as_slice())
    .bind(id.as_bytes().as_slice())
    .bind(integer(version))
    .execute(&mut **tx)
    .await
    .during(PUT)?;
    Ok(())
}

/// Drops the content of the version in this state, if there is one.
pub(super) async fn end(tx: &mut Tx, place: Place, state: &'static str) -> Result<(), StoreError> {
    const ACTION: &str = "drop a version of a credential";
    sqlx::query(
        "DELETE FROM credential_wrap WHERE tenant_id = ?1 AND (credential_id, version) IN
             (SELECT credential_id, version FROM credential WHERE tenant_id = ?1 AND registry_id = ?2 AND state = ?3)",
    )
    .bind(place.0.as_bytes().as_slice())
    .bind(place.1.as_bytes().as_slice())
    .bind(state)
    .execute(&mut **tx)
    .await
    .during(ACTION)?;
    sqlx::query(
        "UPDATE credential SET state = 'past', payload = NULL WHERE tenant_id = ?1 AND registry_id = ?2 AND state = ?3",
    )
    .bind(place.0.as_bytes().as_slice())
    .bind(place.1.as_bytes().as_slice())
    .bind(state)
    .execute(&mut **tx)
    .await
    .during(ACTION)?;
    Ok(())
}

async fn insert(tx: &mut Tx, credential: &NewCredential) -> Result<(), StoreError> {
    let NewCredential {
        version: sealed,
        created_by,
        now,
    } = credential;
    let binding = &sealed.binding;
    sqlx::query(
        "INSERT INTO credential (tenant_id, registry_id, credential_id, version, state, origin, binding, payload, created_at, created_by)
         VALUES (?1, ?2, ?3, ?4, 'current', ?5, ?6, ?7, ?8, ?9)",
    )
    .bind(binding.tenant.as_bytes().as_slice())
    .bind(binding.registry.as_bytes().as_slice())
    .bind(binding.credential.as_bytes().as_slice())
    .bind(integer(binding.version))
    .bind(origin(binding)?)
    .bind(binding.encode())
    .bind(sealed.sealed.payload.encode())
    .bind(millis(*now))
    .bind(created_by)
    .execute(&mut **tx)
    .await
    .during(PUT)?;
    let wraps = rows::array(sealed.sealed.wraps.iter().map(|wrap| {
        (
            hex(wrap.recipient().as_bytes()),
            hex(wrap.sealing_key().as_bytes()),
            hex(&wrap.encode()),
        )
    }))?;
    sqlx::query(
        "INSERT INTO credential_wrap (tenant_id, credential_id, version, sensor_id, key_id, wrap, sealed_at)
         SELECT ?1, ?2, ?3, unhex(value ->> 0), unhex(value ->> 1), unhex(value ->> 2), ?4 FROM json_each(?5)",
    )
    .bind(binding.tenant.as_bytes().as_slice())
    .bind(binding.credential.as_bytes().as_slice())
    .bind(integer(binding.version))
    .bind(millis(*now))
    .bind(wraps)
    .execute(&mut **tx)
    .await
    .during(PUT)?;
    Ok(())
}

/// Where it is bound to, in the form in which registries' addresses are stored.
fn origin(binding: &CredentialBinding) -> Result<String, StoreError> {
    let url = format!("{}://{}", binding.scheme.as_str(), binding.host);
    let url: RegistryUrl =
        url.parse().map_err(
            |error: portolan_shared::model::RegistryUrlError| StoreError::Refused {
                what: "binding",
                why: error.to_string(),
            },
        )?;
    Ok(url.to_string())
}

async fn forget_past(tx: &mut Tx, place: Place) -> Result<(), StoreError> {
    // The last version of the credential in use stays: the next one follows it.
    sqlx::query(
        "DELETE FROM credential WHERE rowid IN (
             SELECT rowid FROM credential WHERE tenant_id = ?1 AND registry_id = ?2 AND payload IS NULL
             ORDER BY created_at DESC, version DESC LIMIT -1 OFFSET ?3)",
    )
    .bind(place.0.as_bytes().as_slice())
    .bind(place.1.as_bytes().as_slice())
    .bind(KEPT_PAST_VERSIONS)
    .execute(&mut **tx)
    .await
    .during(PUT)?;
    Ok(())
}

/// The registry is read with the sealed credential alone, and what was known of another one is forgotten.
async fn touch_registry(tx: &mut Tx, record: RegistryRecord, now: Timestamp) -> Result<(), StoreError> {
    let mut facts = record.facts;
    facts.credential = None;
    sqlx::query(
        "UPDATE registry SET credential = NULL, facts = ?3, changed_at = ?4, version = version + 1
         WHERE tenant_id = ?1 AND registry_id = ?2",
    )
    .bind(record.registry.tenant.as_bytes().as_slice())
    .bind(record.registry.id.as_bytes().as_slice())
    .bind(json("facts of a registry", &facts)?)
    .bind(millis(now))
    .execute(&mut **tx)
    .await
    .during(PUT)?;
    Ok(())
}

pub(super) async fn revert(
    store: &SqliteStore,
    place: Place,
    now: Timestamp,
    entry: &AuditEntry,
) -> Result<RevertOutcome, StoreError> {
    const ACTION: &str = "go back to the version before";
    let mut tx = store.write().await?;
    let row = sqlx::query(
        "SELECT former.credential_id, former.version, current.worked_at FROM credential AS former
         JOIN credential AS current USING (tenant_id, registry_id)
         WHERE tenant_id = ?1 AND registry_id = ?2 AND former.state = 'former' AND current.state = 'current'",
    )
    .bind(place.0.as_bytes().as_slice())
    .bind(place.1.as_bytes().as_slice())
    .fetch_optional(&mut *tx)
    .await
    .during(ACTION)?;
    let Some(row) = row else {
        return Ok(RevertOutcome::NoFormer);
    };
    let row = Columns::of("credential", &row);
    if row.opt_time("worked_at")?.is_some() {
        return Ok(RevertOutcome::Worked);
    }
    let former = (
        row.bytes("credential_id", CredentialId::from_slice)?,
        row.number("version")?,
    );
    end(&mut tx, place, "current").await?;
    sqlx::query("UPDATE credential SET state = 'current' WHERE tenant_id = ?1 AND registry_id = ?2 AND state = 'former'")
        .bind(place.0.as_bytes().as_slice())
        .bind(place.1.as_bytes().as_slice())
        .execute(&mut *tx)
        .await
        .during(ACTION)?;
    if let Some(record) = registry::find(&mut tx, place.0, place.1).await? {
        touch_registry(&mut tx, record, now).await?;
    }
    audit::append(&mut tx, place.0, entry).await?;
    tx.commit().await.during(ACTION)?;
    Ok(RevertOutcome::Reverted(former.0, former.1))
}

pub(super) async fn remove(
    store: &SqliteStore,
    place: Place,
    now: Timestamp,
    entry: &AuditEntry,
) -> Result<Option<Withdrawn>, StoreError> {
    let mut tx = store.write().await?;
    let Some(record) = registry::find(&mut tx, place.0, place.1).await? else {
        return Ok(None);
    };
    let current = current(&mut tx, place).await?;
    if current.is_none() && record.registry.credential.is_none() {
        return Ok(None);
    }
    let recipients = recipients(&mut tx, place).await?;
    drop_all(&mut tx, place).await?;
    forget_past(&mut tx, place).await?;
    touch_registry(&mut tx, record, now).await?;
    audit::append(&mut tx, place.0, entry).await?;
    tx.commit().await.during("remove a credential")?;
    Ok(Some(Withdrawn {
        credential: current.map(|(id, _)| id),
        recipients,
    }))
}

/// Sensors that versions with content are sealed to.
pub(in super::super) async fn recipients(tx: &mut Tx, place: Place) -> Result<Vec<SensorId>, StoreError> {
    let rows = sqlx::query(
        "SELECT DISTINCT sensor_id FROM credential_wrap WHERE tenant_id = ?1 AND credential_id IN
             (SELECT credential_id FROM credential WHERE tenant_id = ?1 AND registry_id = ?2)",
    )
    .bind(place.0.as_bytes().as_slice())
    .bind(place.1.as_bytes().as_slice())
    .fetch_all(&mut **tx)
    .await
    .during("find who can open a credential")?;
    let ids = rows
        .iter()
        .map(|row| Columns::of("credential_wrap", row).bytes("sensor_id", SensorId::from_slice));
    ids.collect()
}

/// The sealed credential that is in use, and who could open that or an earlier version of it.
pub(in super::super) async fn in_use(tx: &mut Tx, place: Place) -> Result<Option<Withdrawn>, StoreError> {
    let Some((id, _)) = current(tx, place).await? else {
        return Ok(None);
    };
    Ok(Some(Withdrawn {
        credential: Some(id),
        recipients: recipients(tx, place).await?,
    }))
}

/// Takes a registry every version of its sealed credential.
pub(in super::super) async fn drop_all(tx: &mut Tx, place: Place) -> Result<(), StoreError> {
    end(tx, place, "former").await?;
    end(tx, place, "current").await?;
    sqlx::query("UPDATE credential SET state = 'removed' WHERE tenant_id = ?1 AND registry_id = ?2")
        .bind(place.0.as_bytes().as_slice())
        .bind(place.1.as_bytes().as_slice())
        .execute(&mut **tx)
        .await
        .during("remove a credential")?;
    Ok(())
}
