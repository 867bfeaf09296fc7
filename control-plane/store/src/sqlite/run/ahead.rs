//! What a clock that was ahead has written of runs that are open: they would wait, or hold their registry, for as long as it was ahead.

use jiff::Timestamp;
use portolan_shared::model::FindingCode;
use portolan_shared::model::limits::LEASE_SECONDS;
use sqlx::{Sqlite, Transaction};

use super::super::columns::{integer, millis};
use super::super::failure::During as _;
use super::super::rows;
use super::deadline::{UNLESS_SAID, longest};
use crate::StoreError;

/// By how much clocks may differ, in milliseconds.
const DIFFER_MILLIS: i64 = 60_000;
/// The longest that anything but a blackout keeps a run waiting, in milliseconds: until enough of a day's requests are a day old, which is known by the
/// quarter of an hour.
const LONGEST_PAUSE_MILLIS: i64 = (24 * 60 + 15) * 60 * 1_000;
/// What a run is said to wait for that may be looked at again at any time: it waits on if it has to.
const LOOKED_AT_AGAIN: [FindingCode; 2] = [FindingCode::ScheduleBlackout, FindingCode::RunSensorLost];

/// ?1 is now, ?2 the time beyond which only a clock that was ahead can have written something.
const QUEUED: &str = "UPDATE run INDEXED BY run_queued SET queued_at = min(queued_at, ?1), asked_at = min(asked_at, ?1), put_off_at = min(put_off_at, ?1),
            not_before = min(not_before, iif(finding IS NULL OR finding ->> 'code' IN (SELECT value FROM json_each(?4)), ?1, ?1 + ?3))
     WHERE state = 'queued' AND (queued_at > ?2 OR asked_at > ?2 OR not_before > ?2)";
/// A lease of now ends ?3 from now.
const LEASES: &str = "UPDATE run INDEXED BY run_lease SET lease_until = ?1 + ?3 WHERE state = 'leased' AND lease_until > ?2 + ?3";
const DEADLINES: &str = concat!(
    "UPDATE run INDEXED BY run_deadline SET started_at = ?1, put_off_ms = 0, deadline_at = ?1 + ",
    longest!("?3", "?4"),
    " WHERE state IN ('queued', 'leased') AND deadline_at > ?2 AND started_at > ?2"
);

pub(in super::super) async fn put_right(
    tx: &mut Transaction<'static, Sqlite>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let now = millis(now);
    let statement = |sql| sqlx::query(sql).bind(now).bind(now + DIFFER_MILLIS);
    for query in [
        statement(QUEUED)
            .bind(LONGEST_PAUSE_MILLIS)
            .bind(rows::array(LOOKED_AT_AGAIN.iter().map(|code| code.as_str()))?),
        statement(LEASES).bind(integer(LEASE_SECONDS) * 1_000),
        statement(DEADLINES).bind(UNLESS_SAID[0]).bind(UNLESS_SAID[1]),
    ] {
        query
            .execute(&mut **tx)
            .await
            .during("put right what a clock that was ahead has written of runs")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::plan;

    #[tokio::test]
    async fn runs_that_have_ended_are_not_read() {
        for (statement, index) in [
            (super::QUEUED, "run_queued"),
            (super::LEASES, "run_lease"),
            (super::DEADLINES, "run_deadline"),
        ] {
            plan::goes_by(&[index], statement).await;
        }
    }
}
