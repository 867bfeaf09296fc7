//! What a process has used, as Linux tells.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;

/// Clock ticks per second in `/proc`: `USER_HZ`, which is part of the kernel's interface and 100 on every architecture that is
/// supported here.
const TICKS: u64 = 100;

/// What a process has used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Processor time of all its threads, in user and kernel mode; to within 10 ms.
    pub cpu: Duration,
    /// Resident memory now, in KiB.
    pub rss_kib: u64,
    /// The most resident memory that it had since its start or since [`Figures::forget_peak`], in KiB.
    pub peak_rss_kib: u64,
}

impl Figures {
    /// Of the process with this id.
    pub fn of(id: u32) -> anyhow::Result<Self> {
        let read = |file: &str| {
            let path = format!("/proc/{id}/{file}");
            fs::read_to_string(&path).with_context(|| format!("read {path}"))
        };
        let ticks = ticks_of(&read("stat")?).context("read the processor time of a process")?;
        let status = read("status")?;
        Ok(Self {
            cpu: Duration::from_millis(ticks * 1_000 / TICKS),
            rss_kib: kib_of(&status, "VmRSS:").context("read the memory of a process")?,
            peak_rss_kib: kib_of(&status, "VmHWM:").context("read the peak memory of a process")?,
        })
    }

    /// Of this process.
    pub fn of_self() -> anyhow::Result<Self> {
        Self::of(std::process::id())
    }

    /// Makes the kernel measure the peak of the process with this id anew, from what it has now.
    pub fn forget_peak(id: u32) -> anyhow::Result<()> {
        let path = format!("/proc/{id}/clear_refs");
        fs::write(&path, "5").with_context(|| format!("write {path}"))
    }
}

/// `utime` and `stime`, fields 14 and 15 of `/proc/PID/stat` (proc(5)). The second field is a name in parentheses, which may hold
/// spaces and parentheses.
fn ticks_of(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn kib_of(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_writes() {
        let stat = "42 (a (strange) name) S 1 42 42 0 -1 4194560 100 0 0 0 250 31 0 0 20 0 4 0 100 1000 200";
        assert_eq!(ticks_of(stat), Some(281));
        assert_eq!(
            kib_of("Name:\tx\nVmHWM:\t   16384 kB\nVmRSS:\t 9 kB\n", "VmHWM:"),
            Some(16_384)
        );
        let own = Figures::of_self().unwrap();
        assert!(own.rss_kib > 0 && own.peak_rss_kib >= own.rss_kib);
    }
}
