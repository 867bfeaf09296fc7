//! From attempts to an answer: waits while the server is busy, tries again what may pass.

use std::sync::atomic::Ordering;
use std::time::Duration;

use http::StatusCode;
use portolan_shared::process::RetryPolicy;

use super::exchange::{Outgoing, Reply, Transport};
use super::retry::{Verdict, verdict};
use super::throttle::Throttle;
use crate::error::Fault;

impl Transport {
    /// Sends the request until there is an answer, or no sense in trying again.
    ///
    /// A server that says it is busy is waited for, up to [`Limits::patience`](super::Limits::patience): that makes a run late, not
    /// failed. Failures that may pass are tried again a few times.
    pub(crate) async fn send(&self, throttle: &Throttle, outgoing: &Outgoing) -> Result<Reply, Fault> {
        let policy = self.limits().retry;
        let mut line = policy.start();
        let mut server = RetryPolicy {
            retries: outgoing
                .retries
                .map_or(policy.retries, |most| most.min(policy.retries)),
            ..policy
        }
        .start();
        let mut busy = RetryPolicy {
            retries: u32::MAX,
            ..policy
        }
        .start();
        let mut waited = Duration::ZERO;
        loop {
            let fault = match self.once(throttle, outgoing).await {
                Attempt::Answer(outcome) => return outcome,
                Attempt::Busy(status, asked) => {
                    let rng = &*self.rng;
                    // The policy's own delay comes on top, so that not everybody returns at the same moment.
                    let own = busy.next_delay(rng, None).unwrap_or(policy.longest);
                    let asked = asked.map(|asked| asked.min(self.limits().longest_wait));
                    let wait = asked.unwrap_or_default() + own.min(asked.unwrap_or(own).max(policy.first));
                    if waited >= self.limits().patience {
                        return Err(Fault::RateLimited { status });
                    }
                    waited += wait;
                    tracing::debug!(
                        host = outgoing.url.host_str(),
                        status = status.as_u16(),
                        wait_ms = wait.as_millis() as u64,
                        "the server is busy"
                    );
                    self.counters.retries.fetch_add(1, Ordering::Relaxed);
                    if asked.is_some() {
                        throttle.park(wait);
                    } else {
                        tokio::time::sleep(wait).await;
                    }
                    continue;
                }
                Attempt::Failed(fault) => fault,
            };
            let series = match fault {
                Fault::Unavailable { .. } => &mut server,
                _ => &mut line,
            };
            match series.next_delay(&*self.rng, None) {
                Some(delay) => {
                    tracing::debug!(host = outgoing.url.host_str(), %fault, "tried again");
                    self.counters.retries.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(delay).await;
                }
                None => return Err(fault),
            }
        }
    }

    async fn once(&self, throttle: &Throttle, outgoing: &Outgoing) -> Attempt {
        let place = throttle.enter().await;
        self.guard().ready().await;
        let begun = place.begin();
        match self.attempt(outgoing).await {
            Ok(reply) => match verdict(reply.status, &reply.headers, self.clock.now()) {
                Verdict::Final => {
                    place.well(begun);
                    Attempt::Answer(Ok(reply))
                }
                Verdict::Busy(asked) => {
                    place.overloaded(begun);
                    Attempt::Busy(reply.status, asked)
                }
                Verdict::Failed => {
                    if reply.status == StatusCode::SERVICE_UNAVAILABLE {
                        place.overloaded(begun);
                    }
                    Attempt::Failed(Fault::Unavailable { status: reply.status })
                }
            },
            Err(fault) if fault.may_pass() => {
                if matches!(fault, Fault::TimedOut { .. }) {
                    place.overloaded(begun);
                }
                Attempt::Failed(fault)
            }
            Err(fault) => Attempt::Answer(Err(fault)),
        }
    }
}

enum Attempt {
    Answer(Result<Reply, Fault>),
    Busy(StatusCode, Option<Duration>),
    Failed(Fault),
}
