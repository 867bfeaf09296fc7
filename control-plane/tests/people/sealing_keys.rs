//! Whose key a login is sealed to: pinned on first use, compared ever after, and never taken on the control plane's word.

use portolan::cli::Exit;
use portolan_shared::model::TenantId;
use portolan_shared::process::SystemRng;
use serde_json::Value;

use crate::sealing_scene::{Keyed, PASSWORD, Scene, sound};

const ADD: &str = "registry add gl https://h:5050 --sensor berlin-1 --username reader --password-stdin";
const SET: &str = "registry set gl --username reader --password-stdin --no-test";

async fn scene() -> (Scene, Keyed) {
    let scene = Scene::new().await;
    let berlin = scene.sensor("berlin-1").await;
    (scene, berlin)
}

async fn add(scene: &Scene, berlin: &Keyed) {
    let answers = vec![sound(&[], &[]), sound(&[], &[])];
    let (said, _) = scene.say(ADD, PASSWORD, berlin, answers).await;
    assert_eq!(said.exit, Exit::Done, "{}", said.err);
}

fn forge(scene: &Scene, answer: Value) {
    *scene.forged.lock().unwrap() = Some(answer);
}

/// An intruder's identity vouches for the intruder's sealing key, in the name of the sensor.
fn substitute(scene: &Scene, berlin: &Keyed) -> Keyed {
    let intruder = Keyed::intruder(berlin.id);
    let now = scene.world.app.clock.now();
    let mut answer = intruder.answer(&intruder.statement(scene.world.tenant, now));
    answer["sensor"] = "berlin-1".into();
    forge(scene, answer);
    intruder
}

#[tokio::test]
async fn t36_a_substituted_sealing_key_is_refused_once_the_sensor_is_pinned() {
    let (scene, berlin) = scene().await;
    add(&scene, &berlin).await;
    let pins = std::fs::read(scene.pins()).unwrap();
    let intruder = substitute(&scene, &berlin);
    for set in [
        SET.to_owned(),
        format!("{SET} --yes"),
        format!("{SET} --accept-fingerprint {}", berlin.fingerprint()),
        format!("{SET} --yes --accept-fingerprint AAAAA-BBBBB-CCCCC-DDDDD"),
    ] {
        let (said, _) = scene.say(&set, PASSWORD, &berlin, vec![]).await;
        assert_eq!(said.exit, Exit::Untrusted, "{set}: {}", said.err);
        for words in [
            &intruder.fingerprint(),
            &berlin.fingerprint(),
            "is not the one that it was",
        ] {
            assert!(said.err.contains(words), "{}", said.err);
        }
    }
    let said = scene
        .say_at_terminal(SET, &format!("{PASSWORD}\nn\n"), &berlin, vec![])
        .await;
    assert_eq!(said.exit, Exit::Untrusted, "{}", said.err);
    assert_eq!(scene.stored().len(), 1, "nothing was sealed for the intruder");
    assert_eq!(std::fs::read(scene.pins()).unwrap(), pins);
}

#[tokio::test]
async fn a_changed_fingerprint_is_pinned_anew_by_an_explicit_yes_alone() {
    let (scene, berlin) = scene().await;
    add(&scene, &berlin).await;
    let new = substitute(&scene, &berlin);
    // What is sealed to a key that this control plane does not know is refused there; here it is about the pin.
    let set = format!("{SET} --accept-fingerprint {}", new.fingerprint().to_lowercase());
    let (said, _) = scene.say(&set, PASSWORD, &berlin, vec![]).await;
    assert!(
        said.err.contains("accepted by --accept-fingerprint"),
        "{}",
        said.err
    );
    let pins = std::fs::read_to_string(scene.pins()).unwrap();
    assert!(pins.contains(&new.fingerprint()) && !pins.contains(&berlin.fingerprint()));
    *scene.forged.lock().unwrap() = None;
    let said = scene
        .say_at_terminal(SET, &format!("{PASSWORD}\ny\n"), &berlin, vec![])
        .await;
    assert_eq!(said.exit, Exit::Done, "{}", said.err);
    let pins = std::fs::read_to_string(scene.pins()).unwrap();
    assert!(pins.contains(&berlin.fingerprint()) && !pins.contains(&new.fingerprint()));
}

#[tokio::test]
async fn t36_on_first_use_the_fingerprint_that_is_shown_is_the_substituted_one() {
    let (scene, berlin) = scene().await;
    let intruder = substitute(&scene, &berlin);
    let said = scene
        .say_at_terminal(ADD, &format!("{PASSWORD}\nn\n"), &berlin, vec![])
        .await;
    assert_eq!(said.exit, Exit::Failed);
    assert!(said.err.contains(&intruder.fingerprint()), "{}", said.err);
    assert!(!said.err.contains(&berlin.fingerprint()), "{}", said.err);
    assert!(said.err.contains("portolan-agent status"), "{}", said.err);
    assert!(!scene.pins().exists() && scene.stored().is_empty());
    // Whoever knows the fingerprint from the machine is not asked, and not fooled either.
    let add = format!("{ADD} --accept-fingerprint {}", berlin.fingerprint());
    let (said, _) = scene.say(&add, PASSWORD, &berlin, vec![]).await;
    assert_eq!(said.exit, Exit::Untrusted, "{}", said.err);
    // The real fingerprint beside the intruder's key.
    let mut answer = scene.forged.lock().unwrap().clone().unwrap();
    answer["identity_fingerprint"] = berlin.fingerprint().into();
    forge(&scene, answer);
    let (said, _) = scene.say(ADD, PASSWORD, &berlin, vec![]).await;
    assert_eq!(said.exit, Exit::Unavailable, "{}", said.err);
    assert!(!scene.pins().exists() && scene.stored().is_empty());
}

#[tokio::test]
async fn t36_a_statement_that_another_key_signed_is_refused_whatever_is_accepted() {
    let (scene, berlin) = scene().await;
    let intruder = Keyed::intruder(berlin.id);
    let statement = intruder.statement(scene.world.tenant, scene.world.app.clock.now());
    // The sensor's own identity, to be recognised by; the intruder's signature under the intruder's key.
    let mut answer = berlin.answer(&statement);
    answer["signature"] = intruder.answer(&statement)["signature"].clone();
    forge(&scene, answer);
    for add in [
        ADD.to_owned(),
        format!("{ADD} --accept-fingerprint {}", berlin.fingerprint()),
    ] {
        let (said, _) = scene.say(&add, PASSWORD, &berlin, vec![]).await;
        assert_eq!(said.exit, Exit::Untrusted, "{}", said.err);
        assert!(said.err.contains("is not signed by"), "{}", said.err);
    }
    assert!(!scene.pins().exists() && scene.stored().is_empty());
}

#[tokio::test]
async fn t36_a_sealing_key_of_another_tenant_or_sensor_or_of_the_past_is_refused() {
    let (scene, berlin) = scene().await;
    let now = scene.world.app.clock.now();
    let genuine = berlin.statement(scene.world.tenant, now);
    let mut of_tenant = genuine;
    of_tenant.tenant = TenantId::random(&SystemRng);
    let mut of_sensor = genuine;
    of_sensor.sensor = scene.silent("munich-1").await.id;
    let mut ended = genuine;
    ended.not_after = now.into();
    for (statement, exit, words) in [
        (of_tenant, Exit::Untrusted, "of another tenant"),
        (of_sensor, Exit::Untrusted, "which is another one"),
        (ended, Exit::Conflict, "ended at"),
    ] {
        forge(&scene, berlin.answer(&statement));
        let (said, _) = scene.say(ADD, PASSWORD, &berlin, vec![]).await;
        assert_eq!(said.exit, exit, "{}", said.err);
        assert!(said.err.contains(words), "{}", said.err);
    }
    assert!(!scene.pins().exists() && scene.stored().is_empty());
}

#[tokio::test]
async fn a_damaged_file_of_pins_is_an_error_and_stays_as_it_is() {
    let (scene, berlin) = scene().await;
    add(&scene, &berlin).await;
    std::fs::write(scene.pins(), "{").unwrap();
    let (said, _) = scene.say(SET, PASSWORD, &berlin, vec![]).await;
    assert_eq!(said.exit, Exit::Failed);
    assert!(
        said.err.contains("is damaged") && said.err.contains("compare every fingerprint anew"),
        "{}",
        said.err
    );
    assert_eq!(std::fs::read_to_string(scene.pins()).unwrap(), "{");
    assert_eq!(scene.stored().len(), 1);
}
