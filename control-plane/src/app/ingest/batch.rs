//! A batch of content as it streams in, and its verification.

use bytes::Bytes;
use portolan_shared::model::manifest::{ChildRole, ImageFacts, Manifest};
use portolan_shared::model::{ContentKind, Digest, FindingCode, MediaType, limits};
use portolan_store::{Content, ManifestContent};

/// Items in one batch: refused above.
pub(super) const ITEMS: usize = 16_384;

/// An item of content, or a part of one.
#[derive(Debug, Clone)]
pub struct Part {
    /// Of which kind.
    pub kind: ContentKind,
    /// Its digest.
    pub digest: Digest,
    /// What the registry served it as.
    pub media_type: Option<MediaType>,
    /// Bytes of the whole content, or of the config blob that facts are of.
    pub size: u64,
    /// The content, or the next part of it.
    pub content: Bytes,
    /// Something below it could not be read.
    pub incomplete: bool,
    /// Why there is no content.
    pub unavailable: Option<FindingCode>,
}

/// Why a batch was refused. Nothing of it was stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// More bytes than a batch may have.
    #[error("the batch has more than {} bytes of content", limits::BATCH_BYTES)]
    TooLarge,
    /// More items than a batch may have.
    #[error("the batch has more than {ITEMS} items")]
    TooMany,
    /// One item is larger than its kind may be.
    #[error("{0} is larger than content of its kind may be; report it as unavailable")]
    ItemTooLarge(Digest),
    /// An item that was begun does not go on.
    #[error("{0} is not whole")]
    Unfinished(Digest),
    /// An item without content has some.
    #[error("{0} is unavailable and has content")]
    Contradiction(Digest),
    /// Content that does not hash to its digest, or whose digest cannot be computed.
    #[error("{0} is not the digest of its content")]
    Mismatch(Digest),
    /// Facts that are not of the form of facts.
    #[error("the facts of {0} are not image facts")]
    Facts(Digest),
}

/// The items so far.
#[derive(Debug, Default)]
pub struct Batch {
    items: Vec<Item>,
    bytes: usize,
}

#[derive(Debug)]
struct Item {
    kind: ContentKind,
    digest: Digest,
    media_type: Option<MediaType>,
    size: u64,
    content: Vec<u8>,
    incomplete: bool,
    unavailable: Option<FindingCode>,
}

impl Item {
    /// Whether more of it must come. Only manifests are long enough to be split.
    fn is_open(&self) -> bool {
        self.kind == ContentKind::Manifest
            && self.unavailable.is_none()
            && (self.content.len() as u64) < self.size
    }
}

impl Batch {
    /// No items.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes of content so far.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds an item, or goes on with the one before.
    pub fn push(&mut self, part: Part) -> Result<(), BatchError> {
        self.bytes += part.content.len();
        if self.bytes > limits::BATCH_BYTES {
            return Err(BatchError::TooLarge);
        }
        let bound = match part.kind {
            ContentKind::Manifest => limits::MANIFEST_BYTES,
            ContentKind::ImageFacts => limits::IMAGE_FACTS_BYTES,
        };
        if let Some(open) = self.items.last_mut().filter(|item| item.is_open()) {
            if (open.kind, &open.digest) != (part.kind, &part.digest) || part.unavailable.is_some() {
                return Err(BatchError::Unfinished(open.digest.clone()));
            }
            open.content.extend_from_slice(&part.content);
            open.incomplete |= part.incomplete;
            return if open.content.len() as u64 > open.size {
                Err(BatchError::Mismatch(part.digest))
            } else {
                Ok(())
            };
        }
        if part.unavailable.is_some() && !part.content.is_empty() {
            return Err(BatchError::Contradiction(part.digest));
        }
        let announced = part.kind == ContentKind::Manifest && part.size > bound as u64;
        if part.content.len() > bound || (announced && part.unavailable.is_none()) {
            return Err(BatchError::ItemTooLarge(part.digest));
        }
        if self.items.len() == ITEMS {
            return Err(BatchError::TooMany);
        }
        self.items.push(Item {
            kind: part.kind,
            digest: part.digest,
            media_type: part.media_type,
            size: part.size,
            content: part.content.to_vec(),
            incomplete: part.incomplete,
            unavailable: part.unavailable,
        });
        Ok(())
    }

    /// Verifies and reads every item. Takes about a millisecond a mebibyte.
    pub fn verify(self) -> Result<Vec<Content>, BatchError> {
        if let Some(open) = self.items.last().filter(|item| item.is_open()) {
            return Err(BatchError::Unfinished(open.digest.clone()));
        }
        self.items.into_iter().map(Item::verify).collect()
    }
}

impl Item {
    fn verify(self) -> Result<Content, BatchError> {
        if let Some(code) = self.unavailable {
            return Ok(Content::Unavailable {
                kind: self.kind,
                digest: self.digest,
                size: self.size,
                media_type: self.media_type,
                code,
            });
        }
        match self.kind {
            ContentKind::Manifest => self.verify_manifest(),
            ContentKind::ImageFacts => match serde_json::from_slice::<ImageFacts>(&self.content) {
                Ok(facts) => Ok(Content::ImageFacts {
                    json: facts.to_json(),
                    digest: self.digest,
                    size: self.size,
                }),
                Err(_) => Err(BatchError::Facts(self.digest)),
            },
        }
    }

    fn verify_manifest(self) -> Result<Content, BatchError> {
        if self.digest.verify(&self.content).is_err() {
            return Err(BatchError::Mismatch(self.digest));
        }
        let Ok(manifest) = Manifest::parse(&self.content, self.media_type.as_ref()) else {
            return Ok(Content::Unavailable {
                kind: ContentKind::Manifest,
                size: self.content.len() as u64,
                digest: self.digest,
                media_type: self.media_type,
                code: FindingCode::ManifestMalformed,
            });
        };
        Ok(Content::Manifest(Box::new(ManifestContent {
            digest: self.digest,
            content_size: manifest.content_size(),
            kind: manifest.kind,
            artifact_type: manifest.artifact_type,
            bytes: self.content,
            config: manifest
                .config
                .filter(|config| config.media_type.is_image_config())
                .map(|config| config.digest),
            children: manifest
                .children
                .into_iter()
                .filter(|child| child.role != ChildRole::CacheLayer)
                .map(|child| (child.descriptor.digest, child.role))
                .collect(),
            subject: manifest.subject.map(|subject| subject.digest),
            incomplete: self.incomplete,
            media_type: manifest.media_type,
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EMPTY_IMAGE: &[u8] = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}"#;

    fn manifest(content: &[u8]) -> Part {
        Part {
            kind: ContentKind::Manifest,
            digest: Digest::sha256_of(content),
            media_type: None,
            size: content.len() as u64,
            content: Bytes::copy_from_slice(content),
            incomplete: false,
            unavailable: None,
        }
    }

    fn facts(json: &[u8]) -> Part {
        Part {
            kind: ContentKind::ImageFacts,
            ..manifest(json)
        }
    }

    #[test]
    fn t29_content_that_does_not_hash_to_its_digest_is_refused_by_name() {
        let mut batch = Batch::new();
        batch.push(manifest(EMPTY_IMAGE)).unwrap();
        let wrong = Digest::sha256_of(b"something else");
        batch
            .push(Part {
                digest: wrong.clone(),
                ..manifest(EMPTY_IMAGE)
            })
            .unwrap();
        assert_eq!(batch.verify().unwrap_err(), BatchError::Mismatch(wrong));
    }

    #[test]
    fn malformed_manifests_are_recorded_without_their_bytes() {
        let mut batch = Batch::new();
        batch.push(manifest(b"[]")).unwrap();
        match batch.verify().unwrap().as_slice() {
            [Content::Unavailable { code, size: 2, .. }] => assert_eq!(*code, FindingCode::ManifestMalformed),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn facts_are_written_anew() {
        let mut batch = Batch::new();
        batch
            .push(facts(
                br#"{"user":"app","environment":["PATH"],"Env":["SECRET=hunter2"]}"#,
            ))
            .unwrap();
        match batch.verify().unwrap().as_slice() {
            [Content::ImageFacts { json, .. }] => {
                let text = String::from_utf8(json.clone()).unwrap();
                assert!(text.contains("app") && !text.contains("hunter2"), "{text}");
            }
            other => panic!("{other:?}"),
        }
        let mut batch = Batch::new();
        batch.push(facts(b"7")).unwrap();
        assert!(matches!(batch.verify().unwrap_err(), BatchError::Facts(_)));
    }

    #[test]
    fn bounds_hold_at_the_bound_and_refuse_above() {
        let whole = vec![b' '; limits::MANIFEST_BYTES];
        let mut batch = Batch::new();
        batch.push(manifest(&whole)).unwrap();
        batch.push(manifest(&whole)).unwrap();
        assert_eq!(batch.bytes(), limits::BATCH_BYTES);
        assert_eq!(batch.push(manifest(b"x")).unwrap_err(), BatchError::TooLarge);

        let above = vec![b' '; limits::MANIFEST_BYTES + 1];
        assert!(matches!(
            Batch::new().push(manifest(&above)).unwrap_err(),
            BatchError::ItemTooLarge(_)
        ));
        let above = vec![b' '; limits::IMAGE_FACTS_BYTES + 1];
        assert!(matches!(
            Batch::new().push(facts(&above)).unwrap_err(),
            BatchError::ItemTooLarge(_)
        ));
        let mut batch = Batch::new();
        for _ in 0..ITEMS {
            batch.push(manifest(b"")).unwrap();
        }
        assert_eq!(batch.push(manifest(b"")).unwrap_err(), BatchError::TooMany);
    }

    #[test]
    fn unavailable_items_have_no_content() {
        let missing = Part {
            unavailable: Some(FindingCode::ManifestTooLarge),
            size: u64::MAX,
            content: Bytes::new(),
            ..manifest(b"x")
        };
        let mut batch = Batch::new();
        batch.push(missing.clone()).unwrap();
        assert_eq!(batch.verify().unwrap().len(), 1);
        let with_content = Part {
            content: Bytes::from_static(b"x"),
            ..missing
        };
        assert!(matches!(
            Batch::new().push(with_content).unwrap_err(),
            BatchError::Contradiction(_)
        ));
    }

    proptest! {
        #[test]
        fn manifests_are_put_together_however_they_were_split(cuts in proptest::collection::vec(0..EMPTY_IMAGE.len(), 0..6)) {
            let mut cuts = cuts;
            cuts.extend([0, EMPTY_IMAGE.len()]);
            cuts.sort_unstable();
            let mut batch = Batch::new();
            let pieces: Vec<_> = cuts.windows(2).map(|pair| &EMPTY_IMAGE[pair[0]..pair[1]]).collect();
            for (i, piece) in pieces.iter().enumerate() {
                let last = i + 1 == pieces.len();
                let whole_before = pieces[..i].iter().map(|p| p.len()).sum::<usize>() == EMPTY_IMAGE.len();
                if whole_before { break; }
                batch.push(Part { content: Bytes::copy_from_slice(piece), ..manifest(EMPTY_IMAGE) }).unwrap();
                if !last && batch.bytes() < EMPTY_IMAGE.len() {
                    let stranger = Part { digest: Digest::sha256_of(b"x"), ..manifest(b"x") };
                    let mut other = Batch::new();
                    other.push(Part { content: Bytes::copy_from_slice(piece), ..manifest(EMPTY_IMAGE) }).unwrap();
                    prop_assert!(other.push(stranger).is_err());
                }
            }
            match batch.verify().unwrap().as_slice() {
                [Content::Manifest(read)] => prop_assert_eq!(read.bytes.as_slice(), EMPTY_IMAGE),
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}
