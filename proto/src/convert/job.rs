//! How far jobs are.

use portolan_shared::model::RunProgress;

use crate::v1;

/// Progress for the wire, on a session.
#[must_use]
pub fn progress_to_wire(
    attempt: portolan_shared::model::AttemptRef,
    progress: &RunProgress,
) -> v1::JobProgress {
    v1::JobProgress {
        attempt: Some(attempt.into()),
        ..final_progress_to_wire(progress)
    }
}

/// Progress for the wire, at the close of a run.
#[must_use]
pub fn final_progress_to_wire(progress: &RunProgress) -> v1::JobProgress {
    v1::JobProgress {
        attempt: None,
        repositories_total: progress.repositories_total,
        repositories_done: progress.repositories_done,
        tags: progress.tags,
        manifests: progress.manifests,
        requests: progress.requests,
        bytes_up: progress.bytes_up,
        discovered: progress.discovered,
    }
}

/// Progress from the wire.
#[must_use]
pub fn progress(wire: &v1::JobProgress) -> RunProgress {
    RunProgress {
        repositories_total: wire.repositories_total,
        repositories_done: wire.repositories_done,
        tags: wire.tags,
        manifests: wire.manifests,
        requests: wire.requests,
        bytes_up: wire.bytes_up,
        discovered: wire.discovered,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::model::{AttemptRef, RunId};
    use portolan_shared::process::SeededRng;

    #[test]
    fn progress_round_trips() {
        let whole = RunProgress {
            repositories_total: 1,
            repositories_done: 2,
            tags: 3,
            manifests: 4,
            requests: 5,
            bytes_up: 6,
            discovered: true,
        };
        let attempt = AttemptRef {
            run: RunId::random(&SeededRng::new(1)),
            attempt: 7,
        };
        let on_session = progress_to_wire(attempt, &whole);
        assert_eq!(on_session.attempt, Some(attempt.into()));
        let at_close = final_progress_to_wire(&whole);
        assert_eq!(at_close.attempt, None);
        assert_eq!((progress(&on_session), progress(&at_close)), (whole, whole));
    }
}
