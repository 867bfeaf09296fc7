//! What an answer that is no success means.

use std::fmt;

use ::http::StatusCode;
use ::http::header::CONTENT_TYPE;
use serde::Deserialize;

use crate::error::Fault;
use crate::http::Reply;

/// The code of a registry's error, such as `NAME_UNKNOWN` (distribution-spec 1.1, "Error Codes"). The message beside it is never kept: it may say
/// anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorCode(Box<str>);

/// Bytes of a code: passed over above.
const CODE_BYTES: usize = 48;

#[derive(Deserialize)]
struct Wire {
    errors: Vec<WireError>,
}

#[derive(Deserialize)]
struct WireError {
    code: Option<String>,
    message: Option<String>,
}

impl ErrorCode {
    /// The code as text: upper-case letters, digits and underscores.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn read(text: &str) -> Option<Self> {
        let fits = (1..=CODE_BYTES).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        fits.then(|| Self(text.into()))
    }

    /// The code of the first error in a body, if it is one of a registry.
    pub(crate) fn of(body: &[u8]) -> Option<Self> {
        first(body).and_then(|error| Self::read(&error.code?))
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn first(body: &[u8]) -> Option<WireError> {
    // A body that was cut at its bound is no JSON; then the status alone tells.
    let wire: Wire = serde_json::from_slice(body).ok()?;
    wire.errors.into_iter().next()
}

/// The fault of an answer that another origin gave than the one that was asked: whatever it says is not the registry's word.
pub(crate) fn from_elsewhere(reply: &Reply) -> Option<Fault> {
    reply.elsewhere.then(|| Fault::Redirect {
        to: reply.url.host_str().map(str::to_owned),
        why: "to another host than the API's",
    })
}

/// The fault that an answer makes. Never called for a success.
pub(crate) fn fault_of(reply: &Reply) -> Fault {
    let status = reply.status;
    let error = first(&reply.body);
    let code = error
        .as_ref()
        .and_then(|error| ErrorCode::read(error.code.as_deref()?));
    let says = |words: &[&str]| {
        let message = error.as_ref().and_then(|error| error.message.as_deref());
        message.is_some_and(|message| {
            let message = message.to_ascii_lowercase();
            words.iter().all(|word| message.contains(word))
        })
    };
    match (status.as_u16(), code.as_ref().map(ErrorCode::as_str)) {
        (400, _) if reply.url.scheme() == "http" && wants_tls(&reply.body) => Fault::TlsExpected,
        // CNCF Distribution and those made of it: "OCI manifest found, but accept header does not support OCI manifests".
        (404, Some("MANIFEST_UNKNOWN")) if says(&["accept header", "oci"]) => Fault::AcceptStripped,
        // "Schema 1 manifest not supported"; Distribution 3 and GitLab.
        (400, Some("MANIFEST_INVALID")) if says(&["schema", "1", "not supported"]) => Fault::Schema1,
        (401 | 403, _) => Fault::Denied { status, code },
        (404 | 410, _) | (_, Some("NAME_UNKNOWN" | "MANIFEST_UNKNOWN" | "BLOB_UNKNOWN")) => {
            Fault::Missing { status, code }
        }
        // Harbor and Red Hat's registry say so in words only.
        (_, Some("UNKNOWN")) if says(&["not found"]) => Fault::Missing { status, code },
        (300..=399, _) => Fault::Redirect {
            to: None,
            why: "where no redirect is followed",
        },
        (429, _) => Fault::RateLimited { status },
        (500, Some(_)) | (500..=599, None) => Fault::Unavailable { status },
        _ => Fault::Rejected { status, code },
    }
}

/// What servers of TLS answer to a request in clear: nginx, Apache and Go in their own words.
fn wants_tls(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(&body[..body.len().min(1024)]).to_ascii_lowercase();
    [
        "plain http request was sent to https port",
        "speaking plain http to an ssl-enabled server port",
        "sent an http request to an https server",
    ]
    .iter()
    .any(|words| text.contains(words))
}

/// Says why a success that holds something unexpected is none.
pub(crate) fn unexpected(reply: &Reply, expected: &'static str) -> Fault {
    let is_page = reply
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.trim_start().starts_with("text/html"));
    let looks_like_page = reply.body.trim_ascii_start().starts_with(b"<");
    if is_page || looks_like_page {
        return Fault::WebPage;
    }
    Fault::Protocol {
        problem: if reply.status == StatusCode::NO_CONTENT || reply.body.is_empty() {
            "an empty answer came"
        } else {
            expected
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fault(status: u16, body: &str) -> Fault {
        fault_of(&Reply::for_test(status, body))
    }

    #[test]
    fn knows_the_many_spellings_of_not_there() {
        let coded = |code: &str| format!(r#"{{"errors":[{{"code":"{code}","message":"m","detail":[1]}}]}}"#);
        for (status, body) in [
            (404, String::new()),
            (404, "<html>".to_owned()),
            (400, coded("MANIFEST_UNKNOWN")),
            (
                500,
                r#"{"errors":[{"code":"UNKNOWN","message":"http status: Not Found"}]}"#.to_owned(),
            ),
        ] {
            assert!(
                matches!(fault(status, &body), Fault::Missing { .. }),
                "{status} {body}"
            );
        }
        assert!(matches!(
            fault(403, &coded("DENIED")),
            Fault::Denied { code: Some(_), .. }
        ));
        assert!(matches!(fault(401, ""), Fault::Denied { code: None, .. }));
        assert!(matches!(fault(500, &coded("UNKNOWN")), Fault::Unavailable { .. }));
        assert!(matches!(
            fault(405, &coded("UNSUPPORTED")),
            Fault::Rejected { .. }
        ));
        assert!(matches!(fault(412, "x"), Fault::Rejected { code: None, .. }));
        assert!(matches!(fault(303, ""), Fault::Redirect { .. }));
    }

    #[test]
    fn codes_are_codes_or_nothing() {
        for bad in ["", "lower", "A B", "A\u{1b}[2J", &"A".repeat(CODE_BYTES + 1)] {
            assert_eq!(ErrorCode::read(bad), None, "{bad:?}");
        }
        assert!(ErrorCode::read(&"A".repeat(CODE_BYTES)).is_some());
        let shown = fault(
            400,
            r#"{"errors":[{"code":"NAME_INVALID","message":"secret text"}]}"#,
        )
        .to_string();
        assert_eq!(shown, "the request was refused (400), NAME_INVALID");
    }

    proptest! {
        #[test]
        fn no_answer_panics(status in 300_u16..600, body in "\\PC{0,80}") {
            let _ = fault(status, &body).to_string();
        }
    }
}
