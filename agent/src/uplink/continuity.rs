//! The continuity token of the open session: stored first, acknowledged then, and only after that is work taken on. Pure.

use std::time::Duration;

use portolan_shared::process::Uptime;

use crate::keyring::ContinuityToken;

/// A token that could not be stored is tried again after this time: the control plane waits for half a minute.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// A token that came with a Welcome and is not on disk yet, if there is one.
#[derive(Debug, Default)]
pub(super) struct Continuity {
    pending: Option<Pending>,
}

#[derive(Debug)]
struct Pending {
    token: ContinuityToken,
    due: Uptime,
}

impl Continuity {
    /// A session began, and this token came with its Welcome. One of an earlier session that was never stored is forgotten: on disk it
    /// would take the place of a newer one.
    pub(super) fn received(&mut self, token: ContinuityToken, now: Uptime) {
        self.pending = Some(Pending { token, due: now });
    }

    /// The token that is to be stored now. None while this sensor introduces itself anew: its Hello shows the token on disk, which the
    /// acknowledgement of another one would make void on the way.
    #[must_use]
    pub(super) fn due(&self, introducing: bool, now: Uptime) -> Option<ContinuityToken> {
        let pending = self.pending.as_ref()?;
        (!introducing && now >= pending.due).then(|| pending.token.clone())
    }

    /// The token is on disk. Gives what it is acknowledged by.
    pub(super) fn stored(&mut self) -> Option<Vec<u8>> {
        self.pending.take().map(|pending| pending.token.sha256())
    }

    /// It could not be stored: that is tried again.
    pub(super) fn failed(&mut self, now: Uptime) {
        if let Some(pending) = &mut self.pending {
            pending.due = Uptime(now.0 + AGAIN_AFTER);
        }
    }

    /// The session is over, or a recovery has brought a token that is newer than its own.
    pub(super) fn ended(&mut self) {
        self.pending = None;
    }

    /// Whether nothing waits to be stored: before, no work is taken on.
    #[must_use]
    pub(super) fn is_settled(&self) -> bool {
        self.pending.is_none()
    }
}

#[cfg(test)]
#[path = "continuity_tests.rs"]
mod tests;
