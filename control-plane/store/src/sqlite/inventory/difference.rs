//! What a new tag set changes in the old one.

use portolan_shared::model::TagName;
use serde::Serialize;

use super::super::columns::integer;
use super::super::media_type;
use super::super::rows::hex;
use crate::{RepositoryCommit, RepositoryCommitted, TagObservation};

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

/// A tag to be removed, its digest, and 1 if the filter left it out, 0 if it has vanished.
#[derive(Debug, Serialize)]
pub(super) struct Removed<'a>(&'a str, String, u8);

/// What has to be done.
#[derive(Debug, Default)]
pub(super) struct Difference<'a> {
    pub(super) written: Vec<Written<'a>>,
    pub(super) removed: Vec<Removed<'a>>,
    pub(super) counts: RepositoryCommitted,
}

impl<'a> Difference<'a> {
    /// Walks both sets, which are sorted by tag, side by side. Tags that are not in the new set are removed if the filter left them out,
    /// and otherwise only if the new set is whole.
    pub(super) fn between(old: &'a [StoredTag], new: &'a RepositoryCommit, whole: bool) -> Self {
        let mut difference = Self {
            written: Vec::with_capacity(new.tags.len().saturating_sub(old.len())),
            ..Self::default()
        };
        let mut old = old.iter().peekable();
        for seen in &new.tags {
            while let Some(gone) = old.next_if(|stored| stored.tag.as_str() < seen.tag.as_str()) {
                difference.remove(gone, new, whole);
            }
            let before = old.next_if(|stored| stored.tag == seen.tag.as_str());
            difference.see(before, seen, new.only.is_some());
        }
        for gone in old {
            difference.remove(gone, new, whole);
        }
        difference
    }

    /// Whether any tag appeared, moved, vanished or was left out.
    pub(super) fn is_news(&self) -> bool {
        self.counts != RepositoryCommitted::default()
    }

    /// Whether something was done in the registry. What its filter leaves out may be older now, and nothing else.
    pub(super) fn is_a_change_there(&self) -> bool {
        let RepositoryCommitted {
            appeared,
            moved,
            vanished,
            left_out: _,
        } = self.counts;
        appeared + moved + vanished > 0
    }

    fn remove(&mut self, gone: &'a StoredTag, new: &RepositoryCommit, whole: bool) {
        let by_name = |name: &TagName| name.as_str().cmp(&gone.tag);
        if new.left_out.binary_search_by(by_name).is_ok() {
            self.counts.left_out += 1;
            self.removed.push(Removed(&gone.tag, hex(&gone.digest), 1));
        } else if whole {
            self.counts.vanished += 1;
            self.removed.push(Removed(&gone.tag, hex(&gone.digest), 0));
        }
    }

    /// A look at one tag tells less of it than a list: of one that points where it did, what is known stays.
    fn see(&mut self, before: Option<&StoredTag>, seen: &'a TagObservation, looked_at_alone: bool) {
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
            Some(_) if looked_at_alone => return,
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
    use portolan_shared::model::{Digest, RepositoryOutcome, StateHash};

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

    fn commit(tags: Vec<TagObservation>, left_out: &[&str]) -> RepositoryCommit {
        RepositoryCommit {
            only: None,
            repository: "acme/app".parse().unwrap(),
            tags,
            left_out: left_out.iter().map(|tag| tag.parse().unwrap()).collect(),
            state_hash: StateHash([0; 32]),
            outcome: RepositoryOutcome::Listed,
            finding: None,
            age: std::time::Duration::ZERO,
        }
    }

    #[test]
    fn says_what_appeared_moved_and_vanished() {
        let old = [stored("b", "1"), stored("c", "1"), stored("e", "1")];
        let new = vec![seen("a", "1"), seen("b", "1"), seen("c", "2"), seen("d", "1")];
        let new = commit(new, &[]);
        let whole = Difference::between(&old, &new, true);
        assert_eq!(
            whole.counts,
            RepositoryCommitted {
                appeared: 2,
                moved: 1,
                vanished: 1,
                left_out: 0
            }
        );
        assert_eq!(whole.written.len(), 3, "b is as it was");
        assert_eq!(whole.removed.len(), 1);
        let cut = Difference::between(&old, &new, false);
        assert_eq!((cut.counts.vanished, cut.removed.len()), (0, 0));
    }

    #[test]
    fn what_the_filter_left_out_has_not_vanished_even_if_the_rest_is_not_known() {
        let old = [stored("a", "1"), stored("b", "1"), stored("c", "1")];
        let new = commit(vec![seen("b", "1")], &["a", "never-seen"]);
        for (whole, vanished) in [(true, 1), (false, 0)] {
            let counts = Difference::between(&old, &new, whole).counts;
            assert_eq!((counts.left_out, counts.vanished), (1, vanished));
        }
    }

    #[test]
    fn what_else_is_known_of_a_tag_is_written_but_is_no_news() {
        let old = [stored("a", "1")];
        let mut new = commit(vec![seen("a", "1")], &[]);
        assert!(Difference::between(&old, &new, true).written.is_empty());
        new.tags[0].size = 7;
        let difference = Difference::between(&old, &new, true);
        assert!(difference.written.len() == 1 && !difference.is_news());
    }

    #[test]
    fn a_look_at_a_tag_that_points_where_it_did_changes_nothing() {
        let mut known = stored("a", "1");
        known.pushed_at = Some(7);
        known.size = 5;
        let old = [known, stored("b", "1")];
        let mut new = commit(vec![seen("a", "1"), seen("b", "2")], &[]);
        new.only = Some(vec!["a".parse().unwrap(), "b".parse().unwrap()]);
        let difference = Difference::between(&old, &new, true);
        assert_eq!(difference.written.len(), 1, "b alone");
        assert_eq!(difference.counts.moved, 1);
    }
}
