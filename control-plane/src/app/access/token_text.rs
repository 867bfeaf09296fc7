//! The text of an API token: `ptl_api_` + base64url(id, secret) + `_` + six base32 characters that check everything before them.
//!
//! The prefix lets secret scanners find tokens in places where none should be; the check characters tell a damaged paste from a
//! revoked token before anything is looked up.

use aws_lc_rs::digest;
use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use portolan_shared::model::ApiTokenId;
use portolan_shared::secret::{Secret, SecretBytes};

const PREFIX: &str = "ptl_api_";
const SECRET: usize = 32;
const CHECK: usize = 6;
/// `PREFIX`, 48 bytes in base64, an underscore, the check characters.
const LENGTH: usize = PREFIX.len() + 64 + 1 + CHECK;

/// An API token in its parts.
#[derive(Debug, Clone)]
pub struct ApiTokenText {
    /// The public part.
    pub id: ApiTokenId,
    /// The secret part, 32 bytes.
    pub secret: SecretBytes,
}

impl ApiTokenText {
    /// The token as one line.
    #[must_use]
    pub fn encode(&self) -> Secret {
        let mut payload = self.id.as_bytes().to_vec();
        payload.extend_from_slice(self.secret.expose());
        let payload = SecretBytes::new(payload);
        let body = format!("{PREFIX}{}", BASE64URL_NOPAD.encode(payload.expose()));
        let check = check(&body);
        Secret::new(format!("{body}_{check}"))
    }

    /// Reads a token; `None` if the text is not one, whatever the reason.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != LENGTH || !text.is_ascii() {
            return None;
        }
        let (body, checked) = split_at_check(text)?;
        if check(body) != checked {
            return None;
        }
        let payload = BASE64URL_NOPAD
            .decode(body.strip_prefix(PREFIX)?.as_bytes())
            .ok()?;
        let payload = SecretBytes::new(payload);
        let (id, secret) = payload.expose().split_at_checked(16)?;
        if secret.len() != SECRET {
            return None;
        }
        Some(Self {
            id: ApiTokenId::from_slice(id).ok()?,
            secret: SecretBytes::new(secret.to_vec()),
        })
    }
}

/// What is checked, and the check characters; the separator is in neither. Not a search for `_`, which base64url uses too.
fn split_at_check(text: &str) -> Option<(&str, &str)> {
    let (body, rest) = text.split_at_checked(text.len().checked_sub(CHECK + 1)?)?;
    Some((body, rest.strip_prefix('_')?))
}

fn check(body: &str) -> String {
    let hash = digest::digest(&digest::SHA256, body.as_bytes());
    BASE32_NOPAD.encode(&hash.as_ref()[..4]).to_ascii_lowercase()[..CHECK].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::process::SeededRng;
    use proptest::prelude::*;

    fn token() -> ApiTokenText {
        ApiTokenText {
            id: ApiTokenId::random(&SeededRng::new(3)),
            secret: SecretBytes::new(vec![0xfb; SECRET]),
        }
    }

    #[test]
    fn round_trips_and_never_prints() {
        let text = token().encode();
        assert_eq!(text.expose().len(), LENGTH);
        let read = ApiTokenText::parse(text.expose()).unwrap();
        assert_eq!(read.id, token().id);
        assert_eq!(read.secret.expose(), token().secret.expose());
        assert!(format!("{:?}", token()).contains("[secret]"));
    }

    #[test]
    fn every_truncation_and_every_changed_character_is_noticed() {
        let text = token().encode();
        let text = text.expose();
        for end in 0..text.len() {
            assert!(ApiTokenText::parse(&text[..end]).is_none(), "cut at {end}");
        }
        for at in 0..text.len() {
            let mut changed = text.as_bytes().to_vec();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = std::str::from_utf8(&changed).unwrap();
            assert!(ApiTokenText::parse(changed).is_none(), "changed at {at}");
        }
    }

    proptest! {
        #[test]
        fn no_input_panics(text in "(ptl_api_)?\\PC{0,90}") {
            let _ = ApiTokenText::parse(&text);
        }
    }
}
