//! What a webhook secret is.

use super::super::{WebhookSecret, WebhookSecretError};
use crate::model::limits;
use crate::process::SeededRng;

const SECRET: &str = "correct-horse-battery-staple";

#[test]
fn a_secret_is_long_enough_printable_and_never_printed() {
    let of = |text: &str| text.parse::<WebhookSecret>().map(|_| ());
    let long = |bytes: usize| "s".repeat(bytes);
    assert_eq!(of(&long(limits::WEBHOOK_SECRET_LEAST_BYTES)), Ok(()));
    assert_eq!(
        of(&long(limits::WEBHOOK_SECRET_LEAST_BYTES - 1)),
        Err(WebhookSecretError::TooShort)
    );
    assert_eq!(of(&long(limits::WEBHOOK_SECRET_BYTES)), Ok(()));
    assert_eq!(
        of(&long(limits::WEBHOOK_SECRET_BYTES + 1)),
        Err(WebhookSecretError::TooLong)
    );
    for bad in [
        "hunter2hunter2hunter2\n",
        " hunter2hunter2hunter2",
        "hünter2hünter2hünter2",
        "hunter2hunter2\thunter2",
    ] {
        assert_eq!(of(bad), Err(WebhookSecretError::Characters), "{bad}");
    }
    assert_eq!(of("whsec_hunter2 hunter2"), Err(WebhookSecretError::Key));
    assert_eq!(
        of("whsec_aHVudGVyMg=="),
        Err(WebhookSecretError::TooShort),
        "7 bytes"
    );
    assert!(matches!(
        WebhookSecret::try_from(&[0xff; 20][..]),
        Err(WebhookSecretError::Characters)
    ));
    assert!(WebhookSecret::try_from(SECRET.as_bytes()).is_ok());
    assert_eq!(
        format!("{:?}", SECRET.parse::<WebhookSecret>().unwrap()),
        "[secret]"
    );
}

#[test]
fn new_secrets_fit_where_they_are_meant_to_stand() {
    let rng = SeededRng::new(5);
    let ours = WebhookSecret::generate(&rng);
    assert_eq!(ours.expose().len(), 43);
    let may_stand_in_a_path = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    assert!(ours.expose().bytes().all(may_stand_in_a_path));
    assert_ne!(WebhookSecret::generate(&rng).expose(), ours.expose());
    let signing = WebhookSecret::generate_for_signing(&rng);
    assert!(signing.expose().starts_with("whsec_"));
    for secret in [ours, signing] {
        assert!(
            secret.expose().parse::<WebhookSecret>().is_ok(),
            "it is accepted where it is entered again"
        );
    }
}
