//! Waiting for conditions.

use std::time::Duration;

/// Longest wait for anything in a test: not a promise of the product, only the moment at which a test gives up.
pub(crate) const GIVE_UP: Duration = Duration::from_secs(90);

/// Asks again and again until `ask` gives something; panics with `what` if it never does.
pub async fn wait_for<T>(what: &str, ask: impl AsyncFnMut() -> Option<T>) -> T {
    wait_for_within(GIVE_UP, what, ask).await
}

/// Like [`wait_for`], with another moment of giving up.
///
/// # Panics
///
/// If the condition does not come true in time.
#[expect(clippy::panic, reason = "it is for tests alone, and this is how they fail")]
pub async fn wait_for_within<T>(give_up: Duration, what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let answer = tokio::time::timeout(give_up, async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    match answer.await {
        Ok(answer) => answer,
        Err(_) => panic!("waited in vain for {what}"),
    }
}
