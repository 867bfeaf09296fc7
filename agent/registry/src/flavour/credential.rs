//! What can be told of a credential by its form alone, when the product says nothing of it.
//!
//! The kind is told by the user name. When it ends, a secret says itself that is a JWT (RFC 7519, `exp`), as access tokens of Artifactory and
//! of clouds are. It is read here and nowhere sent: whether the registry asks for the secret itself or has a token service makes no
//! difference. Nothing else is read of a secret, and nothing of it is ever shown.

use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use portolan_shared::model::{CredentialFacts, CredentialKind};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::client::RegistryClient;
use crate::error::Fault;

/// Bytes of a secret that are looked at.
const SECRET_BYTES: usize = 64 * 1024;
/// Bytes from which on a user name of nothing but letters and digits is taken for a secret.
const TOKEN_BYTES: usize = 32;

/// What is known of the login; `None` without one. `kind_of` tells the kind by the user name.
///
/// # Errors
/// If the login cannot be had.
pub(super) async fn by_form(
    client: &RegistryClient,
    kind_of: impl Fn(&str) -> CredentialKind + Send,
) -> Result<Option<CredentialFacts>, Fault> {
    let Some(hint) = client.token_hint().await? else {
        return Ok(None);
    };
    let mut facts = match hint.username() {
        Some(name) => named(name, kind_of(name)),
        // A token that stands alone is of one kind or cannot be told.
        None if hint.kind == CredentialKind::OauthToken => CredentialFacts::of_kind(hint.kind),
        None => CredentialFacts::of_kind(CredentialKind::Unknown),
    };
    // An identity token is renewed by whoever keeps it: its end is not that of the login.
    if facts.kind != CredentialKind::OauthToken || hint.username().is_some() {
        facts.expires_at = hint.read_secret(end_of);
    }
    Ok(Some(facts))
}

fn named(name: &str, kind: CredentialKind) -> CredentialFacts {
    let facts = CredentialFacts::of_kind(kind);
    if name.is_empty() || is_like_a_secret(name) {
        facts
    } else {
        facts.owned_by(name)
    }
}

/// Some products take the token itself as the user name.
fn is_like_a_secret(name: &str) -> bool {
    let is_plain = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'=');
    (is_plain && name.len() >= TOKEN_BYTES) || payload(name).is_some()
}

/// The second part of three, if the first two are base64url.
fn payload(secret: &str) -> Option<Zeroizing<Vec<u8>>> {
    if secret.len() > SECRET_BYTES {
        return None;
    }
    let mut parts = secret.split('.');
    let (header, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || !header.starts_with("eyJ") {
        return None;
    }
    let claims = BASE64URL_NOPAD.decode(claims.trim_end_matches('=').as_bytes());
    claims.ok().map(Zeroizing::new)
}

/// When a JWT ends, by its own word.
fn end_of(secret: &str) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Claims {
        exp: serde_json::Number,
    }
    let claims: Claims = serde_json::from_slice(&payload(secret)?).ok()?;
    let seconds = claims.exp.as_i64().or_else(|| {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a fraction of a second does not matter, and what is out of range is no time"
        )]
        claims.exp.as_f64().map(|seconds| seconds as i64)
    })?;
    let end = Timestamp::from_second(seconds).ok()?;
    (end > Timestamp::UNIX_EPOCH).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn jwt(claims: &str) -> String {
        let of = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
        format!("{}.{}.c2lnbmVk", of(r#"{"alg":"RS256"}"#), of(claims))
    }

    #[test]
    fn a_jwt_says_when_it_ends_and_nothing_else_does() {
        let end = Timestamp::from_second(1_800_000_000).unwrap();
        for claims in [r#"{"exp":1800000000}"#, r#"{"sub":"x","exp":1800000000.5}"#] {
            assert_eq!(end_of(&jwt(claims)), Some(end), "{claims}");
        }
        for claims in [
            "{}",
            r#"{"exp":"soon"}"#,
            r#"{"exp":0}"#,
            r#"{"exp":1e300}"#,
            "[]",
            "x",
        ] {
            assert_eq!(end_of(&jwt(claims)), None, "{claims}");
        }
        let jwt = jwt(r#"{"exp":1800000000}"#);
        for other in ["password", "a.b.c", "", &format!("{jwt}.x"), &format!("x{jwt}")] {
            assert_eq!(end_of(other), None, "{other}");
        }
        let long = format!(r#"{{"exp":1800000000,"pad":"{}"}}"#, "x".repeat(SECRET_BYTES));
        assert_eq!(end_of(&self::jwt(&long)), None, "longer than is looked at");
    }

    #[test]
    fn a_name_that_may_be_a_secret_is_no_owner() {
        let owner = |name: &str| named(name, CredentialKind::Unknown).owner;
        for name in [
            "jane",
            "robot$acme+scan",
            "00000000-0000-0000-0000-000000000000",
            "AWS",
        ] {
            assert_eq!(owner(name).as_deref(), Some(name));
        }
        let tokens = [
            format!("dop_v1_{}", "0a".repeat(32)),
            format!("ghp_{}", "a".repeat(36)),
            "0123456789".repeat(4),
            jwt(r#"{"exp":1}"#),
            String::new(),
        ];
        for token in tokens {
            assert_eq!(owner(&token), None, "{token}");
        }
    }

    proptest! {
        #[test]
        fn no_secret_panics(secret in "\\PC{0,60}|eyJ[A-Za-z0-9_.-]{0,60}") {
            let _ = (end_of(&secret), is_like_a_secret(&secret));
        }
    }
}
