//! The sensors that may read a registry, with what is known of them: what a queued run waits for.

use std::fmt::Write as _;

use jiff::Timestamp;
use portolan_shared::model::FindingCode;

use super::client::Client;
use super::failure::CliError;
use super::output::ago;
use super::{Exit, sensor};
use crate::web::api::FindingView;
use crate::web::api::registries::Registry;
use crate::web::api::runs::Run;
use crate::web::api::sensors::Sensor;

/// A run that no sensor works on.
pub(super) const QUEUED: &str = "queued";

/// A sensor of a registry.
#[derive(Debug, Clone)]
pub(super) struct Assigned {
    pub(super) name: String,
    pub(super) standing: Standing,
}

/// Whether a sensor may come and take a run.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Standing {
    /// It was heard of lately.
    Online,
    /// It was not, since.
    Offline(Timestamp),
    /// It was enrolled but never opened a session.
    NeverSeen,
    /// It is shut out for good.
    Revoked,
    /// It does not exist any more.
    Gone,
}

impl Assigned {
    pub(super) fn of(sensor: Sensor) -> Self {
        let standing = match sensor.last_seen_at {
            _ if sensor.state == sensor::REVOKED => Standing::Revoked,
            _ if sensor.online => Standing::Online,
            Some(seen) => Standing::Offline(seen),
            None => Standing::NeverSeen,
        };
        Self {
            name: sensor.name,
            standing,
        }
    }

    /// Whether it will never take a run again.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self.standing, Standing::Revoked | Standing::Gone)
    }

    /// Name and standing.
    pub(super) fn tell(&self, now: Timestamp) -> String {
        let name = &self.name;
        match &self.standing {
            Standing::Online => format!("{name}, online"),
            Standing::Offline(seen) => format!("{name}, last seen {}", ago(*seen, now)),
            Standing::NeverSeen => format!("{name}, never seen"),
            Standing::Revoked => format!("{name}, revoked"),
            Standing::Gone => format!("{name}, does not exist any more"),
        }
    }
}

/// Asks for each sensor of a registry, of which there are few.
pub(super) async fn assigned(client: &Client, registry: &Registry) -> Result<Vec<Assigned>, CliError> {
    let mut assigned = Vec::with_capacity(registry.sensors.len());
    for named in &registry.sensors {
        assigned.push(match client.get(&["sensors", &named.id], &[]).await {
            Ok(value) => Assigned::of(client.view(&value)?),
            Err(error) if error.exit() == Exit::NotFound => Assigned {
                name: named.name.clone(),
                standing: Standing::Gone,
            },
            Err(error) => return Err(error),
        });
    }
    Ok(assigned)
}

/// What a queued run waits for, in words.
pub(super) async fn awaited(client: &Client, run: &Run, now: Timestamp) -> Result<String, CliError> {
    let Some(former) = &run.behind else {
        let what = awaited_by_itself(client, run, now).await?;
        return Ok(format!("Waits for {what}"));
    };
    let mut words = format!("Waits for run {former} to end, which had begun when this one was asked for.");
    match client.get(&["runs", former], &[]).await {
        Ok(value) => {
            let former: Run = client.view(&value)?;
            if former.state == QUEUED {
                let what = awaited_by_itself(client, &former, now).await?;
                let _ = write!(words, " That one waits for {what}");
            }
        }
        // It was forgotten meanwhile.
        Err(error) if error.exit() == Exit::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(words)
}

/// What a queued run waits for that is behind no other, as the end of a sentence.
async fn awaited_by_itself(client: &Client, run: &Run, now: Timestamp) -> Result<String, CliError> {
    let unopened = |finding: &&FindingView| finding.code == FindingCode::CredentialAwaitsSealing.as_str();
    if let Some(finding) = run.finding.as_ref().filter(unopened) {
        let registry = &run.registry.name;
        return Ok(format!(
            "its registry's credential: {}. Enter it again: `portolan registry set {registry} --username U --password-stdin`.",
            finding.seen
        ));
    }
    let spent = |finding: &&FindingView| finding.code == FindingCode::BudgetSpent.as_str();
    if let Some(finding) = run.finding.as_ref().filter(spent) {
        return Ok(format!("its registry's budget: {}.", finding.seen));
    }
    let registry: Registry = client.view(&client.get(&["registries", &run.registry.id], &[]).await?)?;
    Ok(any_of(&registry.name, &assigned(client, &registry).await?, now))
}

/// One of these sensors.
fn any_of(registry: &str, sensors: &[Assigned], now: Timestamp) -> String {
    let told: Vec<_> = sensors.iter().map(|sensor| sensor.tell(now)).collect();
    let told = told.join("; ");
    if sensors.iter().all(Assigned::is_lost) {
        return format!(
            "a sensor, but none is left ({told}): `portolan registry set {registry} --sensor SENSOR`, or cancel it."
        );
    }
    match sensors {
        [_] => format!("sensor {told}."),
        _ => format!("one of its sensors: {told}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queued_run_says_what_it_waits_for() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let seen = Timestamp::from_second(1_000_000 - 3 * 3_600).unwrap();
        let sensor = |name: &str, standing| Assigned {
            name: name.to_owned(),
            standing,
        };
        let offline = sensor("office", Standing::Offline(seen));
        let revoked = sensor("attic", Standing::Revoked);
        let cases = [
            (vec![offline.clone()], "sensor office, last seen 3 h ago."),
            (
                vec![offline, revoked.clone(), sensor("new", Standing::NeverSeen)],
                "one of its sensors: office, last seen 3 h ago; attic, revoked; new, never seen.",
            ),
            (
                vec![revoked],
                "a sensor, but none is left (attic, revoked): `portolan registry set gl --sensor SENSOR`, or cancel it.",
            ),
        ];
        for (sensors, words) in cases {
            assert_eq!(any_of("gl", &sensors, now), words);
        }
    }
}
