//! Runs that look at what events have named, beside a run of the whole registry: what they see, that one must not take for gone; and what
//! it finds changed although no event has named it, tells that events do not come.

use jiff::Timestamp;
use portolan_shared::model::{RepositoryName, TenantId};
use sqlx::{Sqlite, Transaction};

use super::super::columns::millis;
use super::super::failure::During as _;
use super::super::rows;
use crate::{Fence, StoreError};

/// Whether events should have announced what has changed in a repository since it was last seen, and none has named it so far; of rows of
/// `run`, `registry` and, if the repository is known, `repository`. The parameter is its name. A repository that is new was last seen not to be
/// there, by the last complete run: so nothing of the first one counts. Of a run that events asked for nothing does: what it looks at they have
/// announced, or have been known to be lost; nor does anything while a look at the whole waits, because some are lost.
macro_rules! silent {
    ($name:literal) => {
        concat!(
            "coalesce(NOT run.beside AND run.\"trigger\" <> 'event'
                 AND coalesce(iif(repository.met_in_part, NULL, repository.tags_seen_at), registry.last_success_at) >= registry.events_since
                 AND coalesce(repository.last_event_at < repository.tags_seen_at, 1)
                 AND NOT EXISTS (SELECT 1 FROM json_each(run.reasons) WHERE value ->> 'trigger' = 'event')
                 AND NOT EXISTS (SELECT 1 FROM event_pending AS heard
                                  WHERE heard.tenant_id = registry.tenant_id AND heard.registry_id = registry.registry_id
                                    AND heard.repository = ",
            $name,
            "               AND (heard.due_at IS NOT NULL OR repository.repository_no IS NULL))
                 AND NOT EXISTS (SELECT 1 FROM event_pending AS lost
                                  WHERE lost.tenant_id = registry.tenant_id AND lost.registry_id = registry.registry_id
                                    AND lost.repository = '' AND lost.due_at IS NOT NULL), 0)"
        )
    };
}
pub(in super::super) use silent;

const SAW: &str = "UPDATE repository SET last_event_at = coalesce(last_event_at, ?4),
            seen_beside = coalesce((SELECT whole.run_id FROM run AS whole INDEXED BY run_busy
                                     WHERE whole.tenant_id = ?1 AND whole.registry_id = repository.registry_id
                                       AND whole.state = 'leased' AND whole.scope = '[]'), seen_beside)
     WHERE tenant_id = ?1 AND repository_no IN
         (SELECT seen.repository_no
          FROM run CROSS JOIN json_each(?3) AS named CROSS JOIN repository AS seen INDEXED BY repository_name
          WHERE run.tenant_id = ?1 AND run.run_id = ?2 AND run.beside = 1
            AND seen.tenant_id = ?1 AND seen.registry_id = run.registry_id AND seen.name = named.value)";

/// Notes that a repository has changed, and that no event has named it so far.
pub(in super::super) async fn note_silent(
    tx: &mut Transaction<'static, Sqlite>,
    tenant: TenantId,
    repository: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE repository SET silent_since = ?3 WHERE tenant_id = ?1 AND repository_no = ?2")
        .bind(tenant.as_bytes().as_slice())
        .bind(repository)
        .bind(millis(now))
        .execute(&mut **tx)
        .await
        .during("note what no event has announced")?;
    Ok(())
}

/// Notes what a run that goes beside others has seen. Of any other run nothing is noted.
pub(super) async fn saw(
    tx: &mut Transaction<'static, Sqlite>,
    fence: &Fence,
    repositories: &[&RepositoryName],
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(SAW)
        .bind(fence.tenant.as_bytes().as_slice())
        .bind(fence.attempt.run.as_bytes().as_slice())
        .bind(rows::array(repositories.iter().map(|name| name.as_str()))?)
        .bind(millis(now))
        .execute(&mut **tx)
        .await
        .during("note what was seen beside another run")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::plan;

    #[tokio::test]
    async fn only_what_was_seen_is_looked_for() {
        let indexes = [
            "repository_name (tenant_id=? AND registry_id=? AND name=?)",
            "run_busy",
        ];
        plan::goes_by(&indexes, super::SAW).await;
        plan::goes_by(
            &["repository USING PRIMARY KEY (tenant_id=? AND repository_no=?)"],
            super::SAW,
        )
        .await;
    }
}
