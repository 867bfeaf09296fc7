//! What a token service answers, and how long that is good for.

use std::time::Duration;

use http::HeaderValue;
use serde::Deserialize;
use serde_json::Value;

/// Life of a token whose service does not say: the shortest that Docker's token specification allows.
const DEFAULT_LIFE: Duration = Duration::from_secs(60);
/// No token is believed to live longer.
const LONGEST_LIFE: Duration = Duration::from_secs(12 * 3600);
/// Bytes of a token: refused above, because front ends refuse such headers too.
const TOKEN_BYTES: usize = 64 * 1024;

/// A token as it is sent, and its life from the moment of receipt.
#[derive(Debug)]
pub(super) struct Issued {
    pub(super) header: HeaderValue,
    pub(super) life: Duration,
}

#[derive(Deserialize)]
struct Wire {
    token: Option<Value>,
    access_token: Option<Value>,
    expires_in: Option<Value>,
}

/// Reads the answer of a token service.
///
/// The life is the span between the JWT's own `iat` and `exp` where they can be read (GitLab says nothing else), so that a wrong clock on
/// either side does not matter; else `expires_in`, at least 60 s; else 60 s. Whether the token is genuine is the registry's to judge.
pub(super) fn read(body: &[u8]) -> Result<Issued, &'static str> {
    let wire: Wire = serde_json::from_slice(body)
        .map_err(|_| "the token service's answer is not JSON: often a login page")?;
    let text = |value: &Option<Value>| {
        Some(value.as_ref()?.as_str()?.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let token = text(&wire.token)
        .or_else(|| text(&wire.access_token))
        .ok_or("the token service's answer holds no token")?;
    if token.len() > TOKEN_BYTES {
        return Err("the token service's token is too long");
    }
    let life = jwt_life(&token).unwrap_or_else(|| {
        let said = wire.expires_in.as_ref().and_then(seconds);
        said.map_or(DEFAULT_LIFE, |said| said.max(DEFAULT_LIFE))
    });
    let mut header = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|_| "the token service's token holds characters that cannot be sent")?;
    header.set_sensitive(true);
    Ok(Issued {
        header,
        life: life.min(LONGEST_LIFE),
    })
}

/// Seconds as a number, or as a number in a string.
fn seconds(value: &Value) -> Option<Duration> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    (0.0..1e9)
        .contains(&number)
        .then(|| Duration::from_secs_f64(number))
}

/// The life that a JWT (RFC 7519) claims. Nothing but timing is taken from it, so its signature does not matter.
fn jwt_life(token: &str) -> Option<Duration> {
    #[derive(Deserialize)]
    struct Claims {
        exp: Value,
        iat: Option<Value>,
        nbf: Option<Value>,
    }
    let payload = token.split('.').nth(1)?.trim_end_matches('=');
    let bytes = data_encoding::BASE64URL_NOPAD.decode(payload.as_bytes()).ok()?;
    let claims: Claims = serde_json::from_slice(&bytes).ok()?;
    let start = claims
        .iat
        .as_ref()
        .or(claims.nbf.as_ref())
        .and_then(Value::as_f64)?;
    let life = claims.exp.as_f64()? - start;
    (0.0..1e9).contains(&life).then(|| Duration::from_secs_f64(life))
}

/// After which part of its life a token is renewed: at four fifths, or half a minute before the end, whichever comes first, but not in
/// its first half.
pub(super) fn renew_after(life: Duration) -> Duration {
    let margin = life.saturating_sub(Duration::from_secs(30)).max(life / 2);
    (life * 4 / 5).min(margin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn life(json: &str) -> Result<u64, &'static str> {
        read(json.as_bytes()).map(|issued| issued.life.as_secs())
    }

    fn jwt(claims: &str) -> String {
        let encode = |text: &str| data_encoding::BASE64URL_NOPAD.encode(text.as_bytes());
        format!("{}.{}.sig", encode(r#"{"alg":"RS256"}"#), encode(claims))
    }

    #[test]
    fn reads_every_form_of_answer() {
        assert_eq!(life(r#"{"token":"a"}"#), Ok(60));
        assert_eq!(life(r#"{"access_token":"a","expires_in":300}"#), Ok(300));
        assert_eq!(
            life(r#"{"token":"","access_token":"a","expires_in":"300"}"#),
            Ok(300)
        );
        assert_eq!(
            life(r#"{"token":"a","access_token":"a","expires_in":0}"#),
            Ok(60),
            "less than the least"
        );
        assert_eq!(
            life(r#"{"token":"a","expires_in":-1,"issued_at":"nonsense","more":[]}"#),
            Ok(60)
        );
        assert_eq!(life(r#"{"token":"a","expires_in":1e8}"#), Ok(12 * 3600));
        assert_eq!(read(br#"{"token":"abc"}"#).unwrap().header, "Bearer abc");
        for bad in [
            "<html>",
            "{}",
            r#"{"token":7}"#,
            r#"{"token":" "}"#,
            r#"{"token":"a\nb"}"#,
            "[]",
            "",
        ] {
            assert!(life(bad).is_err(), "{bad}");
        }
        let long = format!(r#"{{"token":"{}"}}"#, "a".repeat(TOKEN_BYTES + 1));
        assert!(life(&long).is_err());
    }

    #[test]
    fn a_jwt_tells_its_life_whatever_the_clock() {
        let token = |claims| format!(r#"{{"token":"{}","expires_in":3600}}"#, jwt(claims));
        assert_eq!(life(&token(r#"{"iat":1000,"exp":1005}"#)), Ok(5));
        assert_eq!(life(&token(r#"{"nbf":1000,"exp":1300}"#)), Ok(300));
        assert_eq!(life(&token(r#"{"exp":1300}"#)), Ok(3600), "no span to be had");
        assert_eq!(
            life(&token(r#"{"iat":2000,"exp":1000}"#)),
            Ok(3600),
            "ends before it begins"
        );
        let debug = format!("{:?}", read(token("{}").as_bytes()).unwrap());
        assert!(debug.contains("Sensitive"), "a token is never printed: {debug}");
    }

    #[test]
    fn renewal_comes_ahead_of_the_end() {
        let after = |seconds| renew_after(Duration::from_secs(seconds)).as_secs_f64();
        assert_eq!(
            (after(300), after(100), after(60), after(5)),
            (240.0, 70.0, 30.0, 2.5)
        );
    }

    proptest! {
        #[test]
        fn no_answer_panics(text in "\\PC{0,80}", claims in "\\PC{0,80}") {
            let _ = read(text.as_bytes());
            let _ = life(&format!(r#"{{"token":"{}"}}"#, jwt(&claims)));
        }
    }
}
