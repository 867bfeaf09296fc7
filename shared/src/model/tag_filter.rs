//! Which tags of a repository are wanted.

use std::num::NonZeroU32;
use std::time::Duration;

use jiff::Timestamp;

use super::inventory::TagObservation;
use super::names::TagName;
use super::patterns::NamePatterns;

/// Which tags of a repository are wanted: by name, the newest, those that are not too old. A tag has to pass all three.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TagFilter {
    /// By name. Known before a tag is resolved, so that what is left out costs no request.
    pub names: NamePatterns,
    /// Only so many, those that were pushed last.
    pub newest: Option<NonZeroU32>,
    /// Only what was pushed within so many days.
    pub max_age_days: Option<NonZeroU32>,
}

/// What a filter left out of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeftOut {
    /// Tags that exist but are not wanted.
    pub tags: Vec<TagName>,
    /// The registry does not say when these many tags were pushed, so that they could not be judged by age or order: they were kept.
    pub times_unknown: usize,
}

impl TagFilter {
    /// Whether every tag is wanted.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.names.is_all() && !self.needs_times()
    }

    /// Whether it has to be known when tags were pushed.
    #[must_use]
    pub fn needs_times(&self) -> bool {
        self.newest.is_some() || self.max_age_days.is_some()
    }

    /// Whether a tag of this name may be wanted.
    #[must_use]
    pub fn matches(&self, tag: &TagName) -> bool {
        self.names.matches(tag.as_str())
    }

    /// Takes out of a whole listing what is not wanted at `now`. The order of the rest stays.
    ///
    /// Nothing is left out on a guess: a tag of which no time is known is kept, and the newest are only counted off where the times of all
    /// are known. Of tags that were pushed at the same moment, those whose names sort first count as newer.
    pub fn select(&self, tags: &mut Vec<TagObservation>, now: Timestamp) -> LeftOut {
        let mut left_out = LeftOut::default();
        tags.retain(|tag| {
            let keep = self.matches(&tag.tag) && !self.is_too_old(tag, now);
            if !keep {
                left_out.tags.push(tag.tag.clone());
            }
            keep
        });
        if self.needs_times() {
            left_out.times_unknown = tags.iter().filter(|tag| tag.pushed_at.is_none()).count();
        }
        if let Some(newest) = self.newest
            && left_out.times_unknown == 0
        {
            let newest = usize::try_from(newest.get()).unwrap_or(usize::MAX);
            left_out.tags.extend(older_than_newest(tags, newest));
        }
        left_out.tags.sort_unstable();
        left_out
    }

    fn is_too_old(&self, tag: &TagObservation, now: Timestamp) -> bool {
        let (Some(days), Some(pushed_at)) = (self.max_age_days, tag.pushed_at) else {
            return false;
        };
        let age = now.duration_since(pushed_at);
        Duration::try_from(age).is_ok_and(|age| age > Duration::from_secs(u64::from(days.get()) * 86_400))
    }
}

/// Takes all but the newest out.
fn older_than_newest(tags: &mut Vec<TagObservation>, newest: usize) -> Vec<TagName> {
    if tags.len() <= newest {
        return Vec::new();
    }
    let mut order: Vec<(std::cmp::Reverse<Option<Timestamp>>, TagName)> = tags
        .iter()
        .map(|tag| (std::cmp::Reverse(tag.pushed_at), tag.tag.clone()))
        .collect();
    order.sort_unstable();
    let mut older: Vec<TagName> = order.drain(newest..).map(|(_, tag)| tag).collect();
    older.sort_unstable();
    tags.retain(|tag| older.binary_search(&tag.tag).is_err());
    older
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Digest;

    const NOW: Timestamp = Timestamp::constant(1_000_000_000, 0);

    fn tag(name: &str, days_ago: Option<u32>) -> TagObservation {
        TagObservation {
            tag: name.parse().unwrap(),
            digest: Digest::sha256_of(b"x"),
            media_type: None,
            size: 0,
            pushed_at: days_ago.map(|days| NOW - Duration::from_secs(u64::from(days) * 86_400)),
        }
    }

    fn filter(names: &[&str], newest: u32, days: u32) -> TagFilter {
        TagFilter {
            names: NamePatterns::new(names.iter().map(ToString::to_string).collect()).unwrap(),
            newest: NonZeroU32::new(newest),
            max_age_days: NonZeroU32::new(days),
        }
    }

    fn names(tags: &[TagObservation]) -> Vec<&str> {
        tags.iter().map(|tag| tag.tag.as_str()).collect()
    }

    fn left_out(of: &LeftOut) -> Vec<&str> {
        of.tags.iter().map(TagName::as_str).collect()
    }

    #[test]
    fn names_age_and_order_are_judged_in_turn() {
        let mut tags = vec![
            tag("1.0", Some(9)),
            tag("1.1", Some(3)),
            tag("1.2", Some(1)),
            tag("2.0", Some(2)),
            tag("edge", Some(0)),
            tag("old", Some(31)),
        ];
        let left = filter(&["re:[0-9.]+", "old"], 2, 30).select(&mut tags, NOW);
        assert_eq!(names(&tags), ["1.2", "2.0"]);
        assert_eq!(left_out(&left), ["1.0", "1.1", "edge", "old"]);
        assert_eq!(left.times_unknown, 0);
    }

    #[test]
    fn age_counts_from_its_bound() {
        let mut tags = vec![tag("at", Some(30)), tag("beyond", Some(31)), tag("ahead", None)];
        tags[2].pushed_at = Some(NOW + Duration::from_secs(3_600));
        let left = filter(&[], 0, 30).select(&mut tags, NOW);
        assert_eq!(
            (names(&tags), left_out(&left)),
            (vec!["at", "ahead"], vec!["beyond"])
        );
    }

    #[test]
    fn nothing_is_left_out_on_a_guess() {
        let mut tags = vec![tag("a", None), tag("b", Some(1)), tag("c", Some(400))];
        let left = filter(&[], 1, 30).select(&mut tags, NOW);
        assert_eq!((names(&tags), left_out(&left)), (vec!["a", "b"], vec!["c"]));
        assert_eq!(left.times_unknown, 1);
        let mut unknown = vec![tag("a", None), tag("b", None)];
        let by_name = filter(&["a"], 0, 0).select(&mut unknown, NOW);
        assert_eq!(
            (names(&unknown), by_name.times_unknown),
            (vec!["a"], 0),
            "names need no times"
        );
    }

    #[test]
    fn ties_are_broken_by_name() {
        let mut tags = vec![tag("b", Some(1)), tag("a", Some(1)), tag("c", Some(1))];
        let left = filter(&[], 2, 0).select(&mut tags, NOW);
        assert_eq!((names(&tags), left_out(&left)), (vec!["b", "a"], vec!["c"]));
        assert!(TagFilter::default().is_all() && TagFilter::default().select(&mut tags, NOW).tags.is_empty());
    }
}
