//! What a record of the audit log says was done, and whether it is done again.

use std::str::FromStr;

use data_encoding::HEXLOWER;
use jiff::{SignedDuration, Timestamp};
use portolan_shared::audit::ChainRecord;
use portolan_store::{Redone, StandingChange};
use serde_json::Value;

/// For so long an approval lets a sensor in, unless it has come.
const APPROVED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// What is done again of this record. Whatever shuts out is; of what lets in only the changes of a sensor's standing, because they say
/// what became of it in the end.
pub(super) fn redone(record: &ChainRecord<String>) -> Option<Redone> {
    let standing = |change| Some(Redone::Standing(id(record, "sensor")?, change));
    let details = details(record);
    match record.action.as_str() {
        "sensor.suspend" => standing(StandingChange::Suspend),
        "sensor.resume" => standing(StandingChange::Resume),
        "sensor.quarantine" => standing(StandingChange::Quarantine),
        "sensor.approve" => standing(StandingChange::Approve {
            until: Timestamp::from_millisecond(record.at_ms).ok()? + APPROVED_FOR,
            fingerprint: fingerprint(&details),
        }),
        // With that the approval is used up.
        "sensor.recover" if details["approved"] == true => Some(Redone::LetIn(id(record, "sensor")?)),
        "sensor.revoke" => standing(StandingChange::Revoke),
        "sensor.delete" | "sensor.remove" => standing(StandingChange::Delete),
        "token.revoke" => Some(Redone::Token(id(record, "token")?)),
        "invitation.revoke" => Some(Redone::Invitation(id(record, "invitation")?)),
        "sensor.enrol" => Some(Redone::Invitation(details["invitation"].as_str()?.parse().ok()?)),
        "registry.pause" => Some(Redone::Paused(id(record, "registry")?)),
        "registry.remove" => Some(Redone::Removed(id(record, "registry")?)),
        "registry.change" => {
            let left = details["sensors"]["after"].as_array()?;
            let left = left.iter().map(|sensor| sensor.as_str()?.parse().ok());
            Some(Redone::Left(
                id(record, "registry")?,
                left.collect::<Option<_>>()?,
            ))
        }
        "credential.revoke" => Some(Redone::Withdrawn(id(record, "registry")?)),
        "credential.remove" => Some(Redone::Bare(id(record, "registry")?)),
        "run.cancel" => Some(Redone::Cancelled(id(record, "run")?)),
        "run.looks" => Some(Redone::Looks(
            id(record, "registry")?,
            details["day"].as_str()?.parse().ok()?,
        )),
        _ => None,
    }
}

/// Whether people have to do again what this record says: it made or changed something, and that is lost.
pub(super) fn is_lost(record: &ChainRecord<String>) -> bool {
    const MADE: [&str; 15] = [
        "sensor.invite",
        "sensor.enrol",
        "registry.add",
        "registry.change",
        "registry.resume",
        "registry.remove",
        "credential.create",
        "credential.replace",
        "credential.revert",
        "credential.rewrap",
        "credential.remove",
        "credential.revoke",
        "token.create",
        "settings.retention",
        "webhook.rotate",
    ];
    let action = record.action.as_str();
    let webhook = ["add", "change", "pause", "resume", "remove"]
        .iter()
        .any(|verb| action.strip_prefix("webhook.") == Some(*verb));
    webhook || MADE.contains(&action)
}

/// What the record names beside its object, for people.
pub(super) fn name(record: &ChainRecord<String>) -> Option<String> {
    Some(details(record)["name"].as_str()?.to_owned())
}

fn id<T: FromStr>(record: &ChainRecord<String>, kind: &str) -> Option<T> {
    let rest = record.object.strip_prefix(kind)?.strip_prefix(':')?;
    rest.parse().ok()
}

fn details(record: &ChainRecord<String>) -> Value {
    serde_json::from_str(&record.details).unwrap_or_default()
}

fn fingerprint(details: &Value) -> Option<[u8; 16]> {
    let bytes = HEXLOWER
        .decode(details["fingerprint"].as_str()?.as_bytes())
        .ok()?;
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::model::{InvitationId, RegistryId, SensorId};

    fn record(action: &str, object: &str, details: &str) -> ChainRecord<String> {
        ChainRecord {
            seq: 1,
            at_ms: 0,
            actor: "token:admin".to_owned(),
            action: action.to_owned(),
            object: object.to_owned(),
            outcome: "notice".to_owned(),
            details: details.to_owned(),
        }
    }

    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    #[test]
    fn what_shuts_out_is_done_again() {
        let until = Timestamp::from_second(86_400).unwrap();
        let sensor: SensorId = ID.parse().unwrap();
        let registry: RegistryId = ID.parse().unwrap();
        let invitation: InvitationId = ID.parse().unwrap();
        let of = |action: &str, kind: &str, details: &str| {
            redone(&record(action, &format!("{kind}:{ID}"), details))
        };
        let standing = |change| Some(Redone::Standing(sensor, change));
        assert_eq!(
            of("sensor.revoke", "sensor", "{}"),
            standing(StandingChange::Revoke)
        );
        let approved = of(
            "sensor.approve",
            "sensor",
            r#"{"fingerprint":"000102030405060708090a0b0c0d0e0f"}"#,
        );
        let fingerprint = Some(std::array::from_fn(|byte| u8::try_from(byte).unwrap()));
        assert_eq!(approved, standing(StandingChange::Approve { until, fingerprint }));
        let used = of("sensor.recover", "sensor", r#"{"approved":true}"#);
        assert_eq!(used, Some(Redone::LetIn(sensor)));
        assert_eq!(of("sensor.recover", "sensor", r#"{"approved":false}"#), None);
        assert_eq!(
            of("sensor.enrol", "sensor", &format!(r#"{{"invitation":"{ID}"}}"#)),
            Some(Redone::Invitation(invitation)),
            "its secret was used"
        );
        let sensors = format!(r#"{{"sensors":{{"before":[],"after":["{ID}"]}}}}"#);
        let run = ID.parse().unwrap();
        for (action, kind, details, again) in [
            ("registry.remove", "registry", "{}", Redone::Removed(registry)),
            ("registry.pause", "registry", "{}", Redone::Paused(registry)),
            (
                "registry.change",
                "registry",
                &sensors,
                Redone::Left(registry, vec![sensor]),
            ),
            ("credential.revoke", "registry", "{}", Redone::Withdrawn(registry)),
            ("credential.remove", "registry", "{}", Redone::Bare(registry)),
            ("run.cancel", "run", "{}", Redone::Cancelled(run)),
            (
                "run.looks",
                "registry",
                r#"{"day":"2027-01-16","registry":"gl","runs":3}"#,
                Redone::Looks(registry, jiff::civil::date(2027, 1, 16)),
            ),
        ] {
            assert_eq!(of(action, kind, details), Some(again), "{action}");
        }
        assert_eq!(
            of("registry.change", "registry", "{}"),
            None,
            "its sensors are the same"
        );
    }

    #[test]
    fn what_makes_no_sense_is_passed_over() {
        for (action, object, details) in [
            ("sensor.revoke", "sensor:", "{}"),
            (
                "sensor.revoke",
                "registry:01890a5d-ac96-774b-bcce-b302099a8057",
                "{}",
            ),
            (
                "sensor.enrol",
                "sensor:01890a5d-ac96-774b-bcce-b302099a8057",
                "no json",
            ),
            (
                "registry.change",
                "registry:01890a5d-ac96-774b-bcce-b302099a8057",
                r#"{"sensors":{"after":[7]}}"#,
            ),
            ("token.use", "token:01890a5d-ac96-774b-bcce-b302099a8057", "{}"),
        ] {
            assert_eq!(
                redone(&record(action, object, details)),
                None,
                "{action} {object}"
            );
        }
    }

    #[test]
    fn people_are_told_what_they_have_to_do_again() {
        for (action, lost) in [
            ("registry.add", true),
            ("webhook.change", true),
            ("webhook.disable", false),
            ("sensor.renew", false),
            ("sensor.revoke", false),
        ] {
            assert_eq!(is_lost(&record(action, "x:y", "{}")), lost, "{action}");
        }
    }
}
