//! A sealed credential that is tried before it is stored: kept with its probe, and gone when that has ended.

use jiff::Timestamp;
use portolan_shared::model::limits;
use portolan_shared::secret::sealed::{CredentialBinding, SealedCredential, SealedPayload, Wrap};

use crate::sqlite::SqliteStore;
use crate::sqlite::columns::{Columns, millis};
use crate::sqlite::failure::During as _;
use crate::{SealedVersion, StoreError};

/// Wraps in one value: all have the same size.
pub(super) fn wraps_to_bytes(wraps: &[Wrap]) -> Vec<u8> {
    wraps.iter().flat_map(Wrap::encode).collect()
}

/// The trial of a probe, if it has one that is not over.
pub(super) fn read(row: &Columns<'_>) -> Result<Option<SealedVersion>, StoreError> {
    let Some(binding) = row.opt_bytes("trial_binding", CredentialBinding::parse)? else {
        return Ok(None);
    };
    let wraps: &[u8] = row.get("trial_wraps")?;
    let wraps = wraps.chunks(limits::WRAP_BYTES).map(Wrap::parse);
    Ok(Some(SealedVersion {
        binding,
        sealed: SealedCredential {
            payload: row.bytes("trial_payload", SealedPayload::parse)?,
            wraps: wraps
                .collect::<Result<_, _>>()
                .map_err(|_| row.corrupt("trial_wraps"))?,
        },
    }))
}

/// Drops what probes were to try that nobody carried out in time.
pub(super) async fn drop_expired(store: &SqliteStore, now: Timestamp) -> Result<u64, StoreError> {
    const ACTION: &str = "drop credentials that were to be tried";
    let mut tx = store.write().await?;
    let done = sqlx::query(
        "UPDATE probe SET trial_binding = NULL, trial_payload = NULL, trial_wraps = NULL
         WHERE trial_binding IS NOT NULL AND expires_at <= ?1",
    )
    .bind(millis(now))
    .execute(&mut *tx)
    .await
    .during(ACTION)?;
    tx.commit().await.during(ACTION)?;
    Ok(done.rows_affected())
}
