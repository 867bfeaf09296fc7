//! The enrolment token: one printable string that takes a machine to its control plane, and nowhere else.
//!
//! `ptl1_` + base64url(payload) + `_` + six base32 characters that check everything before them. The prefix lets secret scanners find
//! it, the check characters catch a truncated paste before anything is sent. There is no form without pins.

use std::fmt;

use aws_lc_rs::digest;
use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use jiff::Timestamp;

use super::SecretBytes;
use crate::model::InvitationId;
use crate::tls::SpkiPin;

/// What an enrolment token says.
#[derive(Clone)]
pub struct EnrolmentToken {
    /// Where the control plane listens for sensors: `https://host[:port]`.
    pub url: String,
    /// Hashes of the keys of acceptable server roots, 1 to 4.
    pub pins: Vec<SpkiPin>,
    /// The public part.
    pub invitation: InvitationId,
    /// The secret part, 32 bytes.
    pub secret: SecretBytes,
    /// When it ends, as its maker says; the control plane decides.
    pub expires_at: Timestamp,
}

/// Why a text is not an enrolment token. Never carries the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnrolmentTokenError {
    /// Something else.
    #[error("this is not an enrolment token: one begins with ptl1_; make one with `portolan sensor invite`")]
    Prefix,
    /// Part of it is missing or mistyped.
    #[error(
        "the enrolment token is damaged or was cut off: its check characters do not match; copy the whole line again"
    )]
    Checksum,
    /// The checksum is right and the rest is not.
    #[error("the enrolment token is of a form that this version does not know; upgrade the agent")]
    Payload,
}

const PREFIX: &str = "ptl1_";
const VERSION: u8 = 1;
const MAX_URL: usize = 255;
const MAX_PINS: usize = 4;
const CHECK: usize = 6;

impl EnrolmentToken {
    /// The token as one line.
    #[must_use]
    pub fn encode(&self) -> super::Secret {
        let mut payload = vec![VERSION];
        payload.extend_from_slice(self.invitation.as_bytes());
        payload.extend_from_slice(self.secret.expose());
        payload.extend_from_slice(&self.expires_at.as_second().to_be_bytes());
        payload.push(u8::try_from(self.pins.len()).unwrap_or(u8::MAX));
        for pin in &self.pins {
            payload.extend_from_slice(&pin.0);
        }
        payload.extend_from_slice(self.url.as_bytes());
        let body = format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&payload));
        let check = check(&body);
        super::Secret::new(format!("{body}_{check}"))
    }

    /// Reads a token. White space around it is ignored.
    pub fn parse(text: &str) -> Result<Self, EnrolmentTokenError> {
        let text = text.trim();
        if !text.starts_with(PREFIX) {
            return Err(EnrolmentTokenError::Prefix);
        }
        let at = text
            .len()
            .checked_sub(CHECK + 1)
            .ok_or(EnrolmentTokenError::Checksum)?;
        if !text.is_ascii() || text.as_bytes()[at] != b'_' || check(&text[..at]) != text[at + 1..] {
            return Err(EnrolmentTokenError::Checksum);
        }
        let body = text.get(PREFIX.len()..at).ok_or(EnrolmentTokenError::Checksum)?;
        let payload = BASE64URL_NOPAD
            .decode(body.as_bytes())
            .map_err(|_| EnrolmentTokenError::Payload)?;
        Self::from_payload(&payload).ok_or(EnrolmentTokenError::Payload)
    }

    fn from_payload(payload: &[u8]) -> Option<Self> {
        let (version, rest) = payload.split_first()?;
        if *version != VERSION {
            return None;
        }
        let (invitation, rest) = rest.split_at_checked(16)?;
        let (secret, rest) = rest.split_at_checked(32)?;
        let (expires_at, rest) = rest.split_at_checked(8)?;
        let (count, rest) = rest.split_first()?;
        let count = usize::from(*count);
        if count == 0 || count > MAX_PINS {
            return None;
        }
        let (pins, url) = rest.split_at_checked(32 * count)?;
        let url = std::str::from_utf8(url).ok().filter(|url| is_plain_origin(url))?;
        Some(Self {
            url: url.to_owned(),
            pins: pins
                .chunks_exact(32)
                .filter_map(|pin| pin.try_into().ok().map(SpkiPin))
                .collect(),
            invitation: InvitationId::from_slice(invitation).ok()?,
            secret: SecretBytes::new(secret.to_vec()),
            expires_at: Timestamp::from_second(i64::from_be_bytes(expires_at.try_into().ok()?)).ok()?,
        })
    }
}

/// `https://host[:port]` and nothing else.
fn is_plain_origin(text: &str) -> bool {
    text.len() <= MAX_URL
        && url::Url::parse(text).is_ok_and(|url| {
            url.scheme() == "https"
                && url.host_str().is_some_and(|host| !host.is_empty())
                && url.username().is_empty()
                && url.password().is_none()
                && url.path() == "/"
                && url.query().is_none()
                && url.fragment().is_none()
        })
}

fn check(body: &str) -> String {
    let hash = digest::digest(&digest::SHA256, body.as_bytes());
    BASE32_NOPAD.encode(&hash.as_ref()[..4]).to_ascii_lowercase()[..CHECK].to_owned()
}

impl fmt::Debug for EnrolmentToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnrolmentToken")
            .field("url", &self.url)
            .field("invitation", &self.invitation)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::SeededRng;
    use proptest::prelude::*;

    fn token() -> EnrolmentToken {
        EnrolmentToken {
            url: "https://portolan.example.com:7443".into(),
            pins: vec![SpkiPin([7; 32])],
            invitation: InvitationId::random(&SeededRng::new(1)),
            secret: SecretBytes::new(vec![9; 32]),
            expires_at: Timestamp::from_second(1_800_000_000).unwrap(),
        }
    }

    #[test]
    fn round_trips_and_fits_on_a_line() {
        let text = token().encode();
        let read = EnrolmentToken::parse(&format!("  {}\n", text.expose())).unwrap();
        assert_eq!((read.url, read.pins), (token().url, token().pins));
        assert_eq!(read.secret.expose(), [9; 32]);
        assert!(
            (150..400).contains(&text.expose().len()),
            "{}",
            text.expose().len()
        );
        assert!(!format!("{:?}", token()).contains("CQkJ"));
    }

    #[test]
    fn every_truncation_and_every_changed_character_is_noticed() {
        let text = token().encode();
        let text = text.expose();
        for end in 0..text.len() {
            assert!(EnrolmentToken::parse(&text[..end]).is_err(), "cut at {end}");
        }
        for at in 0..text.len() {
            let mut changed = text.as_bytes().to_vec();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert!(
                EnrolmentToken::parse(std::str::from_utf8(&changed).unwrap()).is_err(),
                "changed at {at}"
            );
        }
        assert_eq!(
            EnrolmentToken::parse("glpat-x").unwrap_err(),
            EnrolmentTokenError::Prefix
        );
    }

    #[test]
    fn refuses_other_urls() {
        for bad in [
            "http://h",
            "https://u@h",
            "https://h/path",
            "https://h?x",
            "https://",
            "h",
        ] {
            let other = EnrolmentToken {
                url: bad.into(),
                ..token()
            };
            assert_eq!(
                EnrolmentToken::parse(other.encode().expose()).unwrap_err(),
                EnrolmentTokenError::Payload,
                "{bad}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_input_panics(text in "(ptl1_)?\\PC{0,200}") {
            let _ = EnrolmentToken::parse(&text);
        }
    }
}
