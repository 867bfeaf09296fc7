//! Where an operator could get stuck: what is refused, what is waited for, what is asked.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use portolan::cli::{Environment, Exit};
use portolan_store::Seen;
use serde_json::json;

use crate::desk::{Desk, Paper};
use crate::shop::{Shop, commit};
use crate::world::World;

#[tokio::test]
async fn a_scope_outside_the_registrys_patterns_is_refused_before_it_is_queued() {
    let world = World::new().await;
    let sensor = world.sensor("berlin-1").await;
    world.session(sensor).await;
    let desk = Desk::open(&world).await;
    let add = "registry add gl https://h --no-test --sensor berlin-1 --repository acme/** --repository lib/*";
    assert_eq!(desk.say(add).await.exit, Exit::Done);
    let said = desk
        .say("sync gl --repository other/shop --repository acme/shop --wait")
        .await;
    assert_eq!(said.exit, Exit::Usage);
    for words in [
        "error: the patterns of registry gl leave out other/shop: they are acme/**, lib/*;",
        "portolan registry set gl --repository PATTERN",
    ] {
        assert!(said.err.contains(words), "{words}: {}", said.err);
    }
    let listed = world.get("/api/v1/runs").await.json();
    assert_eq!(listed["items"], json!([]), "nothing was queued");
    let answer = world
        .post(
            "/api/v1/registries/gl/runs",
            json!({"repositories": ["other/shop"]}),
        )
        .await;
    assert_eq!(answer.refusal(), (422, "outside_patterns".to_owned()));
    assert_eq!(
        answer.json()["details"],
        json!({
            "field": "repositories", "registry": "gl",
            "repositories": ["other/shop"], "patterns": ["acme/**", "lib/*"],
        })
    );
    let inside = desk.say("sync gl --repository acme/shop").await;
    assert_eq!(inside.exit, Exit::Done, "{}", inside.err);
}

#[tokio::test]
async fn an_open_invitation_is_named_listed_and_withdrawn() {
    let world = World::new().await;
    let desk = Desk::open(&world).await;
    assert_eq!(desk.say("sensor invite berlin-1").await.exit, Exit::Done);
    let again = desk.say("sensor invite berlin-1").await;
    assert_eq!(again.exit, Exit::Conflict);
    for words in [
        "an open invitation for \"berlin-1\" exists until 2027-01-15T09:00:00Z",
        "portolan sensor invitation revoke ",
    ] {
        assert!(again.err.contains(words), "{words}: {}", again.err);
    }
    let listed = desk.say("sensor invitation list").await;
    let line = listed.out.lines().nth(1).unwrap();
    assert!(
        line.starts_with("berlin-1  open   2027-01-15 08:00:00Z"),
        "{line}"
    );

    let withdrawn = desk.say("sensor invitation revoke berlin-1").await;
    assert_eq!(withdrawn.exit, Exit::Done, "{}", withdrawn.err);
    let nothing = desk.say("sensor invitation revoke berlin-1").await;
    assert_eq!(nothing.exit, Exit::NotFound, "{}", nothing.err);
    assert_eq!(desk.say("sensor invite berlin-1").await.exit, Exit::Done);
    let json = desk.say("sensor invitation list -o json").await.out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let id = json[0]["id"].as_str().unwrap();
    let by_id = desk.say(&format!("sensor invitation revoke {id}")).await;
    assert_eq!(by_id.exit, Exit::Done, "{}", by_id.err);

    world.sensor("berlin-2").await;
    let in_use = desk.say("sensor invite berlin-2").await;
    assert!(in_use.err.contains("exists already"), "{}", in_use.err);
    assert_eq!(desk.say("sensor revoke berlin-2").await.exit, Exit::Done);
    let revoked = desk.say("sensor invite berlin-2").await;
    assert_eq!(revoked.exit, Exit::Conflict);
    assert!(
        revoked.err.contains("was revoked; its name stays taken"),
        "{}",
        revoked.err
    );
}

#[tokio::test]
async fn a_run_that_waits_says_for_whom() {
    let world = World::new().await;
    let desk = Desk::open(&world).await;
    let office = world.sensor("office").await;
    world.session(office).await;
    world.sensor("attic").await;
    let seen = Seen {
        tenant: world.tenant,
        sensor: office,
        at: world.app.clock.now(),
    };
    world.app.store.record_seen(&[seen]).await.unwrap();
    world.clock.advance(Duration::from_secs(3 * 3_600));
    desk.say("registry add gl https://h --no-test --sensor office")
        .await;
    let queued = desk.say("sync gl -o json").await;
    let run: serde_json::Value = serde_json::from_str(&queued.out).unwrap();
    let run = run["id"].as_str().unwrap().to_owned();
    let shown = desk.say(&format!("run show {run}")).await;
    let waits = "Waits for sensor office, last seen 3 h ago.";
    assert!(shown.out.contains(waits), "{}", shown.out);

    let (watching, told) = (format!("run watch {run}"), Paper::default());
    let cancel = async {
        while !told.text().contains(waits) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let path = format!("/api/v1/runs/{run}/cancel");
        world.ask(&world.operator, Method::POST, &path, None).await
    };
    let (watched, cancelled) = tokio::join!(desk.say_onto(&watching, &told), cancel);
    assert_eq!(cancelled.status, StatusCode::OK);
    assert_eq!(watched.exit, Exit::RunCancelled);

    desk.say("registry set gl --sensor office --sensor attic").await;
    desk.say("sensor revoke office").await;
    let sheet = desk.say("registry show gl").await.out;
    assert!(
        sheet.contains("office, revoked\n") && sheet.contains("attic, never seen\n"),
        "{sheet}"
    );
    assert_eq!(desk.say("sync gl").await.exit, Exit::Done, "one is left");
    desk.say("sensor revoke attic").await;
    let refused = desk.say("sync gl").await;
    assert_eq!(refused.exit, Exit::Conflict);
    for words in [
        "every sensor of registry gl is revoked",
        "portolan registry set gl --sensor SENSOR",
    ] {
        assert!(refused.err.contains(words), "{words}: {}", refused.err);
    }
    let left = desk.say("run list --state queued -o json").await.out;
    let left: serde_json::Value = serde_json::from_str(&left).unwrap();
    let shown = desk
        .say(&format!("run show {}", left[0]["id"].as_str().unwrap()))
        .await;
    assert!(
        shown
            .out
            .contains("none is left (office, revoked; attic, revoked)"),
        "{}",
        shown.out
    );
}

/// Who cancels the one before it has it begin, and need not be surprised.
#[tokio::test]
async fn a_run_that_waits_behind_one_that_is_stuck_says_for_whom_that_waits() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let desk = Desk::open(&world).await;
    let (store, now) = (&world.app.store, world.app.clock.now());
    let seen = Seen {
        tenant: world.tenant,
        sensor: shop.sensor,
        at: now,
    };
    store.record_seen(&[seen]).await.unwrap();
    let fence = world.leased_run("gl", shop.sensor, shop.epoch).await;
    let begun = fence.attempt.run;
    commit(&world, &fence, "acme/shop", &[("late", &shop.image)]).await;
    let queue = async || {
        let queued = desk.say("sync gl -o json").await;
        let run: serde_json::Value = serde_json::from_str(&queued.out).unwrap();
        run["id"].as_str().unwrap().to_owned()
    };
    let follower = queue().await;
    let words = format!("Waits for run {begun} to end, which had begun when this one was asked for.");
    let shown = desk.say(&format!("run show {follower}")).await;
    assert!(shown.out.contains(&format!("{words}\n")), "{}", shown.out);
    store.return_lease(&fence, now).await.unwrap();
    world.clock.advance(Duration::from_secs(3 * 3_600));
    let shown = desk.say(&format!("run show {follower}")).await;
    let stuck = format!("{words} That one waits for sensor berlin-1, last seen 3 h ago.\n");
    assert!(shown.out.contains(&stuck), "{}", shown.out);

    let starts = "which waited for this one to end, starts now";
    let cancelled = desk.say(&format!("run cancel {follower} -o json")).await;
    assert_eq!(
        (cancelled.exit, cancelled.err.contains(starts)),
        (Exit::Done, false)
    );
    let follower = queue().await;
    let cancelled = desk.say(&format!("run cancel {begun} -o json")).await;
    assert_eq!(cancelled.exit, Exit::Done);
    let told = format!("run {follower}, {starts}; to cancel that as well: portolan run cancel {follower}\n");
    assert_eq!(cancelled.err, told);
}

#[tokio::test]
async fn what_nobody_knows_does_not_exist() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let desk = Desk::open(&world).await;
    let unknown = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    for (line, words) in [
        (
            format!("where {unknown}"),
            format!("digest \"{unknown}\" does not exist"),
        ),
        (
            "history gl/acme/shop:9.9".to_owned(),
            "tag \"gl/acme/shop:9.9\" does not exist".to_owned(),
        ),
        ("history gl/acme/nothing".to_owned(), "does not exist".to_owned()),
    ] {
        let said = desk.say(&line).await;
        assert_eq!(said.exit, Exit::NotFound, "{line}");
        assert!(said.err.contains(&words), "{line}: {}", said.err);
    }
    let signature = desk.say(&format!("where {}", shop.signature)).await;
    assert_eq!(signature.exit, Exit::Done, "{}", signature.err);
    let whole = shop.index.to_string();
    for line in [
        "tag list gl/acme/shop --no-trunc",
        "history gl/acme/shop --no-trunc",
    ] {
        let said = desk.say(line).await;
        assert!(
            said.out.contains(&whole) && said.out.contains(&shop.image.to_string()),
            "{line}"
        );
        let short = desk.say(line.trim_end_matches(" --no-trunc")).await;
        assert!(!short.out.contains(&whole), "{line}");
    }
    let index = desk.say("image show gl/acme/shop:2.0 --no-trunc").await.out;
    assert!(index.contains(&shop.image.to_string()), "{index}");
}

#[tokio::test]
async fn faults_are_told_in_the_words_of_the_command_line() {
    let world = World::new().await;
    world.sensor("berlin-1").await;
    let desk = Desk::open(&world).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, "no certificate").unwrap();
    let add = format!(
        "registry add gl https://h --no-test --sensor berlin-1 --ca-file {}",
        file.display()
    );
    let said = desk.say(&add).await;
    assert_eq!(said.exit, Exit::Usage);
    assert!(
        said.err.starts_with("error: --ca-file: ") && !said.err.contains("ca_bundle_pem"),
        "{}",
        said.err
    );
    let below = Environment {
        url: Some(format!("{}/portolan", desk.environment.url.as_ref().unwrap())),
        ..desk.environment.clone()
    };
    let said = desk.say_with("whoami", "", &below).await;
    assert_eq!(said.exit, Exit::Usage);
    assert!(said.err.contains("must have no path"), "{}", said.err);
}

#[tokio::test]
async fn a_person_is_asked_before_something_is_destroyed_and_a_script_is_not() {
    let world = World::new().await;
    for name in ["berlin-1", "berlin-2", "berlin-3"] {
        world.sensor(name).await;
    }
    for name in ["a", "b"] {
        world.registry(name, "https://h", "berlin-1").await;
    }
    let desk = Desk::open(&world).await;
    for line in ["registry remove a", "sensor revoke berlin-2"] {
        for answer in ["", "\n", "n\n", "perhaps\n"] {
            let said = desk.say_at_terminal(line, answer).await;
            assert_eq!(said.exit, Exit::Failed, "{line}: {answer:?}");
            assert!(
                said.err.contains("? [y/N] ") && said.err.contains("nothing was changed"),
                "{}",
                said.err
            );
        }
    }
    assert_eq!(desk.say("registry show a").await.exit, Exit::Done);
    assert!(desk.say("sensor show berlin-2").await.out.contains("provisional"));
    for (line, answer) in [
        ("registry remove a", "y\n"),
        ("registry remove b --yes", ""),
        ("sensor revoke berlin-2", "yes\n"),
        ("sensor revoke berlin-3 --yes", ""),
    ] {
        let said = desk.say_at_terminal(line, answer).await;
        assert_eq!(said.exit, Exit::Done, "{line}: {}", said.err);
    }
    let script = desk.say("sensor revoke berlin-1").await;
    assert_eq!((script.exit, script.err.as_str()), (Exit::Done, ""));
}
