//! Splits uploads into messages that stay within their bounds. Pure.

use std::sync::Arc;

use portolan_proto::convert::{age_to_wire, content_kind_to_wire, finding_to_wire, tag_to_wire};
use portolan_proto::v1;
use portolan_shared::model::{ContentKind, Digest, TagName, limits};
use portolan_shared::process::Clock;
use prost::Message as _;

use crate::inventory::{ContentItem, RepositoryTags};

/// What tag and length of one item take in a message at most.
const ITEM_OVERHEAD: usize = 8;

/// Content as messages of at most [`limits::UPLOAD_MESSAGE_BYTES`] each. A manifest that does not fit into one is continued in the next.
pub(super) fn content(fence: &v1::Fence, items: &[ContentItem]) -> Vec<v1::PutContentRequest> {
    let mut packer = Packer {
        done: Vec::new(),
        open: v1::PutContentRequest {
            fence: Some(fence.clone()),
            items: Vec::new(),
        },
        size: fence.encoded_len() + ITEM_OVERHEAD,
    };
    for item in items {
        packer.add(to_wire(item));
    }
    packer.finish()
}

struct Packer {
    done: Vec<v1::PutContentRequest>,
    open: v1::PutContentRequest,
    size: usize,
}

impl Packer {
    fn add(&mut self, mut item: v1::ContentItem) {
        if !self.open.items.is_empty() && !self.has_room_for(&item) {
            self.next_message();
        }
        while !self.has_room_for(&item) {
            // Larger than a whole message: what fits goes, the rest follows in the next one.
            let around = item.encoded_len() - item.content.len() + ITEM_OVERHEAD;
            let room = limits::UPLOAD_MESSAGE_BYTES.saturating_sub(self.size + around);
            let rest = item.content.split_off(room.min(item.content.len()));
            let head = v1::ContentItem {
                content: std::mem::replace(&mut item.content, rest),
                ..item.clone()
            };
            self.open.items.push(head);
            self.next_message();
        }
        self.size += item.encoded_len() + ITEM_OVERHEAD;
        self.open.items.push(item);
    }

    fn has_room_for(&self, item: &v1::ContentItem) -> bool {
        self.size + item.encoded_len() + ITEM_OVERHEAD <= limits::UPLOAD_MESSAGE_BYTES
    }

    fn next_message(&mut self) {
        self.done.push(std::mem::take(&mut self.open));
        self.size = 0;
    }

    fn finish(mut self) -> Vec<v1::PutContentRequest> {
        if !self.open.items.is_empty() {
            self.done.push(self.open);
        }
        self.done
    }
}

fn to_wire(item: &ContentItem) -> v1::ContentItem {
    let kind = |kind: ContentKind| i32::from(content_kind_to_wire(kind));
    let bytes = |digest: &Digest| digest.to_bytes().into();
    match item {
        ContentItem::Manifest {
            digest,
            served_as,
            bytes: content,
            incomplete,
        } => v1::ContentItem {
            kind: kind(ContentKind::Manifest),
            digest: bytes(digest),
            media_type: served_as.as_ref().map(ToString::to_string).unwrap_or_default(),
            size: content.len() as u64,
            content: content.clone(),
            incomplete: *incomplete,
            unavailable: String::new(),
        },
        ContentItem::ImageFacts { digest, size, json } => v1::ContentItem {
            kind: kind(ContentKind::ImageFacts),
            digest: bytes(digest),
            size: *size,
            content: json.clone(),
            ..v1::ContentItem::default()
        },
        ContentItem::Unavailable {
            kind: of,
            digest,
            size,
            media_type,
            code,
        } => v1::ContentItem {
            kind: kind(*of),
            digest: bytes(digest),
            media_type: media_type.as_ref().map(ToString::to_string).unwrap_or_default(),
            size: *size,
            unavailable: code.as_str().to_owned(),
            ..v1::ContentItem::default()
        },
    }
}

/// A tag set as messages of at most [`limits::TAGS_PER_PAGE`] tags, and as many that are left out; the last one carries the end. Each
/// message is made when it is its turn: all of them together would take as much memory as the tags themselves. The end
/// tells by the clock how long ago the listing began.
pub(super) fn tags(
    fence: v1::Fence,
    repository: Arc<RepositoryTags>,
    clock: Arc<dyn Clock>,
) -> impl Iterator<Item = v1::CommitRepositoryRequest> {
    let pages = |items: usize| items.div_ceil(limits::TAGS_PER_PAGE);
    let messages = pages(repository.tags.len())
        .max(pages(repository.left_out.len()))
        .max(1);
    (0..messages).map(move |at| {
        let is_first = at == 0;
        v1::CommitRepositoryRequest {
            fence: is_first.then(|| fence.clone()),
            repository: if is_first {
                repository.repository.to_string()
            } else {
                String::new()
            },
            only: if is_first {
                names(&repository.only)
            } else {
                Vec::new()
            },
            tags: page(&repository.tags, at).iter().map(tag_to_wire).collect(),
            left_out: names(page(&repository.left_out, at)),
            end: (at + 1 == messages).then(|| v1::CommitEnd {
                state_hash: repository.state_hash.0.to_vec().into(),
                outcome: repository.outcome.as_str().to_owned(),
                finding: repository.finding.as_ref().map(finding_to_wire),
                listed_seconds_ago: age_to_wire(clock.uptime().since(repository.began)),
            }),
        }
    })
}

fn names(tags: &[TagName]) -> Vec<String> {
    tags.iter().map(ToString::to_string).collect()
}

/// The items of a page; none behind the last one.
fn page<T>(items: &[T], at: usize) -> &[T] {
    items.chunks(limits::TAGS_PER_PAGE).nth(at).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use std::time::Duration;

    use portolan_shared::model::{FindingCode, MediaType, RepositoryOutcome, StateHash, TagObservation};
    use portolan_shared::process::{ManualClock, Uptime};
    use proptest::prelude::*;

    fn fence() -> v1::Fence {
        v1::Fence {
            attempt: Some(v1::AttemptRef {
                run_id: vec![0xff; 16].into(),
                attempt: u32::MAX,
            }),
            session_epoch: u64::MAX,
        }
    }

    fn manifest(n: usize, size: usize) -> ContentItem {
        ContentItem::Manifest {
            digest: Digest::sha256_of(&n.to_be_bytes()),
            served_as: Some("application/vnd.oci.image.manifest.v1+json".parse().unwrap()),
            bytes: Bytes::from(vec![u8::try_from(n % 251).unwrap(); size]),
            incomplete: n.is_multiple_of(2),
        }
    }

    /// Puts together what a receiver would: an item continues the last one of the message before if it has the same digest.
    fn joined(messages: &[v1::PutContentRequest]) -> Vec<(Bytes, Vec<u8>, u64)> {
        let mut whole: Vec<(Bytes, Vec<u8>, u64)> = Vec::new();
        for message in messages {
            for (i, item) in message.items.iter().enumerate() {
                match whole.last_mut() {
                    Some(last) if i == 0 && last.0 == item.digest => last.1.extend_from_slice(&item.content),
                    _ => whole.push((item.digest.clone(), item.content.to_vec(), item.size)),
                }
            }
        }
        whole
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn messages_stay_within_their_bound_and_lose_nothing(
            sizes in prop::collection::vec(
                prop_oneof![0..2_000_usize, 1_048_000..1_048_800_usize, 2_000_000..4_194_305_usize], 0..5),
        ) {
            let items: Vec<ContentItem> = sizes.iter().enumerate().map(|(n, size)| manifest(n, *size)).collect();
            let messages = content(&fence(), &items);
            for (i, message) in messages.iter().enumerate() {
                prop_assert!(message.encoded_len() <= limits::UPLOAD_MESSAGE_BYTES, "{}", message.encoded_len());
                prop_assert_eq!(message.fence.is_some(), i == 0);
                prop_assert!(!message.items.is_empty());
            }
            let whole = joined(&messages);
            prop_assert_eq!(whole.len(), items.len());
            for ((n, size), (digest, bytes, declared)) in sizes.iter().enumerate().zip(whole) {
                prop_assert_eq!(&digest[..], &Digest::sha256_of(&n.to_be_bytes()).to_bytes()[..]);
                prop_assert_eq!((bytes.len(), declared), (*size, *size as u64));
            }
        }
    }

    #[test]
    fn facts_and_unavailable_content_are_never_split() {
        let facts = ContentItem::ImageFacts {
            digest: Digest::sha256_of(b"f"),
            size: 9_000_000,
            json: vec![b'x'; limits::IMAGE_FACTS_BYTES].into(),
        };
        let gone = ContentItem::Unavailable {
            kind: ContentKind::Manifest,
            digest: Digest::sha256_of(b"g"),
            size: 0,
            media_type: None,
            code: FindingCode::ManifestMissing,
        };
        let items = [manifest(1, 1_000_000), facts, gone];
        let messages = content(&fence(), &items);
        assert_eq!(
            messages
                .iter()
                .map(|message| message.items.len())
                .collect::<Vec<_>>(),
            [1, 2]
        );
        assert_eq!(messages[1].items[1].unavailable, "manifest.missing");
        assert_eq!(messages[1].items[0].content.len(), limits::IMAGE_FACTS_BYTES);
    }

    fn repository(tags: usize, left_out: usize) -> RepositoryTags {
        let name = |i: usize| format!("{i:0>128}").parse().unwrap();
        RepositoryTags {
            only: Vec::new(),
            repository: "a/b".parse().unwrap(),
            tags: (0..tags)
                .map(|i| TagObservation {
                    tag: name(i),
                    digest: Digest::sha256_of(b"x"),
                    media_type: Some(MediaType::OCI_INDEX),
                    size: u64::MAX,
                    pushed_at: None,
                })
                .collect(),
            left_out: (tags..tags + left_out).map(name).collect(),
            state_hash: StateHash([1; 32]),
            outcome: RepositoryOutcome::Listed,
            finding: None,
            began: Uptime(Duration::ZERO),
        }
    }

    #[test]
    fn tag_pages_carry_the_fence_first_and_the_end_last() {
        for (n, left_out, pages) in [
            (0, 0, 1),
            (1, 0, 1),
            (1_000, 1_000, 1),
            (1_001, 1, 2),
            (1, 1_001, 2),
            (0, 2_500, 3),
            (2_500, 0, 3),
        ] {
            let clock = ManualClock::at_unix_seconds(0);
            let repository = RepositoryTags {
                began: clock.uptime(),
                ..repository(n, left_out)
            };
            clock.advance(Duration::from_millis(5_400_003));
            let messages: Vec<_> = tags(fence(), Arc::new(repository), Arc::new(clock)).collect();
            let end = messages.last().and_then(|page| page.end.as_ref()).unwrap();
            assert_eq!(end.listed_seconds_ago, 5_400);
            assert_eq!(messages.len(), pages, "{n} tags, {left_out} left out");
            let names = messages.iter().flat_map(|page| &page.tags).map(|tag| &tag.tag);
            assert!(names.clone().is_sorted() && names.count() == n);
            let names = messages.iter().flat_map(|page| &page.left_out);
            assert!(names.clone().is_sorted() && names.count() == left_out);
            assert_eq!(messages.iter().filter(|page| page.fence.is_some()).count(), 1);
            assert!(messages[0].fence.is_some() && messages[pages - 1].end.is_some());
            assert_eq!(messages.iter().filter(|page| page.end.is_some()).count(), 1);
            for message in &messages {
                assert!(message.tags.len() <= 1_000 && message.left_out.len() <= 1_000);
                assert!(message.encoded_len() <= limits::UPLOAD_MESSAGE_BYTES);
            }
        }
    }
}
