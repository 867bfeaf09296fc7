//! The operators' commands against the real listener: what they print, and their exit codes.

use portolan::cli::{Environment, Exit};
use portolan_shared::model::{CoverageEntry, Finding, FindingCode, RepositoryOutcome, RunState};
use portolan_shared::secret::Secret;
use portolan_store::{Fence, RunRecord};
use tokio::net::TcpListener;

use crate::desk::{Desk, settled};
use crate::serving::self_signed;
use crate::shop::{Shop, close, commit};
use crate::world::World;

#[tokio::test]
async fn an_operator_finds_everything() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let desk = Desk::open(&world).await;
    let mut told = String::new();
    let lines = [
        "whoami".to_owned(),
        "sensor list".to_owned(),
        "sensor show berlin-1".to_owned(),
        "registry list".to_owned(),
        "registry show gl".to_owned(),
        "run list".to_owned(),
        format!("run show {}", shop.run),
        "repository list --contains shop".to_owned(),
        "tag list gl/acme/shop".to_owned(),
        "image show gl/acme/shop:1.0".to_owned(),
        "image show acme/shop:2.0".to_owned(),
        "image show acme/shop:2.0 --platform linux/arm64 -o yaml".to_owned(),
        "history gl/acme/shop".to_owned(),
        format!("where {}", shop.image),
        "token list".to_owned(),
        "audit list".to_owned(),
    ];
    for line in lines {
        let said = desk.say(&line).await;
        assert_eq!((said.exit, said.err.as_str()), (Exit::Done, ""), "{line}");
        told.push_str(&format!("$ portolan {line}\n{}\n", said.out));
    }
    insta::assert_snapshot!(settled(&told));
    desk.shutdown.start_drain();
}

#[tokio::test]
async fn results_alone_go_to_standard_output() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let desk = Desk::open(&world).await;
    let raw = desk.say("image show gl/acme/shop:1.0 --raw").await;
    assert_eq!(raw.out.as_bytes(), shop.image_bytes);
    let invited = desk.say("sensor invite berlin-2").await;
    assert!(portolan_shared::secret::EnrolmentToken::parse(&invited.out).is_ok());
    assert!(invited.err.contains("portolan-agent enroll"));
    let made = desk.say("token create ci --role operator --days 90").await;
    let who = Environment {
        token: Some(Secret::new(made.out.trim().to_owned())),
        ..desk.environment.clone()
    };
    let json = desk.say_with("whoami -o json", "", &who).await;
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["role"], "operator");
    let one = desk.say("tag list gl/acme/shop --limit 1 -o json").await;
    let items: serde_json::Value = serde_json::from_str(&one.out).unwrap();
    assert_eq!(items.as_array().unwrap().len(), 1);
    assert_eq!(one.err, "note: there are more: raise --limit\n");
}

#[tokio::test]
async fn a_registry_lives_and_dies_by_commands() {
    let world = World::new().await;
    world.sensor("berlin-1").await;
    let desk = Desk::open(&world).await;
    let added = desk
        .say("registry add gl https://h:5050 --no-test --sensor berlin-1 --credential-ref env:GITLAB --repository acme/** -o json")
        .await;
    let added: serde_json::Value = serde_json::from_str(&added.out).unwrap();
    assert_eq!(
        (
            added["credential_reference"].as_str(),
            added["repositories"][0].as_str()
        ),
        (Some("env:GITLAB"), Some("acme/**"))
    );
    let set = desk
        .say("registry set gl --anonymous --all-repositories --concurrency 4 -o json")
        .await;
    let set: serde_json::Value = serde_json::from_str(&set.out).unwrap();
    assert_eq!(set["credential_reference"], serde_json::Value::Null);
    assert_eq!(
        (
            set["repositories"].as_array().unwrap().len(),
            set["concurrency"].as_u64()
        ),
        (0, Some(4))
    );
    assert_eq!(set["url"], "https://h:5050");
    assert_eq!(desk.say("registry remove gl").await.exit, Exit::Done);
    assert_eq!(desk.say("registry show gl").await.exit, Exit::NotFound);
}

#[tokio::test]
async fn errors_say_what_to_do_and_have_their_codes() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    world
        .registry("mirror", "https://registry.example.com:5050", "berlin-1")
        .await;
    let fence = world.leased_run("mirror", shop.sensor, shop.epoch).await;
    commit(&world, &fence, "acme/shop", &[("1.0", &shop.image)]).await;
    let desk = Desk::open(&world).await;
    let cases = [
        ("sensor show nobody", Exit::NotFound, "does not exist"),
        (
            "image show acme/shop:1.0",
            Exit::Conflict,
            "could be: mirror/acme/shop",
        ),
        (
            "registry add gl https://h --no-test --sensor berlin-1",
            Exit::Conflict,
            "exists already",
        ),
        (
            "registry add x https://h --no-test --sensor berlin-1 --credential-ref user:hunter2",
            Exit::Usage,
            "expected file:PATH",
        ),
        ("where nonsense", Exit::Usage, "not a digest"),
        ("run list --state asleep", Exit::Usage, "expected one of"),
    ];
    for (line, exit, words) in cases {
        let said = desk.say(line).await;
        assert_eq!(said.exit, exit, "{line}: {}", said.err);
        assert!(
            said.err.starts_with("error: ") && said.err.contains(words),
            "{line}: {}",
            said.err
        );
        assert!(said.out.is_empty() && !said.err.contains("hunter2"), "{line}");
    }
    let viewer = Environment {
        token: Some(Secret::new(world.viewer.clone())),
        ..desk.environment.clone()
    };
    let small = desk.say_with("sync gl", "", &viewer).await;
    assert_eq!(small.exit, Exit::Denied);
    assert!(small.err.contains("takes the role operator"), "{}", small.err);
    let nobody = desk.say_with("whoami", "", &Environment::default()).await;
    assert_eq!(nobody.exit, Exit::Denied);
    assert!(nobody.err.contains("portolan login"));
    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let nowhere = Environment {
        url: Some(format!("http://{closed}")),
        ..desk.environment.clone()
    };
    let unreachable = desk.say_with("whoami", "", &nowhere).await;
    assert_eq!(unreachable.exit, Exit::Unavailable);
    assert!(
        unreachable.err.contains("because:") && unreachable.err.contains("portolan server"),
        "{}",
        unreachable.err
    );
}

#[tokio::test]
async fn login_checks_and_stores_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new().await;
    let desk = Desk::open(&world).await;
    let folder = tempfile::tempdir().unwrap();
    let environment = Environment {
        config_folder: Some(folder.path().join("portolan")),
        ..Environment::default()
    };
    let line = format!("login {}", desk.environment.url.as_ref().unwrap());
    let wrong = desk.say_with(&line, "ptl_api_wrong\n", &environment).await;
    assert_eq!(wrong.exit, Exit::Denied);
    let nothing = desk.say_with("whoami", "", &environment).await;
    assert_eq!(nothing.exit, Exit::Denied, "what was refused is not stored");
    let right = desk
        .say_with(&line, &format!("{}\n", world.viewer), &environment)
        .await;
    assert_eq!(right.exit, Exit::Done, "{}", right.err);
    assert!(!right.err.contains("ptl_api_"));
    let file = folder.path().join("portolan/login.toml");
    assert_eq!(
        std::fs::metadata(file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let who = desk.say_with("whoami", "", &environment).await;
    assert!(who.out.contains("viewer"), "{}", who.err);
}

#[tokio::test]
async fn sync_waits_for_the_end_and_tells_it_by_its_exit_code() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let desk = Desk::open(&world).await;
    // Without --wait: queued, then joined.
    let queued = desk.say("sync gl").await;
    assert!(
        queued.err.contains("is queued") && queued.err.contains("portolan run watch"),
        "{}",
        queued.err
    );
    assert!(desk.say("sync gl").await.err.contains("is queued already"));
    // What has begun before the command is given is not what it waits for.
    let asked = async |times: usize| {
        let waits = |run: &RunRecord| run.state == RunState::Queued && run.reasons.len() == times;
        world.run_where(shop.registry, waits).await
    };

    for (times, denied, exit, words) in [
        (3, true, Exit::RunPartial, "denied: registry.denied"),
        (1, false, Exit::Done, "Everything in scope was seen."),
    ] {
        let work = async {
            asked(times).await;
            let fence = world.leased_run("gl", shop.sensor, shop.epoch).await;
            commit(&world, &fence, "acme/shop", &[("1.0", &shop.image)]).await;
            let mut entries = vec![CoverageEntry {
                repository: "tools/scratch".parse().unwrap(),
                outcome: RepositoryOutcome::Filtered,
                finding: None,
            }];
            if denied {
                entries.push(CoverageEntry {
                    repository: "acme/closed".parse().unwrap(),
                    outcome: RepositoryOutcome::Denied,
                    finding: Some(Finding::new(FindingCode::Denied, "403")),
                });
            }
            world
                .app
                .store
                .report_coverage(&fence, &entries, world.app.clock.now())
                .await
                .unwrap();
            close(&world, &fence, 1, 1).await;
        };
        let (said, ()) = tokio::join!(desk.say("sync gl --wait"), work);
        assert_eq!(said.exit, exit, "{} {}", said.err, said.out);
        assert!(said.out.contains(words), "{}", said.out);
        let left_out = "Left out by the registry's patterns (1 repository)\n  - tools/scratch\n";
        assert!(said.out.contains(left_out), "{}", said.out);
    }
    let listed = desk.say("run list --limit 1 -o json").await;
    let listed: serde_json::Value = serde_json::from_str(&listed.out).unwrap();
    let run = listed[0]["id"].as_str().unwrap();
    let shown = desk.say(&format!("run show {run} -o json")).await;
    let shown: serde_json::Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!(
        (&shown["filtered"][0]["repository"], &shown["filtered_cut"]),
        (&serde_json::json!("tools/scratch"), &serde_json::json!(false))
    );
    assert_eq!(shown["not_complete"], serde_json::json!([]));
    let cancelled = async {
        asked(1).await;
        let fence = world.leased_run("gl", shop.sensor, shop.epoch).await;
        let run = fence.attempt.run;
        let now = world.app.clock.now();
        world
            .app
            .store
            .cancel_run(world.tenant, run, now, &crate::world::note(now))
            .await
            .unwrap();
    };
    let (said, ()) = tokio::join!(desk.say("sync gl --wait -o json"), cancelled);
    assert_eq!(said.exit, Exit::RunCancelled);
    let json: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        (
            json["state"].as_str(),
            json["not_complete"].as_array().map(Vec::len)
        ),
        (Some("cancelled"), Some(0))
    );
}

/// What it has listed already may have been pushed to since.
#[tokio::test]
async fn sync_waits_for_a_run_of_its_own_behind_one_that_has_begun() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let desk = Desk::open(&world).await;
    let fence = world.leased_run("gl", shop.sensor, shop.epoch).await;
    let begun = fence.attempt.run;
    let queued = desk.say("sync gl").await;
    let words = format!("is queued behind run {begun}, which had begun already");
    assert!(queued.err.contains(&words), "{}", queued.err);
    let work = async {
        let waits = |run: &RunRecord| run.behind == Some(begun) && run.reasons.len() == 2;
        let own = world.run_where(shop.registry, waits).await.id;
        close(&world, &fence, 0, 0).await;
        let (store, now) = (&world.app.store, world.app.clock.now());
        let lease = store.lease_run(world.tenant, own, shop.sensor, shop.epoch, now);
        let attempt = lease.await.unwrap().expect("the one before it has ended").attempt;
        let fence = Fence { attempt, ..fence };
        commit(&world, &fence, "acme/shop", &[("late", &shop.image)]).await;
        close(&world, &fence, 1, 1).await;
        own
    };
    let (said, own) = tokio::join!(desk.say("sync gl --wait"), work);
    assert_eq!(said.exit, Exit::Done, "{} {}", said.err, said.out);
    for words in [
        format!("run {own} of gl waits behind run {begun}"),
        format!("Waits for run {begun} to end, which had begun when this one was asked for.\n"),
    ] {
        assert!(said.err.contains(&words), "{}", said.err);
    }
    assert!(
        said.out.contains(&format!("Run {own} of gl: complete")),
        "{}",
        said.out
    );
}

#[tokio::test]
async fn a_control_plane_with_an_authority_of_its_own_is_trusted_by_file_and_else_explained() {
    let world = World::new().await;
    let (tls, pem) = self_signed("127.0.0.1");
    let desk = Desk::open_with(&world, Some(tls)).await;
    let untrusted = desk.say("whoami").await;
    assert_eq!(untrusted.exit, Exit::Unavailable);
    for words in ["because: ", "PORTOLAN_CA_FILE", "--ca-file"] {
        assert!(untrusted.err.contains(words), "{}", untrusted.err);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, pem).unwrap();
    let environment = Environment {
        ca_file: Some(file),
        ..desk.environment.clone()
    };
    let trusted = desk.say_with("whoami", "", &environment).await;
    assert_eq!(trusted.exit, Exit::Done, "{}", trusted.err);
}
