//! What people read of a credential.

use super::*;
use crate::web::api::credentials::RecipientView;

fn shown(state: &str, recipients: &[(&str, &str)]) -> CredentialView {
    CredentialView {
        registry: "gl".to_owned(),
        registry_id: String::new(),
        kind: "sealed".to_owned(),
        reference: None,
        id: None,
        version: Some(2),
        former_version: Some(1),
        next_version: Some(3),
        created_at: None,
        created_by: None,
        expires_at: None,
        realm_hosts: Vec::new(),
        storage_hosts: Vec::new(),
        worked_at: None,
        last_used_at: None,
        state: state.to_owned(),
        recipients: recipients
            .iter()
            .map(|(sensor, state)| RecipientView {
                sensor: (*sensor).to_owned(),
                sensor_id: String::new(),
                state: (*state).to_owned(),
                since: None,
            })
            .collect(),
    }
}

#[test]
fn every_state_says_what_to_do() {
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let both = [("berlin-1", "sealed"), ("munich-1", "awaiting_sealing")];
    let left = [("berlin-1", "sealed"), ("munich-1", "rotate_at_registry")];
    let mut text = String::new();
    for (of, recipients) in [
        ("ready", &both[..1]),
        ("awaiting_sealing", &both),
        ("enter_again", &both[..1]),
        ("awaiting_trial", &both[..1]),
        ("ready", &left),
    ] {
        let shown = shown(of, recipients);
        text.push_str(&format!("{}\n", state(&shown)));
        for line in to_do(&shown, now) {
            text.push_str(&format!("  {line}\n"));
        }
    }
    for days in [-1, 0, 14, 15] {
        let mut shown = shown("ready", &both[..1]);
        shown.expires_at = Some(now + jiff::SignedDuration::from_hours(24 * days));
        text.push_str(&format!("{days} days: {:?}\n", to_do(&shown, now)));
    }
    insta::assert_snapshot!(text);
}
