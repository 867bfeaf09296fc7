//! When the uplink is woken.

use std::time::Duration;

use futures::FutureExt as _;
use portolan_shared::events::{Notification, PushAction, PushEvent};
use portolan_shared::model::EventSubject;
use portolan_shared::process::Clock as _;

use super::scene::{Request, SECRET, scene};

fn pushed(tag: &str) -> Notification {
    let event = PushEvent {
        id: None,
        action: PushAction::Pushed,
        repository: "acme/app".parse().unwrap(),
        tag: tag.parse().ok(),
        digest: None,
        happened_at: None,
    };
    Notification {
        events: vec![event],
        ..Notification::default()
    }
}

#[tokio::test]
async fn the_uplink_is_woken_when_something_is_due_sooner_and_not_for_each_event() {
    let scene = scene().await;
    let desk = &scene.desk;
    let woken = || desk.arrived().now_or_never().is_some();
    let now = || scene.clock.uptime();
    let started = desk.next(1, now()).unwrap();
    desk.take(0, pushed("1"));
    assert!(!woken(), "it waits for an acknowledgement");
    desk.acknowledged(started.number, &[]);
    let due = desk.due(1).unwrap();
    assert_eq!(
        due.since(now()),
        Duration::from_millis(40),
        "so long after the one before"
    );
    desk.take(0, pushed("2"));
    assert!(!woken(), "it looks when the first is due");
    let both = desk.next(1, due).unwrap();
    assert_eq!(both.events.len(), 2);
    desk.acknowledged(both.number, &[]);
    assert_eq!(desk.due(1), None);
    desk.take(0, pushed("3"));
    assert!(woken());
    assert!(!woken(), "once");
    scene.end().await;
}

#[tokio::test]
async fn a_repository_that_may_have_two_names_is_told_under_both() {
    let scene = scene().await;
    let body = |repository: &str, id: &str| {
        format!(
            r#"{{"domain":"docker","event_type":"pushed","data":{{"repo_key":"{repository}","path":"{id}","name":"manifest.json",
            "sha256":"fbeba785391a3009a62758bd247cdb2142e1c7b8645b023c6f33c425b7dcd6ae","size":1,"image_name":"{id}","tag":"1.0"}}}}"#
        )
    };
    let tell = async |key: &str, image: &str| {
        let request = Request::to(&format!("/notify/artifactory/{SECRET}")).with_body(body(key, image));
        assert_eq!(scene.send(&request).await, 200);
        let told = scene.told();
        scene.clock.advance(Duration::from_secs(60));
        let mut names: Vec<String> = told
            .iter()
            .map(|told| match &told.subject {
                EventSubject::Tag(repository, tag) => format!("{repository}:{tag}"),
                other => panic!("{other:?}"),
            })
            .collect();
        names.sort();
        names
    };
    // The policy names `acme/**` alone.
    assert_eq!(
        tell("acme", "acme/app").await,
        ["acme/acme/app:1.0", "acme/app:1.0"]
    );
    assert_eq!(tell("docker-local", "acme/app").await, ["acme/app:1.0"]);
    assert_eq!(tell("acme", "app").await, ["acme/app:1.0"]);
    assert_eq!(tell("docker-local", "app").await, [""; 0]);
    let notifier = scene.notifier("artifactory");
    assert_eq!((notifier.received, notifier.ignored), (3, 1), "each event once");
    scene.end().await;
}
