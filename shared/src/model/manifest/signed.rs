//! Signed manifests of schema 1, whose digest is not that of what a registry serves.

use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;

/// A manifest with JSON web signatures within (Docker image manifest version 2, schema 1; libtrust's "pretty" form).
#[derive(Deserialize)]
struct Signed {
    signatures: Vec<Signature>,
}

#[derive(Deserialize)]
struct Signature {
    protected: String,
}

#[derive(Deserialize)]
struct Protected {
    #[serde(rename = "formatLength")]
    length: usize,
    #[serde(rename = "formatTail")]
    tail: String,
}

fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64URL_NOPAD.decode(text.trim_end_matches('=').as_bytes()).ok()
}

/// The payload of a signed manifest of schema 1, which is what its digest is of: its first bytes, as many as the first signature's
/// protected header says, and the tail that stands there. `None` if it is no such manifest.
///
/// The signatures are not checked: whoever compares the payload with a digest has all that a manifest needs, and must then use the payload
/// alone, because nothing vouches for the rest.
#[must_use]
pub fn signed_payload(served: &[u8]) -> Option<Vec<u8>> {
    let signed: Signed = serde_json::from_slice(served).ok()?;
    let header = decode(&signed.signatures.first()?.protected)?;
    let Protected { length, tail } = serde_json::from_slice(&header).ok()?;
    let mut payload = served.get(..length)?.to_vec();
    payload.extend_from_slice(&decode(&tail)?);
    Some(payload)
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64URL_NOPAD;
    use proptest::prelude::*;

    use super::*;
    use crate::model::manifest::{ArtifactKind, Manifest};
    use crate::model::{Digest, MediaType};

    const PAYLOAD: &str = r#"{
   "schemaVersion": 1,
   "name": "library/hello",
   "tag": "latest",
   "architecture": "amd64",
   "fsLayers": [
      {
         "blobSum": "sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4"
      }
   ],
   "history": [
      {
         "v1Compatibility": "{\"id\":\"1\",\"os\":\"linux\",\"architecture\":\"amd64\"}"
      }
   ]
}"#;

    /// As Docker signs: the signatures are put in before the closing brace, which becomes the tail.
    fn signed(payload: &str, length: usize, tail: &str) -> String {
        let header = format!(
            r#"{{"formatLength":{length},"formatTail":"{}","time":"2015-09-16T22:19:26Z"}}"#,
            BASE64URL_NOPAD.encode(tail.as_bytes())
        );
        let protected = BASE64URL_NOPAD.encode(header.as_bytes());
        let body = payload.strip_suffix("\n}").unwrap();
        format!(
            "{body},\n   \"signatures\": [\n      {{\n         \"header\": {{\"alg\": \"ES256\"}},\n         \"signature\": \"c2ln\",\n         \"protected\": \"{protected}\"\n      }}\n   ]\n}}"
        )
    }

    #[test]
    fn the_digest_is_that_of_the_payload() {
        let served = signed(PAYLOAD, PAYLOAD.len() - 2, "\n}");
        let digest = Digest::sha256_of(PAYLOAD.as_bytes());
        assert!(digest.verify(served.as_bytes()).is_err());
        let payload = signed_payload(served.as_bytes()).unwrap();
        assert_eq!(digest.verify(&payload), Ok(()));
        let manifest = Manifest::parse(&payload, Some(&MediaType::DOCKER_SCHEMA1_SIGNED)).unwrap();
        assert_eq!(manifest.kind, ArtifactKind::DockerSchema1);
        assert_eq!(manifest.layers.len(), 1);
    }

    #[test]
    fn what_is_not_signed_or_lies_about_its_length_has_no_payload() {
        let too_long = signed(PAYLOAD, usize::MAX, "\n}");
        for served in [
            PAYLOAD,
            "",
            "[]",
            r#"{"signatures":[]}"#,
            r#"{"signatures":[{"protected":"%"}]}"#,
            &too_long,
        ] {
            assert_eq!(signed_payload(served.as_bytes()), None, "{served}");
        }
    }

    #[test]
    fn a_length_or_tail_that_was_changed_does_not_give_the_digest() {
        let digest = Digest::sha256_of(PAYLOAD.as_bytes());
        for (length, tail) in [(PAYLOAD.len() - 3, "\n}"), (PAYLOAD.len() - 2, ",\"x\":1\n}")] {
            let payload = signed_payload(signed(PAYLOAD, length, tail).as_bytes()).unwrap();
            assert!(digest.verify(&payload).is_err());
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, length: usize, tail in "\\PC{0,9}") {
            let _ = signed_payload(&bytes);
            let _ = signed_payload(signed(PAYLOAD, length, &tail).as_bytes());
        }
    }
}
