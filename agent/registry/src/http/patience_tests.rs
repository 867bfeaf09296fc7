//! Waiting for quotas, on virtual time. Nothing is sent.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use portolan_shared::model::CaTrust;
use portolan_shared::process::{Clock, ProxyRules, SeededRng, Uptime};
use portolan_shared::tls::{RegistryTrust, SystemRoots};
use tokio::time::Instant;
use url::Url;

use super::pauses::Counted;
use super::quota::Exhausted;
use super::{Allowance, AnyHost, Guard, Limits, Origin, Purpose, SystemResolver, Transport, TransportParts};
use crate::error::Fault;

/// Shows the runtime's time, which stands still unless everybody waits.
struct Virtual(Instant);

impl Clock for Virtual {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn uptime(&self) -> Uptime {
        Uptime(self.0.elapsed())
    }
}

fn transport() -> Transport {
    let registry = Origin {
        https: false,
        host: "r.example.com".to_owned(),
        port: 80,
    };
    let clock: Arc<dyn Clock> = Arc::new(Virtual(Instant::now()));
    let parts = TransportParts {
        guard: Guard::new(Arc::new(AnyHost), &registry.hop(Purpose::Registry)),
        registry,
        trust: RegistryTrust::new(SystemRoots::none(), &CaTrust::default(), None).unwrap(),
        resolver: Arc::new(SystemResolver),
        limits: Limits::default(),
        keep: 1,
        proxies: ProxyRules::default(),
        allowance: Arc::new(Allowance::new(None, None, Arc::clone(&clock))),
        clock,
        rng: Arc::new(SeededRng::new(1)),
    };
    Transport::new(parts).unwrap()
}

/// A registry of `RateLimit-Remaining: 0`: says so with every answer, as far off as this.
struct Stingy {
    transport: Transport,
    url: Url,
    reset: Duration,
    pulls_only: bool,
}

impl Stingy {
    fn new(reset: Duration, pulls_only: bool) -> Self {
        Self {
            transport: transport(),
            url: Url::parse("http://r.example.com/v2/a/manifests/1").unwrap(),
            reset,
            pulls_only,
        }
    }

    fn wait(&self, method: &Method) -> impl Future<Output = Result<(), Fault>> {
        self.transport.quota_is_there(Counted::of(method, &self.url))
    }

    fn answers(&self) {
        let exhausted = Exhausted {
            wait: self.reset,
            pulls_only: self.pulls_only,
        };
        let Transport { pauses, clock, .. } = &self.transport;
        let longest = self.transport.limits().longest_wait;
        pauses.note(&self.url, exhausted, longest, clock.uptime());
    }
}

#[tokio::test(start_paused = true)]
async fn a_quota_that_never_comes_back_ends_the_waiting_after_an_hour() {
    let stingy = Stingy::new(Duration::from_secs(86_400), false);
    let begun = Instant::now();
    for request in 0..=6 {
        stingy.wait(&Method::HEAD).await.unwrap();
        assert_eq!(
            begun.elapsed(),
            Duration::from_secs(600) * request,
            "ten minutes each"
        );
        stingy.answers();
    }
    let fault = stingy.wait(&Method::HEAD).await.unwrap_err();
    let Fault::QuotaUsedUp { host, waited } = &fault else {
        panic!("{fault:?}")
    };
    assert_eq!((host.as_str(), waited.as_secs()), ("r.example.com:80", 3_600));
    assert!(fault.may_pass(), "the next run may have better luck");
    assert_eq!(begun.elapsed().as_secs(), 3_600, "nobody waits any more");
    // Once the server's own time has come, it is asked again, and nobody waits for what it says then.
    tokio::time::advance(Duration::from_secs(600)).await;
    stingy.wait(&Method::HEAD).await.unwrap();
    stingy.answers();
    let again = Instant::now();
    stingy.wait(&Method::HEAD).await.unwrap_err();
    assert!(again.elapsed().is_zero());
}

#[tokio::test(start_paused = true)]
async fn a_thousand_that_wait_together_wait_for_one() {
    let stingy = Stingy::new(Duration::from_secs(600), false);
    let begun = Instant::now();
    for round in 1..=6 {
        stingy.answers();
        let waiting = (0..1_000).map(|_| stingy.wait(&Method::HEAD));
        futures::future::try_join_all(waiting).await.unwrap();
        assert_eq!(begun.elapsed(), Duration::from_secs(600) * round);
    }
    stingy.answers();
    stingy.wait(&Method::HEAD).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_slow_quota_that_is_kept_is_waited_for_however_long_it_takes() {
    let stingy = Stingy::new(Duration::from_secs(60), false);
    for _ in 0..1_000 {
        stingy.answers();
        stingy.wait(&Method::HEAD).await.unwrap();
        for _ in 0..6 {
            stingy.transport.waits.earn(("r.example.com:80", false));
        }
    }
    assert!(stingy.transport.waits.is_empty());
}

#[tokio::test(start_paused = true)]
async fn pulls_run_out_of_patience_alone() {
    let stingy = Stingy::new(Duration::from_secs(21_600), true);
    for _ in 0..6 {
        stingy.answers();
        stingy.wait(&Method::GET).await.unwrap();
        // Heads are answered all along; that earns the pulls nothing.
        stingy.wait(&Method::HEAD).await.unwrap();
        stingy.transport.waits.earn(("r.example.com:80", false));
    }
    stingy.answers();
    stingy.wait(&Method::GET).await.unwrap_err();
    stingy.wait(&Method::HEAD).await.unwrap();
}
