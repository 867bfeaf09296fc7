//! CNCF Distribution's notifications, GitLab's registry's, and GitLab's webhooks.

use super::super::{NotificationError, Sender, is_gitlab_webhook, read, shows_secret};
use super::told::{error, none, says};
use crate::model::limits;

pub(super) const PUSH: &str = r#"{"events":[{
  "id":"a4a9b6d8-7f0e-4f43-9a5f-1d6f3a2b0001",
  "timestamp":"2026-01-05T00:00:00.123456Z",
  "action":"push",
  "target":{
    "mediaType":"application/vnd.oci.image.manifest.v1+json",
    "size":400,"length":400,
    "digest":"DIGEST",
    "repository":"acme/shop/api",
    "url":"https://registry.example.com:5050/v2/acme/shop/api/manifests/DIGEST",
    "tag":"1.0.0"},
  "request":{"id":"r-1","addr":"10.0.0.9:51422","host":"registry.example.com:5050","method":"PUT","useragent":"docker/27"},
  "actor":{"name":"ci-reader","user_type":"build","user":"<jwt>"},
  "source":{"addr":"gitlab-1:5000","instanceID":"c0ffee00-0000-4000-8000-000000000001"}
}]}"#;

fn event(action: &str, target: &str) -> Vec<String> {
    let body = format!(r#"{{"events":[{{"id":"e","action":"{action}","target":{target}}}]}}"#);
    says(Sender::Distribution, &none(), &body)
}

#[test]
fn a_push_is_read_under_either_name() {
    for sender in [Sender::Distribution, Sender::GitLab] {
        assert_eq!(
            says(sender, &none(), PUSH),
            [
                "pushed acme/shop/api:1.0.0@fbeba785391a #a4a9b6d8-7f0e-4f43-9a5f-1d6f3a2b0001 at 2026-01-05T00:00:00.123456Z"
            ]
        );
    }
}

#[test]
fn each_action_is_what_it_is() {
    let manifest = "application/vnd.docker.distribution.manifest.v2+json";
    for (action, target, expected) in [
        (
            "delete",
            r#"{"repository":"a/b","tag":"1"}"#.to_owned(),
            "deleted a/b:1 #e",
        ),
        (
            "delete",
            r#"{"repository":"a/b","digest":"DIGEST"}"#.to_owned(),
            "deleted a/b@fbeba785391a #e",
        ),
        (
            "delete",
            r#"{"repository":"a/b"}"#.to_owned(),
            "repository_deleted a/b #e",
        ),
        (
            "delete",
            r#"{"repository":"a/b","digest":"DIGEST","mediaType":"application/octet-stream"}"#.to_owned(),
            "1 ignored",
        ),
        (
            "push",
            r#"{"repository":"a/b","digest":"DIGEST","mediaType":"application/octet-stream"}"#.to_owned(),
            "1 ignored",
        ),
        (
            "push",
            format!(r#"{{"repository":"a/b","digest":"DIGEST","mediaType":"{manifest}"}}"#),
            "1 ignored",
        ),
        (
            "pull",
            format!(r#"{{"repository":"a/b","digest":"DIGEST","tag":"1","mediaType":"{manifest}"}}"#),
            "1 ignored",
        ),
        (
            "mount",
            r#"{"repository":"a/b","digest":"DIGEST","fromRepository":"a/c"}"#.to_owned(),
            "1 ignored",
        ),
        (
            "polish",
            r#"{"repository":"a/b","tag":"1"}"#.to_owned(),
            "1 ignored",
        ),
    ] {
        assert_eq!(event(action, &target), [expected], "{action} {target}");
    }
}

#[test]
fn a_rename_concerns_both_names() {
    let target = r#"{"repository":"acme/old","rename":{"type":"name","from":"acme/old","to":"acme/new"}}"#;
    assert_eq!(
        event("rename", target),
        [
            "repository_renamed acme/old #e",
            "repository_renamed acme/new #e/2"
        ]
    );
    assert_eq!(event("rename", r#"{"repository":"acme/old"}"#), ["2 refused"]);
}

#[test]
fn one_malformed_event_spoils_nothing_beside_it() {
    let body = r#"{"events":[
        {"id":"1","action":"push","target":{"repository":"a/../b","tag":"1","digest":"DIGEST"}},
        {"id":"2","action":"push","target":{"repository":"a/b","tag":"not a tag","digest":"DIGEST"}},
        {"id":"3","action":"push","target":{"repository":"a/b","tag":"1","digest":"sha256:12"}},
        {"id":"4","action":"push","target":{"repository":["a/b"],"tag":"1"}},
        {"id":"5","action":"push","target":{"repository":"a/b","tag":{"name":"1"}}},
        {"id":"6","action":"push","target":{"repository":"a/b","tag":7}},
        {"id":"7","action":"push","target":"a/b:1"},
        {"id":"8","target":{"repository":"a/b","tag":"1"}},
        {"id":"9","action":"push"},
        {"id":"10","action":"push","target":[{"repository":"a/b","tag":"1"}]},
        "push", null, 12, [1], [{"id":"11","action":"push","target":{"repository":"a/b","tag":"1"}}],
        {"id":["x"],"timestamp":"yesterday","action":"push","target":{"repository":"a/b","tag":"1","digest":"DIGEST"}}
    ]}"#;
    assert_eq!(
        says(Sender::Distribution, &none(), body),
        ["pushed a/b:1@fbeba785391a", "15 refused"]
    );
}

#[test]
fn no_envelope_is_an_error_that_shows_nothing_of_it() {
    let shape = NotificationError::Shape {
        sender: Sender::Distribution,
    };
    for body in [
        "{}",
        "[]",
        "null",
        "1",
        r#"{"events":null}"#,
        r#"{"events":{}}"#,
        r#""hunter2hunter2""#,
    ] {
        assert_eq!(error(Sender::Distribution, body), shape, "{body}");
    }
    for body in [
        "",
        "{",
        r#"{"events":[hunter2]}"#,
        r#"{"events":[]} hunter2"#,
        r#"{"events":[],"events":[]}"#,
    ] {
        let error = error(Sender::Distribution, body);
        assert!(matches!(error, NotificationError::Json { .. }), "{body}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
    assert_eq!(says(Sender::Distribution, &none(), r#"{"events":[]}"#), [""; 0]);
}

#[test]
fn webhooks_of_gitlab_are_counted_and_not_even_read() {
    for (kind, body) in [
        (
            "Push Hook",
            r#"{"object_kind":"push","ref":"refs/heads/main","project":{"path_with_namespace":"acme/shop"}}"#,
        ),
        (
            "Pipeline Hook",
            r#"{"object_kind":"pipeline","object_attributes":{"status":"success"}}"#,
        ),
        ("Tag Push Hook", "not even JSON"),
        ("System Hook", PUSH),
    ] {
        for sender in [Sender::GitLab, Sender::Distribution] {
            assert_eq!(
                says(sender, &[("x-gitlab-event", kind)], body),
                ["1 ignored"],
                "{kind}"
            );
        }
    }
}

#[test]
fn a_webhook_of_gitlab_is_believed_for_the_secret_alone() {
    let secret = "correct-horse-battery-staple".parse().unwrap();
    let shows = |sender, path, headers: &[(&str, &str)]| {
        let headers = headers.to_vec();
        is_gitlab_webhook(sender, &headers) && shows_secret(sender, &secret, path, &headers).is_ok()
    };
    let hook = ("X-Gitlab-Event", "Push Hook");
    let token = ("X-Gitlab-Token", "correct-horse-battery-staple");
    // With a key of its own, from GitLab 19.0 on.
    let foreign = (
        "webhook-signature",
        "v1,Z/GnKtMPhzHw7hCQ2oB9D+Olibp/2jgKDyUiTF0TUEE=",
    );
    for sender in [Sender::GitLab, Sender::Distribution] {
        assert!(shows(sender, None, &[hook, token, foreign]), "{sender}");
        assert!(
            shows(sender, Some("correct-horse-battery-staple"), &[hook, foreign]),
            "{sender}"
        );
        assert!(
            shows(sender, None, &[hook, ("Authorization", token.1)]),
            "{sender}"
        );
        for wrong in [
            &[token, foreign][..],
            &[hook, foreign],
            &[hook, ("X-Gitlab-Token", "correct-horse-battery-stable")],
        ] {
            assert!(!shows(sender, Some("wrong"), wrong), "{sender}: {wrong:?}");
        }
    }
    assert!(!shows(Sender::Harbor, Some(token.1), &[hook, token]));
}

#[test]
fn what_is_signed_as_standard_webhooks_say_has_the_id_of_its_message() {
    let two = r#"{"events":[
        {"id":"a","action":"push","target":{"repository":"acme/app","tag":"1"}},
        {"action":"push","target":{"repository":"acme/app","tag":"2"}}]}"#;
    let long = "x".repeat(limits::EVENT_ID_BYTES);
    let ids = |headers: &[(&str, &str)]| -> Vec<Option<String>> {
        let read = read(Sender::GitLab, &headers.to_vec(), two.as_bytes()).unwrap();
        read.events
            .iter()
            .map(|event| event.id.as_ref().map(ToString::to_string))
            .collect()
    };
    let some = |id: &str| Some(id.to_owned());
    let (id, signature) = (("webhook-id", "msg_1"), ("webhook-signature", "v1,x"));
    assert_eq!(ids(&[id, signature]), [some("msg_1"), some("msg_1/2")]);
    assert_eq!(ids(&[id]), [some("a"), None], "nobody vouches for it");
    assert_eq!(ids(&[id, ("webhook-signature", " ")]), [some("a"), None]);
    assert_eq!(ids(&[("webhook-id", &long), signature]), [some(&long), None]);
}
