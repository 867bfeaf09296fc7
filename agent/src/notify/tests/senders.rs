//! Who is believed, in which form.

use aws_lc_rs::hmac;
use data_encoding::{BASE64, HEXLOWER};
use portolan_shared::events::{WebhookSecret, sign_standard};
use portolan_shared::model::EventSubject;

use super::scene::{NOW, Request, SECRET, Wire, push, scene};

fn app() -> EventSubject {
    EventSubject::Tag("acme/app".parse().unwrap(), "1.0".parse().unwrap())
}

#[tokio::test]
async fn a_secret_may_be_shown_in_a_header_or_in_the_path() {
    let scene = scene().await;
    let basic = BASE64.encode(format!("any:{SECRET}").as_bytes());
    let mut wire = scene.connect().await;
    let requests = [
        Request::to("/notify/distribution").with("Authorization", SECRET),
        Request::to("/notify/distribution").with("authorization", format!("Bearer {SECRET}")),
        Request::to("/notify/distribution").with("AUTHORIZATION", format!("Basic {basic}")),
        Request::to(&format!("/notify/distribution/{SECRET}")),
        Request::to(&format!("/notify/distribution/{SECRET}?a=b")),
        Request::to("/notify/distribution/correct%2Dhorse-battery-staple"),
        Request::to("/notify/gitlab").with("X-Gitlab-Token", SECRET),
    ];
    for (n, request) in requests.iter().enumerate() {
        let answer = wire
            .ask(
                &request
                    .clone()
                    .with_body(push(&format!("acme/a{n}"), "1"))
                    .bytes(),
            )
            .await;
        assert_eq!(answer.status(), 200, "{n}");
        assert!(answer.0.contains("content-length: 0\r\n"), "{}", answer.0);
    }
    let told = scene.told();
    assert_eq!(told.len(), requests.len(), "over one connection");
    assert_eq!(told[6].registry.as_str(), "gitlab");
    scene.end().await;
}

#[tokio::test]
async fn signatures_are_verified_over_the_body_as_it_came() {
    let scene = scene().await;
    let hex = |algorithm, body: &str| {
        let key = hmac::Key::new(algorithm, SECRET.as_bytes());
        HEXLOWER.encode(hmac::sign(&key, body.as_bytes()).as_ref())
    };
    let gitea = r#"{"action":"created","package":{"type":"container","name":"app","version":"1.0","owner":{"login":"acme"}}}"#;
    let signed = hex(hmac::HMAC_SHA256, gitea);
    let of_gitea = |signature: &str| {
        Request::to("/notify/gitea")
            .with("X-Gitea-Event", "package")
            .with("X-Gitea-Signature", signature)
            .with_body(gitea)
    };
    assert_eq!(scene.send(&of_gitea(&signed)).await, 200);
    assert_eq!(scene.send(&of_gitea(&hex(hmac::HMAC_SHA256, "{}"))).await, 401);
    assert_eq!(
        scene
            .send(&of_gitea(&signed).with_body(gitea.replace("1.0", "2.0")))
            .await,
        401
    );
    let both = of_gitea(&hex(hmac::HMAC_SHA256, "{}")).with("Authorization", SECRET);
    assert_eq!(
        scene.send(&both).await,
        401,
        "a wrong signature is not made good by the secret"
    );
    let mut chunked = of_gitea(&signed);
    chunked.chunked = true;
    assert_eq!(scene.send(&chunked).await, 200);
    let told = scene.told();
    assert_eq!(
        told.iter().map(|told| &told.subject).collect::<Vec<_>>(),
        [&app()]
    );
    assert_eq!(told[0].count, 2);

    let secret: WebhookSecret = SECRET.parse().unwrap();
    let body = r#"{"object_kind":"push"}"#;
    let of_gitlab = |seconds: i64| {
        let at = jiff::Timestamp::from_second(seconds).unwrap();
        Request::to("/notify/gitlab")
            .with("X-Gitlab-Event", "Push Hook")
            .with("webhook-id", "1")
            .with("webhook-timestamp", seconds.to_string())
            .with(
                "webhook-signature",
                sign_standard(&secret, "1", at, body.as_bytes()),
            )
            .with_body(body)
    };
    assert_eq!(scene.send(&of_gitlab(NOW - 299)).await, 200);
    assert_eq!(scene.send(&of_gitlab(NOW - 301)).await, 401, "replayed");
    let gitlab = scene.notifier("gitlab");
    assert_eq!(
        (gitlab.received, gitlab.ignored, gitlab.refused),
        (0, 1, 1),
        "a webhook of GitLab that says nothing of its registry"
    );
    assert_eq!(gitlab.last_refused.as_deref(), Some("stale"));
    scene.end().await;
}

/// They have bodies of up to 25 MB, and from 19.0 a signature that GitLab makes with a key of its own.
#[tokio::test]
async fn a_webhook_of_gitlab_is_passed_over_whatever_its_body_and_its_signature_are() {
    let scene = scene().await;
    let large = format!("{{\"object_kind\":\"push\"}}{}", " ".repeat(2 * 1024 * 1024));
    let hook = |path: &str, body: &str| {
        Request::to(path)
            .with("X-Gitlab-Event", "Push Hook")
            .with("webhook-id", "0f8fad5b-d9cb-469f-a165-70867728950e")
            .with("webhook-timestamp", "1767323045")
            .with(
                "webhook-signature",
                "v1,Z/GnKtMPhzHw7hCQ2oB9D+Olibp/2jgKDyUiTF0TUEE=",
            )
            .with_body(body)
    };
    for name in ["gitlab", "distribution"] {
        let path = format!("/notify/{name}");
        let mut chunked = hook(&path, &large).with("X-Gitlab-Token", SECRET);
        chunked.chunked = true;
        for request in [
            chunked,
            hook(&path, &large).with("X-Gitlab-Token", SECRET),
            hook(&format!("{path}/{SECRET}"), &large),
            // Nothing is read out of it, whatever it says.
            hook(&path, &push("acme/app", "1.0")).with("X-Gitlab-Token", SECRET),
        ] {
            let mut wire = scene.connect().await;
            assert_eq!(wire.ask(&request.bytes()).await.status(), 200, "{}", request.path);
            let next = Request::to(&path).with("Authorization", "wrong");
            assert_eq!(
                wire.ask(&next.bytes()).await.status(),
                401,
                "the connection goes on"
            );
        }
        let wrong = hook(&path, "{}").with("X-Gitlab-Token", "wrong");
        assert_eq!(scene.send(&wrong).await, 401);
        let notifier = scene.notifier(name);
        assert_eq!((notifier.received, notifier.ignored, notifier.refused), (0, 4, 5));
    }
    let elsewhere = hook("/notify/elsewhere", "{}").with("X-Gitlab-Token", SECRET);
    assert_eq!(scene.send(&elsewhere).await, 401, "its address is not in `from`");
    assert!(scene.told().is_empty());
    scene.end().await;
}

#[tokio::test]
async fn what_is_authentic_is_answered_200_whatever_it_says() {
    let scene = scene().await;
    let genuine = |body: &str| Request::genuine().with_body(body);
    let pull = push("acme/app", "1.0").replace("push", "pull");
    for body in [
        "",
        "{",
        "[]",
        "{}",
        "\"x\"",
        r#"{"events":[{"action":"push"}]}"#,
        &pull,
    ] {
        assert_eq!(scene.send(&genuine(body)).await, 200, "{body}");
    }
    assert_eq!(scene.send(&Request::genuine()).await, 200);
    assert_eq!(scene.send(&Request::genuine()).await, 200, "once more the same");
    let elsewhere = push("secret/project", "1.0");
    assert_eq!(scene.send(&genuine(&elsewhere)).await, 200);
    let told = scene.told();
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0].subject, told[0].count), (&app(), 1));
    let notifier = scene.notifier("distribution");
    assert_eq!(
        (notifier.received, notifier.ignored),
        (1, 3),
        "a pull, a repetition, and a repository that the policy does not name"
    );
    assert!(notifier.refused >= 4, "{notifier:?}");
    assert_eq!(notifier.last_refused.as_deref(), Some("malformed"));
    assert_eq!(notifier.last_event.map(jiff::Timestamp::as_second), Some(NOW));
    scene.end().await;
}

#[tokio::test]
async fn every_way_of_writing_http_is_understood() {
    let scene = scene().await;
    let mut old = Request::genuine();
    old.version = "HTTP/1.0";
    let mut wire = scene.connect().await;
    let answer = wire.ask(&old.bytes()).await;
    assert!(answer.0.starts_with("HTTP/1.0 200"), "{}", answer.0);
    assert!(wire.closed().await, "as HTTP/1.0 does");

    let mut wire = scene.connect().await;
    let mut pipelined = Vec::new();
    for n in 0..20 {
        let mut request = Request::genuine().with_body(push(&format!("acme/p{n}"), "1"));
        request.chunked = n % 2 == 0;
        pipelined.extend(request.bytes());
    }
    wire.write(&pipelined).await;
    for n in 0..20 {
        assert_eq!(wire.answer().await.status(), 200, "{n}");
    }
    let mut wire: Wire<_> = scene.connect().await;
    for byte in Request::genuine()
        .with_body(push("acme/slow", "1"))
        .bytes()
        .chunks(7)
    {
        wire.write(byte).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(wire.answer().await.status(), 200);
    let expecting = Request::genuine()
        .with("Expect", "100-continue")
        .with_body(push("acme/e", "1"))
        .bytes();
    let at = expecting
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap()
        + 4;
    let mut wire = scene.connect().await;
    assert_eq!(wire.ask(&expecting[..at]).await.status(), 100);
    assert_eq!(wire.ask(&expecting[at..]).await.status(), 200);
    assert_eq!(scene.told().len(), 1 + 20 + 2);
    scene.end().await;
}
