//! Which answers are worth another try, and when.

use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;

/// What an answer says about trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is an answer.
    Final,
    /// The server is busy, and may have said for how long.
    Busy(Option<Duration>),
    /// The server failed in a way that may pass.
    Failed,
}

pub(super) fn verdict(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Verdict {
    match status.as_u16() {
        429 => Verdict::Busy(asked(headers, now)),
        503 => asked(headers, now).map_or(Verdict::Failed, |wait| Verdict::Busy(Some(wait))),
        408 | 425 | 500 | 502 | 504 => Verdict::Failed,
        _ => Verdict::Final,
    }
}

/// How long the server asks to wait: `Retry-After` in seconds or as a date (RFC 9110), or `X-Retry-After` as a Unix time (Docker Hub).
fn asked(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &http::HeaderName| Some(headers.get(name)?.to_str().ok()?.trim().to_owned());
    let until = |at: i64| Duration::from_secs(u64::try_from(at - now.as_second()).unwrap_or(0));
    if let Some(text) = text(&RETRY_AFTER) {
        if let Ok(seconds) = text.parse::<f64>() {
            return (0.0..1e9)
                .contains(&seconds)
                .then(|| Duration::from_secs_f64(seconds));
        }
        let date = jiff::fmt::rfc2822::parse(&text).ok()?;
        return Some(until(date.timestamp().as_second()));
    }
    let at: i64 = text(&http::HeaderName::from_static("x-retry-after"))?
        .parse()
        .ok()?;
    Some(if at > 1_000_000_000 {
        until(at)
    } else {
        Duration::from_secs(u64::try_from(at).unwrap_or(0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn read(name: &'static str, value: &str) -> Verdict {
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
        let now: Timestamp = "1994-11-06T08:49:07Z".parse().unwrap();
        verdict(StatusCode::TOO_MANY_REQUESTS, &headers, now)
    }

    #[test]
    fn reads_every_form_of_retry_after() {
        let wait = |seconds| Verdict::Busy(Some(Duration::from_secs(seconds)));
        assert_eq!(read("retry-after", "7"), wait(7));
        assert_eq!(read("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"), wait(30));
        assert_eq!(read("retry-after", "Sun, 06 Nov 1994 08:40:00 GMT"), wait(0));
        assert_eq!(
            read("x-retry-after", "784111787"),
            wait(784_111_787),
            "too small for a time of this century"
        );
        assert_eq!(read("retry-after", "-5"), Verdict::Busy(None));
        assert_eq!(read("retry-after", "soon"), Verdict::Busy(None));
        assert_eq!(read("other", "1"), Verdict::Busy(None));
        let mut headers = HeaderMap::new();
        headers.insert("x-retry-after", HeaderValue::from_static("1700000030"));
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        assert_eq!(verdict(StatusCode::TOO_MANY_REQUESTS, &headers, now), wait(30));
    }

    #[test]
    fn tells_failures_that_pass_from_answers() {
        let of = |status: u16| {
            verdict(
                StatusCode::from_u16(status).unwrap(),
                &HeaderMap::new(),
                Timestamp::UNIX_EPOCH,
            )
        };
        for status in [408, 425, 500, 502, 503, 504] {
            assert_eq!(of(status), Verdict::Failed, "{status}");
        }
        for status in [200, 304, 400, 401, 403, 404, 405, 406, 410, 412, 413, 501] {
            assert_eq!(of(status), Verdict::Final, "{status}");
        }
    }

    proptest! {
        #[test]
        fn no_header_panics(text in "\\PC{0,40}") {
            let _ = read("retry-after", &text);
            let _ = read("x-retry-after", &text);
        }
    }
}
