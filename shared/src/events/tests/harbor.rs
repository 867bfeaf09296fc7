//! Harbor in both of its formats, Zot, and CloudEvents as such.

use super::super::{Headers, NotificationError, Sender, read};
use super::told::{DIGEST, error, none, says};

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
        "pushed shop/alpine:3.8@fbeba785391a #a588c9e32f2b54910eee305d2e37ec46 at 2023-04-03T06:16:38Z",
        "pushed shop/alpine:latest@fbeba785391a #a588c9e32f2b54910eee305d2e37ec46/2 at 2023-04-03T06:16:38Z",
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
            [
                "pushed space/my-image:latest@fbeba785391a #088334131f5e8c28a84b601ba0ad3021 at 2026-02-01T10:00:00Z"
            ]
        );
        assert_eq!(
            says(sender, &zot_headers("zotregistry.image.deleted"), ZOT),
            [
                "deleted space/my-image:latest@fbeba785391a #088334131f5e8c28a84b601ba0ad3021 at 2026-02-01T10:00:00Z"
            ]
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
        ["deleted space/my-image@fbeba785391a #088334131f5e8c28a84b601ba0ad3021 at 2026-02-01T10:00:00Z"]
    );
    let structured =
        format!(r#"{{"specversion":"1.0","id":"5a1b","type":"zotregistry.image.updated","data":{ZOT}}}"#);
    assert_eq!(
        says(Sender::Zot, &none(), &structured),
        ["pushed space/my-image:latest@fbeba785391a #5a1b"]
    );
}

#[test]
fn the_id_of_a_cloud_event_is_one_of_its_source() {
    let id = |sender, headers: &dyn Headers, body: &str| {
        let notification = read(sender, headers, body.replace("DIGEST", DIGEST).as_bytes()).unwrap();
        notification.events[0].id.clone().unwrap()
    };
    let elsewhere = STRUCTURED.replace("policies/15", "policies/16");
    let (one, other) = (
        id(Sender::Harbor, &none(), STRUCTURED),
        id(Sender::Harbor, &none(), &elsewhere),
    );
    assert_ne!(one, other);
    assert_eq!(one, id(Sender::CloudEvents, &none(), STRUCTURED));
    let binary = |id_text, source| {
        let headers = [
            ("ce-type", "zotregistry.image.updated"),
            ("ce-id", id_text),
            ("ce-source", source),
        ];
        id(Sender::Zot, &headers, ZOT)
    };
    assert_ne!(binary("1", "/one"), binary("1", "/other"));
    assert_ne!(binary("1", "/one"), binary("2", "/one"));
    assert_eq!(binary("1", "/one"), binary("1", "/one"));
    assert_eq!(binary("1", "").as_str(), "1", "of whom, it does not say");
}
