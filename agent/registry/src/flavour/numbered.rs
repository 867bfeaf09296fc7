//! Lists whose pages have numbers: which page is next, and when the end is the end.
//!
//! Pure, as `api/pager` is for lists with cursors. A row that moves to another page while the list is read is seen twice or not at all;
//! whoever needs all rows compares them with something else.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use crate::api::WalkEnd;

/// A walk over such a list.
pub(super) struct Numbered {
    /// Rows asked for on a page, downwards where a page was too much.
    sizes: &'static [usize],
    size: usize,
    page: usize,
    pages_left: usize,
    /// Rows that are taken.
    bound: usize,
    /// Of every row so far a keyed hash.
    seen: HashSet<u64>,
    hasher: RandomState,
    fresh: usize,
    /// Pages that may hold nothing new, because they are read once more.
    known_pages: usize,
    end: Option<WalkEnd>,
}

impl Numbered {
    /// A walk of at most `pages` pages and `bound` rows. `sizes` are multiples of the ones behind them, none of them 0.
    pub(super) fn new(sizes: &'static [usize], pages: usize, bound: usize) -> Self {
        Self {
            sizes,
            size: 0,
            page: 1,
            pages_left: pages,
            bound,
            seen: HashSet::new(),
            hasher: RandomState::new(),
            fresh: 0,
            known_pages: 0,
            end: None,
        }
    }

    /// The same, beginning with the page size at `step`.
    pub(super) fn beginning_at(mut self, step: usize) -> Self {
        self.size = step.min(self.sizes.len() - 1);
        self
    }

    /// How far down the page sizes the walk has come.
    pub(super) fn step(&self) -> usize {
        self.size
    }

    /// The next page's number, from 1, and its size; `None` when the walk has ended.
    pub(super) fn next(&mut self) -> Option<(usize, usize)> {
        if self.end.is_none() && self.pages_left == 0 {
            self.end = Some(WalkEnd::PageBound);
        }
        self.end.is_none().then(|| (self.page, self.sizes[self.size]))
    }

    /// Whether a row of this page is to be taken: it was on no page before, and there is room.
    pub(super) fn takes(&mut self, row: &str) -> bool {
        let hash = self.hasher.hash_one(row);
        if self.seen.len() >= self.bound {
            if !self.seen.contains(&hash) {
                self.end = Some(WalkEnd::ItemBound);
            }
            return false;
        }
        let fresh = self.seen.insert(hash);
        self.fresh += usize::from(fresh);
        fresh
    }

    /// The page was read: it had so many rows, and the server says that there is another one, or does not say so.
    pub(super) fn turn(&mut self, rows: usize, says_more: bool) {
        let fresh = std::mem::take(&mut self.fresh);
        self.pages_left -= 1;
        if self.end.is_some() {
            return;
        }
        let more = says_more || rows >= self.sizes[self.size];
        self.end = match (rows, fresh) {
            (0, _) => Some(WalkEnd::Complete),
            (_, _) if !more => Some(WalkEnd::Complete),
            (_, 0) if self.known_pages == 0 => Some(WalkEnd::Circle),
            _ => None,
        };
        self.known_pages = self.known_pages.saturating_sub(1);
        self.page += 1;
    }

    /// Asks for smaller pages from here on; `false` if there are none.
    pub(super) fn shrink(&mut self) -> bool {
        let Some(&smaller) = self.sizes.get(self.size + 1) else {
            return false;
        };
        self.page = (self.page - 1) * self.sizes[self.size] / smaller + 1;
        self.size += 1;
        true
    }

    /// Reads the list once more from its beginning, for rows that moved.
    pub(super) fn again(&mut self) {
        self.known_pages = self.page;
        self.page = 1;
        self.end = None;
    }

    /// Different rows so far.
    pub(super) fn rows(&self) -> usize {
        self.seen.len()
    }

    /// How the walk ended; `None` while it goes on.
    pub(super) fn end(&self) -> Option<WalkEnd> {
        self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks a list of `rows` rows whose server cuts pages to `cut` and says or does not say that there is more.
    fn walk(
        rows: usize,
        cut: usize,
        says: bool,
        bound: usize,
    ) -> (usize, Vec<(usize, usize)>, Option<WalkEnd>) {
        let mut walk = Numbered::new(&[100, 50, 10], 1_000, bound);
        let mut asked = Vec::new();
        while let Some((page, size)) = walk.next() {
            asked.push((page, size));
            let size = size.min(cut);
            let (start, end) = (((page - 1) * size).min(rows), (page * size).min(rows));
            for row in start..end {
                walk.takes(&row.to_string());
            }
            walk.turn(end - start, says && end < rows);
        }
        (walk.rows(), asked, walk.end())
    }

    #[test]
    fn every_row_is_seen_whatever_the_server_says_of_more() {
        for says in [true, false] {
            for rows in [0, 1, 99, 100, 101, 250] {
                let (seen, _, end) = walk(rows, 100, says, 10_000);
                assert_eq!((seen, end), (rows, Some(WalkEnd::Complete)), "{rows} {says}");
            }
        }
        assert_eq!(
            walk(250, 30, true, 10_000).0,
            250,
            "cut to less than was asked for"
        );
        let (seen, asked, end) = walk(250, 100, true, 120);
        assert_eq!((seen, asked.len(), end), (120, 2, Some(WalkEnd::ItemBound)));
        assert_eq!(
            walk(120, 100, true, 120).2,
            Some(WalkEnd::Complete),
            "exactly at the bound"
        );
    }

    #[test]
    fn a_smaller_page_begins_where_the_larger_one_did() {
        let mut walk = Numbered::new(&[100, 50], 1_000, 1_000);
        assert_eq!(walk.next(), Some((1, 100)));
        for row in 0..100 {
            walk.takes(&row.to_string());
        }
        walk.turn(100, true);
        assert_eq!(walk.next(), Some((2, 100)));
        assert!(walk.shrink());
        assert_eq!(walk.next(), Some((3, 50)), "rows from 100 on");
        assert!(!walk.shrink());
    }

    #[test]
    fn a_list_that_is_read_once_more_is_read_to_its_end() {
        let mut walk = Numbered::new(&[10], 1_000, 1_000);
        let read = |walk: &mut Numbered, rows: &[usize]| {
            while let Some((page, size)) = walk.next() {
                let rows: Vec<_> = rows.iter().skip((page - 1) * size).take(size).collect();
                for row in &rows {
                    walk.takes(&row.to_string());
                }
                walk.turn(rows.len(), false);
            }
        };
        read(&mut walk, &(0..35).collect::<Vec<_>>());
        assert_eq!((walk.rows(), walk.end()), (35, Some(WalkEnd::Complete)));
        walk.again();
        read(&mut walk, &(1..36).collect::<Vec<_>>());
        assert_eq!((walk.rows(), walk.end()), (36, Some(WalkEnd::Complete)));
    }

    #[test]
    fn lists_without_end_end() {
        let mut same = Numbered::new(&[2], 1_000, 1_000);
        while same.next().is_some() {
            same.takes("a");
            same.takes("b");
            same.turn(2, true);
        }
        assert_eq!((same.rows(), same.end()), (2, Some(WalkEnd::Circle)));
        let mut endless = Numbered::new(&[1], 7, 1_000);
        let mut pages = 0;
        while let Some((page, _)) = endless.next() {
            pages += 1;
            endless.takes(&page.to_string());
            endless.turn(1, true);
        }
        assert_eq!((pages, endless.end()), (7, Some(WalkEnd::PageBound)));
    }
}
