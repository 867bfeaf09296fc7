//! How much the agent may do: requests at once and per second, bytes, time.

use std::fmt;
use std::num::NonZeroU16;
use std::time::Duration;

use portolan_shared::model::Budget;
use toml::de::DeTable;

use super::faults::Notes;
use super::value::{Value, bytes, count, duration};

/// Requests of one registry begun per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// So many in the long run.
    pub per_second: NonZeroU16,
    /// So many at once after a pause.
    pub burst: NonZeroU16,
}

/// What holds for every registry together, and for those whose entry says nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentLimits {
    /// Requests in flight over all registries.
    pub concurrency: u16,
    /// Requests per second of each registry; as the control plane asks if none.
    pub rate: Option<Rate>,
    /// Bytes of answers that one job may read.
    pub bytes_per_job: u64,
    /// Bytes of answers that all jobs of one day (UTC) may read.
    pub bytes_per_day: u64,
    /// How long one job may take.
    pub job_duration: Duration,
}

/// What holds for one registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegistryLimits {
    /// Requests in flight.
    pub concurrency: u16,
    /// Requests per second; as the control plane asks if none.
    pub rate: Option<Rate>,
    /// Bytes of answers that one job may read.
    pub bytes_per_job: u64,
}

/// What an entry writes of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct OwnLimits {
    pub(super) concurrency: Option<u16>,
    pub(super) per_second: Option<u16>,
    pub(super) burst: Option<u16>,
    pub(super) bytes_per_job: Option<u64>,
}

/// Requests in flight over all registries unless the file says otherwise: sixteen jobs, the most that settings allow, at the control plane's
/// usual budget of sixteen each.
pub(super) const CONCURRENCY: u16 = 256;
/// Most that can be written for it.
const MAX_CONCURRENCY: u16 = 1_024;
/// Most requests per second, and burst, that can be written.
const MAX_RATE: u16 = 10_000;
/// Bytes of one job unless the file says otherwise.
pub(super) const BYTES_PER_JOB: u64 = 2 << 30;
/// Bytes of one day unless the file says otherwise.
pub(super) const BYTES_PER_DAY: u64 = 20 << 30;
/// Time of one job unless the file says otherwise: long, because a throttled run is to end late rather than in part.
pub(super) const JOB_DURATION: Duration = Duration::from_secs(24 * 3_600);

impl Default for AgentLimits {
    fn default() -> Self {
        Self {
            concurrency: CONCURRENCY,
            rate: None,
            bytes_per_job: BYTES_PER_JOB,
            bytes_per_day: BYTES_PER_DAY,
            job_duration: JOB_DURATION,
        }
    }
}

impl AgentLimits {
    /// What holds for a registry whose entry writes `own`: never more than for all.
    pub(super) fn with(&self, own: &OwnLimits) -> RegistryLimits {
        RegistryLimits {
            concurrency: own
                .concurrency
                .unwrap_or(Budget::MAX_CONCURRENCY)
                .min(self.concurrency),
            rate: rate(own.per_second, own.burst).or(self.rate),
            bytes_per_job: own
                .bytes_per_job
                .unwrap_or(self.bytes_per_job)
                .min(self.bytes_per_job),
        }
    }
}

/// A burst that is not written is two seconds' worth.
fn rate(per_second: Option<u16>, burst: Option<u16>) -> Option<Rate> {
    let per_second = NonZeroU16::new(per_second?)?;
    let burst = burst.and_then(NonZeroU16::new);
    let twice = per_second.saturating_mul(NonZeroU16::MIN.saturating_add(1));
    Some(Rate {
        per_second,
        burst: burst.unwrap_or(twice),
    })
}

impl OwnLimits {
    /// Takes in a key, if it is one of these.
    pub(super) fn take(&mut self, key: &str, value: &Value<'_>, notes: &mut Notes<'_>) -> bool {
        match key {
            "concurrency" => self.concurrency = count(value, key, Budget::MAX_CONCURRENCY, notes),
            "requests_per_second" => self.per_second = count(value, key, MAX_RATE, notes),
            "burst" => self.burst = count(value, key, MAX_RATE, notes),
            "bytes_per_job" => self.bytes_per_job = bytes(value, key, notes),
            _ => return false,
        }
        true
    }

    /// A burst of nothing is a slip.
    pub(super) fn check(&self, at: usize, notes: &mut Notes<'_>) {
        if self.burst.is_some() && self.per_second.is_none() {
            notes.add(at, "burst says nothing without requests_per_second");
        }
    }
}

/// Reads `[limits]`.
pub(super) fn read_limits(at: usize, table: &DeTable<'_>, notes: &mut Notes<'_>) -> AgentLimits {
    let mut limits = AgentLimits::default();
    let mut own = OwnLimits::default();
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "concurrency" => {
                if let Some(read) = count(value, "concurrency", MAX_CONCURRENCY, notes) {
                    limits.concurrency = read;
                }
            }
            "bytes_per_day" => {
                if let Some(read) = bytes(value, "bytes_per_day", notes) {
                    limits.bytes_per_day = read;
                }
            }
            "job_duration" => {
                if let Some(read) = duration(value, "job_duration", notes) {
                    limits.job_duration = read;
                }
            }
            other => {
                if !own.take(other, value, notes) {
                    notes.add(
                        key.span().start,
                        format!(
                            "unknown key {other:?}: expected concurrency, requests_per_second, burst, bytes_per_job, bytes_per_day or job_duration"
                        ),
                    );
                }
            }
        }
    }
    own.check(at, notes);
    limits.rate = rate(own.per_second, own.burst);
    limits.bytes_per_job = own.bytes_per_job.unwrap_or(limits.bytes_per_job);
    limits
}

/// Bytes for people.
pub(super) fn size(bytes: u64) -> String {
    for (unit, word) in [(1_u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] {
        if bytes.is_multiple_of(unit) {
            return format!("{} {word}", bytes / unit);
        }
    }
    format!("{bytes} bytes")
}

/// A time for people.
pub(super) fn time(duration: Duration) -> String {
    let minutes = duration.as_secs() / 60;
    if minutes.is_multiple_of(60) {
        format!("{} h", minutes / 60)
    } else {
        format!("{minutes} min")
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} requests per second ({} at once after a pause)",
            self.per_second, self.burst
        )
    }
}

impl fmt::Display for RegistryLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} requests at once", self.concurrency)?;
        if let Some(rate) = self.rate {
            write!(f, ", {rate}")?;
        }
        write!(f, ", {} per job", size(self.bytes_per_job))
    }
}
