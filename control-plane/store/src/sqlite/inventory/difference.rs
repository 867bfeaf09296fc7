//! What a new tag set changes in the old one.

use serde::Serialize;

use super::super::columns::integer;
use super::super::media_type;
use super::super::rows::hex;
use crate::{RepositoryCommitted, TagObservation};

/// A tag as it is stored.
#[derive(Debug)]
pub(super) struct StoredTag {
    pub(super) tag: String,
    pub(super) digest: Vec<u8>,
    pub(super) media_type: Option<String>,
    pub(super) size: i64,
    pub(super) pushed_at: Option<i64>,
}

/// A tag to be written: its name, digest, media type, size, time of push, and the digest before, each as JSON has it.
#[derive(Debug, Serialize)]
pub(super) struct Written<'a>(&'a str, String, Option<&'a str>, i64, Option<i64>, Option<String>);

/// A tag to be removed, and its digest.
#[derive(Debug, Serialize)]
pub(super) struct Removed<'a>(&'a str, String);

/// What has to be done.
#[derive(Debug, Default)]
pub(super) struct Difference<'a> {
    pub(super) written: Vec<Written<'a>>,
    pub(super) removed: Vec<Removed<'a>>,
    pub(super) counts: RepositoryCommitted,
}

impl<'a> Difference<'a> {
    /// Walks both sets, which are sorted by tag, side by side. Tags that are not in the new set are removed only if it is whole.
    pub(super) fn between(old: &'a [StoredTag], new: &'a [TagObservation], whole: bool) -> Self {
        let mut difference = Self {
            written: Vec::with_capacity(new.len().saturating_sub(old.len())),
            ..Self::default()
        };
        let mut old = old.iter().peekable();
        for seen in new {
            while let Some(gone) = old.next_if(|stored| stored.tag.as_str() < seen.tag.as_str()) {
                difference.remove(gone, whole);
            }
            let before = old.next_if(|stored| stored.tag == seen.tag.as_str());
            difference.see(before, seen);
        }
        for gone in old {
            difference.remove(gone, whole);
        }
        difference
    }

    /// Whether any tag appeared, moved or vanished.
    pub(super) fn is_news(&self) -> bool {
        self.counts != RepositoryCommitted::default()
    }

    fn remove(&mut self, gone: &'a StoredTag, whole: bool) {
        if whole {
            self.counts.vanished += 1;
            self.removed.push(Removed(&gone.tag, hex(&gone.digest)));
        }
    }

    fn see(&mut self, before: Option<&StoredTag>, seen: &'a TagObservation) {
        let digest = seen.digest.to_bytes();
        let media_type = seen.media_type.as_ref().map(media_type::stored);
        let pushed_at = seen.pushed_at.map(jiff::Timestamp::as_millisecond);
        match before {
            None => self.counts.appeared += 1,
            Some(before) if before.digest != digest => self.counts.moved += 1,
            Some(before)
                if before.media_type.as_deref() == media_type
                    && before.size == integer(seen.size)
                    && before.pushed_at == pushed_at =>
            {
                return;
            }
            // The same digest, but more or other things are known of it.
            Some(_) => {}
        }
        self.written.push(Written(
            seen.tag.as_str(),
            hex(&digest),
            media_type,
            integer(seen.size),
            pushed_at,
            before.map(|before| hex(&before.digest)),
        ));
    }
}

/// Whether `tags` are sorted, each once.
pub(super) fn is_sorted(tags: &[TagObservation]) -> bool {
    tags.is_sorted_by(|left, right| left.tag < right.tag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::model::Digest;

    fn seen(tag: &str, content: &str) -> TagObservation {
        TagObservation {
            tag: tag.parse().unwrap(),
            digest: Digest::sha256_of(content.as_bytes()),
            media_type: None,
            size: 0,
            pushed_at: None,
        }
    }

    fn stored(tag: &str, content: &str) -> StoredTag {
        StoredTag {
            tag: tag.to_owned(),
            digest: Digest::sha256_of(content.as_bytes()).to_bytes(),
            media_type: None,
            size: 0,
            pushed_at: None,
        }
    }

    #[test]
    fn says_what_appeared_moved_and_vanished() {
        let old = [stored("b", "1"), stored("c", "1"), stored("e", "1")];
        let new = [seen("a", "1"), seen("b", "1"), seen("c", "2"), seen("d", "1")];
        let whole = Difference::between(&old, &new, true);
        assert_eq!(
            whole.counts,
            RepositoryCommitted {
                appeared: 2,
                moved: 1,
                vanished: 1
            }
        );
        assert_eq!(whole.written.len(), 3, "b is as it was");
        assert_eq!(whole.removed.len(), 1);
        let cut = Difference::between(&old, &new, false);
        assert_eq!((cut.counts.vanished, cut.removed.len()), (0, 0));
    }

    #[test]
    fn what_else_is_known_of_a_tag_is_written_but_is_no_news() {
        let old = [stored("a", "1")];
        let mut new = [seen("a", "1")];
        assert!(Difference::between(&old, &new, true).written.is_empty());
        new[0].size = 7;
        let difference = Difference::between(&old, &new, true);
        assert!(difference.written.len() == 1 && !difference.is_news());
    }
}
