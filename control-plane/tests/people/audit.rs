//! The audit log as somebody outside verifies it: over the API, by the commands, and from an export without any control plane.

use std::fs;

use axum::http::Method;
use data_encoding::BASE64;
use portolan::app::AuditKey;
use portolan::cli::Exit;
use portolan_shared::audit::{
    AuditHash, AuditHead, ChainOwner, ChainVerifier, Checkpoint, LinkedRecord, SignedCheckpoint,
};
use portolan_shared::secret::SecretBytes;
use portolan_store::PageRequest;

use crate::desk::Desk;
use crate::world::{World, note};

async fn ten_records(world: &World) {
    let clock = &world.app.clock;
    // Whoever comes for the first time is told of: they have all been here by then.
    for token in [&world.admin, &world.operator, &world.viewer] {
        world.ask(token, Method::GET, "/api/v1/whoami", None).await;
    }
    while world.app.store.audit_head(world.tenant).await.unwrap().seq < 10 {
        let mut entry = note(clock.now());
        entry.details = serde_json::json!({"z": 1.5, "a": "\u{fc}"});
        world.app.store.append_audit(world.tenant, &entry).await.unwrap();
    }
}

#[tokio::test]
async fn t47_the_api_gives_what_it_takes_to_verify_the_log_without_trusting_it() {
    let world = World::new().await;
    ten_records(&world).await;
    let mut records: Vec<LinkedRecord<String>> = Vec::new();
    let mut path = "/api/v1/audit/chain?limit=4".to_owned();
    loop {
        let page = world.get(&path).await.json();
        let items: Vec<LinkedRecord<String>> = serde_json::from_value(page["items"].clone()).unwrap();
        records.extend(items);
        match page["next"].as_str() {
            Some(next) => path = format!("/api/v1/audit/chain?limit=4&cursor={next}"),
            None => break,
        }
    }
    let head = world.get("/api/v1/audit/head").await.json();
    assert_eq!((head["seq"].as_u64(), records.len()), (Some(10), 10));
    let verified = ChainVerifier::new(ChainOwner::Tenant(world.tenant)).verify(records);
    assert_eq!(verified.unwrap().hash.to_string(), head["hash"].as_str().unwrap());
    let later = world.get("/api/v1/audit/chain?after=8").await.json();
    assert_eq!(later["items"][0]["seq"], 9);
    for wrong in ["after=-1", "after=x", "cursor=zz", "limit=0"] {
        let path = format!("/api/v1/audit/chain?{wrong}");
        assert_eq!(world.get(&path).await.status, 422, "{wrong}");
    }
}

#[tokio::test]
async fn checkpoints_are_taken_when_the_log_has_grown_and_fit_their_key() {
    let world = World::new().await;
    ten_records(&world).await;
    assert_eq!(world.app.take_checkpoints().await.unwrap(), 2, "one a tenant");
    assert_eq!(
        world.app.take_checkpoints().await.unwrap(),
        0,
        "nothing has grown"
    );
    let listed = world.get("/api/v1/audit/checkpoints").await.json();
    let checkpoint: portolan::web::api::audit::AuditCheckpoint =
        serde_json::from_value(listed["items"][0].clone()).unwrap();
    let signed = checkpoint.signed().unwrap();
    signed.verify().unwrap();
    assert_eq!(signed.key, world.app.audit_key.public());
    let head = world.app.store.audit_head(world.tenant).await.unwrap();
    assert_eq!(signed.checkpoint.head(), head);
}

#[tokio::test]
async fn t47_the_command_verifies_here_and_names_the_first_bad_record() {
    let world = World::new().await;
    ten_records(&world).await;
    world.app.take_checkpoints().await.unwrap();
    let desk = Desk::open(&world).await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (head, export) = (file("head.json"), file("audit.jsonl"));

    let sound = desk.say(&format!("audit verify --save {head}")).await;
    assert_eq!(
        (sound.exit, sound.err.as_str()),
        (Exit::Done, ""),
        "{}",
        sound.out
    );
    assert!(sound.out.contains("is what it was: 10 records"), "{}", sound.out);
    grow(&world).await;
    let later = desk.say(&format!("audit verify --checkpoint {head}")).await;
    assert_eq!(later.exit, Exit::Done, "{}", later.out);

    let exported = desk.say(&format!("audit export {export}")).await;
    assert_eq!(exported.err, "13 records were exported\n");
    let offline = desk
        .say(&format!("audit verify --file {export} --checkpoint {head}"))
        .await;
    assert_eq!(offline.exit, Exit::Done, "{}", offline.out);

    // What was saved is of another history than what the control plane shows now.
    let text = fs::read_to_string(&head).unwrap();
    let mut other: serde_json::Value = serde_json::from_str(&text).unwrap();
    other["hash"] = serde_json::Value::from("0".repeat(64));
    fs::write(file("other.json"), other.to_string()).unwrap();
    let rewritten = desk
        .say(&format!("audit verify --checkpoint {}", file("other.json")))
        .await;
    assert_eq!(rewritten.exit, Exit::Tampered);
    assert!(
        rewritten
            .out
            .contains("record 10 is not the one that was seen before"),
        "{}",
        rewritten.out
    );

    let lines: Vec<String> = fs::read_to_string(&export)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    type Change = fn(&mut Vec<String>);
    let changes: [(Change, &str); 5] = [
        (|lines| drop(lines.remove(4)), "record 4 is missing"),
        (|lines| lines.swap(4, 5), "record 4 is out of its place"),
        (
            |lines| lines[4] = lines[4].replace("token:admin", "token:nobody"),
            "record 4 was altered",
        ),
        (
            |lines| drop(lines.remove(13)),
            "record 13 is missing: the log ends before it",
        ),
        (|lines| lines.truncate(12), "before record 12"),
    ];
    for (change, told) in changes {
        let mut changed = lines.clone();
        change(&mut changed);
        fs::write(file("changed"), changed.join("\n") + "\n").unwrap();
        let said = desk
            .say(&format!("audit verify --file {}", file("changed")))
            .await;
        assert_eq!(said.exit, Exit::Tampered, "{told}");
        assert!(said.out.contains(told), "{told}: {}", said.out);
    }
    fs::write(file("changed"), "{}\n").unwrap();
    let said = desk
        .say(&format!("audit verify --file {}", file("changed")))
        .await;
    assert_eq!(said.exit, Exit::Usage);
    desk.shutdown.start_drain();
}

fn by(pair: &AuditKey, world: &World, head: AuditHead) -> SignedCheckpoint {
    let owner = ChainOwner::Tenant(world.tenant);
    pair.sign(Checkpoint::of(owner, &head, world.app.clock.now()))
}

fn stranger() -> AuditKey {
    AuditKey::from_seed(&SecretBytes::new(vec![3; AuditKey::BYTES])).unwrap()
}

#[tokio::test]
async fn t47_a_log_that_does_not_lead_from_the_last_checkpoint_is_not_signed_and_says_so_once() {
    for forged_by_a_stranger in [true, false] {
        let world = World::new().await;
        ten_records(&world).await;
        let head = world.app.store.audit_head(world.tenant).await.unwrap();
        // Somebody writes into the database: a checkpoint of their own, or another history under the last checkpoint.
        let forged = if forged_by_a_stranger {
            by(&stranger(), &world, head)
        } else {
            let other = AuditHead {
                hash: AuditHash([7; 32]),
                ..head
            };
            by(&world.app.audit_key, &world, other)
        };
        world
            .app
            .store
            .add_audit_checkpoint(world.tenant, &forged)
            .await
            .unwrap();
        grow(&world).await;
        let broken = async || {
            let page = PageRequest::first();
            let listed = world.app.store.audit(world.tenant, &page).await.unwrap().items;
            listed
                .into_iter()
                .filter(|record| record.entry.action == "audit.broken")
                .count()
        };
        for _ in 0..3 {
            world.app.take_checkpoints().await.unwrap();
            let page = PageRequest::first();
            let kept = world
                .app
                .store
                .audit_checkpoints(world.tenant, &page)
                .await
                .unwrap();
            assert_eq!(kept.items, std::slice::from_ref(&forged), "nothing is signed");
            assert_eq!(broken().await, 1, "said once");
        }
    }
}

#[tokio::test]
async fn t47_the_command_takes_no_checkpoint_by_another_key() {
    let world = World::new().await;
    ten_records(&world).await;
    let desk = Desk::open(&world).await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let saved = desk
        .say(&format!("audit verify --save {}", file("head.json")))
        .await;
    assert_eq!(saved.exit, Exit::Done, "{}", saved.out);

    // What a sensor keeps is a checkpoint, too, line by line.
    let head = world.app.store.audit_head(world.tenant).await.unwrap();
    let kept = serde_json::to_string(&by(&world.app.audit_key, &world, head)).unwrap();
    fs::write(file("kept.jsonl"), format!("{kept}\n{kept}\n")).unwrap();
    let sound = desk
        .say(&format!(
            "audit verify --checkpoint {} --checkpoint {}",
            file("kept.jsonl"),
            file("head.json")
        ))
        .await;
    assert_eq!(sound.exit, Exit::Done, "{}{}", sound.out, sound.err);
    let other = AuditHead {
        hash: AuditHash([7; 32]),
        ..head
    };
    let split = serde_json::to_string(&by(&world.app.audit_key, &world, other)).unwrap();
    fs::write(file("split.jsonl"), format!("{kept}\n{split}\n")).unwrap();
    let split = desk
        .say(&format!("audit verify --checkpoint {}", file("split.jsonl")))
        .await;
    assert_eq!(split.exit, Exit::Tampered, "two views of one log: {}", split.out);
    for (wrong, why) in [
        (
            kept.replace("\"signature\":\"", "\"signature\":\"AAAA"),
            "signature",
        ),
        ("{}".to_owned(), "not a checkpoint"),
        (String::new(), "no checkpoint"),
    ] {
        fs::write(file("wrong.jsonl"), wrong).unwrap();
        let said = desk
            .say(&format!("audit verify --checkpoint {}", file("wrong.jsonl")))
            .await;
        assert_eq!(said.exit, Exit::Usage, "{why}");
        assert!(said.err.contains(why), "{why}: {}", said.err);
    }

    // The database has one by another key; and the control plane another key than it had.
    let forged = by(&stranger(), &world, head);
    world
        .app
        .store
        .add_audit_checkpoint(world.tenant, &forged)
        .await
        .unwrap();
    let said = desk.say("audit verify").await;
    assert_eq!(said.exit, Exit::Tampered);
    assert!(
        said.out
            .contains("record 10 is not signed by this control plane's key"),
        "{}",
        said.out
    );
    let text = fs::read_to_string(file("head.json")).unwrap();
    let mut changed: serde_json::Value = serde_json::from_str(&text).unwrap();
    changed["key"] = serde_json::Value::from(BASE64.encode(stranger().public()));
    fs::write(file("other.json"), changed.to_string()).unwrap();
    let said = desk
        .say(&format!("audit verify --checkpoint {}", file("other.json")))
        .await;
    assert_eq!(said.exit, Exit::Tampered);
    assert!(
        said.out.contains("another key than the one that was saved"),
        "{}",
        said.out
    );
    desk.shutdown.start_drain();
}

async fn grow(world: &World) {
    for _ in 0..3 {
        let entry = note(world.app.clock.now());
        world.app.store.append_audit(world.tenant, &entry).await.unwrap();
    }
}

#[tokio::test]
async fn an_export_goes_to_standard_output_and_a_bar_to_a_terminal() {
    let world = World::new().await;
    ten_records(&world).await;
    let desk = Desk::open(&world).await;
    let exported = desk.say_at_terminal("audit export", "").await;
    assert_eq!(exported.exit, Exit::Done);
    assert_eq!(
        exported.out.lines().count(),
        12,
        "its owner, ten records, its end"
    );
    assert!(exported.out.lines().all(|line| line.starts_with('{')));
    desk.shutdown.start_drain();
}
