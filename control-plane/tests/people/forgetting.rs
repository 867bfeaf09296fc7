//! The loop that forgets, with virtual time: by a clock that leaps nothing goes, and on normal days what need not be kept does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use portolan::app::App;
use portolan_shared::process::{Clock, ManualClock, Shutdown, Uptime};
use portolan_store::{PageRequest, Retention};

use crate::changes::push;
use crate::shop::Shop;
use crate::world::{World, app_over, note};

const DAY: Duration = Duration::from_secs(86_400);
const MINUTE: Duration = Duration::from_secs(60);

/// The world's clock, which counts how often it was looked at.
struct Watched {
    clock: Arc<ManualClock>,
    looks: AtomicU64,
}

impl Clock for Watched {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn uptime(&self) -> Uptime {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.clock.uptime()
    }
}

/// A world with some history, of which one day is to be kept, and the loop.
struct Forgetting {
    world: World,
    shop: Shop,
    clock: Arc<Watched>,
    shutdown: Shutdown,
    running: tokio::task::JoinHandle<()>,
}

impl Forgetting {
    #[expect(
        clippy::disallowed_methods,
        reason = "the test ends the loop and waits for it"
    )]
    async fn start() -> Self {
        let world = World::new().await;
        let shop = Shop::open(&world).await;
        for tags in [[("1.0", &shop.index)], [("1.0", &shop.image)]] {
            world.clock.advance(DAY);
            push(&world, &shop, &tags).await;
        }
        let retention = Retention {
            history_days: Some(1),
            runs_days: Some(7),
        };
        let entry = note(world.clock.now());
        let set = world
            .app
            .store
            .set_retention(world.tenant, retention, None, &entry);
        set.await.unwrap();
        let clock = Arc::new(Watched {
            clock: Arc::clone(&world.clock),
            looks: AtomicU64::new(0),
        });
        let app = Arc::new(App {
            clock: Arc::clone(&clock) as _,
            ..app_over(Arc::clone(&world.app.store), Arc::clone(&world.clock), 5)
        });
        let shutdown = Shutdown::new();
        let running = tokio::spawn(app.keep_forgetting(shutdown.clone()));
        let forgetting = Self {
            world,
            shop,
            clock,
            shutdown,
            running,
        };
        forgetting.reconnect().await;
        // At its beginning and at its first look.
        forgetting.looked(2).await;
        forgetting
    }

    /// Waits until the loop has looked so often.
    async fn looked(&self, looks: u64) {
        for _ in 0..100_000 {
            if self.clock.looks.load(Ordering::SeqCst) >= looks {
                return;
            }
            let breath = tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_micros(200)));
            breath.await.unwrap();
        }
        panic!("the loop does not look any more");
    }

    /// So many minutes with a look in each; and one look more, so that the last is done with.
    async fn minutes(&self, count: u64) {
        for _ in 0..=count {
            let looks = self.clock.looks.load(Ordering::SeqCst);
            self.world.clock.advance(MINUTE);
            // The loop sleeps once it has done with its look: it is given time until it looks again.
            for _ in 0..100_000 {
                let breath = tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_micros(500)));
                breath.await.unwrap();
                // Only now: whoever waits for the database is to wait in real time.
                tokio::time::pause();
                tokio::time::advance(MINUTE).await;
                tokio::time::resume();
                if self.clock.looks.load(Ordering::SeqCst) > looks {
                    break;
                }
            }
            assert!(
                self.clock.looks.load(Ordering::SeqCst) > looks,
                "it looks once a minute"
            );
        }
    }

    /// Looks until something is forgotten; gives what is left. A look in which the database did not answer in time says nothing.
    async fn forgotten(&self, all: usize) -> usize {
        for _ in 0..120 {
            self.minutes(0).await;
            let left = self.lines().await;
            if left < all {
                return left;
            }
        }
        panic!("nothing is forgotten")
    }

    /// Lines of the history.
    async fn lines(&self) -> usize {
        let (tenant, registry) = (self.world.tenant, self.shop.registry);
        let name = "acme/shop".parse().unwrap();
        let store = &self.world.app.store;
        let lines = store
            .history(tenant, registry, &name, None, &PageRequest::first())
            .await;
        lines.unwrap().items.len()
    }

    /// The sensor connects anew, and tells the time by its own clock.
    async fn reconnect(&self) {
        self.world.session(self.shop.sensor).await;
    }

    async fn end(self) {
        self.shutdown.start_drain();
        self.running.await.unwrap();
    }
}

#[tokio::test]
async fn on_normal_days_the_loop_forgets_once_it_has_seen_an_hour() {
    let forgetting = Forgetting::start().await;
    let all = forgetting.lines().await;
    forgetting.world.clock.advance(DAY * 2);
    forgetting.reconnect().await;
    // The clocks went along while nobody looked: what counts is that they did.
    let left = forgetting.forgotten(all).await;
    assert!(left > 0, "{left} of {all}");
    forgetting.end().await;
}

#[tokio::test]
async fn nothing_goes_before_the_process_has_seen_an_hour() {
    let forgetting = Forgetting::start().await;
    let all = forgetting.lines().await;
    // Old enough by now, as far as the clock says; but it was set.
    let ahead = forgetting.world.clock.now() + jiff::SignedDuration::from_hours(24);
    forgetting.world.clock.jump_to(ahead);
    forgetting.minutes(58).await;
    assert_eq!(forgetting.lines().await, all);
    // A sensor has told of a time of within two days.
    forgetting.forgotten(all).await;
    forgetting.end().await;
}

#[tokio::test]
async fn by_a_clock_that_is_two_years_ahead_nothing_is_forgotten() {
    let forgetting = Forgetting::start().await;
    let all = forgetting.lines().await;
    let clock = &forgetting.world.clock;
    let right = clock.now();
    clock.jump_to(right + jiff::SignedDuration::from_hours(2 * 365 * 24));
    forgetting.minutes(180).await;
    assert_eq!(forgetting.lines().await, all, "no sensor has told of such a time");
    // It is put right, and a day later the sensor comes again.
    clock.jump_to(right + jiff::SignedDuration::from_hours(3));
    forgetting.world.clock.advance(DAY);
    forgetting.reconnect().await;
    forgetting.minutes(58).await;
    let left = forgetting.forgotten(all).await;
    assert!(left > 0, "{left} of {all}");
    forgetting.end().await;
}
