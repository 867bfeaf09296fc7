//! What `audit verify` says of files that are not what they were.

use std::fs;

use portolan::cli::Exit;
use portolan_shared::audit::{ChainOwner, Checkpoint, SignedCheckpoint};

use crate::desk::Desk;
use crate::world::{World, note};

async fn grow(world: &World) {
    for _ in 0..4 {
        let entry = note(world.app.clock.now());
        world.app.store.append_audit(world.tenant, &entry).await.unwrap();
    }
}

#[tokio::test]
async fn t47_a_damaged_line_of_an_export_is_named_and_is_no_mistake_on_the_command_line() {
    let world = World::new().await;
    grow(&world).await;
    let desk = Desk::open(&world).await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let exported = desk.say(&format!("audit export {}", file("audit.jsonl"))).await;
    assert_eq!(exported.exit, Exit::Done);
    let text = fs::read_to_string(file("audit.jsonl")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    type Change = fn(&str) -> String;
    let changes: [(usize, Change, &str); 8] = [
        (3, |line| line[..line.len() / 2].to_owned(), "line 4"),
        (3, |line| line.replace("\"actor\"", "\"actress\""), "line 4"),
        // It is not hashed: a reader could take it for a part of the log.
        (
            3,
            |line| line.replacen('{', "{\"approved_by\":\"nobody\",", 1),
            "line 4",
        ),
        (
            3,
            |line| line.replacen("\"hash\":\"", "\"hash\":\"x", 1),
            "line 4",
        ),
        (3, |_| String::new(), "line 4"),
        (3, |_| "{\"end\":{\"seq\":3}}".to_owned(), "line 4"),
        (
            usize::MAX,
            |line| line.replace("\"end\":{", "\"end\":{\"more\":1,"),
            "line ",
        ),
        (
            usize::MAX,
            |line| format!("{line}\n{line}"),
            "does not belong there",
        ),
    ];
    for (which, change, told) in changes {
        let which = which.min(lines.len() - 1);
        let changed: Vec<String> = lines
            .iter()
            .enumerate()
            .map(|(at, line)| {
                if at == which {
                    change(line)
                } else {
                    (*line).to_owned()
                }
            })
            .collect();
        fs::write(file("changed"), changed.join("\n") + "\n").unwrap();
        let said = desk
            .say(&format!("audit verify --file {}", file("changed")))
            .await;
        assert_eq!(said.exit, Exit::Tampered, "{}{}", said.out, said.err);
        assert!(said.out.contains(told), "{told}: {}", said.out);
    }
    // What was altered before the damage tells more.
    let mut changed: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    changed[2] = changed[2].replace("system", "nobody");
    changed[4].truncate(9);
    fs::write(file("changed"), changed.join("\n") + "\n").unwrap();
    let said = desk
        .say(&format!("audit verify --file {}", file("changed")))
        .await;
    assert_eq!(said.exit, Exit::Tampered);
    assert!(said.out.contains("record 2 was altered"), "{}", said.out);
    desk.shutdown.start_drain();
}

#[tokio::test]
async fn t47_a_checkpoint_that_has_lost_its_signature_is_not_taken_for_a_saved_head() {
    let world = World::new().await;
    grow(&world).await;
    world.app.take_checkpoints().await.unwrap();
    let desk = Desk::open(&world).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kept").display().to_string();
    let listed = world.get("/api/v1/audit/checkpoints").await.json();
    let shown = listed["items"][0].clone();
    let kept = {
        let head = world.app.store.audit_head(world.tenant).await.unwrap();
        let owner = ChainOwner::Tenant(world.tenant);
        let checkpoint = Checkpoint::of(owner, &head, world.app.clock.now());
        serde_json::to_value(world.app.audit_key.sign(checkpoint)).unwrap()
    };
    for whole in [&shown, &kept] {
        fs::write(&file, whole.to_string()).unwrap();
        let said = desk.say(&format!("audit verify --checkpoint {file}")).await;
        assert_eq!(said.exit, Exit::Done, "{}{}", said.out, said.err);
        for (member, value) in [
            ("signature", None),
            ("signature", Some("AAAA")),
            ("signature", Some("?")),
            ("key", None),
            ("at_ms", None),
        ] {
            let mut broken = whole.clone();
            match value {
                Some(value) => broken[member] = value.into(),
                None => drop(broken.as_object_mut().unwrap().remove(member)),
            }
            fs::write(&file, broken.to_string()).unwrap();
            let said = desk.say(&format!("audit verify --checkpoint {file}")).await;
            assert_eq!(said.exit, Exit::Usage, "{member} {value:?}: {}", said.out);
        }
    }
    desk.shutdown.start_drain();
}

#[tokio::test]
async fn t47_a_checkpoint_in_the_database_with_a_bad_signature_means_that_somebody_was_there() {
    let world = World::new().await;
    grow(&world).await;
    let desk = Desk::open(&world).await;
    desk.say("audit verify").await;
    let head = world.app.store.audit_head(world.tenant).await.unwrap();
    let owner = ChainOwner::Tenant(world.tenant);
    let sound = world
        .app
        .audit_key
        .sign(Checkpoint::of(owner, &head, world.app.clock.now()));
    let bad = SignedCheckpoint {
        signature: vec![7; 64],
        ..sound
    };
    let added = world.app.store.add_audit_checkpoint(world.tenant, &bad);
    added.await.unwrap();
    let said = desk.say("audit verify").await;
    assert_eq!(said.exit, Exit::Tampered, "{}", said.out);
    assert_eq!(said.exit.code(), 15);
    assert!(
        said.out.contains("is not signed by this control plane's key"),
        "{}",
        said.out
    );
    // The logs of other tenants get theirs all the same.
    let taken = world.app.take_checkpoints().await.unwrap();
    assert_eq!(taken, 1);
    desk.shutdown.start_drain();
}
