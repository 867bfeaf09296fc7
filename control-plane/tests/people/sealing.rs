//! Entering a login: sealed here for the sensors of a registry, tried, stored; and what people are told on the way.

use portolan::cli::Exit;
use portolan_shared::model::{FindingCode, Stage};
use serde_json::Value;

use crate::desk::settled;
use crate::sealing_scene::{Keyed, PASSWORD, Scene, failed, sound};

const ADD: &str =
    "registry add gl https://h:5050 --sensor berlin-1 --username reader --password-stdin --schedule manual";
const SET: &str = "registry set gl --username reader --password-stdin";

fn line() -> String {
    format!("{PASSWORD}\n")
}

/// Fingerprints and folders, which differ from run to run, made equal.
fn told(scene: &Scene, sensor: &Keyed, text: &str) -> String {
    let text = text.replace(&sensor.fingerprint(), "AAAAA-BBBBB-CCCCC-DDDDD");
    let text = text.replace(
        scene.pins().parent().unwrap().to_str().unwrap(),
        "~/.config/portolan",
    );
    settled(&text)
}

/// A registry `gl` with a sealed login, version 1.
async fn with_login() -> (Scene, Keyed) {
    let scene = Scene::new().await;
    let berlin = scene.sensor("berlin-1").await;
    let (said, _) = scene
        .say(ADD, &line(), &berlin, vec![sound(&[], &[]), sound(&[], &[])])
        .await;
    assert_eq!(said.exit, Exit::Done, "{}", said.err);
    (scene, berlin)
}

#[tokio::test]
async fn a_login_is_sealed_tried_and_stored_and_every_step_is_told() {
    let scene = Scene::new().await;
    let berlin = scene.sensor("berlin-1").await;
    let answers = vec![sound(&[], &[]), sound(&[], &[])];
    let (said, logins) = scene.say(ADD, &line(), &berlin, answers).await;
    assert_eq!(said.exit, Exit::Done, "{}", said.err);
    insta::assert_snapshot!(told(&scene, &berlin, &said.err), @r"
    sealing for berlin-1: AAAAA-BBBBB-CCCCC-DDDDD, for the first time
      `portolan-agent status` on its machine has to show the same: whoever put another one here would read the login
      pinned in ~/.config/portolan/pins.json
    berlin-1 looked at https://h:5050 without a login, and saw no other host
    tried by berlin-1: the login works
    sealed for h:5050: version 1, only berlin-1 can open it
    ");
    let [None, Some(tried)] = &logins[..] else {
        panic!("the first look is without a login, the second with it: {logins:?}");
    };
    assert_eq!(
        (tried.username().expose(), tried.password().expose()),
        ("reader", PASSWORD)
    );
    let [stored] = &scene.stored()[..] else {
        panic!("not stored once");
    };
    let (binding, login) = berlin.open(stored).unwrap();
    assert_eq!(&login, tried);
    let saved = scene.world.get("/api/v1/registries/gl").await.json();
    assert_eq!(saved["id"], binding.registry.to_string());
    assert_eq!(
        (binding.tenant, binding.version, binding.host.to_string()),
        (scene.world.tenant, 1, "h:5050".to_owned())
    );
    assert!(said.out.contains("sealed, version 1"), "{}", said.out);
}

#[tokio::test]
async fn a_new_login_follows_the_one_before_and_can_be_taken_back() {
    let (scene, berlin) = with_login().await;
    let answers = vec![sound(&[], &[]), sound(&[], &[])];
    let set = format!("{SET} --expires 2027-01-20 --name gl2 --concurrency 3");
    let (said, _) = scene.say(&set, &line(), &berlin, answers).await;
    assert_eq!(said.exit, Exit::Done, "{}", said.err);
    assert!(said.err.contains("as before"), "{}", said.err);
    let stored = scene.stored();
    let versions: Vec<_> = stored
        .iter()
        .map(|stored| berlin.open(stored).unwrap().0)
        .collect();
    assert_eq!((versions[0].version, versions[1].version), (1, 2));
    assert_eq!(versions[0].credential, versions[1].credential);
    assert!(
        said.out.contains("gl2") && said.out.contains("at most 3 at once"),
        "{}",
        said.out
    );
    let shown = scene.desk.say("credential show gl2").await;
    insta::assert_snapshot!(settled(&shown.out), @r"
    registry   gl2
    kind       sealed
    state      not seen to work yet
    version    2
    kept       version 1, until version 2 has worked
    id         00000000-0000-0000-0000-000000000000
    stored     2027-01-15 08:00:00Z by admin
    ends       2027-01-20 00:00:00Z, 4 days left
    worked     never
    last used  never
    sensors    berlin-1, can open it since 2027-01-15 08:00:00Z
    to do      see whether it works: `portolan registry test gl2`; back to the version before: `portolan credential revert gl2`
               it ends soon: enter a new one: `portolan registry set gl2 --username USER --password-stdin`
    ");
    let listed = scene.desk.say("credential list").await;
    assert!(listed.out.contains("  2 (1 kept)  "), "{}", listed.out);
    let reverted = scene.desk.say("credential revert gl2 -o json").await;
    assert_eq!(reverted.exit, Exit::Done, "{}", reverted.err);
    let reverted: Value = serde_json::from_str(&reverted.out).unwrap();
    assert_eq!(reverted["version"], 1);
    let nothing = scene.desk.say("credential revert gl2").await;
    assert_eq!(nothing.exit, Exit::Conflict, "{}", nothing.err);
    let listed = scene.desk.say("credential list").await;
    insta::assert_snapshot!(settled(&listed.out), @r"
    REGISTRY  KIND    REFERENCE  VERSION  SENSORS   STATE                 LAST USED  ENDS
    gl2       sealed             1        berlin-1  not seen to work yet  never
    ");
    assert_eq!(
        listed.err,
        "note: gl2: see whether it works: `portolan registry test gl2`\n"
    );
    assert_eq!(scene.desk.say("credential remove gl2").await.exit, Exit::Done);
    let gone = scene.desk.say("credential show gl2").await;
    assert_eq!(gone.exit, Exit::NotFound, "{}", gone.out);
}

#[tokio::test]
async fn a_login_that_does_not_work_is_not_stored() {
    let (scene, berlin) = with_login().await;
    let before = scene.world.get("/api/v1/registries/gl/credential").await.json();
    let refused = || failed(Stage::Token, FindingCode::CredentialRefused, &[], &[]);
    let (said, _) = scene
        .say(SET, &line(), &berlin, vec![sound(&[], &[]), refused()])
        .await;
    assert_eq!(said.exit, Exit::Unsound);
    assert!(
        said.err.contains("credential.refused") && said.err.contains("nothing was stored"),
        "{}",
        said.err
    );
    let away = failed(Stage::Tcp, FindingCode::PortClosed, &[], &[]);
    let (said, logins) = scene.say(SET, &line(), &berlin, vec![away]).await;
    assert_eq!((said.exit, logins.len()), (Exit::Unsound, 1), "{}", said.err);
    let after = scene.world.get("/api/v1/registries/gl/credential").await.json();
    assert_eq!(before, after);
    let new = ADD.replace("add gl", "add other");
    let (said, _) = scene
        .say(&new, &line(), &berlin, vec![sound(&[], &[]), refused()])
        .await;
    assert_eq!(said.exit, Exit::Unsound);
    assert_eq!(scene.world.get("/api/v1/registries/other").await.status, 404);
}

#[tokio::test]
async fn without_a_test_no_sensor_looks_and_what_is_named_counts() {
    let (scene, berlin) = with_login().await;
    let set = format!("{SET} --no-test --accept-realm Auth.Example.com");
    let (said, logins) = scene.say(&set, &line(), &berlin, vec![sound(&[], &[])]).await;
    assert_eq!((said.exit, logins.len()), (Exit::Done, 0), "{}", said.err);
    let (binding, _) = berlin.open(&scene.stored()[1]).unwrap();
    assert!(binding.realm_hosts.contains("auth.example.com", 443));
    let shown = scene.desk.say("registry show gl").await;
    assert!(
        shown.out.contains("sealed, version 2, not seen to work yet"),
        "{}",
        shown.out
    );
}

#[tokio::test]
async fn whoever_breaks_off_leaves_everything_as_it_was() {
    let scene = Scene::new().await;
    let _berlin = scene.sensor("berlin-1").await;
    let input = line();
    tokio::select! {
        _ = scene.desk.say_with(ADD, &input, &scene.desk.environment) => panic!("nobody answers"),
        () = scene.world.app.signals.probes.notified() => {}
    }
    assert_eq!(scene.world.get("/api/v1/registries/gl").await.status, 404);
    assert!(scene.stored().is_empty());
}

#[tokio::test]
async fn all_sensors_are_sealed_for_and_one_that_came_later_is_told_of() {
    let scene = Scene::new().await;
    let (berlin, munich) = (scene.sensor("berlin-1").await, scene.silent("munich-1").await);
    let add = ADD.replace("--sensor berlin-1", "--sensor munich-1 --sensor berlin-1");
    let (said, _) = scene.say(&add, &line(), &berlin, vec![]).await;
    assert_eq!(said.exit, Exit::Conflict);
    assert!(
        said.err
            .contains("munich-1 has not published a sealing key yet, because it never connected"),
        "{}",
        said.err
    );
    scene.publish(&munich).await;
    let answers = vec![sound(&[], &[]), sound(&[], &[])];
    let (said, _) = scene.say(&add, &line(), &berlin, answers).await;
    assert_eq!(said.exit, Exit::Done, "{}", said.err);
    assert!(said.err.contains("munich-1 is not connected"), "{}", said.err);
    let stored = scene.stored();
    assert_eq!(berlin.open(&stored[0]), munich.open(&stored[0]));
    assert!(munich.open(&stored[0]).is_some());
    let hamburg = scene.sensor("hamburg-1").await;
    let set = "registry set gl --sensor berlin-1 --sensor hamburg-1";
    let (said, _) = scene.say(set, "", &hamburg, vec![]).await;
    assert_eq!(said.exit, Exit::Done, "{}", said.err);
    for words in [
        "hamburg-1 cannot open it; enter it again",
        "`portolan registry set gl --username USER --password-stdin`",
        "munich-1 knew the login and should not any more",
    ] {
        assert!(said.err.contains(words), "{}", said.err);
    }
    let moved = scene.desk.say("registry set gl --url https://other:5050").await;
    assert!(
        moved.err.contains("is not the one that the login was sealed for"),
        "{}",
        moved.err
    );
}

#[tokio::test]
async fn a_login_comes_from_a_file_as_well_and_never_from_what_others_can_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let scene = Scene::new().await;
    let berlin = scene.sensor("berlin-1").await;
    let file = scene.file("login.json");
    let mode = |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    std::fs::write(
        &file,
        format!("{{\"username\": \"reader\", \"password\": \"{PASSWORD}\"}}"),
    )
    .unwrap();
    mode(0o644);
    let add = format!(
        "registry add gl https://h:5050 --sensor berlin-1 --credential-file {}",
        file.display()
    );
    let (said, _) = scene.say(&add, "", &berlin, vec![]).await;
    assert_eq!(said.exit, Exit::Usage);
    assert!(said.err.contains("chmod 600"), "{}", said.err);
    assert!(scene.taped().is_empty(), "nothing was asked before that");
    mode(0o600);
    let answers = vec![sound(&[], &[]), sound(&[], &[])];
    let (said, logins) = scene.say(&add, "", &berlin, answers).await;
    assert_eq!(said.exit, Exit::Done, "{}", said.err);
    assert_eq!(logins[1].as_ref().unwrap().password().expose(), PASSWORD);
    for (input, words) in [
        ("", "the password is empty"),
        ("\n", "the password is empty"),
        ("glpat-hunter2\nmore\n", "more than one line"),
    ] {
        let (said, _) = scene.say(SET, input, &berlin, vec![]).await;
        assert_eq!(said.exit, Exit::Usage);
        assert!(said.err.contains(words), "{}", said.err);
    }
    let late = format!("{SET} --expires 2020-01-01");
    let (said, _) = scene.say(&late, &line(), &berlin, vec![]).await;
    assert_eq!(said.exit, Exit::Usage);
    assert!(said.err.contains("over already"), "{}", said.err);
}
