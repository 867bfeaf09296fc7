//! What came in and led to nothing, counted.

use portolan_shared::model::{NotifyCount, RegistryName};

/// Why a request or an event is refused, as a word for counters and messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// It names no registry that is known here.
    Unknown,
    /// It comes from an address that is not in `from`.
    Source,
    /// It shows no secret, a wrong one, or a signature that does not verify.
    Secret,
    /// Its signature is genuine, and of another time.
    Stale,
    /// There is no secret to compare with: its file cannot be read.
    NoSecret,
    /// Its body is too large, or did not come.
    Body,
    /// There are too many of them.
    Rate,
    /// No TLS came about: it does not trust the certificate, or speaks none.
    Tls,
    /// Nothing can be read out of it, or not out of all of it.
    Malformed,
}

impl Refused {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown_registry",
            Self::Source => "source",
            Self::Secret => "secret",
            Self::Stale => "stale",
            Self::NoSecret => "no_secret",
            Self::Body => "body",
            Self::Rate => "rate",
            Self::Tls => "tls",
            Self::Malformed => "malformed",
        }
    }
}

/// Counters of one registry, or of what names none.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Since the start.
    pub(super) received: u64,
    pub(super) ignored: u64,
    pub(super) refused: u64,
    pub(super) last_refused: Option<Refused>,
    /// Since the message before.
    untold_ignored: u64,
    untold_refused: u64,
}

impl Counts {
    pub(super) fn ignore(&mut self, count: u64) {
        self.ignored += count;
        self.untold_ignored += count;
    }

    pub(super) fn refuse(&mut self, count: u64, why: Refused) {
        if count > 0 {
            self.refused += count;
            self.untold_refused += count;
            self.last_refused = Some(why);
        }
    }

    pub(super) fn is_untold(&self) -> bool {
        self.untold_ignored + self.untold_refused > 0
    }

    /// What is to be told, once.
    pub(super) fn tell(&mut self, registry: Option<&RegistryName>) -> NotifyCount {
        let refused = std::mem::take(&mut self.untold_refused);
        NotifyCount {
            registry: registry.cloned(),
            ignored: std::mem::take(&mut self.untold_ignored),
            refused,
            last_refused: self
                .last_refused
                .filter(|_| refused > 0)
                .map(|refused| refused.as_str().to_owned()),
        }
    }
}
