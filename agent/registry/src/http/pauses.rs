//! Hosts that have said that nothing is left of their quota, and until when they are left alone.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Method;
use portolan_shared::process::Uptime;
use url::Url;

use super::quota::Exhausted;

/// Hosts that are remembered; the oldest pause is forgotten beyond.
const HOSTS: usize = 16;

/// Quotas are kept by host: that of a product's API on another host says nothing of the registry's.
#[derive(Debug, Default)]
pub(super) struct Pauses(Mutex<Vec<Pause>>);

#[derive(Debug)]
struct Pause {
    host: String,
    pulls_only: bool,
    until: Uptime,
}

/// What a request counts as.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted<'u> {
    url: &'u Url,
    is_pull: bool,
}

impl<'u> Counted<'u> {
    pub(super) fn of(method: &Method, url: &'u Url) -> Self {
        Self {
            url,
            is_pull: *method == Method::GET && url.path().contains("/manifests/"),
        }
    }

    pub(super) fn is_pull(self) -> bool {
        self.is_pull
    }

    /// `HOST:PORT`.
    pub(super) fn host(self) -> String {
        host_of(self.url)
    }
}

fn host_of(url: &Url) -> String {
    format!(
        "{}:{}",
        url.host_str().unwrap_or_default(),
        url.port_or_known_default().unwrap_or_default()
    )
}

impl Pauses {
    fn lock(&self) -> MutexGuard<'_, Vec<Pause>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The host has said that its quota is used up.
    pub(super) fn note(&self, url: &Url, exhausted: Exhausted, longest: Duration, now: Uptime) {
        let host = host_of(url);
        let until = Uptime(now.0 + exhausted.wait.min(longest));
        let mut pauses = self.lock();
        pauses.retain(|pause| {
            pause.until > now && !(pause.host == host && pause.pulls_only == exhausted.pulls_only)
        });
        if pauses.len() >= HOSTS {
            pauses.remove(0);
        }
        pauses.push(Pause {
            host,
            pulls_only: exhausted.pulls_only,
            until,
        });
    }

    /// How long this request has to wait.
    pub(super) fn wait(&self, request: Counted<'_>, now: Uptime) -> Duration {
        let pauses = self.lock();
        if pauses.is_empty() {
            return Duration::ZERO;
        }
        let host = host_of(request.url);
        pauses
            .iter()
            .filter(|pause| pause.host == host && (request.is_pull || !pause.pulls_only))
            .map(|pause| pause.until.since(now))
            .max()
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_of_pulls_stops_nothing_else() {
        let pauses = Pauses::default();
        let manifest = Url::parse("https://r.example.com/v2/a/manifests/1").unwrap();
        let tags = Url::parse("https://r.example.com/v2/a/tags/list").unwrap();
        let elsewhere = Url::parse("https://api.example.com/v2/a/manifests/1").unwrap();
        let now = |seconds| Uptime(Duration::from_secs(seconds));
        let exhausted = |seconds, pulls_only| Exhausted {
            wait: Duration::from_secs(seconds),
            pulls_only,
        };
        pauses.note(
            &manifest,
            exhausted(21_600, true),
            Duration::from_secs(600),
            now(0),
        );
        let wait = |method, url, at| pauses.wait(Counted::of(&method, url), now(at)).as_secs();
        assert_eq!(
            wait(Method::GET, &manifest, 10),
            590,
            "not longer than is waited for anything"
        );
        for (method, url) in [
            (Method::HEAD, &manifest),
            (Method::GET, &tags),
            (Method::GET, &elsewhere),
        ] {
            assert_eq!(wait(method, url, 10), 0, "{url}");
        }
        pauses.note(&tags, exhausted(60, false), Duration::from_secs(600), now(10));
        assert_eq!(wait(Method::HEAD, &manifest, 20), 50);
        assert_eq!(wait(Method::GET, &manifest, 20), 580, "both hold");
        assert_eq!(wait(Method::GET, &elsewhere, 20), 0);
        for host in 0..2 * HOSTS {
            let other = Url::parse(&format!("https://h{host}.example.com/")).unwrap();
            pauses.note(&other, exhausted(60, false), Duration::from_secs(600), now(20));
        }
        assert_eq!(pauses.lock().len(), HOSTS);
    }
}
