//! Who is not believed, and what that one learns.

use std::fs;

use super::scene::{Request, SECRET, private_file, scene};

#[tokio::test]
async fn all_strangers_are_told_the_same_to_the_byte() {
    let scene = scene().await;
    let with_secret = |path: &str| Request::to(path).with("Authorization", SECRET);
    let mut get = with_secret("/notify/distribution");
    get.method = "GET";
    let mut put = with_secret("/notify/distribution");
    put.method = "PUT";
    let strangers = [
        ("an unknown registry", with_secret("/notify/nowhere")),
        (
            "an unknown registry, secret in the path",
            Request::to(&format!("/notify/nowhere/{SECRET}")),
        ),
        (
            "a wrong secret",
            Request::to("/notify/distribution").with("Authorization", "correct-horse-battery-stapl"),
        ),
        (
            "a wrong secret in the path",
            Request::to("/notify/distribution/correct-horse-battery-staplf"),
        ),
        (
            "an empty secret in the path",
            Request::to("/notify/distribution/"),
        ),
        ("no secret", Request::to("/notify/distribution")),
        ("a wrong address", with_secret("/notify/elsewhere")),
        (
            "a signature of nothing",
            Request::to("/notify/gitea").with("X-Gitea-Signature", "00"),
        ),
        ("another path", with_secret("/")),
        ("no registry", with_secret("/notify/")),
        ("what is no path of ours", with_secret("/notify/%zz/%")),
        ("another method", get),
        ("yet another method", put),
        (
            "no JSON, wrong secret",
            Request::to("/notify/quay/x").with_body("{{{"),
        ),
    ];
    let mut first = None;
    for (what, request) in &strangers {
        let answer = scene.connect().await.ask(&request.bytes()).await;
        assert_eq!(answer.status(), 401, "{what}");
        let answer = answer.timeless();
        assert_eq!(first.get_or_insert_with(|| answer.clone()), &answer, "{what}");
    }
    let mut from_afar = scene.connect_from([127, 0, 1, 1]).await;
    let answer = from_afar.ask(&with_secret("/notify/distribution").bytes()).await;
    assert_eq!(
        Some(answer.timeless()),
        first,
        "an address that is in nobody's `from`"
    );
    assert!(scene.told().is_empty());
    let refused = |name| {
        let notifier = scene.notifier(name);
        (notifier.refused, notifier.last_refused)
    };
    assert_eq!(refused("distribution"), (7, Some("source".to_owned())));
    assert_eq!(refused("elsewhere"), (1, Some("source".to_owned())));
    assert_eq!(refused("gitea"), (1, Some("secret".to_owned())));
    assert_eq!(scene.desk.view().unwrap().refused_elsewhere, 5);
    scene.end().await;
}

#[tokio::test]
async fn a_secret_that_was_changed_holds_and_one_that_is_gone_lets_nobody_in() {
    let scene = scene().await;
    let file = scene.folder.path().join("secret");
    let sent = async |secret: &str| {
        scene
            .send(&Request::to("/notify/distribution").with("Authorization", secret))
            .await
    };
    assert_eq!(sent(SECRET).await, 200);
    private_file(&file, "another-secret-of-some-length\n");
    scene.files.look();
    assert_eq!(sent(SECRET).await, 401);
    assert_eq!(sent("another-secret-of-some-length").await, 200);
    assert_eq!(scene.files.warnings(jiff::Timestamp::UNIX_EPOCH), [""; 0]);
    fs::remove_file(&file).unwrap();
    scene.files.look();
    assert_eq!(sent("another-secret-of-some-length").await, 401);
    assert_eq!(
        scene.notifier("distribution").last_refused.as_deref(),
        Some("no_secret")
    );
    let warnings = scene.files.warnings(jiff::Timestamp::UNIX_EPOCH);
    assert!(
        warnings[0].contains("there is no file") && warnings[0].contains("its notifications are refused"),
        "{warnings:?}"
    );
    scene.end().await;
}
