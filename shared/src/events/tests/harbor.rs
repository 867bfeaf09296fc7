//! Harbor in both of its formats, Zot, and CloudEvents as such.

use super::super::{NotificationError, Sender};
use super::told::{error, none, says};

pub(super) const DEFAULT: &str = r#"{
  "type":"PUSH_ARTIFACT","occur_at":1680501893,"operator":"harbor-jobservice",
  "event_data":{
    "resources":[
      {"digest":"DIGEST","tag":"3.8","resource_url":"harbor.example.com/shop/alpine:3.8"},
      {"digest":"DIGEST","tag":"latest","resource_url":"harbor.example.com/shop/alpine:latest"}],
    "repository":{"date_created":1680501893,"name":"alpine","namespace":"shop","repo_full_name":"shop/alpine","repo_type":"private"}}}"#;

pub(super) const STRUCTURED: &str = r#"{
  "specversion":"1.0","id":"343f1623-7cba-487c-88f1-c5ebf55e93aa","requestid":"ca0f3ceb-810f-4598-a268-a2291ad4de49",
  "source":"/projects/2/webhook/policies/15","type":"harbor.artifact.pushed","datacontenttype":"application/json",
  "time":"2023-04-03T06:16:38Z",
  "data":{
    "resources":[
      {"digest":"DIGEST","tag":"3.8","resource_url":"harbor.example.com/shop/alpine:3.8"},
      {"digest":"DIGEST","tag":"latest"}],
    "repository":{"date_created":1680501893,"name":"alpine","namespace":"shop","repo_full_name":"shop/alpine","repo_type":"private"}},
  "operator":"harbor-jobservice"}"#;

pub(super) const ZOT: &str = r#"{"name":"space/my-image","reference":"latest","digest":"DIGEST",
  "mediaType":"application/vnd.oci.image.manifest.v1+json","manifest":"{}","actor":{"name":"john"}}"#;

fn zot_headers(kind: &'static str) -> [(&'static str, &'static str); 5] {
    [
        ("Ce-Id", "5a1b"),
        ("Ce-Source", "zotregistry.dev"),
        ("Ce-Specversion", "1.0"),
        ("Ce-Time", "2026-02-01T10:00:00Z"),
        ("Ce-Type", kind),
    ]
}

#[test]
fn the_default_format_is_read() {
    assert_eq!(
        says(Sender::Harbor, &none(), DEFAULT),
        [
            "pushed shop/alpine:3.8@fbeba785391a at 2023-04-03T06:04:53Z",
            "pushed shop/alpine:latest@fbeba785391a at 2023-04-03T06:04:53Z",
        ]
    );
    let deletion = DEFAULT.replace("PUSH_ARTIFACT", "DELETE_ARTIFACT");
    assert_eq!(
        says(Sender::Harbor, &none(), &deletion)[0],
        "deleted shop/alpine:3.8@fbeba785391a at 2023-04-03T06:04:53Z"
    );
    let untagged = DEFAULT
        .replace(r#""tag":"3.8""#, r#""tag":"DIGEST""#)
        .replace(r#""tag":"latest""#, r#""tag":"""#);
    assert_eq!(says(Sender::Harbor, &none(), &untagged), ["2 ignored"]);
    let gone = untagged.replace("PUSH_ARTIFACT", "DELETE_ARTIFACT");
    assert_eq!(
        says(Sender::Harbor, &none(), &gone),
        ["deleted shop/alpine@fbeba785391a at 2023-04-03T06:04:53Z"]
    );
}

#[test]
fn what_is_of_no_interest_is_counted() {
    for kind in [
        "PULL_ARTIFACT",
        "SCANNING_COMPLETED",
        "QUOTA_EXCEED",
        "REPLICATION",
        "TAG_RETENTION",
        "NEWS",
    ] {
        let body = DEFAULT.replace("PUSH_ARTIFACT", kind);
        assert_eq!(says(Sender::Harbor, &none(), &body), ["1 ignored"], "{kind}");
    }
    for kind in [
        "harbor.artifact.pulled",
        "harbor.scan.completed",
        "zotregistry.image.updated",
        "x",
    ] {
        let body = STRUCTURED.replace("harbor.artifact.pushed", kind);
        assert_eq!(says(Sender::Harbor, &none(), &body), ["1 ignored"], "{kind}");
    }
    for body in [
        r#"{"type":"PUSH_ARTIFACT"}"#,
        r#"{"type":"PUSH_ARTIFACT","event_data":{"resources":[{"tag":"1"}]}}"#,
    ] {
        assert_eq!(says(Sender::Harbor, &none(), body), ["1 refused"], "{body}");
    }
    for body in ["{}", r#"{"type":7}"#, "[]"] {
        assert_eq!(
            error(Sender::Harbor, body),
            NotificationError::Shape {
                sender: Sender::Harbor
            },
            "{body}"
        );
    }
}

#[test]
fn cloud_events_are_read_in_all_modes() {
    let expected = [
        "pushed shop/alpine:3.8@fbeba785391a #343f1623-7cba-487c-88f1-c5ebf55e93aa at 2023-04-03T06:16:38Z",
        "pushed shop/alpine:latest@fbeba785391a #343f1623-7cba-487c-88f1-c5ebf55e93aa/2 at 2023-04-03T06:16:38Z",
    ];
    for sender in [Sender::Harbor, Sender::CloudEvents] {
        assert_eq!(says(sender, &none(), STRUCTURED), expected);
    }
    let deletion = STRUCTURED.replace("artifact.pushed", "artifact.deleted");
    assert!(says(Sender::Harbor, &none(), &deletion)[1].starts_with("deleted shop/alpine:latest"));
    let batch = format!(r#"[{STRUCTURED}, 7, {{}}, {{"type":"com.example.tea"}}]"#);
    let mut all = expected.map(str::to_owned).to_vec();
    all.extend(["1 ignored".to_owned(), "2 refused".to_owned()]);
    assert_eq!(says(Sender::CloudEvents, &none(), &batch), all);
    assert_eq!(
        error(Sender::CloudEvents, r#"{"data":{}}"#),
        NotificationError::Shape {
            sender: Sender::CloudEvents
        }
    );
}

#[test]
fn zot_speaks_in_headers() {
    for sender in [Sender::Zot, Sender::CloudEvents] {
        assert_eq!(
            says(sender, &zot_headers("zotregistry.image.updated"), ZOT),
            ["pushed space/my-image:latest@fbeba785391a #5a1b at 2026-02-01T10:00:00Z"]
        );
        assert_eq!(
            says(sender, &zot_headers("zotregistry.image.deleted"), ZOT),
            ["deleted space/my-image:latest@fbeba785391a #5a1b at 2026-02-01T10:00:00Z"]
        );
        for kind in [
            "zotregistry.repository.created",
            "zotregistry.image.lint_failed",
            "other",
        ] {
            assert_eq!(says(sender, &zot_headers(kind), ZOT), ["1 ignored"], "{kind}");
        }
        assert_eq!(
            says(sender, &zot_headers("zotregistry.image.updated"), "[]"),
            ["1 refused"]
        );
    }
    let by_digest = ZOT.replace("latest", "DIGEST");
    assert_eq!(
        says(Sender::Zot, &zot_headers("zotregistry.image.updated"), &by_digest),
        ["1 ignored"]
    );
    assert_eq!(
        says(Sender::Zot, &zot_headers("zotregistry.image.deleted"), &by_digest),
        ["deleted space/my-image@fbeba785391a #5a1b at 2026-02-01T10:00:00Z"]
    );
    let structured =
        format!(r#"{{"specversion":"1.0","id":"5a1b","type":"zotregistry.image.updated","data":{ZOT}}}"#);
    assert_eq!(
        says(Sender::Zot, &none(), &structured),
        ["pushed space/my-image:latest@fbeba785391a #5a1b"]
    );
}
