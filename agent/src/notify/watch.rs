//! Looks after the files of the listener.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use portolan_shared::process::Shutdown;

use super::registry::Notifiers;
use super::tls::TlsFiles;

/// How often files are looked at: a change holds within that time.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The files of the listener.
pub struct ListenerFiles {
    pub(super) notifiers: Arc<Notifiers>,
    pub(super) tls: Option<TlsFiles>,
}

impl ListenerFiles {
    /// Reads again what has changed.
    pub fn look(&self) {
        self.notifiers.look();
        if let Some(tls) = &self.tls {
            tls.look();
        }
    }

    /// What somebody should look at, with what to do.
    #[must_use]
    pub fn warnings(&self, now: Timestamp) -> Vec<String> {
        let mut warnings = self.notifiers.warnings();
        warnings.extend(self.tls.iter().flat_map(|tls| tls.warnings(now)));
        warnings
    }
}

/// Looks at the files every five seconds until the drain begins. Away from the loop that sends heartbeats: a file may be on a network.
pub async fn watch_files(files: Arc<ListenerFiles>, shutdown: Shutdown) {
    loop {
        tokio::select! {
            () = shutdown.draining() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let looked = Arc::clone(&files);
        // A panic in there is a fault of ours, and is told as one by whoever owns this task.
        if let Err(error) = tokio::task::spawn_blocking(move || looked.look()).await
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}
