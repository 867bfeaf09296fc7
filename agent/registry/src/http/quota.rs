//! What servers say of their own limits before anybody exceeds them.
//!
//! | who | header |
//! | --- | --- |
//! | Docker Hub's registry | `ratelimit-remaining: 76;w=21600`: pulls, which are GETs of manifests; HEAD is free |
//! | GitLab, DigitalOcean | `RateLimit-Remaining` and `RateLimit-Reset`, a Unix time or seconds |
//! | the IETF's drafts | `RateLimit: limit=10, remaining=0, reset=5`, later `RateLimit: "default";r=0;t=5` |
//! | GitHub, Cloudsmith, Hub's web API | `X-RateLimit-Remaining` and `X-RateLimit-Reset`, a Unix time |

use std::time::Duration;

use http::{HeaderMap, HeaderName};
use jiff::Timestamp;

/// Numbers above are Unix times, numbers below are seconds from now.
const UNIX_TIMES: f64 = 1e9;

/// Nothing is left of a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exhausted {
    /// After which time there is something again, or is worth a try.
    pub(super) wait: Duration,
    /// Whether only GETs of manifests count.
    pub(super) pulls_only: bool,
}

/// What an answer says; `None` while something is left, or nothing is said.
pub(super) fn exhausted(headers: &HeaderMap, now: Timestamp) -> Option<Exhausted> {
    named(headers, "ratelimit-remaining", "ratelimit-reset", now)
        .or_else(|| named(headers, "x-ratelimit-remaining", "x-ratelimit-reset", now))
        .or_else(|| structured(headers, now))
}

fn text<'h>(headers: &'h HeaderMap, name: &'static str) -> Option<&'h str> {
    headers.get(HeaderName::from_static(name))?.to_str().ok()
}

fn named(
    headers: &HeaderMap,
    remaining: &'static str,
    reset: &'static str,
    now: Timestamp,
) -> Option<Exhausted> {
    let (left, parameters) = match text(headers, remaining)?.split_once(';') {
        Some((left, parameters)) => (left, Some(parameters)),
        None => (text(headers, remaining)?, None),
    };
    if number(left)? > 0.0 {
        return None;
    }
    let window = parameters
        .into_iter()
        .flat_map(|parameters| parameters.split(';'))
        .find_map(|parameter| parameter.trim().strip_prefix("w="))
        .and_then(number);
    match (window, text(headers, reset).and_then(number)) {
        // Of a sliding window nobody says when the next piece comes free: at its end at the latest.
        (Some(window), _) => Some(Exhausted {
            wait: seconds(window)?,
            pulls_only: true,
        }),
        (None, Some(reset)) => Some(Exhausted {
            wait: until(reset, now)?,
            pulls_only: false,
        }),
        (None, None) => None,
    }
}

fn structured(headers: &HeaderMap, now: Timestamp) -> Option<Exhausted> {
    let value = text(headers, "ratelimit")?;
    // One policy after another in the later form; the first form has commas between the members of the only one.
    let is_first_form = value.contains("remaining=");
    let policies: Vec<Vec<&str>> = if is_first_form {
        vec![value.split(',').collect()]
    } else {
        value
            .split(',')
            .map(|policy| policy.split(';').collect())
            .collect()
    };
    policies.iter().find_map(|members| {
        let member = |names: [&str; 2]| {
            members
                .iter()
                .filter_map(|member| member.split_once('='))
                .find(|(name, _)| names.contains(&name.trim()))
                .and_then(|(_, value)| number(value))
        };
        if member(["remaining", "r"])? > 0.0 {
            return None;
        }
        Some(Exhausted {
            wait: until(member(["reset", "t"])?, now)?,
            pulls_only: false,
        })
    })
}

fn number(text: &str) -> Option<f64> {
    let number: f64 = text.trim().trim_matches('"').parse().ok()?;
    number.is_finite().then_some(number)
}

fn seconds(number: f64) -> Option<Duration> {
    (0.0..UNIX_TIMES)
        .contains(&number)
        .then(|| Duration::from_secs_f64(number))
}

fn until(reset: f64, now: Timestamp) -> Option<Duration> {
    if reset < UNIX_TIMES {
        return seconds(reset);
    }
    // Milliseconds of a Unix time, as a few write it, lie far above its seconds.
    let at = if reset > UNIX_TIMES * 100.0 {
        reset / 1e3
    } else {
        reset
    };
    let now = Duration::from_secs(u64::try_from(now.as_second()).unwrap_or(0));
    Some(Duration::try_from_secs_f64(at).ok()?.saturating_sub(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    const NOW: i64 = 1_700_000_000;

    fn read(headers: &[(&'static str, &str)]) -> Option<(u64, bool)> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                map.append(HeaderName::from_static(name), value);
            }
        }
        let found = exhausted(&map, Timestamp::from_second(NOW).unwrap());
        found.map(|found| (found.wait.as_secs(), found.pulls_only))
    }

    #[test]
    fn reads_every_form() {
        let in_a_minute = "1700000060";
        for (headers, wait) in [
            (
                &[("ratelimit-remaining", "0"), ("ratelimit-reset", in_a_minute)][..],
                60,
            ),
            (&[("ratelimit-remaining", "0"), ("ratelimit-reset", "60")], 60),
            (
                &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", in_a_minute)],
                60,
            ),
            (
                &[
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-reset", "1700000060000"),
                ],
                60,
            ),
            (
                &[
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-reset", "1600000000"),
                ],
                0,
            ),
            (
                &[("x-ratelimit-remaining", "-1"), ("x-ratelimit-reset", "7.5")],
                7,
            ),
            (&[("ratelimit", "limit=10, remaining=0, reset=60")], 60),
            (&[("ratelimit", r#""default";r=0;t=60"#)], 60),
            (&[("ratelimit", r#""burst";r=5;t=1, "daily";r=0;t=60"#)], 60),
        ] {
            assert_eq!(read(headers), Some((wait, false)), "{headers:?}");
        }
        assert_eq!(
            read(&[("ratelimit-remaining", "0;w=21600")]),
            Some((21_600, true)),
            "Docker Hub"
        );
    }

    #[test]
    fn says_nothing_while_something_is_left() {
        for headers in [
            &[][..],
            &[("ratelimit-remaining", "76;w=21600")],
            &[("ratelimit-remaining", "1"), ("ratelimit-reset", "60")],
            &[("ratelimit-remaining", "0")],
            &[("ratelimit-remaining", "none"), ("ratelimit-reset", "60")],
            &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "soon")],
            &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "-5")],
            &[("ratelimit", "limit=10, remaining=3, reset=60")],
            &[("ratelimit", "limit=10")],
            &[("ratelimit-policy", "10;w=60")],
        ] {
            assert_eq!(read(headers), None, "{headers:?}");
        }
    }

    proptest! {
        #[test]
        fn no_header_panics(a in "\\PC{0,40}", b in "[0-9;,=rtw. \"-]{0,40}", c in "[0-9.e+-]{0,12}") {
            for value in [&a, &b, &c] {
                let _ = read(&[("ratelimit", value)]);
                let _ = read(&[("ratelimit-remaining", value)]);
                let _ = read(&[("ratelimit-remaining", "0"), ("ratelimit-reset", value)]);
                let _ = read(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", value)]);
            }
        }
    }
}
