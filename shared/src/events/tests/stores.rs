//! Nexus and Artifactory.

use super::super::{NotificationError, Sender};
use super::told::{error, none, says};

pub(super) const COMPONENT: &str = r#"{
  "timestamp":"2026-03-10T23:57:49.664+0000","nodeId":"52905B51-085CCABB-CEBBEAAD-16795588-FC927D93",
  "initiator":"ci/10.0.0.9","repositoryName":"docker-hosted","action":"CREATED",
  "component":{"id":"08909bf0c86cf6c9600aade89e1c5e25","componentId":"ZG9ja2VyLWhvc3RlZDow",
    "format":"docker","name":"shop/api","group":null,"version":"1.0"}}"#;

pub(super) const ASSET: &str = r#"{
  "timestamp":"2026-03-10T23:57:49.664+0000","nodeId":"52905B51","initiator":"ci/10.0.0.9",
  "repositoryName":"docker-hosted","action":"DELETED",
  "asset":{"id":"31c950c8eeeab78336308177ae9c441c","assetId":"ZG9ja2Vy","format":"docker","name":"v2/shop/api/manifests/1.0"}}"#;

pub(super) const PUSHED: &str = r#"{
  "domain":"docker","event_type":"pushed",
  "data":{"repo_key":"docker-local","event_type":"pushed","path":"Shop/api/1.0/manifest.json","name":"manifest.json",
    "sha256":"fbeba785391a3009a62758bd247cdb2142e1c7b8645b023c6f33c425b7dcd6ae","size":1782,
    "image_name":"Shop/api","image_type":"docker","tag":"1.0","platforms":[{"architecture":"amd64","os":"linux"}]},
  "subscription_key":"portolan","jpd_origin":"https://example.jfrog.io","source":"jfrog/user"}"#;

#[test]
fn components_and_assets_of_nexus_are_read() {
    let component = [
        ("X-Nexus-Webhook-Id", "rm:repository:component"),
        ("X-Nexus-Webhook-Delivery", "7f4a6dde"),
    ];
    assert_eq!(
        says(Sender::Nexus, &component, COMPONENT),
        ["pushed docker-hosted/shop/api:1.0 #7f4a6dde at 2026-03-10T23:57:49.664Z"]
    );
    assert_eq!(
        says(
            Sender::Nexus,
            &component,
            &COMPONENT.replace("CREATED", "DELETED")
        ),
        ["deleted docker-hosted/shop/api:1.0 #7f4a6dde at 2026-03-10T23:57:49.664Z"]
    );
    let asset = [("X-Nexus-Webhook-Id", "rm:repository:asset")];
    assert_eq!(
        says(Sender::Nexus, &asset, ASSET),
        ["deleted docker-hosted/shop/api:1.0 at 2026-03-10T23:57:49.664Z"]
    );
    for (name, expected) in [
        ("/v2/shop/api/manifests/1.0", "deleted docker-hosted/shop/api:1.0"),
        (
            "v2/shop/manifests/manifests/DIGEST",
            "deleted docker-hosted/shop/manifests@fbeba785391a",
        ),
        ("v2/-/blobs/DIGEST", "1 ignored"),
        ("v2/shop/api/tags/list", "1 ignored"),
        ("v2/shop/api/manifests/", "1 refused"),
    ] {
        let body = ASSET
            .replace("v2/shop/api/manifests/1.0", name)
            .replace("timestamp", "time");
        assert_eq!(says(Sender::Nexus, &asset, &body), [expected], "{name}");
    }
}

#[test]
fn whatever_else_nexus_says_is_counted() {
    for body in [
        COMPONENT.replace("\"docker\"", "\"npm\""),
        ASSET.replace("\"docker\"", "\"raw\""),
        COMPONENT.replace("CREATED", "PURGED"),
        COMPONENT.replace(r#""version":"1.0""#, r#""version":"DIGEST""#),
    ] {
        assert_eq!(says(Sender::Nexus, &none(), &body), ["1 ignored"], "{body}");
    }
    assert_eq!(
        says(
            Sender::Nexus,
            &[("X-Nexus-Webhook-Id", "rm:global:audit")],
            r#"{"audit":{}}"#
        ),
        ["1 ignored"]
    );
    assert_eq!(
        says(Sender::Nexus, &none(), &COMPONENT.replace("repositoryName", "r")),
        ["1 refused"]
    );
    assert_eq!(
        error(Sender::Nexus, r#"{"action":"CREATED"}"#),
        NotificationError::Shape {
            sender: Sender::Nexus
        }
    );
}

#[test]
fn docker_events_of_artifactory_are_read() {
    let expected = ["pushed docker-local/Shop/api:1.0@fbeba785391a"];
    assert_eq!(says(Sender::Artifactory, &none(), PUSHED), expected);
    let nameless = PUSHED.replace("image_name", "other_name");
    assert_eq!(
        says(Sender::Artifactory, &none(), &nameless),
        expected,
        "from the path"
    );
    let layer = PUSHED.replace(r#""name":"manifest.json""#, r#""name":"sha256__ab""#);
    assert_eq!(
        says(Sender::Artifactory, &none(), &layer),
        ["pushed docker-local/Shop/api:1.0"]
    );
    let child = PUSHED.replace(
        r#""tag":"1.0""#,
        r#""tag":"sha256__fbeba785391a3009a62758bd247cdb2142e1c7b8645b023c6f33c425b7dcd6ae""#,
    );
    assert_eq!(says(Sender::Artifactory, &none(), &child), ["1 ignored"]);
    assert_eq!(
        says(Sender::Artifactory, &none(), &PUSHED.replace("pushed", "deleted")),
        ["deleted docker-local/Shop/api:1.0@fbeba785391a"]
    );
    let promoted = PUSHED.replacen("pushed", "promoted", 1);
    assert_eq!(says(Sender::Artifactory, &none(), &promoted), expected);
}

#[test]
fn whatever_else_artifactory_says_is_counted() {
    for body in [
        PUSHED.replace(r#""domain":"docker""#, r#""domain":"artifact""#),
        PUSHED.replacen("pushed", "scanned", 1),
    ] {
        assert_eq!(says(Sender::Artifactory, &none(), &body), ["1 ignored"], "{body}");
    }
    let nowhere = PUSHED.replace("image_name", "x").replace("path", "y");
    assert_eq!(says(Sender::Artifactory, &none(), &nowhere), ["1 refused"]);
    assert_eq!(
        error(Sender::Artifactory, r#"{"domain":"docker"}"#),
        NotificationError::Shape {
            sender: Sender::Artifactory
        }
    );
}

#[test]
fn the_other_name_is_the_one_below_the_key() {
    let name = |text: &str| text.parse().unwrap();
    for sender in [Sender::Nexus, Sender::Artifactory] {
        assert_eq!(
            sender.below_key(&name("docker-local/shop/api")),
            Some(name("shop/api"))
        );
        assert_eq!(sender.below_key(&name("docker-local")), None);
    }
    assert_eq!(Sender::Harbor.below_key(&name("library/shop/api")), None);
}
