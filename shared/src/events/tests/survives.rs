//! Whatever comes, nothing panics, and what is read keeps its promises.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::{Notification, NotificationError, PushAction, Sender, read};
use super::told::{DIGEST, OTHER, none};
use super::{clouds, forges, gitlab, harbor, hubs, stores};
use crate::model::limits;

const PAYLOADS: [(Sender, &str); 14] = [
    (Sender::Distribution, gitlab::PUSH),
    (Sender::Harbor, harbor::DEFAULT),
    (Sender::Harbor, harbor::STRUCTURED),
    (Sender::CloudEvents, harbor::STRUCTURED),
    (Sender::Quay, hubs::QUAY),
    (Sender::DockerHub, hubs::HUB),
    (Sender::Ghcr, forges::GHCR),
    (Sender::Gitea, forges::GITEA),
    (Sender::Nexus, stores::COMPONENT),
    (Sender::Nexus, stores::ASSET),
    (Sender::Artifactory, stores::PUSHED),
    (Sender::Ecr, clouds::ECR),
    (Sender::Acr, clouds::WEBHOOK),
    (Sender::Acr, clouds::GRID),
];

fn keeps_its_promises(notification: &Notification) {
    let events = &notification.events;
    assert!(events.len() <= limits::EVENTS_PER_NOTIFICATION);
    let mut ids = BTreeSet::new();
    let mut meanings = BTreeSet::new();
    for event in events {
        match event.action {
            PushAction::Pushed => assert!(event.tag.is_some()),
            PushAction::Deleted => assert!(event.tag.is_some() || event.digest.is_some()),
            PushAction::RepositoryDeleted | PushAction::RepositoryRenamed => {
                assert!(event.tag.is_none() && event.digest.is_none());
            }
        }
        assert!(event.id.as_ref().is_none_or(|id| ids.insert(id)), "an id twice");
        let meaning = (event.action, &event.repository, &event.tag, &event.digest);
        assert!(meanings.insert(meaning), "an event twice");
    }
}

/// Has everybody read it; whether somebody said that it is not JSON.
fn try_everybody(headers: &[(&str, &str); 2], body: &[u8]) -> bool {
    let mut is_json = true;
    for sender in Sender::ALL {
        for outcome in [read(*sender, &none(), body), read(*sender, headers, body)] {
            match outcome {
                Ok(notification) => keeps_its_promises(&notification),
                Err(NotificationError::Json { .. }) => is_json = false,
                Err(_) => {}
            }
        }
    }
    is_json
}

#[test]
fn every_payload_says_something() {
    for (sender, body) in PAYLOADS {
        let body = body.replace("DIGEST", DIGEST).replace("OTHER", OTHER);
        let read = read(sender, &none(), body.as_bytes()).unwrap();
        assert!(!read.events.is_empty(), "{sender}");
        keeps_its_promises(&read);
    }
}

#[test]
fn every_payload_survives_being_cut_anywhere() {
    for (sender, body) in PAYLOADS {
        for end in 0..body.len() {
            assert!(
                read(sender, &none(), &body.as_bytes()[..end]).is_err(),
                "{sender} at {end}"
            );
        }
    }
}

/// Any JSON with members that formats ask for.
fn json() -> impl Strategy<Value = String> {
    let names = [
        "events",
        "id",
        "action",
        "target",
        "repository",
        "tag",
        "digest",
        "rename",
        "from",
        "to",
        "type",
        "event_data",
        "resources",
        "repo_full_name",
        "updated_tags",
        "docker_url",
        "push_data",
        "repo_name",
        "package",
        "package_version",
        "container_metadata",
        "name",
        "data",
        "component",
        "asset",
        "format",
        "domain",
        "event_type",
        "detail",
        "detail-type",
        "eventType",
        "specversion",
        "Message",
        "Type",
    ];
    let words = [
        "push",
        "delete",
        "rename",
        "a/b",
        "1.0",
        DIGEST,
        "PUSH_ARTIFACT",
        "harbor.artifact.pushed",
        "docker",
        "container",
        "created",
        "published",
        "DELETED",
        "pushed",
        "deleted",
        "ECR Image Action",
        "Notification",
        "{}",
        "",
        "v2/a/manifests/1",
        "Microsoft.ContainerRegistry.ImageDeleted",
        "zotregistry.image.updated",
        "2026-01-01T00:00:00Z",
    ];
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| if number.is_finite() {
            format!("{number:e}")
        } else {
            "0".into()
        }),
        prop::sample::select(words.to_vec()).prop_map(|word| format!("\"{word}\"")),
    ];
    let names = names.to_vec();
    leaf.prop_recursive(5, 60, 6, move |inner| {
        let members = prop::collection::btree_map(prop::sample::select(names.clone()), inner.clone(), 0..6);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            members.prop_map(|members| {
                let members: Vec<_> = members
                    .iter()
                    .map(|(name, value)| format!("\"{name}\":{value}"))
                    .collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn bytes_of_any_make(bytes: Vec<u8>) {
        try_everybody(&[("ce-type", "harbor.artifact.pushed"), ("ce-id", "1")], &bytes);
    }

    #[test]
    fn json_of_any_make(body in json(), kind in "[a-z.]{0,12}|zotregistry.image.updated|package|registry_package") {
        let is_json = try_everybody(&[("ce-type", &kind), ("X-GitHub-Event", &kind)], body.as_bytes());
        prop_assert!(is_json, "members of whatever type spoil nothing beside them");
    }

    #[test]
    fn damaged_payloads(
        which in prop::sample::select(&PAYLOADS[..]),
        damage in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..4, any::<u8>()), 1..8),
    ) {
        let body = which.1.replace("DIGEST", DIGEST).replace("OTHER", OTHER);
        let mut bytes = body.into_bytes();
        for (place, how, with) in damage {
            let place = place.index(bytes.len().max(1));
            match how {
                0 if place < bytes.len() => bytes[place] = with,
                1 if place < bytes.len() => drop(bytes.remove(place)),
                2 => bytes.insert(place, with),
                _ => bytes.extend_from_within(place / 2..place),
            }
        }
        if let Ok(notification) = read(which.0, &none(), &bytes) {
            keeps_its_promises(&notification);
        }
    }
}
