//! Paging: a bounded number of items, and where to go on.

use std::fmt;
use std::str::FromStr;

/// Where the next page begins: opaque to everyone but the store, safe in a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(String);

/// A text that is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor: pass on what the page before gave, unchanged")]
pub struct CursorError;

impl Cursor {
    /// Longest cursor, in bytes.
    pub const MAX_BYTES: usize = 2_048;

    /// A cursor for a position in some order. The store alone gives the text a meaning.
    #[must_use]
    pub fn at(position: &[u8]) -> Self {
        use std::fmt::Write as _;
        let mut text = String::with_capacity(position.len() * 2);
        for byte in position {
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }

    /// The position.
    pub fn position(&self) -> Result<Vec<u8>, CursorError> {
        if !self.0.is_ascii() || !self.0.len().is_multiple_of(2) {
            return Err(CursorError);
        }
        (0..self.0.len() / 2)
            .map(|i| u8::from_str_radix(&self.0[2 * i..2 * i + 2], 16).map_err(|_| CursorError))
            .collect()
    }
}

impl FromStr for Cursor {
    type Err = CursorError;
    fn from_str(text: &str) -> Result<Self, CursorError> {
        if text.len() > Self::MAX_BYTES {
            return Err(CursorError);
        }
        let cursor = Self(text.to_owned());
        cursor.position().map(|_| cursor)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which page is wanted.
#[derive(Debug, Clone)]
pub struct PageRequest {
    /// Where it begins; at the start if none.
    pub after: Option<Cursor>,
    /// How many items at most, from 1 to [`PageRequest::MAX`].
    pub limit: u16,
}

impl PageRequest {
    /// Most items in a page.
    pub const MAX: u16 = 1_000;

    /// The first page, with as many items as a page may have.
    #[must_use]
    pub fn first() -> Self {
        Self {
            after: None,
            limit: Self::MAX,
        }
    }
}

/// Some items, and where to go on.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// Where the next page begins; none if this is the last.
    pub next: Option<Cursor>,
}
