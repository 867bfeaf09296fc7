//! One question to a product's own API, and what is common to the answers.

use portolan_shared::model::{Digest, MediaType};
use serde::de::{Deserialize, DeserializeOwned, Deserializer, IgnoredAny};

use super::rows::read;
use crate::client::{ApiCall, RegistryClient};
use crate::error::{RegistryError, Subject};

/// Bytes of a page of such an answer: refused as too large beyond.
pub(super) const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// Asks, and reads what is answered with success; every other status is an error about `subject`.
pub(super) async fn ask<T: DeserializeOwned>(
    client: &RegistryClient,
    subject: &Subject,
    call: ApiCall<'_>,
) -> Result<T, RegistryError> {
    let reply = client.call(call).await;
    let answer = reply.and_then(|reply| read(&reply));
    answer.map_err(|fault| client.error(subject.clone(), fault))
}

/// A text that may be missing, or be something else: then there is none, and its row is good all the same.
pub(super) fn loose<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Loose {
        Text(String),
        Other(IgnoredAny),
    }
    Ok(match Loose::deserialize(deserializer)? {
        Loose::Text(text) => Some(text),
        Loose::Other(_) => None,
    })
}

/// The media type, if it is one of a manifest: some products say of everything that it is a stream of bytes.
pub(super) fn manifest_type(text: Option<&str>) -> Option<MediaType> {
    let media_type: MediaType = text?.parse().ok()?;
    MediaType::MANIFESTS.contains(&media_type).then_some(media_type)
}

/// The digest of which a product gives the hexadecimal part alone.
pub(super) fn sha256(hex: Option<&str>) -> Option<Digest> {
    format!("sha256:{}", hex?).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Row {
        #[serde(default, deserialize_with = "loose")]
        text: Option<String>,
    }

    #[test]
    fn a_text_of_another_type_is_none() {
        for (row, text) in [
            (r#"{"text":"a"}"#, Some("a")),
            (r#"{"text":null}"#, None),
            (r#"{"text":{"a":[1]}}"#, None),
            (r#"{"text":1.5}"#, None),
            ("{}", None),
        ] {
            let read: Row = serde_json::from_str(row).unwrap();
            assert_eq!(read.text.as_deref(), text, "{row}");
        }
    }

    #[test]
    fn only_types_of_manifests_and_whole_digests_count() {
        assert_eq!(
            manifest_type(Some("application/vnd.oci.image.index.v1+json")),
            Some(MediaType::OCI_INDEX)
        );
        for none in [None, Some("application/octet-stream"), Some("")] {
            assert_eq!(manifest_type(none), None);
        }
        assert!(sha256(Some(&"a".repeat(64))).is_some());
        for none in [None, Some(""), Some("abc"), Some("sha256:")] {
            assert_eq!(sha256(none), None);
        }
    }
}
