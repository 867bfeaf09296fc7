//! A sensor, for reading.

use jiff::Timestamp;
use serde_json::Value;

use super::command::{connection, last_seen};
use crate::cli::Exit;
use crate::cli::failure::CliError;
use crate::cli::operate::Desk;
use crate::cli::output::{Format, Sheet, ago, moment, print_one};
use crate::web::api::sensors::Sensor;

pub(super) fn print(desk: &mut Desk<'_>, format: Format, value: &Value) -> Result<Exit, CliError> {
    let now = desk.clock.now();
    print_one(desk.terminal, format, value, || {
        let sensor: Sensor = desk.client.view(value)?;
        Ok(sheet(sensor, now))
    })?;
    Ok(Exit::Done)
}

pub(super) fn sheet(sensor: Sensor, now: Timestamp) -> Sheet {
    let mut sheet = Sheet::new();
    let (connection, last_seen) = (connection(&sensor), last_seen(&sensor, now));
    let quarantined = sensor.state == "quarantined";
    let stuck = stands_still(&sensor, now);
    let host = sensor.host;
    sheet
        .add("name", sensor.name)
        .add("id", sensor.id)
        .add("state", sensor.state)
        .add("connection", connection)
        .add("last seen", last_seen)
        .add("stands still", stuck);
    if sensor.contested {
        sheet.add(
            "CONTESTED",
            "somebody else showed the secret of its enrolment token: approve it if this is the right machine, or else revoke it"
                .to_owned(),
        );
    }
    if quarantined {
        sheet.add(
            "QUARANTINED",
            "its identity was seen twice: approve it if you know why (a restored snapshot), or else revoke it".to_owned(),
        );
    }
    sheet.add(
        "approved",
        sensor
            .approved_until
            .map(|until| format!("may recover once without questions until {}", moment(until))),
    );
    sheet.add(
        "amnesty",
        sensor.amnesty_until.map(|until| {
            format!(
                "the database was restored: may come once with a younger state until {}",
                moment(until)
            )
        }),
    );
    sheet
        .add("certificate ends", moment(sensor.certificate_ends_at))
        .add(
            "host",
            format!("{}, {}/{}", host.hostname, host.os, host.architecture),
        )
        .add("agent", host.agent_version)
        .add("clock", format!("{} ms against ours", sensor.clock_skew_ms))
        .add("policy", sensor.policy_summary)
        .add("policy hash", sensor.policy_hash)
        .add(
            "enrolled",
            format!("{} from {}", moment(sensor.enrolled_at), sensor.enrolled_from),
        )
        .add("identity", sensor.identity_fingerprint)
        .add("starts", sensor.starts.to_string())
        .add(
            "seen from",
            Some(sensor.seen_from).filter(|from| !from.is_empty()),
        )
        .add("revoked", sensor.revoked_at.map(moment));
    sheet
}

/// Since when nothing moves, and in which run.
fn stands_still(sensor: &Sensor, now: Timestamp) -> Option<String> {
    let freshness = &sensor.freshness;
    let (run, registry) = (freshness.run.as_ref()?, freshness.registry.as_ref()?);
    let since = freshness.since?;
    Some(format!(
        "nothing has moved since {} ({}) in run {run} of {registry}: see `portolan run show {run}`",
        moment(since),
        ago(since, now)
    ))
}
