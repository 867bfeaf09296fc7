//! Every bound of this crate, in one value, so that tests can stand at each of them.

use std::time::Duration;

use portolan_shared::model::limits;
use portolan_shared::process::RetryPolicy;

/// What one client may read, wait for and follow. The behaviour at each bound is said beside it.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Time for a TCP connection and its TLS handshake: unreachable beyond.
    pub connect: Duration,
    /// Time between two pieces of a body: the request counts as timed out beyond, and is tried again.
    pub idle: Duration,
    /// Time for one attempt at a request, body included: timed out beyond, and tried again.
    pub total: Duration,
    /// The same for a page of a listing; large registries compute these for minutes.
    pub list_total: Duration,
    /// Bytes of a manifest: refused as too large beyond.
    pub manifest_bytes: usize,
    /// Bytes of a page of a listing, after decompression: refused as too large beyond.
    pub list_bytes: usize,
    /// Bytes of a token service's answer: refused beyond.
    pub token_bytes: usize,
    /// Bytes of an error's body: the rest is not read.
    pub error_bytes: usize,
    /// Redirects followed for one request: refused beyond.
    pub redirects: usize,
    /// Tags of one repository: the walk ends beyond and says so.
    pub tags: usize,
    /// Repositories of one catalog: the walk ends beyond and says so.
    pub repositories: usize,
    /// Pages of one walk: it ends beyond and says so.
    pub pages: usize,
    /// Referrers of one subject: the list ends beyond and says so.
    pub referrers: usize,
    /// Longest single wait that a server may ask for with `Retry-After`; longer ones are cut to this.
    pub longest_wait: Duration,
    /// Sum of the waits while a server says that it is busy, or that nothing is left of its quota: rate-limited beyond. It is counted for each
    /// request, and for each host over all requests of a client, which every good answer lowers by 10 s: at the bound nothing is waited
    /// for any more, so that requests to that host fail at once while it lasts, and are sent without waiting afterwards.
    pub patience: Duration,
    /// How failures that may pass are tried again.
    pub retry: RetryPolicy,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            total: Duration::from_secs(120),
            list_total: Duration::from_secs(300),
            manifest_bytes: limits::MANIFEST_BYTES,
            list_bytes: 32 * 1024 * 1024,
            token_bytes: 1024 * 1024,
            error_bytes: 64 * 1024,
            redirects: 5,
            tags: limits::TAGS_PER_REPOSITORY,
            repositories: limits::REPOSITORIES_PER_REGISTRY,
            pages: 110_000,
            referrers: limits::REFERRERS,
            longest_wait: Duration::from_secs(limits::RETRY_AFTER_SECONDS),
            patience: Duration::from_secs(3_600),
            retry: RetryPolicy::REGISTRY,
        }
    }
}

/// Bytes of one header block over HTTP/2; over HTTP/1.1, hyper's own bound of about 400 KiB and 100 headers holds.
pub(crate) const HEADER_BYTES: u32 = 64 * 1024;
/// Bytes of a URL that a server sends us to, or of a paging cursor.
pub(crate) const URL_BYTES: usize = 8 * 1024;
/// Hosts besides the registry (token services, storage) that connections are kept for; the least recently met is forgotten.
pub(crate) const OTHER_HOSTS: usize = 16;
