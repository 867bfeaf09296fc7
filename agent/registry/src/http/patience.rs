//! From attempts to an answer: waits while the server is busy, tries again what may pass.

use std::sync::atomic::Ordering;
use std::time::Duration;

use http::StatusCode;
use http::header::DATE;
use portolan_shared::process::RetryPolicy;

use super::Purpose;
use super::exchange::{Outgoing, Reply, Transport};
use super::pauses::Counted;
use super::quota::exhausted;
use super::retry::{Verdict, verdict};
use super::throttle::Throttle;
use crate::error::Fault;

impl Transport {
    /// Sends the request until there is an answer, or no sense in trying again.
    ///
    /// A server that says it is busy, or that nothing is left of its quota, is waited for, up to
    /// [`Limits::patience`](super::Limits::patience): that makes a run late, not failed. Failures that may pass are tried again a few times.
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
                    // What this host's quota makes the next try wait for is a part of it.
                    let counted = Counted::of(&outgoing.method, &outgoing.url);
                    let whole = wait.max(self.pauses.wait(counted, self.clock.uptime()));
                    if waited >= self.limits().patience || self.spend(counted, wait).is_err() {
                        return Err(Fault::RateLimited { status });
                    }
                    waited += whole;
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
        let counted = Counted::of(&outgoing.method, &outgoing.url);
        let place = loop {
            // Nobody keeps a place from others while waiting here; what others were told meanwhile counts too.
            if let Err(fault) = self.quota_is_there(counted).await {
                return Attempt::Answer(Err(fault));
            }
            let place = throttle.enter().await;
            if self.pauses.wait(counted, self.clock.uptime()).is_zero() {
                break place;
            }
        };
        // The turn comes last: one that was taken and kept waiting for a place would let others begin faster than they may.
        let _pass = self.guard().place().await;
        self.guard().ready().await;
        if let Err(fault) = self.allowance.turn().await {
            return Attempt::Answer(Err(fault));
        }
        let begun = place.begin();
        match self.attempt(outgoing).await {
            Ok(reply) => match self.judged(outgoing, &reply) {
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
                if matches!(fault, Fault::TimedOut { .. } | Fault::TurnedAway) {
                    place.overloaded(begun);
                }
                Attempt::Failed(fault)
            }
            Err(fault) => Attempt::Answer(Err(fault)),
        }
    }

    /// Returns once something is left of the quota that this request counts for. Fails at once if that was waited for long enough.
    pub(super) async fn quota_is_there(&self, request: Counted<'_>) -> Result<(), Fault> {
        loop {
            let wait = self.pauses.wait(request, self.clock.uptime());
            if wait.is_zero() {
                return Ok(());
            }
            let host = request.host();
            if let Err(waited) = self.spend(request, wait) {
                return Err(Fault::QuotaUsedUp { host, waited });
            }
            tracing::debug!(
                host,
                wait_ms = wait.as_millis() as u64,
                "nothing is left of the server's quota"
            );
            tokio::time::sleep(wait).await;
        }
    }

    /// Counts a wait for the request's host; fails with the sum of those before if that is all that is borne.
    fn spend(&self, request: Counted<'_>, wait: Duration) -> Result<(), Duration> {
        let account = (request.host(), request.is_pull());
        self.waits
            .spend(account, self.clock.uptime(), wait, self.limits().patience)
    }

    /// What an answer says about trying again; what it says beside that is remembered.
    fn judged(&self, outgoing: &Outgoing, reply: &Reply) -> Verdict {
        let now = self.clock.now();
        if outgoing.purpose == Purpose::Registry
            && !reply.elsewhere
            && let Some(date) = reply.headers.get(DATE)
        {
            self.remember_date(date.clone(), now);
        }
        let exhausted = exhausted(&reply.headers, now);
        if let Some(exhausted) = exhausted {
            let longest = self.limits().longest_wait;
            self.pauses
                .note(&reply.url, exhausted, longest, self.clock.uptime());
        }
        let verdict = verdict(reply.status, &reply.headers, now);
        if verdict == Verdict::Final && !self.waits.is_empty() {
            let counted = Counted::of(&outgoing.method, &outgoing.url);
            if exhausted.is_none_or(|exhausted| exhausted.pulls_only && !counted.is_pull()) {
                self.waits.earn((&counted.host(), counted.is_pull()));
            }
        }
        match verdict {
            // Without a word on when to come back, what is known of the quota holds; one of pulls is no reason to stop everything.
            Verdict::Busy(None) => Verdict::Busy(
                exhausted
                    .filter(|exhausted| !exhausted.pulls_only)
                    .map(|exhausted| exhausted.wait),
            ),
            verdict => verdict,
        }
    }
}

enum Attempt {
    Answer(Result<Reply, Fault>),
    Busy(StatusCode, Option<Duration>),
    Failed(Fault),
}
