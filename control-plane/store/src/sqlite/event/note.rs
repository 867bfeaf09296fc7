//! What came in.

use std::collections::BTreeMap;

use portolan_shared::model::{EventSubject, limits};
use sqlx::{Sqlite, Transaction};

use super::super::columns::{Columns, integer, millis};
use super::super::failure::During as _;
use super::super::{SqliteStore, registry, rows};
use super::subjects::Place;
use super::waiting::{self, WHOLE, Waiting, Wishes};
use crate::{EventDoor, EventIntake, EventsNoted, StoreError};

const NOTE: &str = "note events";

pub(super) async fn note(store: &SqliteStore, intake: &EventIntake) -> Result<EventsNoted, StoreError> {
    const BOUND: usize = limits::EVENTS_PER_NOTIFICATION;
    if intake.subjects.len() > BOUND {
        return Err(StoreError::Refused {
            what: "intake of events",
            why: format!(
                "{} subjects, more than the bound of {BOUND}",
                intake.subjects.len()
            ),
        });
    }
    let mut tx = store.write().await?;
    let row = sqlx::query(
        "SELECT globs, tag_patterns, newest_tags, max_tag_age_days, events_since IS NOT NULL AS on_push FROM registry
         WHERE tenant_id = ?1 AND registry_id = ?2",
    )
    .bind(intake.tenant.as_bytes().as_slice())
    .bind(intake.registry.as_bytes().as_slice())
    .fetch_optional(&mut *tx)
    .await
    .during(NOTE)?;
    let Some(row) = row else {
        return Err(StoreError::Unknown {
            what: "registry",
            name: intake.registry.to_string(),
        });
    };
    let row = Columns::of("registry", &row);
    let place = Place {
        tenant: intake.tenant,
        registry: intake.registry,
        repositories: registry::repository_patterns(&row)?,
        tags: registry::tag_filter(&row)?,
    };
    count(&mut tx, intake).await?;
    hear(&mut tx, intake).await?;
    let mut noted = EventsNoted::default();
    if row.get("on_push")? {
        let wishes = place.wishes(&mut tx, &intake.subjects).await?;
        noted.pending = wait(&mut tx, intake, &wishes).await?;
    }
    tx.commit().await.during(NOTE)?;
    Ok(noted)
}

/// Adds to what came in at this door.
async fn count(tx: &mut Transaction<'static, Sqlite>, intake: &EventIntake) -> Result<(), StoreError> {
    let of = |lost: bool| {
        let counted = intake.subjects.iter();
        let counted = counted.filter(|(subject, _)| (*subject == EventSubject::Registry) == lost);
        counted.fold(0_u64, |sum, (_, events)| sum.saturating_add(u64::from(*events)))
    };
    let (accepted, given_up) = (of(false), of(true));
    let counted_now = (given_up > 0 || intake.ignored > 0).then(|| millis(intake.now));
    let heard_at = named(intake).into_values().max().max(counted_now);
    let refused = intake.refused > 0;
    sqlx::query(
        "INSERT INTO event_count (tenant_id, registry_id, door, accepted, ignored, refused, given_up, last_at, last_refused_at, last_refused)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT DO UPDATE SET accepted = min(accepted + excluded.accepted, ?11), ignored = min(ignored + excluded.ignored, ?11),
                                   refused = min(refused + excluded.refused, ?11), given_up = min(given_up + excluded.given_up, ?11),
                                   last_at = coalesce(iif(last_at BETWEEN excluded.last_at AND ?12, last_at, excluded.last_at), last_at),
                                   last_refused = iif(excluded.last_refused_at IS NULL, last_refused, excluded.last_refused),
                                   last_refused_at = coalesce(excluded.last_refused_at, last_refused_at)",
    )
    .bind(intake.tenant.as_bytes().as_slice())
    .bind(intake.registry.as_bytes().as_slice())
    .bind(door(intake.door))
    .bind(counted(accepted))
    .bind(counted(intake.ignored))
    .bind(counted(intake.refused))
    .bind(counted(given_up))
    .bind(heard_at)
    .bind(refused.then_some(millis(intake.now)))
    .bind(intake.last_refused.as_deref().filter(|_| refused))
    .bind(counted(limits::EVENT_COUNT))
    .bind(millis(intake.now))
    .execute(&mut **tx)
    .await
    .during("count events")?;
    Ok(())
}

/// So much of a count as is counted.
fn counted(count: u64) -> i64 {
    integer(count.min(limits::EVENT_COUNT))
}

/// The word for a door.
fn door(door: EventDoor) -> String {
    match door {
        EventDoor::Webhook => "webhook".to_owned(),
        EventDoor::Sensor(sensor) => sensor.to_string(),
    }
}

/// What was named, and when, as far as that is not in the future.
fn named(intake: &EventIntake) -> BTreeMap<&str, i64> {
    let named = intake
        .subjects
        .iter()
        .filter_map(|(subject, _)| subject.repository());
    let at = |repository| intake.named_at.get(repository).unwrap_or(&intake.now);
    named
        .map(|repository| (repository.as_str(), millis(intake.now.min(*at(repository)))))
        .collect()
}

const HEARD: &str = "UPDATE registry SET last_event_at = max(?3, coalesce(last_event_at, 0)) WHERE tenant_id = ?1 AND registry_id = ?2";

/// Whatever has changed in it before this moment was announced, also if the event came to the sensor before its tags were last seen, and the sensor's
/// clock may be wrong: so when it was last named is not before that.
const HEARD_OF: &str = "UPDATE repository INDEXED BY repository_name
     SET last_event_at = max(?4, coalesce(last_event_at, 0), min(coalesce(tags_seen_at, 0), ?5)), silent_since = NULL
     WHERE tenant_id = ?1 AND registry_id = ?2 AND name IN (SELECT value FROM json_each(?3))";

/// Whatever was lost may have named it. That a sensor begins to listen says so only if it has not done so lately: one that begins again and again would excuse
/// everything.
const HEARD_LOSS: &str = "UPDATE repository INDEXED BY repository_silent_in SET silent_since = NULL
     WHERE tenant_id = ?1 AND registry_id = ?2 AND silent_since IS NOT NULL
       AND (?3 OR NOT EXISTS (SELECT 1 FROM event_pending
                               WHERE event_pending.tenant_id = ?1 AND event_pending.registry_id = ?2 AND event_pending.repository = ''
                                 AND (due_at IS NOT NULL OR taken_at > ?4)))";

/// Notes when what was named was last named: what had changed there before is announced.
async fn hear(tx: &mut Transaction<'static, Sqlite>, intake: &EventIntake) -> Result<(), StoreError> {
    const ACTION: &str = "note when an event was last heard";
    let now = millis(intake.now);
    let of_registry = intake.subjects.iter();
    let of_registry = of_registry.filter(|(subject, _)| *subject == EventSubject::Registry);
    let lost: Option<u32> = of_registry.map(|(_, events)| *events).max();
    if let Some(lost) = lost {
        sqlx::query(HEARD_LOSS)
            .bind(intake.tenant.as_bytes().as_slice())
            .bind(intake.registry.as_bytes().as_slice())
            .bind(lost > 0)
            .bind(now - integer(limits::EVENT_WHOLE_SPACING_MS))
            .execute(&mut **tx)
            .await
            .during("note that events were lost")?;
    }
    let mut by_time: BTreeMap<i64, Vec<&str>> = BTreeMap::new();
    for (repository, at) in named(intake) {
        by_time.entry(at).or_default().push(repository);
    }
    let Some((last, _)) = by_time.last_key_value() else {
        return Ok(());
    };
    sqlx::query(HEARD)
        .bind(intake.tenant.as_bytes().as_slice())
        .bind(intake.registry.as_bytes().as_slice())
        .bind(*last)
        .execute(&mut **tx)
        .await
        .during(ACTION)?;
    for (at, repositories) in by_time {
        sqlx::query(HEARD_OF)
            .bind(intake.tenant.as_bytes().as_slice())
            .bind(intake.registry.as_bytes().as_slice())
            .bind(rows::array(repositories)?)
            .bind(at)
            .bind(now)
            .execute(&mut **tx)
            .await
            .during(ACTION)?;
    }
    Ok(())
}

/// Lets what is wanted wait for a run; gives whether anything does.
async fn wait(
    tx: &mut Transaction<'static, Sqlite>,
    intake: &EventIntake,
    wishes: &Wishes,
) -> Result<bool, StoreError> {
    let (place, now) = ((intake.tenant, intake.registry), millis(intake.now));
    let lost = intake.subjects.iter();
    let lost = lost.filter(|(subject, _)| *subject == EventSubject::Registry);
    let lost: u64 = lost.map(|(_, events)| u64::from(*events)).sum();
    let is_lost = intake
        .subjects
        .iter()
        .any(|(subject, _)| *subject == EventSubject::Registry);
    let names = wishes.iter().map(|(name, _)| name.as_str());
    let mut stored = waiting::read(tx, place, names.chain([WHOLE])).await?;
    let mut whole = stored.remove(WHOLE);
    let mut new = 0;
    let mut changed: BTreeMap<&str, Waiting> = BTreeMap::new();
    for (repository, (tags, events)) in wishes.iter() {
        let mut row = stored.remove(repository.as_str()).unwrap_or_default();
        new += u64::from(row.due_at.is_none());
        row.add(tags, *events, now);
        changed.insert(repository.as_str(), row);
    }
    let too_many = new > 0 && waiting::count(tx, place).await? + new > limits::EVENT_REPOSITORIES as u64;
    if too_many {
        let events = give_up(tx, intake).await? + wishes.iter().map(|(_, (_, events))| events).sum::<u64>();
        changed.clear();
        whole.get_or_insert_default().add_whole(events, now);
    }
    if is_lost {
        whole.get_or_insert_default().add_whole(lost, now);
    }
    if let Some(whole) = whole.filter(|_| too_many || is_lost) {
        changed.insert(WHOLE, whole);
    }
    if changed.is_empty() {
        return Ok(false);
    }
    waiting::write(tx, place, changed.iter().map(|(name, row)| (*name, row))).await?;
    Ok(true)
}

/// Gives up what waits of single repositories; gives how many events that were.
async fn give_up(tx: &mut Transaction<'static, Sqlite>, intake: &EventIntake) -> Result<u64, StoreError> {
    let given_up: Vec<i64> = sqlx::query_scalar(
        "DELETE FROM event_pending WHERE tenant_id = ?1 AND registry_id = ?2 AND repository <> '' AND due_at IS NOT NULL
         RETURNING events",
    )
    .bind(intake.tenant.as_bytes().as_slice())
    .bind(intake.registry.as_bytes().as_slice())
    .fetch_all(&mut **tx)
    .await
    .during(NOTE)?;
    Ok(given_up.into_iter().map(i64::unsigned_abs).sum())
}

#[cfg(test)]
mod tests {
    use super::super::super::plan;

    #[tokio::test]
    async fn only_what_was_named_is_looked_for() {
        let by_name = "repository_name (tenant_id=? AND registry_id=? AND name=?)";
        plan::goes_by(&[by_name], super::HEARD_OF).await;
        plan::goes_by(&["repository_silent_in"], super::HEARD_LOSS).await;
    }
}
