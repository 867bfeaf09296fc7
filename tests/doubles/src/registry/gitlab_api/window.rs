//! Which tags are on a page, and whether there are others on either side of it.

use std::ops::Bound::{Excluded, Included, Unbounded};

use portolan_shared::model::{Digest, TagName};

use super::query::{Place, TagsQuery};
use crate::content::Repository;

/// A tag where it stands.
type Row<'a> = (Place, &'a TagName, &'a Digest);

/// A page.
pub(super) struct Window<'a> {
    pub(super) rows: Vec<Row<'a>>,
    /// Whether there are tags before it.
    pub(super) previous: bool,
    /// Whether there are tags behind it.
    pub(super) more: bool,
}

impl<'a> Window<'a> {
    /// Markers are exclusive, whether or not there is such a tag.
    pub(super) fn of(repository: &'a Repository, ask: &TagsQuery) -> Self {
        if ask.sort.by_time {
            Self::by_time(repository, ask)
        } else {
            Self::by_name(repository, ask)
        }
    }

    /// Takes the page out of the tags as they are kept, so that a page costs the same however many tags there are.
    fn by_name(repository: &'a Repository, ask: &TagsQuery) -> Self {
        let wanted = |(tag, _): &(&TagName, &Digest)| has(ask, tag);
        let above = |marker: &str| {
            repository
                .tags()
                .range::<str, _>((Excluded(marker), Unbounded))
                .filter(wanted)
        };
        let below = |marker: &str| {
            repository
                .tags()
                .range::<str, _>((Unbounded, Excluded(marker)))
                .filter(wanted)
        };
        let at_or_above = |marker: &str| {
            repository
                .tags()
                .range::<str, _>((Included(marker), Unbounded))
                .find(wanted)
        };
        let at_or_below = |marker: &str| {
            repository
                .tags()
                .range::<str, _>((Unbounded, Included(marker)))
                .find(wanted)
        };
        let all = || repository.tags().iter().filter(wanted);
        let row = |(tag, digest): (&'a TagName, &'a Digest)| ((0, tag.to_string()), tag, digest);
        // One more than the page holds, to know whether there is more.
        let some = ask.number + 1;
        let descending = ask.sort.descending;
        let mut rows: Vec<Row<'a>> = match (&ask.before, &ask.last) {
            (Some((_, before)), _) if descending => above(before).take(some).map(row).collect(),
            (Some((_, before)), _) => below(before).rev().take(some).map(row).collect(),
            (None, Some((_, last))) if descending => below(last).rev().take(some).map(row).collect(),
            (None, Some((_, last))) => above(last).take(some).map(row).collect(),
            (None, None) if descending => all().rev().take(some).map(row).collect(),
            (None, None) => all().take(some).map(row).collect(),
        };
        let beyond = rows.len() > ask.number;
        rows.truncate(ask.number);
        match (&ask.before, &ask.last) {
            (Some((_, before)), _) => {
                rows.reverse();
                let behind = if descending {
                    at_or_below(before)
                } else {
                    at_or_above(before)
                };
                Self {
                    rows,
                    previous: beyond,
                    more: behind.is_some(),
                }
            }
            (None, last) => {
                let before = last.as_ref().and_then(|(_, last)| {
                    if descending {
                        at_or_above(last)
                    } else {
                        at_or_below(last)
                    }
                });
                Self {
                    rows,
                    previous: before.is_some(),
                    more: beyond,
                }
            }
        }
    }

    fn by_time(repository: &'a Repository, ask: &TagsQuery) -> Self {
        let time = |tag: &TagName| repository.pushed(tag.as_str()).published().as_microsecond();
        let mut all: Vec<Row<'a>> = repository
            .tags()
            .iter()
            .filter(|(tag, _)| has(ask, tag))
            .map(|(tag, digest)| ((time(tag), tag.to_string()), tag, digest))
            .collect();
        let precedes = |one: &Place, other: &Place| {
            if ask.sort.descending {
                one > other
            } else {
                one < other
            }
        };
        all.sort_unstable_by(|(one, _, _), (other, _, _)| {
            if ask.sort.descending {
                other.cmp(one)
            } else {
                one.cmp(other)
            }
        });
        let (start, end) = if let Some(before) = &ask.before {
            let end = all.partition_point(|(place, _, _)| precedes(place, before));
            (end.saturating_sub(ask.number), end)
        } else {
            let behind =
                |last: &Place| all.partition_point(|(place, _, _)| precedes(place, last) || place == last);
            let start = ask.last.as_ref().map_or(0, behind);
            (start, start.saturating_add(ask.number).min(all.len()))
        };
        Self {
            previous: start > 0,
            more: end < all.len(),
            rows: all.drain(start..end).collect(),
        }
    }
}

fn has(ask: &TagsQuery, tag: &TagName) -> bool {
    ask.name.as_deref().is_none_or(|part| tag.as_str().contains(part))
}
