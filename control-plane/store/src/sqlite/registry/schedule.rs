//! What a change of a registry means for its schedule, for the runs that are open and for the events that wait.

use jiff::Timestamp;
use sqlx::{Sqlite, Transaction};

use super::super::columns::millis;
use super::super::failure::During as _;
use super::super::run::{deadline, window};
use crate::{NewRegistry, RegistryChange, StoreError, When};

/// What there was before this moment, no event need have announced.
const LISTEN: [&str; 2] = [
    "UPDATE registry SET events_since = ?3, unannounced_at = NULL WHERE tenant_id = ?1 AND registry_id = ?2",
    EXPECT_NOTHING,
];
const EXPECT_NOTHING: &str = "UPDATE repository INDEXED BY repository_silent_in SET silent_since = NULL
     WHERE tenant_id = ?1 AND registry_id = ?2 AND silent_since IS NOT NULL";
/// What waits for the end of a blackout is to be thought of anew: it may be another one, or none.
const TRY_AGAIN: &str = "UPDATE event_pending SET due_at = min(due_at, ?3) WHERE tenant_id = ?1 AND registry_id = ?2 AND due_at IS NOT NULL";
const PLAN_ANEW: &str = "UPDATE registry SET planned = 0 WHERE tenant_id = ?1 AND registry_id = ?2";
const LISTEN_NO_LONGER: [&str; 3] = [
    "UPDATE registry SET events_since = NULL, unannounced_at = NULL WHERE tenant_id = ?1 AND registry_id = ?2",
    "DELETE FROM event_pending WHERE tenant_id = ?1 AND registry_id = ?2",
    EXPECT_NOTHING,
];
/// What a run reads, and how, is as it was leased.
const STILL_AS_LEASED: &str = "UPDATE run INDEXED BY run_busy SET registry_version = registry_version + 1
     WHERE tenant_id = ?1 AND registry_id = ?2 AND state = 'leased'
       AND registry_version + 1 = (SELECT version FROM registry WHERE tenant_id = ?1 AND registry_id = ?2)";

/// Applies what follows from a change that has just been written.
pub(super) async fn changed(
    tx: &mut Transaction<'static, Sqlite>,
    before: &NewRegistry,
    after: &NewRegistry,
    change: &RegistryChange,
    now: Timestamp,
) -> Result<(), StoreError> {
    let on_push = |registry: &NewRegistry| registry.schedule.when == When::OnPush;
    let reads_the_same =
        (&before.url, &before.repositories, &before.tags) == (&after.url, &after.repositories, &after.tags);
    let longest = |registry: &NewRegistry| (registry.schedule.max_run_seconds, registry.budget.per_day);
    let mut statements = Vec::new();
    if on_push(after) && !(on_push(before) && reads_the_same) {
        statements.extend(LISTEN);
    }
    if on_push(before) && !on_push(after) {
        statements.extend(LISTEN_NO_LONGER);
    }
    if change.schedule.is_some() {
        statements.extend([PLAN_ANEW, TRY_AGAIN]);
    }
    let schedule_alone = RegistryChange {
        schedule: change.schedule.clone(),
        ..RegistryChange::default()
    };
    if *change == schedule_alone {
        statements.push(STILL_AS_LEASED);
    }
    for statement in statements {
        sqlx::query(statement)
            .bind(after.tenant.as_bytes().as_slice())
            .bind(after.id.as_bytes().as_slice())
            .bind(millis(now))
            .execute(&mut **tx)
            .await
            .during("change a schedule")?;
    }
    if change.schedule.is_some() {
        window::look_again(tx, (after.tenant, after.id), now).await?;
    }
    if longest(before) != longest(after) {
        deadline::set_anew(tx, (after.tenant, after.id)).await?;
    }
    Ok(())
}
