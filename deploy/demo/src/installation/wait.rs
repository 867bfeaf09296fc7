//! Waiting for something to come true.

use std::time::Duration;

use anyhow::bail;
use portolan_shared::process::{Clock as _, SystemClock};

/// How long anything on one machine may take to come up.
const LONGEST: Duration = Duration::from_secs(60);

/// How often to look.
const PAUSE: Duration = Duration::from_millis(20);

/// Asks `look` until it gives something, or an error. `what` completes the sentence "waited in vain for ...".
pub async fn wait_until<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let clock = SystemClock;
    let started = clock.uptime();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if clock.uptime().since(started) > LONGEST {
            bail!("waited in vain for {what} ({} s)", LONGEST.as_secs());
        }
        tokio::time::sleep(PAUSE).await;
    }
}
