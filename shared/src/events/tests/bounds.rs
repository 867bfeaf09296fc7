//! What happens at each bound, and what one notification may say twice.

use super::super::{EventId, NotificationError, PushEvent, Sender, read};
use super::told::{none, says};
use crate::model::limits;

fn pushes(count: usize) -> String {
    let events: Vec<String> = (0..count)
        .map(|n| format!(r#"{{"id":"{n}","action":"push","target":{{"repository":"a/b","tag":"t{n}"}}}}"#))
        .collect();
    format!(r#"{{"events":[{}]}}"#, events.join(","))
}

#[test]
fn events_beyond_the_bound_are_refused_and_those_before_it_are_read() {
    let most = limits::EVENTS_PER_NOTIFICATION;
    let read = |count| read(Sender::Distribution, &none(), pushes(count).as_bytes()).unwrap();
    let full = read(most);
    assert_eq!((full.events.len(), full.refused), (most, 0));
    let over = read(most + 3);
    assert_eq!((over.events.len(), over.refused), (most, 3));
    assert_eq!(over.events, full.events);
}

#[test]
fn keys_of_an_object_are_bounded_as_members_of_a_list_are() {
    let most = limits::EVENTS_PER_NOTIFICATION;
    let tags: Vec<String> = (0..most + 2).map(|n| format!(r#""t{n}":"x""#)).collect();
    let body = format!(r#"{{"repository":"a/b","updated_tags":{{{}}}}}"#, tags.join(","));
    let read = read(Sender::Quay, &none(), body.as_bytes()).unwrap();
    assert_eq!((read.events.len(), read.refused), (most, 2));
}

#[test]
fn resources_of_several_events_together_are_bounded() {
    let most = limits::EVENTS_PER_NOTIFICATION;
    let resources: Vec<String> = (0..most).map(|n| format!(r#"{{"tag":"t{n}"}}"#)).collect();
    let event = |name: &str| {
        format!(
            r#"{{"type":"harbor.artifact.pushed","data":{{"repository":{{"repo_full_name":"{name}"}},"resources":[{}]}}}}"#,
            resources.join(",")
        )
    };
    let body = format!("[{},{}]", event("a/b"), event("a/c"));
    let read = read(Sender::CloudEvents, &none(), body.as_bytes()).unwrap();
    assert_eq!(
        (read.events.len(), read.refused),
        (most, u32::try_from(most).unwrap())
    );
}

#[test]
fn a_body_at_the_bound_is_read_and_one_beyond_it_is_not() {
    let body = |bytes: usize| {
        let mut body = pushes(1);
        body.extend(std::iter::repeat_n(' ', bytes - body.len()));
        body
    };
    for sender in Sender::ALL {
        let over = body(limits::NOTIFICATION_BYTES + 1);
        assert_eq!(
            read(*sender, &[("X-Gitlab-Event", "Push Hook")], over.as_bytes()),
            Err(NotificationError::TooLarge {
                bytes: limits::NOTIFICATION_BYTES + 1
            })
        );
    }
    let full = body(limits::NOTIFICATION_BYTES);
    assert_eq!(says(Sender::Distribution, &none(), &full), ["pushed a/b:t0 #0"]);
}

#[test]
fn how_deep_something_nests_does_not_matter() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let event = |member: &str, tag: &str| {
        format!(
            r#"{{"events":[{{"{member}":{deep},"action":"push","target":{{"repository":"a/b","tag":{tag}}}}}]}}"#
        )
    };
    let told = |body: &str| says(Sender::Distribution, &none(), body);
    assert_eq!(told(&event("x", "\"1\"")), ["pushed a/b:1"]);
    assert_eq!(told(&event("id", "\"1\"")), ["pushed a/b:1"]);
    assert_eq!(told(&event("x", &deep)), ["1 refused"]);
    for sender in Sender::ALL {
        assert!(
            read(*sender, &none(), &deep.as_bytes()[..200_000]).is_err(),
            "{sender}"
        );
    }
}

#[test]
fn the_same_thing_said_twice_is_one_event() {
    let event = |id: &str, action: &str, tag: &str| {
        format!(r#"{{"id":"{id}","action":"{action}","target":{{"repository":"a/b","tag":"{tag}"}}}}"#)
    };
    let body = format!(
        r#"{{"events":[{},{},{},{},{}]}}"#,
        event("1", "push", "x"),
        event("2", "push", "x"),
        event("1", "push", "y"),
        event("1/2", "push", "z"),
        event("1", "delete", "x"),
    );
    let expected = [
        "pushed a/b:x #1",
        "pushed a/b:y #1/2",
        "pushed a/b:z #1/2/2",
        "deleted a/b:x #1/3",
    ];
    assert_eq!(says(Sender::Distribution, &none(), &body), expected);
    assert_eq!(
        says(Sender::Distribution, &none(), &body),
        expected,
        "a second delivery"
    );
}

#[test]
fn an_id_that_is_none_costs_the_event_nothing_else() {
    let longest = "i".repeat(limits::EVENT_ID_BYTES);
    let (beyond, spaced) = (format!("{longest}i"), "a b");
    assert!(longest.parse::<EventId>().is_ok());
    for bad in ["", spaced, "a\n", "ä", &beyond] {
        assert!(bad.parse::<EventId>().is_err(), "{bad:?}");
    }
    let body = |id: &str| {
        format!(
            r#"{{"events":[
                {{"id":"{id}","action":"push","target":{{"repository":"a/b","tag":"x"}}}},
                {{"id":"{id}","action":"push","target":{{"repository":"a/b","tag":"y"}}}}]}}"#
        )
    };
    for bad in [&beyond, spaced, ""] {
        assert_eq!(
            says(Sender::Distribution, &none(), &body(bad)),
            ["pushed a/b:x", "pushed a/b:y"],
            "{bad:?}"
        );
    }
    let told = says(Sender::Distribution, &none(), &body(&longest));
    assert_eq!(
        told,
        [format!("pushed a/b:x #{longest}"), "pushed a/b:y".to_owned()]
    );
}

#[test]
fn events_can_be_stored_and_read_again() {
    let body = pushes(2);
    for event in read(Sender::Distribution, &none(), body.as_bytes())
        .unwrap()
        .events
    {
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<PushEvent>(&text).unwrap(), event);
    }
    for bad in [
        r#"{"id":"a b","action":"pushed","repository":"a"}"#,
        r#"{"action":"pulled","repository":"a"}"#,
        r#"{"action":"pushed","repository":"a//b"}"#,
    ] {
        assert!(serde_json::from_str::<PushEvent>(bad).is_err(), "{bad}");
    }
}

#[test]
fn senders_are_known_by_their_words() {
    for sender in Sender::ALL {
        assert_eq!(sender.as_str().parse(), Ok(*sender));
        assert_eq!(
            serde_json::from_str::<Sender>(&format!("\"{sender}\"")).unwrap(),
            *sender
        );
    }
    assert_eq!("forgejo".parse(), Ok(Sender::Gitea));
    assert_eq!(
        serde_json::from_str::<Sender>("\"forgejo\"").unwrap(),
        Sender::Gitea
    );
    assert_eq!(Sender::Gitea.as_str(), "gitea");
    for bad in ["", "Gitea", "docker-hub", "google"] {
        assert!(bad.parse::<Sender>().is_err(), "{bad}");
    }
}

#[test]
fn a_flavour_and_its_sender_have_the_same_word() {
    use crate::model::Flavour;
    for flavour in Flavour::ALL {
        let expected = match flavour {
            Flavour::OpenShift | Flavour::Generic => Some(Sender::Distribution),
            Flavour::Google | Flavour::Pulp | Flavour::DigitalOcean => None,
            _ => Some(flavour.as_str().parse().unwrap()),
        };
        assert_eq!(Sender::of(*flavour), expected, "{flavour}");
    }
}
