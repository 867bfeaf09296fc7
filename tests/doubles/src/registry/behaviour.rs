//! How the double behaves.

use std::time::Duration;

/// Which product it takes itself for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// GitLab with its metadata database: tags are paged; schema 1 is refused.
    GitLabDatabase,
    /// GitLab on the file system alone: `n` and `last` of tag lists are ignored; schema 1 is refused.
    GitLabFilesystem,
    /// A plain registry: no product headers, tags are paged, schema 1 is served.
    Plain,
}

/// Whether it has the referrers API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Referrers {
    /// It has.
    Api,
    /// 404 in plain text, so that clients turn to the fallback tags.
    Missing,
}

/// How blobs are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobServing {
    /// By the registry itself.
    Direct,
    /// By a redirect (307) to a signed URL of the storage listener, which refuses requests that carry `Authorization`.
    Redirect,
}

/// How lists are paged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paging {
    /// `Link` with an absolute path, as the Distribution family does.
    Relative,
    /// `Link` with a whole URL.
    Absolute,
    /// `Link` with a whole URL of a host that is not this one: a configured name behind a port map.
    WrongHost,
    /// Two links in one header, the previous page first.
    PreviousAndNext,
    /// A link without quotes, `REL` in upper case, further parameters.
    Sloppy,
    /// A cursor in place of `last`, of which a client cannot know the form.
    OpaqueCursor,
    /// A link on the last page too; what it leads to is empty.
    EmptyLastPage,
    /// No link, though there is more.
    NoLink,
    /// A link to the page that it is on.
    Loop,
    /// A link on every page, and names made up without end.
    Endless,
}

/// How the double behaves; changeable while it runs.
#[derive(Debug, Clone)]
pub struct Behaviour {
    /// Which product it takes itself for.
    pub flavour: Flavour,
    /// Whether it has the referrers API.
    pub referrers: Referrers,
    /// How blobs are served.
    pub blobs: BlobServing,
    /// How lists are paged.
    pub paging: Paging,
    /// Entries on a page if the client names no number.
    pub page: usize,
    /// Whether there is a catalog at all; without it 404.
    pub catalog: bool,
    /// For how long beyond its expiry a token is accepted.
    pub leeway: Duration,
    /// Whether the tag `sha256-<hex>` resolves to that very manifest, as GitLab does for want of a referrers API.
    pub fallback_is_subject: bool,
}

impl Default for Behaviour {
    /// GitLab with its metadata database, no referrers API, blobs served directly, pages of 100, 60 s of leeway.
    fn default() -> Self {
        Self {
            flavour: Flavour::GitLabDatabase,
            referrers: Referrers::Missing,
            blobs: BlobServing::Direct,
            paging: Paging::Relative,
            page: 100,
            catalog: true,
            leeway: Duration::from_secs(60),
            fallback_is_subject: false,
        }
    }
}
