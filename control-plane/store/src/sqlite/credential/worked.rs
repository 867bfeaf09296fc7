//! Versions that a registry was seen to accept: from then on the one before is not needed any more.

use jiff::Timestamp;
use portolan_shared::model::{
    Coverage, CredentialId, Finding, FindingCode, ProbeId, RegistryId, RunId, TenantId,
};
use sqlx::{Sqlite, Transaction};

use super::deliver::version_of;
use super::put;
use crate::StoreError;
use crate::sqlite::SqliteStore;
use crate::sqlite::columns::{Columns, integer, millis};
use crate::sqlite::failure::During as _;

const NOTE: &str = "note that a credential works";

/// Findings that say that the login was not accepted.
const LOGIN_REFUSED: [FindingCode; 12] = [
    FindingCode::AuthenticationFailed,
    FindingCode::RealmRefused,
    FindingCode::CredentialRefused,
    FindingCode::CredentialUnbound,
    FindingCode::CredentialExpired,
    FindingCode::CredentialRevoked,
    FindingCode::CredentialHeldBack,
    FindingCode::GitLabDeployTokenName,
    FindingCode::GitLabTwoFactor,
    FindingCode::GitLabAccessForbidden,
    FindingCode::AddressBanned,
    FindingCode::TokenRefused,
];

/// Whether a run saw something of a repository, and nothing on its way there says that the login was not accepted.
pub(in super::super) fn was_let_in(coverage: &Coverage) -> bool {
    let refused = |finding: &Option<Finding>| {
        let code = finding.as_ref().map(|finding| finding.code);
        code.is_some_and(|code| LOGIN_REFUSED.contains(&code))
    };
    let seen = coverage.listed + coverage.unchanged + coverage.incomplete + coverage.truncated;
    seen > 0
        && !coverage.discovery.iter().any(|step| refused(&step.finding))
        && !coverage.listings.iter().any(|step| refused(&step.finding))
}

/// A run was able to read its registry.
pub(in super::super) async fn run_worked(
    tx: &mut Transaction<'static, Sqlite>,
    tenant: TenantId,
    run: RunId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let row =
        sqlx::query("SELECT credential_id, credential_version FROM run WHERE tenant_id = ?1 AND run_id = ?2")
            .bind(tenant.as_bytes().as_slice())
            .bind(run.as_bytes().as_slice())
            .fetch_one(&mut **tx)
            .await
            .during(NOTE)?;
    match version_of(&Columns::of("run", &row))? {
        Some(version) => worked(tx, tenant, version, now).await,
        None => Ok(()),
    }
}

/// A probe came past the login.
pub(super) async fn probe_worked(
    store: &SqliteStore,
    tenant: TenantId,
    probe: ProbeId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let row = sqlx::query(
        "SELECT credential_id, credential_version FROM probe WHERE tenant_id = ?1 AND probe_id = ?2",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(probe.as_bytes().as_slice())
    .fetch_optional(store.reader())
    .await
    .during(NOTE)?;
    let Some(row) = row else { return Ok(()) };
    let Some(version) = version_of(&Columns::of("probe", &row))? else {
        return Ok(());
    };
    let mut tx = store.write().await?;
    worked(&mut tx, tenant, version, now).await?;
    tx.commit().await.during(NOTE)
}

async fn worked(
    tx: &mut Transaction<'static, Sqlite>,
    tenant: TenantId,
    (id, version): (CredentialId, u64),
    now: Timestamp,
) -> Result<(), StoreError> {
    let row = sqlx::query(
        "UPDATE credential SET worked_at = coalesce(worked_at, ?4)
         WHERE tenant_id = ?1 AND credential_id = ?2 AND version = ?3 AND state IN ('current', 'former')
         RETURNING registry_id, state = 'current' AS in_use",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(id.as_bytes().as_slice())
    .bind(integer(version))
    .bind(millis(now))
    .fetch_optional(&mut **tx)
    .await
    .during(NOTE)?;
    let Some(row) = row else { return Ok(()) };
    let row = Columns::of("credential", &row);
    if row.get("in_use")? {
        let registry = row.bytes("registry_id", RegistryId::from_slice)?;
        put::end(tx, (tenant, registry), "former").await?;
    }
    Ok(())
}
