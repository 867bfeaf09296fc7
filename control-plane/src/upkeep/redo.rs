//! What a record of the audit log says was done, and whether it is done again.

use std::str::FromStr;

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use portolan_shared::audit::ChainRecord;
use portolan_store::{Redone, StandingChange};
use serde_json::Value;

/// What is done again of this record. Whatever shuts out is; of what lets in only the changes of a sensor's standing, because they say
/// what became of it in the end. An approval holds as long as the amnesty does.
pub(super) fn redone(record: &ChainRecord<String>, amnesty_until: Timestamp) -> Option<Redone> {
    let standing = |change| Some(Redone::Standing(id(record, "sensor")?, change));
    match record.action.as_str() {
        "sensor.suspend" => standing(StandingChange::Suspend),
        "sensor.resume" => standing(StandingChange::Resume),
        "sensor.quarantine" => standing(StandingChange::Quarantine),
        "sensor.approve" => standing(StandingChange::Approve {
            until: amnesty_until,
            fingerprint: fingerprint(record),
        }),
        // One that was removed because nobody used it had a certificate that has ended; it is revoked here.
        "sensor.revoke" | "sensor.remove" => standing(StandingChange::Revoke),
        "sensor.delete" => standing(StandingChange::Delete),
        "token.revoke" => Some(Redone::Token(id(record, "token")?)),
        "invitation.revoke" => Some(Redone::Invitation(id(record, "invitation")?)),
        "sensor.enrol" => Some(Redone::Invitation(
            details(record)["invitation"].as_str()?.parse().ok()?,
        )),
        "registry.pause" | "registry.remove" => Some(Redone::Registry(id(record, "registry")?)),
        "credential.remove" | "credential.revoke" => Some(Redone::Credential(id(record, "registry")?)),
        _ => None,
    }
}

/// Whether people have to do again what this record says: it made or changed something, and that is lost.
pub(super) fn is_lost(record: &ChainRecord<String>) -> bool {
    const MADE: [&str; 14] = [
        "sensor.invite",
        "sensor.enrol",
        "registry.add",
        "registry.change",
        "registry.resume",
        "registry.remove",
        "credential.create",
        "credential.replace",
        "credential.revert",
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

fn fingerprint(record: &ChainRecord<String>) -> Option<[u8; 16]> {
    let digits = details(record);
    let bytes = HEXLOWER.decode(digits["fingerprint"].as_str()?.as_bytes()).ok()?;
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
        let until = Timestamp::from_second(9).unwrap();
        let sensor: SensorId = ID.parse().unwrap();
        let registry: RegistryId = ID.parse().unwrap();
        let invitation: InvitationId = ID.parse().unwrap();
        let of = |action: &str, kind: &str, details: &str| {
            redone(&record(action, &format!("{kind}:{ID}"), details), until)
        };
        let standing = |change| Some(Redone::Standing(sensor, change));
        assert_eq!(
            of("sensor.revoke", "sensor", "{}"),
            standing(StandingChange::Revoke)
        );
        assert_eq!(
            of(
                "sensor.approve",
                "sensor",
                r#"{"fingerprint":"000102030405060708090a0b0c0d0e0f"}"#
            ),
            standing(StandingChange::Approve {
                until,
                fingerprint: Some(std::array::from_fn(|byte| u8::try_from(byte).unwrap())),
            })
        );
        assert_eq!(
            of("sensor.enrol", "sensor", &format!(r#"{{"invitation":"{ID}"}}"#)),
            Some(Redone::Invitation(invitation)),
            "its secret was used"
        );
        assert_eq!(
            of("registry.remove", "registry", "{}"),
            Some(Redone::Registry(registry))
        );
        assert_eq!(
            of("credential.revoke", "registry", "{}"),
            Some(Redone::Credential(registry))
        );
    }

    #[test]
    fn what_makes_no_sense_is_passed_over() {
        let until = Timestamp::UNIX_EPOCH;
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
            ("token.use", "token:01890a5d-ac96-774b-bcce-b302099a8057", "{}"),
        ] {
            assert_eq!(
                redone(&record(action, object, details), until),
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
