//! Which page of a listing is next, and when the end is the end.
//!
//! Pure: pages and refusals in, the next query out. Servers give no `Link` although there is more, links that lead in circles or to
//! pages that are empty, cursors that end, and errors for page sizes that they do not like; each of these either still leads to the whole
//! list, or is reported as an end that is not complete.

use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};

use url::form_urlencoded;

use crate::http::URL_BYTES;

/// Page sizes that are asked for, downwards when the server refuses one; at last none.
const SIZES: [Option<usize>; 4] = [Some(1000), Some(100), Some(10), None];
/// Sizes that servers are known to cut pages to without a word; a page of exactly this size may not be the last.
const CUT_TO: [usize; 6] = [50, 100, 200, 250, 500, 1000];
/// Pages in a row without a new name before a walk counts as going in circles.
const FRUITLESS: u32 = 3;
/// How often a walk starts again because its cursor was refused.
const RESTARTS: u32 = 2;

/// How a walk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalkEnd {
    /// Everything was listed.
    Complete,
    /// The server's links lead in circles.
    Circle,
    /// The server stopped accepting its own cursor, even after starting again.
    CursorLost,
    /// The last page was full and the server gave no way to ask whether there is more.
    Unproven,
    /// More pages than are walked.
    PageBound,
    /// More names than are kept.
    ItemBound,
}

impl WalkEnd {
    /// Whether everything was listed. Only then may what was not listed count as gone.
    #[must_use]
    pub fn is_complete(self) -> bool {
        self == Self::Complete
    }
}

impl fmt::Display for WalkEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Complete => "the listing is complete",
            Self::Circle => "the listing's pages lead in circles",
            Self::CursorLost => "the registry stopped accepting its own paging cursor",
            Self::Unproven => "the listing ended with a full page and no way to ask for more",
            Self::PageBound => "the listing has more pages than are read",
            Self::ItemBound => "the listing has more names than are kept",
        })
    }
}

/// What the pager has to know of a page.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen<'a> {
    /// Entries of any kind.
    pub(super) entries: usize,
    /// Names that no earlier page had.
    pub(super) fresh: usize,
    /// The last name.
    pub(super) last: Option<&'a str>,
    /// Query of the link to the next page.
    pub(super) next: Option<String>,
    /// Whether names were left out because of the bound.
    pub(super) over: bool,
}

/// What becomes of a refused page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Ask again, differently; or the walk has ended.
    GoOn,
    /// There is no other way of asking: the refusal is the walk's error.
    Fail,
}

pub(super) struct Pager {
    step: usize,
    /// The step that refusals, and not mere failures, have led to.
    refused_step: usize,
    cursor: Cursor,
    /// Of every query asked since the last start a hash: queries may have kilobytes. It is keyed, so that a server cannot make queries
    /// collide.
    asked: HashSet<u64>,
    hasher: RandomState,
    pages: usize,
    most_pages: usize,
    restarts: u32,
    fruitless: u32,
    /// After a restart, known names come again; that is no circle.
    replaying: bool,
    last_resort_taken: bool,
    end: Option<WalkEnd>,
}

enum Cursor {
    Start,
    /// From the server's link.
    Link(String),
    /// After a name, of our own accord, because ...
    After(String, Doubt),
}

/// Why a page is asked for that no link names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doubt {
    /// The page was as full as was asked for.
    Full,
    /// The page had a size that servers cut to.
    Round,
    /// The links led in circles.
    Circle,
}

impl Pager {
    /// A walk of at most `most_pages` pages whose first page has the size of `step`.
    pub(super) fn new(step: usize, most_pages: usize) -> Self {
        let step = step.min(SIZES.len() - 1);
        Self {
            step,
            refused_step: step,
            cursor: Cursor::Start,
            asked: HashSet::new(),
            hasher: RandomState::new(),
            pages: 0,
            most_pages,
            restarts: 0,
            fruitless: 0,
            replaying: false,
            last_resort_taken: false,
            end: None,
        }
    }

    pub(super) fn end(&self) -> Option<WalkEnd> {
        self.end
    }

    /// How far down the ladder of page sizes the server has made this walk go: the next walk can start there.
    pub(super) fn refused_step(&self) -> usize {
        self.refused_step
    }

    /// Whether a server error here may be about the size of the page, so that asking for less is better than asking again.
    pub(super) fn may_step_down(&self) -> bool {
        matches!(self.cursor, Cursor::Start) && self.step + 1 < SIZES.len()
    }

    /// The query of the next page; `None` when the walk has ended.
    pub(super) fn query(&mut self) -> Option<String> {
        if self.end.is_some() {
            return None;
        }
        if self.pages >= self.most_pages {
            self.end = Some(WalkEnd::PageBound);
            return None;
        }
        let size = SIZES[self.step];
        let query = match &self.cursor {
            Cursor::Start => size.map(|n| format!("n={n}")).unwrap_or_default(),
            Cursor::Link(query) => query.clone(),
            Cursor::After(name, _) => {
                let mut query = form_urlencoded::Serializer::new(String::new());
                if let Some(n) = size {
                    query.append_pair("n", &n.to_string());
                }
                query.append_pair("last", name).finish()
            }
        };
        self.asked.insert(self.hasher.hash_one(&query));
        Some(query)
    }

    /// Takes in a page.
    pub(super) fn page(&mut self, page: Seen<'_>) {
        self.pages += 1;
        if page.over {
            self.end = Some(WalkEnd::ItemBound);
            return;
        }
        if page.fresh > 0 {
            self.fruitless = 0;
            self.replaying = false;
        } else if !self.replaying {
            self.fruitless += 1;
        }
        let next = page.next.filter(|query| query.len() <= URL_BYTES);
        match next {
            Some(next)
                if self.asked.contains(&self.hasher.hash_one(&next)) || self.fruitless >= FRUITLESS =>
            {
                if page.entries == 0 {
                    self.end = Some(WalkEnd::Complete);
                } else {
                    self.circle(page.last);
                }
            }
            Some(next) => self.cursor = Cursor::Link(next),
            None => self.no_link(page.entries, page.fresh, page.last),
        }
    }

    fn no_link(&mut self, entries: usize, fresh: usize, last: Option<&str>) {
        let doubt = match self.cursor {
            Cursor::After(_, doubt) => Some(doubt),
            Cursor::Start | Cursor::Link(_) => None,
        };
        if entries == 0 {
            self.end = Some(WalkEnd::Complete);
            return;
        }
        if let (0, Some(doubt)) = (fresh, doubt) {
            // It answered, and with nothing new: either it gives everything each time, or there is no more.
            self.end = Some(match doubt {
                Doubt::Circle => WalkEnd::Circle,
                Doubt::Full | Doubt::Round => WalkEnd::Complete,
            });
            return;
        }
        let doubt = match SIZES[self.step] {
            // More than was asked for: it does not page at all, so this is everything (CNCF Distribution 2, GitLab on a file system).
            Some(size) if entries > size => None,
            Some(size) if entries == size => Some(Doubt::Full),
            _ if CUT_TO.contains(&entries) => Some(Doubt::Round),
            _ => None,
        };
        match (doubt, last) {
            (Some(doubt), Some(last)) => self.cursor = Cursor::After(last.to_owned(), doubt),
            (Some(Doubt::Full), None) => self.end = Some(WalkEnd::Unproven),
            _ => self.end = Some(WalkEnd::Complete),
        }
    }

    /// The links do not lead on: asks once for what follows the last name.
    fn circle(&mut self, last: Option<&str>) {
        match last {
            Some(last) if !self.last_resort_taken => {
                self.last_resort_taken = true;
                self.cursor = Cursor::After(last.to_owned(), Doubt::Circle);
            }
            _ => self.end = Some(WalkEnd::Circle),
        }
    }

    fn step_down(&mut self, status: u16) {
        self.step = (self.step + 1).min(SIZES.len() - 1);
        if status < 500 {
            self.refused_step = self.step;
        }
    }

    /// Takes in a refusal of the page asked for last.
    pub(super) fn refused(&mut self, status: u16) -> Refused {
        let about_size = matches!(status, 400 | 405 | 413 | 414 | 416 | 422) || status >= 500;
        match self.cursor {
            Cursor::Start if about_size && self.step + 1 < SIZES.len() => {
                self.step_down(status);
                Refused::GoOn
            }
            Cursor::Start => Refused::Fail,
            Cursor::After(_, doubt) if (400..500).contains(&status) => {
                self.end = Some(match doubt {
                    Doubt::Full => WalkEnd::Unproven,
                    Doubt::Round => WalkEnd::Complete,
                    Doubt::Circle => WalkEnd::Circle,
                });
                Refused::GoOn
            }
            // The cursor was deleted or has expired (Zot answers 404, Harbor 400).
            Cursor::Link(_) if about_size || matches!(status, 404 | 410) => {
                if self.restarts >= RESTARTS {
                    self.end = Some(WalkEnd::CursorLost);
                    return Refused::GoOn;
                }
                if matches!(status, 405 | 413 | 414) || status >= 500 {
                    self.step_down(status);
                }
                self.restarts += 1;
                self.replaying = true;
                self.fruitless = 0;
                self.asked.clear();
                self.cursor = Cursor::Start;
                Refused::GoOn
            }
            Cursor::After(..) | Cursor::Link(_) => Refused::Fail,
        }
    }
}

#[cfg(test)]
#[path = "pager_tests.rs"]
mod tests;
