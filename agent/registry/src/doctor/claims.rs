//! What a token says of itself, for display only: its signature is the registry's to check.

use http::HeaderValue;
use portolan_shared::model::printable;
use serde::Deserialize;

/// Bytes of a token that are looked at.
const TOKEN_BYTES: usize = 64 * 1024;
/// Rights that are looked at.
const ENTRIES: usize = 64;
/// Bytes of a name that is shown.
const TEXT: usize = 200;

/// What a JWT (RFC 7519) of Docker's token specification claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claims {
    /// Whom it was issued to.
    pub(super) subject: Option<String>,
    /// What kind of credential it was issued for, where the product says so (GitLab).
    pub(super) auth_type: Option<String>,
    /// How long it lives, in seconds.
    pub(super) life: Option<i64>,
    /// What it grants, printable.
    pub(super) access: Vec<Granted>,
}

/// One right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Granted {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) actions: Vec<String>,
}

#[derive(Deserialize)]
struct Wire {
    sub: Option<String>,
    auth_type: Option<String>,
    iat: Option<f64>,
    nbf: Option<f64>,
    exp: Option<f64>,
    access: Option<Vec<WireAccess>>,
}

#[derive(Deserialize)]
struct WireAccess {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    name: String,
    actions: Option<Vec<String>>,
}

impl Claims {
    /// Reads the token of an `Authorization: Bearer` header. `None` for a token that only its issuer can read.
    pub(super) fn of(authorization: &HeaderValue) -> Option<Self> {
        let text = authorization.to_str().ok()?;
        let token = text
            .strip_prefix("Bearer ")
            .filter(|token| token.len() <= TOKEN_BYTES)?;
        let payload = token.split('.').nth(1)?.trim_end_matches('=');
        let bytes = data_encoding::BASE64URL_NOPAD.decode(payload.as_bytes()).ok()?;
        let wire: Wire = serde_json::from_slice(&bytes).ok()?;
        let begin = wire.iat.or(wire.nbf);
        let life = begin.zip(wire.exp).map(|(begin, end)| end - begin);
        let shown = |text: &str| printable(text, TEXT);
        let access = wire.access.unwrap_or_default();
        Some(Self {
            subject: wire.sub.as_deref().filter(|sub| !sub.is_empty()).map(shown),
            auth_type: wire.auth_type.as_deref().map(shown),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "in range, and a fraction of a second does not matter"
            )]
            life: life
                .filter(|life| (0.0..1e9).contains(life))
                .map(|life| life as i64),
            access: access
                .iter()
                .take(ENTRIES)
                .map(|entry| Granted {
                    kind: shown(&entry.kind),
                    name: shown(&entry.name),
                    actions: entry
                        .actions
                        .iter()
                        .flatten()
                        .take(8)
                        .map(|action| shown(action))
                        .collect(),
                })
                .collect(),
        })
    }

    /// Whether it grants `action` on this.
    pub(super) fn grants(&self, kind: &str, name: &str, action: &str) -> bool {
        self.access.iter().any(|granted| {
            granted.kind == kind
                && granted.name == name
                && granted.actions.iter().any(|one| one == action || one == "*")
        })
    }

    /// The actions that it grants on this, for people.
    pub(super) fn actions_on(&self, kind: &str, name: &str) -> String {
        let actions: Vec<&str> = self
            .access
            .iter()
            .filter(|granted| granted.kind == kind && granted.name == name)
            .flat_map(|granted| granted.actions.iter().map(String::as_str))
            .collect();
        if actions.is_empty() {
            "nothing".to_owned()
        } else {
            actions.join(", ")
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(claims: &str) -> HeaderValue {
        let payload = data_encoding::BASE64URL_NOPAD.encode(claims.as_bytes());
        HeaderValue::try_from(format!("Bearer e30.{payload}.sig")).unwrap()
    }

    #[test]
    fn reads_what_gitlab_says() {
        let claims = Claims::of(&header(
            r#"{"sub":"ci-reader","iat":1767323045,"exp":1767323345,"auth_type":"personal_access_token",
               "access":[{"type":"repository","name":"acme/shop/api","actions":["pull"],"meta":{"project_id":42}},{"type":"registry"}]}"#,
        ))
        .unwrap();
        assert_eq!(
            (claims.life, claims.subject.as_deref()),
            (Some(300), Some("ci-reader"))
        );
        assert!(claims.grants("repository", "acme/shop/api", "pull"));
        assert!(!claims.grants("repository", "acme/shop", "pull"));
        assert_eq!(claims.actions_on("repository", "acme/shop/api"), "pull");
        assert_eq!(claims.actions_on("registry", "catalog"), "nothing");
        let anonymous = Claims::of(&header(r#"{"sub":null,"access":null}"#)).unwrap();
        assert_eq!(
            (anonymous.subject, anonymous.access.len(), anonymous.life),
            (None, 0, None)
        );
    }

    #[test]
    fn what_is_no_such_token_says_nothing() {
        for opaque in [
            "Bearer opaque",
            "Bearer a.b.c",
            "Basic YTpi",
            "Bearer e30.bnVsbA.s",
        ] {
            assert_eq!(Claims::of(&HeaderValue::from_static(opaque)), None, "{opaque}");
        }
        let long = format!("Bearer e30.{}.s", "a".repeat(TOKEN_BYTES));
        assert_eq!(Claims::of(&HeaderValue::try_from(long).unwrap()), None);
    }

    #[test]
    fn nothing_of_it_reaches_a_terminal_unchecked() {
        let entries = vec![r#"{"type":"repository","name":"a\u001b[2Jb","actions":["pull"]}"#; ENTRIES + 1];
        let claims = Claims::of(&header(&format!(r#"{{"access":[{}]}}"#, entries.join(",")))).unwrap();
        assert_eq!(claims.access.len(), ENTRIES);
        assert!(!claims.access[0].name.contains('\u{1b}'));
    }

    proptest! {
        #[test]
        fn no_token_panics(claims in "\\PC{0,100}|\\{\"exp\":-?[0-9]{1,40},\"iat\":[0-9]{1,40}\\}") {
            let _ = Claims::of(&header(&claims));
        }
    }
}
