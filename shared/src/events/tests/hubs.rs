//! Quay and Docker Hub.

use super::super::{NotificationError, Sender};
use super::told::{error, none, says};

pub(super) const QUAY: &str = r#"{
  "name":"repository","repository":"mynamespace/repository","namespace":"mynamespace",
  "docker_url":"quay.example.com/mynamespace/repository",
  "homepage":"https://quay.example.com/repository/mynamespace/repository",
  "updated_tags":["latest","1.2","latest"]}"#;

pub(super) const HUB: &str = r#"{
  "callback_url":"https://registry.hub.docker.com/u/acme/shop/hook/2141b5bi5i5b02bec211i4eeih0242eg11000a/",
  "push_data":{"pushed_at":1582839308,"pusher":"someone","tag":"latest"},
  "repository":{"comment_count":0,"date_created":1417494799,"is_private":true,"name":"shop","namespace":"acme",
    "owner":"acme","repo_name":"acme/shop","repo_url":"https://registry.hub.docker.com/u/acme/shop/","status":"Active"}}"#;

#[test]
fn quay_says_which_tags() {
    let expected = [
        "pushed mynamespace/repository:latest",
        "pushed mynamespace/repository:1.2",
    ];
    assert_eq!(says(Sender::Quay, &none(), QUAY), expected);
    let old = QUAY.replace(
        r#"["latest","1.2","latest"]"#,
        r#"{"latest":"b750fe79","1.2":"a1"}"#,
    );
    assert_eq!(says(Sender::Quay, &none(), &old), expected);
    let parts = QUAY
        .replace(r#""repository":"mynamespace/repository","#, "")
        .replace(r#""name":"repository""#, r#""name":"r""#);
    assert_eq!(
        says(Sender::Quay, &none(), &parts)[0],
        "pushed mynamespace/r:latest"
    );
    let strange = QUAY.replace(
        r#"["latest","1.2","latest"]"#,
        r#"["", null, 7, ["x"], "a b", "1"]"#,
    );
    assert_eq!(
        says(Sender::Quay, &none(), &strange),
        ["pushed mynamespace/repository:1", "5 refused"]
    );
}

#[test]
fn quay_s_other_events_are_counted() {
    for body in [
        r#"{"repository":"a/b","docker_url":"q/a/b","build_id":"x","docker_tags":["latest"],"is_manual":false}"#,
        r#"{"repository":"a/b","docker_url":"q/a/b","vulnerability":{"id":"CVE-1"},"tags":["latest"]}"#,
        r#"{"repository":"a/b","updated_tags":[]}"#,
        r#"{"repository":"a/b","updated_tags":"latest"}"#,
    ] {
        assert_eq!(says(Sender::Quay, &none(), body), ["1 ignored"], "{body}");
    }
    for body in ["{}", r#"{"updated_tags":["latest"]}"#, "[1]"] {
        assert_eq!(
            error(Sender::Quay, body),
            NotificationError::Shape { sender: Sender::Quay },
            "{body}"
        );
    }
}

#[test]
fn docker_hub_says_which_tag() {
    assert_eq!(
        says(Sender::DockerHub, &none(), HUB),
        ["pushed acme/shop:latest at 2020-02-27T21:35:08Z"]
    );
    let fraction = HUB.replace("1582839308", "1.582839308e+09");
    assert_eq!(
        says(Sender::DockerHub, &none(), &fraction),
        ["pushed acme/shop:latest at 2020-02-27T21:35:08Z"]
    );
    let elsewhere = HUB.replace("1582839308", "[1e300]");
    assert_eq!(
        says(Sender::DockerHub, &none(), &elsewhere),
        ["pushed acme/shop:latest"]
    );
    let never = HUB.replace("1582839308", "1e300");
    assert_eq!(
        says(Sender::DockerHub, &none(), &never),
        ["pushed acme/shop:latest"]
    );
    let nameless = HUB.replace("repo_name", "other_name");
    assert_eq!(says(Sender::DockerHub, &none(), &nameless), ["1 refused"]);
    let untagged = HUB.replace(r#","tag":"latest""#, "");
    assert_eq!(says(Sender::DockerHub, &none(), &untagged), ["1 ignored"]);
    assert_eq!(
        error(Sender::DockerHub, QUAY),
        NotificationError::Shape {
            sender: Sender::DockerHub
        }
    );
}
