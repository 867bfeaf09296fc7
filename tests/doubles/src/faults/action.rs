//! What goes wrong.

use std::time::Duration;

use super::gate::Gate;

/// What happens to a request that a rule hits. Several may hit one request: waits come first, in the order of their rules; then
/// the first that answers by itself; else the handler answers and the rest changes its response.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Waits this long.
    Delay(Duration),
    /// Waits until the gate lets it through.
    Hold(Gate),
    /// Resets the connection; over HTTP/2 every stream on it ends.
    Reset,
    /// Answers with this status, an error body with this code, and `Retry-After` if given (seconds or a date, sent as it is).
    Answer {
        /// The status.
        status: u16,
        /// The error code in the body, such as `TOOMANYREQUESTS`; with an empty one the body is a page of HTML.
        code: &'static str,
        /// The value of `Retry-After`.
        retry_after: Option<String>,
    },
    /// Answers as if the token had expired: 401 with `error="invalid_token"`. On a double without tokens it does nothing.
    InvalidToken,
    /// Answers with a redirect.
    Redirect {
        /// The status, such as 307.
        status: u16,
        /// The value of `Location`, sent as it is.
        location: String,
    },
    /// Sets a response header, or takes it out.
    Header {
        /// Its name.
        name: &'static str,
        /// Its value; none takes it out.
        value: Option<String>,
    },
    /// Changes one byte of the body and no header: content that does not hash to its digest.
    Garble,
    /// Ends the connection after this many bytes of the body.
    Truncate(usize),
    /// Sends the body one byte at a time with this wait before each.
    Trickle(Duration),
    /// Sends spaces, which JSON allows anywhere, without end, and no `Content-Length`.
    Endless,
    /// Sends a compressed body that unpacks to spaces without end, 158 times as many bytes as travel.
    EndlessGzip,
}

impl Fault {
    /// 429 with `Retry-After` in seconds.
    #[must_use]
    pub fn too_many(retry_after_seconds: u32) -> Self {
        Self::Answer {
            status: 429,
            code: "TOOMANYREQUESTS",
            retry_after: Some(retry_after_seconds.to_string()),
        }
    }

    /// 503 without `Retry-After`.
    #[must_use]
    pub fn unavailable() -> Self {
        Self::Answer {
            status: 503,
            code: "UNAVAILABLE",
            retry_after: None,
        }
    }

    /// 404 for a manifest: a child that an index names and the registry does not have.
    #[must_use]
    pub fn manifest_unknown() -> Self {
        Self::Answer {
            status: 404,
            code: "MANIFEST_UNKNOWN",
            retry_after: None,
        }
    }
}
