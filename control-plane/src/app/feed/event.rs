//! What happened, in the form of CloudEvents 1.0 (cloudevents.io, "CloudEvents - Version 1.0.2", JSON event format).

use jiff::Timestamp;
use portolan_shared::model::{RegistryId, RegistryName, SensorId};
use portolan_store::{Change, Changed, FeedPosition, Learnt, LedgerChange, PresentTag, TagChange};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// One event of the change feed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CloudEvent {
    /// `1.0`
    pub specversion: String,
    /// `io.portolan.tag.present` in the baseline, `io.portolan.baseline.complete` at its end; then `io.portolan.tag.appeared`, `….moved`,
    /// `….vanished`, `….left_out` (it exists, but the registry's filter does not want it any more), and `io.portolan.registry.removed`: nothing
    /// more is said of what was in it. More may come: pass over what you do not know.
    #[serde(rename = "type")]
    pub kind: String,
    /// `/registries/{id}`; of what concerns no single registry, `/changes`.
    pub source: String,
    /// Different for different events of a source, the same if an event is told again.
    pub id: String,
    /// When it was noticed; of a tag that is present, since when it is so.
    pub time: Timestamp,
    /// `{registry}/{repository}:{tag}`; of a registry its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// `application/json`
    pub datacontenttype: String,
    /// `registry` (`id` and `name`), `repository`, `tag`, `digest` (what it points to; null if it is gone), and of a change `previous_digest`,
    /// `not_before` (it happened between that time and `time`; null if nothing was known), and `learnt` with `how` (`manual`, `event`, `schedule`
    /// or `reconcile`; null if unknown), `run` and `sensor` (`id` and `name`).
    #[schema(value_type = Object)]
    pub data: Value,
}

impl CloudEvent {
    /// Most bytes of one as JSON: names and digests have their bounds.
    pub const MOST_BYTES: usize = 4 * 1024;

    /// A change.
    #[must_use]
    pub fn of_change(change: &Change) -> Self {
        let registry = registry(change.registry, &change.registry_name);
        let (kind, subject, data) = match &change.what {
            Changed::Tag(tag) => {
                let subject = format!("{}/{}:{}", change.registry_name, tag.repository, tag.tag);
                (kind(&tag.change), subject, of_tag(tag, &registry))
            }
            Changed::RegistryRemoved => (
                "io.portolan.registry.removed",
                change.registry_name.to_string(),
                json!({"registry": registry}),
            ),
        };
        Self {
            kind: kind.to_owned(),
            source: source(change.registry),
            id: change.position.to_string(),
            time: change.noticed_at,
            subject: Some(subject),
            data,
            ..Self::bare(change.noticed_at)
        }
    }

    /// A tag of the baseline. That it points there since then is one fact, however often it is told.
    #[must_use]
    pub fn of_present(tag: &PresentTag) -> Self {
        let since = tag.since.as_millisecond();
        Self {
            kind: "io.portolan.tag.present".to_owned(),
            source: source(tag.registry),
            id: format!("present:{since}:{}:{}@{}", tag.repository, tag.tag, tag.digest),
            subject: Some(format!("{}/{}:{}", tag.registry_name, tag.repository, tag.tag)),
            data: json!({
                "registry": registry(tag.registry, &tag.registry_name),
                "repository": tag.repository, "tag": tag.tag, "digest": tag.digest,
            }),
            ..Self::bare(tag.since)
        }
    }

    /// The end of a baseline: what follows are changes from this position on.
    #[must_use]
    pub fn baseline_complete(changes_from: &FeedPosition, now: Timestamp) -> Self {
        Self {
            kind: "io.portolan.baseline.complete".to_owned(),
            id: format!("baseline:{changes_from}:{}", now.as_millisecond()),
            ..Self::bare(now)
        }
    }

    fn bare(time: Timestamp) -> Self {
        Self {
            specversion: "1.0".to_owned(),
            kind: String::new(),
            source: "/changes".to_owned(),
            id: String::new(),
            time,
            subject: None,
            datacontenttype: "application/json".to_owned(),
            data: json!({}),
        }
    }
}

fn source(registry: RegistryId) -> String {
    format!("/registries/{registry}")
}

fn registry(id: RegistryId, name: &RegistryName) -> Value {
    json!({"id": id, "name": name})
}

fn kind(change: &LedgerChange) -> &'static str {
    match change {
        LedgerChange::Appeared(_) => "io.portolan.tag.appeared",
        LedgerChange::Moved { .. } => "io.portolan.tag.moved",
        LedgerChange::Vanished(_) => "io.portolan.tag.vanished",
        LedgerChange::LeftOut(_) => "io.portolan.tag.left_out",
    }
}

fn of_tag(tag: &TagChange, registry: &Value) -> Value {
    let (before, after) = match &tag.change {
        LedgerChange::Appeared(to) => (None, Some(to)),
        LedgerChange::Moved { from, to } => (Some(from), Some(to)),
        LedgerChange::Vanished(from) | LedgerChange::LeftOut(from) => (Some(from), None),
    };
    json!({
        "registry": registry, "repository": tag.repository, "tag": tag.tag,
        "digest": after, "previous_digest": before,
        "not_before": tag.not_before, "learnt": learnt(&tag.learnt),
    })
}

fn learnt(learnt: &Learnt) -> Value {
    let sensor = |id: SensorId| json!({"id": id, "name": learnt.sensor_name});
    json!({"how": learnt.trigger, "run": learnt.run, "sensor": learnt.sensor.map(sensor)})
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::model::{Digest, RunId, RunTrigger};

    #[test]
    fn the_longest_event_is_within_its_bound() {
        let digest = |fill: &str| format!("sha512:{}", fill.repeat(128)).parse::<Digest>().unwrap();
        let change = Change {
            position: FeedPosition {
                entry: i64::MAX.unsigned_abs(),
                tag: Some("t".repeat(128).parse().unwrap()),
            },
            registry: RegistryId::from_slice(&[7; 16]).unwrap(),
            registry_name: "r".repeat(63).parse().unwrap(),
            noticed_at: Timestamp::MAX,
            what: Changed::Tag(Box::new(TagChange {
                repository: "p".repeat(255).parse().unwrap(),
                tag: "t".repeat(128).parse().unwrap(),
                change: LedgerChange::Moved {
                    from: digest("0"),
                    to: digest("1"),
                },
                not_before: Some(Timestamp::MAX),
                learnt: Learnt {
                    trigger: Some(RunTrigger::Reconcile),
                    run: RunId::from_slice(&[7; 16]).unwrap(),
                    sensor: Some(SensorId::from_slice(&[7; 16]).unwrap()),
                    sensor_name: Some("s".repeat(255)),
                },
            })),
        };
        let text = serde_json::to_string(&CloudEvent::of_change(&change)).unwrap();
        assert!(text.len() <= CloudEvent::MOST_BYTES, "{}", text.len());
    }
}
