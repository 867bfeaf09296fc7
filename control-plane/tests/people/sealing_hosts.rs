//! Where a login may be sent, and where downloads may lead: shown, and bound only if somebody says so.

use portolan::cli::Exit;
use portolan_shared::model::{FindingCode, Stage};

use crate::sealing_scene::{Keyed, PASSWORD, Scene, failed, sound};

const ADD: &str = "registry add gl https://h:5050 --sensor berlin-1 --username reader --password-stdin";
const REALM: &str = "gitlab.example.com:443";
const STORAGE: &str = "s3.example.com:9000";

async fn scene() -> (Scene, Keyed) {
    let scene = Scene::new().await;
    let berlin = scene.sensor("berlin-1").await;
    (scene, berlin)
}

#[tokio::test]
async fn a_script_has_to_name_every_host() {
    let (scene, berlin) = scene().await;
    for add in [
        ADD.to_owned(),
        format!("{ADD} --yes"),
        format!("{ADD} --accept-realm other"),
    ] {
        let (said, _) = scene
            .say(&add, PASSWORD, &berlin, vec![sound(&[REALM], &[])])
            .await;
        assert_eq!(said.exit, Exit::Usage, "{}", said.err);
        let flag = "--accept-realm gitlab.example.com:443";
        assert!(said.err.contains(flag), "{}", said.err);
    }
    assert!(scene.stored().is_empty());
    let add = format!("{ADD} --accept-realm gitlab.example.com");
    // Where content is stored shows only with the login.
    let hidden = || {
        failed(
            Stage::Config,
            FindingCode::CredentialUnbound,
            &[REALM],
            &[STORAGE],
        )
    };
    let (said, _) = scene
        .say(
            &add,
            PASSWORD,
            &berlin,
            vec![sound(&[REALM, "h:5050"], &[]), hidden()],
        )
        .await;
    assert_eq!(said.exit, Exit::Usage, "{}", said.err);
    assert!(
        said.err.contains("--accept-storage s3.example.com:9000") && !said.err.contains("--accept-realm"),
        "{}",
        said.err
    );
    let add = format!("{add} --accept-storage {STORAGE}");
    let answers = vec![sound(&[REALM], &[]), sound(&[REALM], &[STORAGE])];
    let (said, logins) = scene.say(&add, PASSWORD, &berlin, answers).await;
    assert_eq!((said.exit, logins.len()), (Exit::Done, 2), "{}", said.err);
    let (binding, _) = berlin.open(&scene.stored()[0]).unwrap();
    assert!(binding.realm_hosts.contains("gitlab.example.com", 443));
    assert!(binding.storage_hosts.contains("s3.example.com", 9000));
    assert!(!binding.may_have_login("s3.example.com", 9000));
}

#[tokio::test]
async fn a_person_is_asked_and_the_login_is_sealed_again_with_what_was_found_late() {
    let (scene, berlin) = scene().await;
    let answers = || {
        vec![
            sound(&[REALM], &[]),
            failed(
                Stage::Config,
                FindingCode::CredentialUnbound,
                &[REALM],
                &[STORAGE],
            ),
            sound(&[REALM], &[STORAGE]),
        ]
    };
    // Password, fingerprint, token service, storage.
    let said = scene
        .say_at_terminal(ADD, &format!("{PASSWORD}\ny\nn\n"), &berlin, answers())
        .await;
    assert_eq!(said.exit, Exit::Failed);
    assert!(said.err.contains("not confirmed"), "{}", said.err);
    assert!(scene.stored().is_empty());
    // The fingerprint is known by now.
    let said = scene
        .say_at_terminal(ADD, &format!("{PASSWORD}\ny\ny\n"), &berlin, answers())
        .await;
    assert_eq!(said.exit, Exit::Done, "{}", said.err);
    for words in [
        "May the login be sent to gitlab.example.com:443? [y/N]",
        "with the login, it was also seen",
        "May downloads be redirected to s3.example.com:9000? [y/N]",
        "sealed for h:5050, with token service gitlab.example.com:443, downloads from s3.example.com:9000: version 1, only berlin-1",
    ] {
        assert!(said.err.contains(words), "{words}: {}", said.err);
    }
    let (binding, _) = berlin.open(&scene.stored()[0]).unwrap();
    assert!(binding.storage_hosts.contains("s3.example.com", 9000));
}
