//! Asking the database for somebody who may stop in the middle.

use portolan_shared::process::Tasks;
use tokio::sync::oneshot;

use crate::app::AppError;

/// Lets something be done in a task of its own, until the one who waits for it goes. A stream is polled only while its client reads: what it had
/// begun itself would stand still with it, and a connection of the database with that.
///
/// # Errors
/// [`AppError::Internal`] if the task did not come to its end.
pub(super) async fn apart<T: Send + 'static>(
    tasks: &Tasks,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, AppError> {
    let (mut tell, told) = oneshot::channel();
    tasks.spawn("read for a follower", async move {
        let done = tokio::select! {
            done = work => done,
            () = tell.closed() => return,
        };
        // Whoever has gone since does not need it.
        let _ = tell.send(done);
    });
    told.await
        .map_err(|_| AppError::Internal("a task did not come to its end".into()))
}

#[cfg(test)]
mod tests {
    use std::future;
    use std::sync::Arc;

    use futures::FutureExt as _;
    use portolan_shared::process::Shutdown;
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn it_gives_back_what_it_has_though_nobody_polls() {
        let (tasks, connections) = (Tasks::new(Shutdown::new()), Arc::new(Semaphore::new(1)));
        let held = Arc::clone(&connections);
        let mut suspended = Box::pin(apart(&tasks, async move {
            let connection = held.acquire().await;
            tokio::task::yield_now().await;
            connection.is_ok()
        }));
        assert!(suspended.as_mut().now_or_never().is_none());
        while tasks.running() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(connections.available_permits(), 1);
        assert!(suspended.await.unwrap());
    }

    #[tokio::test]
    async fn it_ends_with_who_waits() {
        let tasks = Tasks::new(Shutdown::new());
        let gone = apart(&tasks, future::pending::<()>()).now_or_never();
        assert!(gone.is_none());
        tasks.ended().await;
    }
}
