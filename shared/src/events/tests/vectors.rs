//! Signatures that others have computed.

use jiff::Timestamp;

use super::super::{Sender, Shown, WebhookSecret, authenticate, sign_standard};

/// Computed with another implementation of HMAC.
const STANDARD: &str = "v1,Z/GnKtMPhzHw7hCQ2oB9D+Olibp/2jgKDyUiTF0TUEE=";

#[test]
fn a_standard_webhook_is_signed_and_verified() {
    let secret: WebhookSecret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
        .parse()
        .unwrap();
    let id = "0f8fad5b-d9cb-469f-a165-70867728950e";
    let body = br#"{"object_kind":"push"}"#;
    let at = Timestamp::from_second(1_767_323_045).unwrap();
    assert_eq!(sign_standard(&secret, id, at, body), STANDARD);
    let headers = [
        ("webhook-id", id),
        ("webhook-timestamp", "1767323045"),
        ("webhook-signature", STANDARD),
    ];
    let shown = Shown {
        path_secret: None,
        headers: &headers,
        body,
        now: at,
    };
    assert_eq!(authenticate(Sender::GitLab, &secret, &shown), Ok(()));
}

/// The example of "Validating webhook deliveries" in GitHub's documentation.
#[test]
fn github_s_own_example_is_verified() {
    let secret: WebhookSecret = "It's a Secret to Everybody".parse().unwrap();
    let headers = [(
        "X-Hub-Signature-256",
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
    )];
    let shown = |body| Shown {
        path_secret: None,
        headers: &headers,
        body,
        now: Timestamp::UNIX_EPOCH,
    };
    assert_eq!(
        authenticate(Sender::Ghcr, &secret, &shown(b"Hello, World!")),
        Ok(())
    );
    assert!(authenticate(Sender::Ghcr, &secret, &shown(b"Hello, World?")).is_err());
}

/// Computed with OpenSSL.
#[test]
fn a_signature_of_nexus_is_verified() {
    let secret: WebhookSecret = "nexus-shared-secret-0001".parse().unwrap();
    let headers = [(
        "X-Nexus-Webhook-Signature",
        "39c3963a1b45f4d9a7228cc4193b8a0d9a053707",
    )];
    let shown = Shown {
        path_secret: None,
        headers: &headers,
        body: br#"{"action":"CREATED"}"#,
        now: Timestamp::UNIX_EPOCH,
    };
    assert_eq!(authenticate(Sender::Nexus, &secret, &shown), Ok(()));
}
