//! Requests of a registry within any 24 hours.
//!
//! They are counted by the quarter of an hour in which a sensor spoke of them. A quarter counts for as long as any moment of it is within
//! the last day: what is left is never said to be more than it is.

use std::num::NonZeroU32;

use jiff::Timestamp;
use portolan_shared::model::{Finding, FindingCode, RegistryId, RunId, TenantId};
use sqlx::{Sqlite, Transaction};

use super::super::columns::{Columns, integer, millis};
use super::super::failure::During as _;
use super::super::registry;
use super::super::rows::json;
use crate::StoreError;

const SPEND: &str = "count requests";
const QUARTER_MILLIS: i64 = 15 * 60 * 1_000;
const DAY_MILLIS: i64 = 24 * 60 * 60 * 1_000;
/// Once all are spent, a run waits until this part of a day's requests is there again: a run that begins with a handful ends with nothing.
const WORTHWHILE: u64 = 10;

/// What a queued run may do.
pub(super) enum Allowance {
    /// So many requests; not bounded if none.
    Requests(Option<u64>),
    /// Nothing now: it is not to be had, or was made to wait.
    Nothing,
}

/// Requests that a queued run may make. Without any it is made to wait.
pub(super) async fn allow(
    tx: &mut Transaction<'static, Sqlite>,
    tenant: TenantId,
    run: RunId,
    now: Timestamp,
) -> Result<Allowance, StoreError> {
    let row = sqlx::query(
        "SELECT registry_id, requests_per_day FROM run JOIN registry USING (tenant_id, registry_id)
         WHERE tenant_id = ?1 AND run_id = ?2 AND state = 'queued' AND not_before <= ?3",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(run.as_bytes().as_slice())
    .bind(millis(now))
    .fetch_optional(&mut **tx)
    .await
    .during("find the budget of a run")?;
    let Some(row) = row else {
        return Ok(Allowance::Nothing);
    };
    let row = Columns::of("registry", &row);
    let Some(per_day) = registry::opt_bound(&row, "requests_per_day")? else {
        return Ok(Allowance::Requests(None));
    };
    let id = row.bytes("registry_id", RegistryId::from_slice)?;
    match left(tx, (tenant, id), per_day, now).await? {
        Left::Requests(left) => Ok(Allowance::Requests(Some(left))),
        Left::NoneUntil(until) => {
            wait(tx, tenant, run, per_day, until).await?;
            Ok(Allowance::Nothing)
        }
    }
}

/// What is left of a day's requests.
#[derive(Debug, PartialEq, Eq)]
enum Left {
    /// So many, at least one.
    Requests(u64),
    /// None; enough of them will be a day old then.
    NoneUntil(Timestamp),
}

/// Counts requests of a registry.
pub(in super::super) async fn spend(
    tx: &mut Transaction<'static, Sqlite>,
    (tenant, registry): (TenantId, RegistryId),
    requests: u64,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO registry_requests (tenant_id, registry_id, quarter, requests) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET requests = min(requests + excluded.requests, 1 << 53)",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(registry.as_bytes().as_slice())
    .bind(millis(now).div_euclid(QUARTER_MILLIS))
    .bind(integer(requests).min(1 << 53))
    .execute(&mut **tx)
    .await
    .during(SPEND)?;
    sqlx::query(
        "DELETE FROM registry_requests WHERE tenant_id = ?1 AND registry_id = ?2 AND quarter NOT BETWEEN ?3 AND ?4",
    )
        .bind(tenant.as_bytes().as_slice())
        .bind(registry.as_bytes().as_slice())
        .bind(first_quarter(now))
        .bind(last_quarter(now))
        .execute(&mut **tx)
        .await
        .during(SPEND)?;
    Ok(())
}

/// The first quarter of an hour that counts at `now`.
fn first_quarter(now: Timestamp) -> i64 {
    (millis(now) - DAY_MILLIS).div_euclid(QUARTER_MILLIS)
}

/// The last one that counts at `now`: the next, as clocks may differ. Later ones were written by a clock that was ahead, and would keep runs waiting for
/// as long as it was.
fn last_quarter(now: Timestamp) -> i64 {
    millis(now).div_euclid(QUARTER_MILLIS) + 1
}

/// What is left of `per_day`.
async fn left(
    tx: &mut Transaction<'static, Sqlite>,
    (tenant, registry): (TenantId, RegistryId),
    per_day: NonZeroU32,
    now: Timestamp,
) -> Result<Left, StoreError> {
    let rows = sqlx::query(
        "SELECT quarter, requests FROM registry_requests
         WHERE tenant_id = ?1 AND registry_id = ?2 AND quarter BETWEEN ?3 AND ?4 ORDER BY quarter",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(registry.as_bytes().as_slice())
    .bind(first_quarter(now))
    .bind(last_quarter(now))
    .fetch_all(&mut **tx)
    .await
    .during("find what is left of a day's requests")?;
    let spent = rows.iter().map(|row| {
        let row = Columns::of("registry_requests", row);
        Ok((row.get("quarter")?, row.number("requests")?))
    });
    Ok(left_of(
        &spent.collect::<Result<Vec<_>, StoreError>>()?,
        per_day,
        now,
    ))
}

/// What is left when these were spent, oldest first.
fn left_of(spent: &[(i64, u64)], per_day: NonZeroU32, now: Timestamp) -> Left {
    let per_day = u64::from(per_day.get());
    let mut total: u64 = spent.iter().map(|(_, requests)| requests).sum();
    if total < per_day {
        return Left::Requests(per_day - total);
    }
    let worthwhile = (per_day / WORTHWHILE).max(1);
    let enough = spent.iter().find(|(_, requests)| {
        total -= requests;
        total + worthwhile <= per_day
    });
    // The last one leaves nothing that is spent.
    enough.map_or(Left::Requests(per_day), |(quarter, _)| {
        let gone = (quarter + 1) * QUARTER_MILLIS + DAY_MILLIS;
        Left::NoneUntil(Timestamp::from_millisecond(gone).unwrap_or(now))
    })
}

/// Lets a run wait until there are requests again, and says so.
async fn wait(
    tx: &mut Transaction<'static, Sqlite>,
    tenant: TenantId,
    run: RunId,
    per_day: NonZeroU32,
    until: Timestamp,
) -> Result<(), StoreError> {
    let seen = format!("the {per_day} requests a day are used up; the run waits until {until:.0}");
    let finding = Finding::new(FindingCode::BudgetSpent, &seen);
    sqlx::query(
        "UPDATE run SET not_before = ?3, finding = ?4 WHERE tenant_id = ?1 AND run_id = ?2 AND state = 'queued'",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(run.as_bytes().as_slice())
    .bind(millis(until))
    .bind(json("finding", &finding)?)
    .execute(&mut **tx)
    .await
    .during("let a run wait for its budget")?;
    Ok(())
}

/// Lets the runs of a registry that wait for its budget be leased at once, as far as the new one allows.
pub(in super::super) async fn wait_no_longer(
    tx: &mut Transaction<'static, Sqlite>,
    tenant: TenantId,
    registry: RegistryId,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE run INDEXED BY run_unended SET not_before = min(not_before, ?3), finding = NULL
         WHERE tenant_id = ?1 AND registry_id = ?2 AND state IN ('queued', 'leased') AND state = 'queued'
           AND finding ->> 'code' = ?4",
    )
    .bind(tenant.as_bytes().as_slice())
    .bind(registry.as_bytes().as_slice())
    .bind(millis(now))
    .bind(FindingCode::BudgetSpent.as_str())
    .execute(&mut **tx)
    .await
    .during("let runs wait no longer")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spent_comes_back_quarter_by_quarter() {
        let now = Timestamp::from_second(1_000_000_000).unwrap();
        let per_day = NonZeroU32::new(100).unwrap();
        let quarter = millis(now) / QUARTER_MILLIS;
        let of = |spent: &[(i64, u64)]| left_of(spent, per_day, now);
        assert_eq!(of(&[]), Left::Requests(100));
        assert_eq!(of(&[(quarter - 9, 60), (quarter, 39)]), Left::Requests(1));
        let until = |quarter: i64| {
            Left::NoneUntil(Timestamp::from_millisecond((quarter + 97) * QUARTER_MILLIS).unwrap())
        };
        assert_eq!(of(&[(quarter - 9, 60), (quarter, 40)]), until(quarter - 9));
        assert_eq!(
            of(&[(quarter - 9, 9), (quarter - 4, 1), (quarter, 90)]),
            until(quarter - 4),
            "9 are not worth it"
        );
        assert_eq!(
            of(&[(quarter - 1, 5), (quarter, 500)]),
            until(quarter),
            "more than there were"
        );
    }
}
