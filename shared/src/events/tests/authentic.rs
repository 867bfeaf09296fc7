//! Whom to believe.

use aws_lc_rs::hmac;
use data_encoding::{BASE64, HEXLOWER, HEXUPPER};
use jiff::Timestamp;
use proptest::prelude::*;

use super::super::{
    Headers, NotAuthentic, Sender, Shown, WebhookSecret, authenticate, is_signed, shows_secret, sign_standard,
};
use super::told::none;
use crate::model::limits;

const SECRET: &str = "correct-horse-battery-staple";
const WRONG: &str = "correct-horse-battery-stable";
const BODY: &[u8] = br#"{"events":[]}"#;
const NOW: i64 = 1_767_323_045;

/// Whether a request of `sender` is believed.
fn tried(sender: Sender, path: Option<&str>, headers: &dyn Headers) -> Result<(), NotAuthentic> {
    let shown = Shown {
        path_secret: path,
        headers,
        body: BODY,
        now: Timestamp::from_second(NOW).unwrap(),
    };
    authenticate(sender, &SECRET.parse().unwrap(), &shown)
}

fn signed(secret: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    HEXLOWER.encode(hmac::sign(&key, body).as_ref())
}

fn standard(secret: &str, at: i64) -> [(&'static str, String); 3] {
    let signature = sign_standard(
        &secret.parse().unwrap(),
        "msg_1",
        Timestamp::from_second(at).unwrap(),
        BODY,
    );
    [
        ("webhook-id", "msg_1".to_owned()),
        ("webhook-timestamp", at.to_string()),
        ("webhook-signature", signature),
    ]
}

#[test]
fn the_secret_in_the_path_does_for_every_sender() {
    for sender in Sender::ALL {
        assert_eq!(tried(*sender, Some(SECRET), &none()), Ok(()), "{sender}");
        for wrong in [
            WRONG,
            "",
            &SECRET[1..],
            "correct-horse-battery-staple ",
            "CORRECT-HORSE-BATTERY-STAPLE",
        ] {
            assert_eq!(
                tried(*sender, Some(wrong), &none()),
                Err(NotAuthentic::Secret),
                "{sender}"
            );
        }
        assert_eq!(
            tried(*sender, None, &none()),
            Err(NotAuthentic::Nothing),
            "{sender}"
        );
    }
}

#[test]
fn authorization_holds_the_secret_in_one_of_three_ways() {
    let basic = |text: &str| format!("Basic {}", BASE64.encode(text.as_bytes()));
    for right in [
        SECRET.to_owned(),
        format!("Bearer {SECRET}"),
        format!("bearer  {SECRET} "),
        basic(&format!("portolan:{SECRET}")),
        basic(&format!(":{SECRET}")),
        basic(&format!("portolan:{SECRET}")).replace("Basic", "BASIC"),
    ] {
        assert_eq!(
            tried(Sender::Harbor, None, &[("authorization", &right)]),
            Ok(()),
            "{right}"
        );
    }
    for wrong in [
        WRONG.to_owned(),
        String::new(),
        format!("Bearer {WRONG}"),
        "Bearer".to_owned(),
        format!("Token {SECRET}"),
        format!("Bearer Bearer {SECRET}"),
        basic(SECRET),
        basic(&format!("{SECRET}:portolan")),
        basic(&format!("a:b:{SECRET}")),
        format!("Basic portolan:{SECRET}"),
        "Basic ".to_owned(),
    ] {
        assert_eq!(
            tried(Sender::Harbor, None, &[("Authorization", &wrong)]),
            Err(NotAuthentic::Secret),
            "{wrong}"
        );
    }
}

#[test]
fn a_header_counts_only_for_those_who_send_it() {
    for sender in Sender::ALL {
        let authorization = tried(*sender, None, &[("Authorization", SECRET)]);
        let is_told = !matches!(
            sender,
            Sender::Quay | Sender::DockerHub | Sender::Ghcr | Sender::Nexus
        );
        assert_eq!(authorization.is_ok(), is_told, "{sender}");
        let token = tried(*sender, None, &[("X-Gitlab-Token", SECRET)]);
        assert_eq!(
            token.is_ok(),
            matches!(sender, Sender::GitLab | Sender::Distribution),
            "{sender}"
        );
    }
    let both = [
        ("Authorization", "Basic cHJveHk6cHJveHk="),
        ("X-Gitlab-Token", SECRET),
    ];
    assert_eq!(
        tried(Sender::GitLab, None, &both),
        Ok(()),
        "a proxy in between has its own login"
    );
}

#[test]
fn each_signature_is_enough_and_must_be_right() {
    let right = signed(SECRET, BODY);
    for (header, prefix) in [
        ("X-Hub-Signature-256", "sha256="),
        ("X-Gitea-Signature", ""),
        ("X-Forgejo-Signature", ""),
        ("X-JFrog-Event-Auth", ""),
        ("X-JFrog-Event-Auth", "sha256="),
    ] {
        let sent = |value: &str| [(header, format!("{prefix}{value}"))];
        assert_eq!(tried(Sender::Gitea, None, &sent(&right)), Ok(()), "{header}");
        let upper = HEXUPPER.encode(&HEXLOWER.decode(right.as_bytes()).unwrap());
        assert_eq!(tried(Sender::Gitea, None, &sent(&upper)), Ok(()), "{header}");
        for wrong in [
            signed(WRONG, BODY),
            signed(SECRET, b"{}"),
            right[..62].to_owned(),
            format!("{right}00"),
            "zz".repeat(32),
            "0".to_owned(),
        ] {
            // Even beside the right secret.
            assert_eq!(
                tried(Sender::Gitea, Some(SECRET), &sent(&wrong)),
                Err(NotAuthentic::Signature { header }),
                "{header}: {wrong}"
            );
        }
    }
}

#[test]
fn every_signature_that_is_there_must_be_right() {
    let (right, wrong) = (signed(SECRET, BODY), signed(WRONG, BODY));
    let both = |hub: &str| {
        [
            ("X-Gitea-Signature", right.clone()),
            ("X-Hub-Signature-256", format!("sha256={hub}")),
        ]
    };
    assert_eq!(tried(Sender::Gitea, None, &both(&right)), Ok(()));
    assert!(tried(Sender::Gitea, None, &both(&wrong)).is_err());
    // Where Gitea knows of no secret.
    let empty = [
        ("X-Gitea-Signature", ""),
        ("X-Hub-Signature-256", "sha256="),
        ("webhook-signature", " "),
    ];
    assert_eq!(tried(Sender::Gitea, Some(SECRET), &empty), Ok(()));
    assert_eq!(tried(Sender::Gitea, None, &empty), Err(NotAuthentic::Nothing));
}

#[test]
fn artifactory_shows_the_secret_or_signs() {
    let header = "X-JFrog-Event-Auth";
    assert_eq!(tried(Sender::Artifactory, None, &[(header, SECRET)]), Ok(()));
    assert_eq!(
        tried(Sender::Artifactory, Some(SECRET), &[(header, WRONG)]),
        Err(NotAuthentic::Signature { header })
    );
    // The secret in the place of a signature is told without the body, a signature is not.
    let shows = |value: &str| {
        shows_secret(
            Sender::Artifactory,
            &SECRET.parse().unwrap(),
            None,
            &[(header, value)],
        )
    };
    assert_eq!(shows(SECRET), Ok(()));
    assert_eq!(shows(WRONG), Err(NotAuthentic::Secret));
    assert_eq!(shows(&signed(SECRET, BODY)), Err(NotAuthentic::Secret));
    assert_eq!(shows("sha256="), Err(NotAuthentic::Nothing));
    let sha1 = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, SECRET.as_bytes());
    let sha1 = HEXLOWER.encode(hmac::sign(&sha1, BODY).as_ref());
    assert!(tried(Sender::Artifactory, None, &[(header, &sha1)]).is_err());
    assert_eq!(
        tried(Sender::Nexus, None, &[("X-Nexus-Webhook-Signature", &sha1)]),
        Ok(())
    );
    assert!(
        tried(
            Sender::Nexus,
            None,
            &[("X-Nexus-Webhook-Signature", signed(SECRET, BODY))]
        )
        .is_err()
    );
}

#[test]
fn a_standard_webhook_is_believed_for_five_minutes_either_way() {
    let most = limits::WEBHOOK_TOLERANCE_SECONDS;
    for off_by_seconds in [0, most, -most] {
        let headers = standard(SECRET, NOW - off_by_seconds);
        assert_eq!(
            tried(Sender::CloudEvents, None, &headers),
            Ok(()),
            "{off_by_seconds}"
        );
    }
    for off_by_seconds in [most + 1, -most - 1] {
        let headers = standard(SECRET, NOW - off_by_seconds);
        assert_eq!(
            tried(Sender::CloudEvents, Some(SECRET), &headers),
            Err(NotAuthentic::Stale { off_by_seconds })
        );
    }
    // Of what is not genuine nobody says that it is old.
    let wrong = Err(NotAuthentic::Signature {
        header: "webhook-signature",
    });
    assert_eq!(
        tried(Sender::CloudEvents, Some(SECRET), &standard(WRONG, 0)),
        wrong
    );
    let mut moved = standard(SECRET, NOW - most - 1);
    moved[1].1 = NOW.to_string();
    assert_eq!(tried(Sender::CloudEvents, Some(SECRET), &moved), wrong);
    let mut renamed = standard(SECRET, NOW);
    renamed[0].1 = "msg_2".to_owned();
    assert_eq!(tried(Sender::CloudEvents, Some(SECRET), &renamed), wrong);
}

#[test]
fn one_right_entry_of_several_is_enough() {
    let with = |entries: &str| {
        let mut headers = standard(SECRET, NOW);
        headers[2].1 = entries.replace("OURS", &headers[2].1);
        tried(Sender::GitLab, None, &headers)
    };
    let foreign = standard(WRONG, NOW)[2].1.clone();
    let asymmetric = format!("v1a,{}", BASE64.encode(&[7; 64]));
    assert_eq!(with(&format!("{asymmetric} {foreign} OURS")), Ok(()));
    assert_eq!(with("OURS"), Ok(()));
    for wrong in [
        asymmetric.as_str(),
        &foreign,
        "v1,",
        "v1",
        "v2,OURS",
        "OURS=",
        ",",
        &format!(
            "{} OURS",
            vec![foreign.as_str(); limits::WEBHOOK_SIGNATURES].join(" ")
        ),
    ] {
        assert!(with(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_standard_webhook_that_lacks_a_part_is_incomplete() {
    for (place, header) in [(0, "webhook-id"), (1, "webhook-timestamp")] {
        let mut headers = standard(SECRET, NOW).to_vec();
        headers.remove(place);
        assert_eq!(
            tried(Sender::GitLab, Some(SECRET), &headers),
            Err(NotAuthentic::Incomplete { header })
        );
    }
    // Signed as it is, and no time nevertheless.
    let mut headers = standard(SECRET, NOW);
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let content = [b"msg_1.soon.", BODY].concat();
    headers[1].1 = "soon".to_owned();
    headers[2].1 = format!("v1,{}", BASE64.encode(hmac::sign(&key, &content).as_ref()));
    assert_eq!(
        tried(Sender::GitLab, None, &headers),
        Err(NotAuthentic::Incomplete {
            header: "webhook-timestamp"
        })
    );
}

#[test]
fn no_error_shows_what_was_shown() {
    let errors = [
        tried(Sender::Harbor, Some("hunter2hunter2hunter2"), &none()),
        tried(Sender::Harbor, None, &[("Authorization", "Bearer hunter2")]),
        tried(Sender::Ghcr, None, &[("X-Hub-Signature-256", "hunter2")]),
        tried(Sender::GitLab, None, &[("webhook-signature", "v1,hunter2")]),
    ];
    for error in errors.map(Result::unwrap_err) {
        let text = format!("{error} {error:?}");
        assert!(
            !text.contains("hunter2") && !text.contains("correct-horse"),
            "{text}"
        );
    }
}

proptest! {
    #[test]
    fn what_shows_no_signature_is_judged_without_its_body(
        sender in prop::sample::select(Sender::ALL),
        path in prop::option::of(prop::sample::select(vec![SECRET, WRONG, ""])),
        at in 0..9_usize,
        value in prop::sample::select(vec![SECRET, WRONG, "", "sha256=", "v1,x", "00", "Bearer correct-horse-battery-staple"]),
    ) {
        let names = [
            "Authorization", "X-Gitlab-Token", "X-Hub-Signature-256", "X-Gitea-Signature", "X-Forgejo-Signature",
            "X-Nexus-Webhook-Signature", "X-JFrog-Event-Auth", "webhook-signature", "X-Other",
        ];
        let headers = [(names[at], value)];
        let signature = (2..8).contains(&at) && !["", "sha256="].contains(&value)
            || value == "sha256=" && [3, 4, 5, 7].contains(&at);
        prop_assert_eq!(is_signed(&headers), signature);
        let judged = |body| {
            let now = Timestamp::from_second(NOW).unwrap();
            let shown = Shown { path_secret: path, headers: &headers, body, now };
            authenticate(sender, &SECRET.parse().unwrap(), &shown)
        };
        if !signature {
            prop_assert_eq!(judged(b""), judged(BODY));
        }
    }

    #[test]
    fn nobody_gets_in_by_guessing(
        sender in prop::sample::select(Sender::ALL),
        path in prop::option::of("[a-z-]{0,40}"),
        values in prop::collection::vec(
            "(Bearer |Basic |sha256=|v1,|v1a,)?([0-9a-f]{64}|[A-Za-z0-9+/]{43}=|\\PC{0,40}|correct-horse-battery)", 9),
    ) {
        let names = [
            "Authorization", "X-Gitlab-Token", "X-Hub-Signature-256", "X-Gitea-Signature", "X-Forgejo-Signature",
            "X-Nexus-Webhook-Signature", "X-JFrog-Event-Auth", "webhook-signature", "webhook-id",
        ];
        let mut headers: Vec<(&str, &str)> = names.into_iter().zip(values.iter().map(String::as_str)).collect();
        headers.push(("webhook-timestamp", "1767323045"));
        prop_assert!(tried(sender, path.as_deref(), &headers).is_err());
    }

    #[test]
    fn no_bit_of_a_signed_body_can_be_changed(body in prop::collection::vec(any::<u8>(), 1..80), at: prop::sample::Index, bit in 0_u8..8) {
        let secret: WebhookSecret = SECRET.parse().unwrap();
        let now = Timestamp::from_second(NOW).unwrap();
        let hub = [("X-Hub-Signature-256", format!("sha256={}", signed(SECRET, &body)))];
        let standard = [
            ("webhook-id", "m".to_owned()),
            ("webhook-timestamp", NOW.to_string()),
            ("webhook-signature", sign_standard(&secret, "m", now, &body)),
        ];
        let mut changed = body.clone();
        changed[at.index(body.len())] ^= 1 << bit;
        for headers in [&hub as &dyn Headers, &standard] {
            let shown = |body| Shown { path_secret: None, headers, body, now };
            prop_assert_eq!(authenticate(Sender::CloudEvents, &secret, &shown(&body)), Ok(()));
            prop_assert!(authenticate(Sender::CloudEvents, &secret, &shown(&changed)).is_err());
        }
    }
}
