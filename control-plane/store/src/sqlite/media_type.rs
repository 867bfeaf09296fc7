//! Media types as they are stored. A million tags should not carry a million copies of the same forty letters, so those that
//! manifests mostly have are stored as short words; a word has no slash, a media type always has one.

use portolan_shared::model::MediaType;

use super::columns::Columns;
use crate::StoreError;

/// Never change or reuse a word: it is in databases.
const WORDS: [(&str, MediaType); 7] = [
    ("oci-index", MediaType::OCI_INDEX),
    ("oci", MediaType::OCI_MANIFEST),
    ("docker-list", MediaType::DOCKER_LIST),
    ("docker", MediaType::DOCKER_MANIFEST),
    ("schema1-signed", MediaType::DOCKER_SCHEMA1_SIGNED),
    ("schema1", MediaType::DOCKER_SCHEMA1),
    ("oci-artifact", MediaType::OCI_ARTIFACT_MANIFEST),
];

/// The text to store.
pub(super) fn stored(media_type: &MediaType) -> &str {
    WORDS
        .iter()
        .find(|(_, known)| known == media_type)
        .map_or(media_type.as_str(), |(word, _)| word)
}

/// The media type of a stored text.
pub(super) fn read(text: &str) -> Option<MediaType> {
    match WORDS.iter().find(|(word, _)| *word == text) {
        Some((_, media_type)) => Some(media_type.clone()),
        None if text.contains('/') => text.parse().ok(),
        None => None,
    }
}

/// The media type in a column, if there is one.
pub(super) fn column(columns: &Columns<'_>, column: &'static str) -> Result<Option<MediaType>, StoreError> {
    columns
        .get::<Option<&str>>(column)?
        .map(|text| read(text).ok_or_else(|| columns.corrupt(column)))
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_manifest_type_has_a_word_and_all_come_back() {
        for media_type in MediaType::MANIFESTS {
            assert!(!stored(&media_type).contains('/'), "{media_type}");
            assert_eq!(read(stored(&media_type)), Some(media_type));
        }
        let other: MediaType = "application/x-other+json".parse().unwrap();
        assert_eq!(read(stored(&other)), Some(other));
        assert_eq!(read("no-such-word"), None);
    }
}
