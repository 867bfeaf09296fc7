//! What the log never says.

use portolan_doubles::Log;

use super::scene::{Request, SECRET, scene};

#[tokio::test]
async fn no_path_with_a_secret_and_no_header_with_one_is_logged() {
    let log = Log::of_all();
    let _listening = log.listen();
    let scene = scene().await;
    let mut get = Request::to(&format!("/notify/distribution/{SECRET}"));
    get.method = "GET";
    let in_path = |name: &str| Request::to(&format!("/notify/{name}/{SECRET}"));
    for (status, request) in [
        (200, in_path("distribution")),
        (200, in_path("distribution").with_body("rubbish")),
        (401, in_path("elsewhere")),
        (401, in_path("nowhere")),
        (401, Request::to(&format!("/{SECRET}"))),
        (401, get),
        (401, Request::to("/notify/quay/hunter2-in-a-path")),
        (
            401,
            Request::to("/notify/harbor").with("Authorization", "hunter2-in-a-header"),
        ),
        (401, in_path("gitea").with("X-Gitea-Signature", "hunter2")),
        (413, in_path("zot").with_body(" ".repeat(1024 * 1024 + 1))),
    ] {
        assert_eq!(scene.send(&request).await, status, "{}", request.path);
    }
    let logged = log.text();
    assert!(logged.contains("a notification was refused"), "{logged}");
    for secret in [SECRET, "hunter2", "/notify/"] {
        assert!(!logged.contains(secret), "{secret} in {logged}");
    }
    scene.end().await;
}
