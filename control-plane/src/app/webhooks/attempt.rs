//! What becomes of a message after an attempt.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use portolan_store::{DeliveryOutcome, Tries, WhyDisabled};

use super::courier::Reply;

/// Longest pause after the first attempt; it doubles with each.
const FIRST: Duration = Duration::from_secs(5);
/// Longest pause, whoever asks for it.
const LONGEST: Duration = Duration::from_hours(1);
/// An attempt that begins later than this after the time for which it was planned was not made earlier because nobody was there to make it.
const LATE: SignedDuration = SignedDuration::from_mins(15);
/// No attempt lasts longer: where it seems to, the clock was set on meanwhile.
const ATTEMPT: SignedDuration = SignedDuration::from_mins(1);
/// How long a message is tried.
const PATIENCE: SignedDuration = SignedDuration::from_hours(24);

/// What came of an attempt, in the log's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    /// What was answered.
    pub(super) status: Option<u16>,
    /// What failed, as a word; none if it arrived.
    pub(super) failure: Option<&'static str>,
    /// The same for people.
    pub(super) detail: Option<String>,
}

impl Verdict {
    /// Only an answer that says so means that it arrived: a redirect is followed nowhere.
    pub(super) fn of(reply: &Reply) -> Self {
        match reply {
            Reply::Answered { status, .. } => {
                let (failure, detail) = match status {
                    200..=299 => (None, None),
                    300..=399 => (Some("redirect"), Some("redirects are not followed")),
                    410 => (Some("gone"), Some("the endpoint says that it is gone for good")),
                    _ => (
                        Some("status"),
                        Some("only an answer of 2xx says that the message has arrived"),
                    ),
                };
                Self {
                    status: Some(*status),
                    failure,
                    detail: detail.map(str::to_owned),
                }
            }
            Reply::Failed(failure) => Self {
                status: None,
                failure: Some(failure.word.as_str()),
                detail: Some(failure.detail.clone()),
            },
        }
    }
}

/// When an attempt was to be made, and was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// For when it was planned, if the message was tried before.
    pub(super) planned: Timestamp,
    /// When it began.
    pub(super) began: Timestamp,
    /// When it ended.
    pub(super) ended: Timestamp,
}

impl Times {
    /// Since when a message is tried that was first tried at `first`. What was slept through, because no control plane was there, the machine slept or
    /// the clock was set on, does not count; where the clock was set back, it begins again.
    fn tried_since(self, first: Timestamp) -> Timestamp {
        let passed = |from: Timestamp, to: Timestamp| to.duration_since(from).max(SignedDuration::ZERO);
        let late = passed(self.planned, self.began);
        let until_now = match late > LATE {
            true => passed(first, self.planned),
            false => passed(first, self.began),
        };
        let tried = until_now + passed(self.began, self.ended).min(ATTEMPT);
        self.ended.saturating_sub(tried).unwrap_or(Timestamp::MIN)
    }
}

/// What becomes of the message. `before` are the attempts so far, and `fraction` is drawn from 0 to 1.
///
/// A message is tried for a day, counted from the beginning of the first attempt; the last one is under way when the day ends. Time in which nobody
/// was there to try does not count.
pub(super) fn judge(before: Option<Tries>, reply: &Reply, times: Times, fraction: f64) -> DeliveryOutcome {
    let now = times.ended;
    let since = match before {
        None => times.began.min(now),
        Some(tries) => times.tried_since(tries.since),
    };
    let tries = Tries {
        attempts: before.map_or(0, |tries| tries.attempts).saturating_add(1),
        since,
    };
    let asked = match reply {
        Reply::Answered {
            status: 200..=299, ..
        } => return DeliveryOutcome::Delivered,
        Reply::Answered { status: 410, .. } => {
            return DeliveryOutcome::Disabled {
                tries,
                why: WhyDisabled::Gone,
            };
        }
        Reply::Answered {
            status: 429 | 503,
            retry_after: Some(text),
        } => retry_after(text, now),
        _ => None,
    };
    let end = since.saturating_add(PATIENCE).unwrap_or(Timestamp::MAX);
    if now >= end {
        return DeliveryOutcome::Disabled {
            tries,
            why: WhyDisabled::Undeliverable,
        };
    }
    let pause = asked.map_or_else(
        || backoff(tries.attempts, fraction),
        |asked| asked.clamp(FIRST, LONGEST),
    );
    let at = now.saturating_add(pause).unwrap_or(end).min(end);
    DeliveryOutcome::Again { tries, at }
}

/// The pause after so many attempts: from three quarters of what doubles each time up to the whole.
fn backoff(attempts: u32, fraction: f64) -> Duration {
    let doubled = 2_u32.checked_pow(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
    let whole = FIRST.saturating_mul(doubled).min(LONGEST);
    whole.mul_f64(0.75 + 0.25 * fraction.clamp(0.0, 1.0))
}

/// A `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3). Other forms of dates than the one that is to be written are not read; what is past
/// is now.
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More than a number can hold is more than will be waited for.
        return Some(text.parse().map_or(LONGEST, Duration::from_secs));
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
#[path = "attempt_tests.rs"]
mod tests;
