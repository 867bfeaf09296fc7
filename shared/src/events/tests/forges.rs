//! GitHub's packages, Gitea, Forgejo.

use super::super::{NotificationError, Sender};
use super::told::{error, none, says};

pub(super) const GHCR: &str = r#"{
  "action":"published",
  "registry_package":{
    "id":10696,"name":"shop","namespace":"acme","ecosystem":"CONTAINER","package_type":"CONTAINER",
    "html_url":"https://github.com/Acme/shop/packages/10696",
    "owner":{"login":"Acme","id":21031067},
    "package_version":{
      "id":57755791,"version":"OTHER","name":"OTHER",
      "html_url":"https://github.com/orgs/Acme/packages/container/shop/57755791",
      "created_at":"0001-01-01T00:00:00Z","updated_at":"2026-03-01T09:00:00Z",
      "container_metadata":{
        "tag":{"name":"1.0","digest":"DIGEST"},
        "labels":{"all_labels":{"org.opencontainers.image.title":"shop"}},
        "manifest":{"digest":"DIGEST","size":1782,"layers":[{"digest":"OTHER","size":3}]}},
      "package_files":[],"package_url":"ghcr.io/Acme/shop:1.0"},
    "registry":{"name":"GitHub CONTAINER registry","type":"CONTAINER","url":"https://CONTAINER.pkg.github.com/Acme"}},
  "repository":{"id":185882436,"full_name":"Acme/shop"},
  "sender":{"login":"someone"}}"#;

pub(super) const GITEA: &str = r#"{
  "action":"created",
  "repository":null,
  "package":{
    "id":3,"owner":{"id":2,"login":"Acme","username":"Acme"},"repository":null,"creator":{"id":1,"login":"ci"},
    "type":"container","name":"shop/api","version":"1.0","created_at":"2026-03-01T10:00:00+01:00",
    "html_url":"https://git.example.com/Acme/-/packages/container/shop%2Fapi/1.0"},
  "organization":{"id":2,"username":"Acme"},
  "sender":{"id":1,"login":"ci"}}"#;

#[test]
fn a_container_package_of_github_is_read_under_both_names_of_the_event() {
    let expected = ["pushed acme/shop:1.0@fbeba785391a #d-1 at 2026-03-01T09:00:00Z"];
    let headers = |kind| [("X-GitHub-Event", kind), ("X-GitHub-Delivery", "d-1")];
    assert_eq!(says(Sender::Ghcr, &headers("registry_package"), GHCR), expected);
    let package = GHCR.replace("registry_package", "package");
    assert_eq!(says(Sender::Ghcr, &headers("package"), &package), expected);
    assert_eq!(
        says(
            Sender::Ghcr,
            &headers("package"),
            &GHCR.replace("published", "updated")
        ),
        expected
    );
    let without_url = GHCR
        .replace("package_url", "other_url")
        .replace(r#""namespace":"acme""#, r#""namespace":"ACME""#);
    assert_eq!(says(Sender::Ghcr, &headers("package"), &without_url), expected);
    let no_digest = GHCR.replace(r#""digest":"DIGEST"}"#, r#""digest":"sha256:6c62fb45"}"#);
    assert_eq!(
        says(Sender::Ghcr, &headers("package"), &no_digest),
        ["pushed acme/shop:1.0@44136fa355b3 #d-1 at 2026-03-01T09:00:00Z"]
    );
}

#[test]
fn other_packages_actions_and_events_of_github_are_counted() {
    let untagged = GHCR.replace(r#"{"name":"1.0","#, r#"{"name":"","#);
    let npm = GHCR
        .replace(
            r#""CONTAINER","package_type":"CONTAINER""#,
            r#""npm","package_type":"npm""#,
        )
        .replace("container_metadata", "npm_metadata");
    for body in [untagged, npm, GHCR.replace("published", "deleted")] {
        assert_eq!(says(Sender::Ghcr, &none(), &body), ["1 ignored"], "{body}");
    }
    for kind in ["ping", "push", "workflow_run"] {
        assert_eq!(
            says(Sender::Ghcr, &[("x-github-event", kind)], "zen"),
            ["1 ignored"],
            "{kind}"
        );
    }
    assert_eq!(
        error(Sender::Ghcr, r#"{"zen":"Keep it logically awesome."}"#),
        NotificationError::Shape { sender: Sender::Ghcr }
    );
}

#[test]
fn a_container_package_of_gitea_is_read() {
    let headers = [("X-Gitea-Event", "package"), ("X-Gitea-Delivery", "f6266f16")];
    assert_eq!(
        says(Sender::Gitea, &headers, GITEA),
        ["pushed acme/shop/api:1.0 #f6266f16 at 2026-03-01T09:00:00Z"]
    );
    let forgejo = [("X-Forgejo-Event", "package"), ("X-Forgejo-Delivery", "g7")];
    assert_eq!(
        says(
            "forgejo".parse().unwrap(),
            &forgejo,
            &GITEA.replace("created\"", "deleted\"")
        ),
        ["deleted acme/shop/api:1.0 #g7"]
    );
    let by_digest = GITEA.replace(r#""version":"1.0""#, r#""version":"DIGEST""#);
    assert_eq!(says(Sender::Gitea, &headers, &by_digest), ["1 ignored"]);
    assert_eq!(
        says(
            Sender::Gitea,
            &headers,
            &by_digest.replace("created\"", "deleted\"")
        ),
        ["deleted acme/shop/api@fbeba785391a #f6266f16"]
    );
}

#[test]
fn other_packages_and_events_of_gitea_are_counted() {
    assert_eq!(
        says(
            Sender::Gitea,
            &none(),
            &GITEA.replace(r#""container""#, r#""npm""#)
        ),
        ["1 ignored"]
    );
    assert_eq!(
        says(Sender::Gitea, &[("X-Gitea-Event", "push")], "payload=%7B%7D"),
        ["1 ignored"]
    );
    assert_eq!(
        says(Sender::Gitea, &none(), &GITEA.replace("shop/api", "shop//api")),
        ["1 refused"]
    );
    assert_eq!(
        error(Sender::Gitea, r#"{"ref":"refs/heads/main","commits":[]}"#),
        NotificationError::Shape {
            sender: Sender::Gitea
        }
    );
}
