//! From a push to the inventory: how long until the API shows a tag that was pushed, when the registry notifies the agent of it.
//!
//! The registry is Debian's `docker-registry`, set up as `portolan registry show --webhook` says. The clock starts when it has answered that it has the
//! manifest (201), and stops when the API answers for the tag, which is asked again and again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;
use futures::future::try_join_all;
use portolan_demo::installation::{Profile, Programs};
use portolan_doubles::content::BenchShape;
use portolan_doubles::{Content, SmallImage};
use portolan_harness::{Api, Door, Notified, Pusher, distribution_event};
use portolan_shared::process::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::table::{Aim, Line, Table};

/// Repositories that are pushed to in turn.
const REPOSITORIES: usize = 20;
/// Events in one notification.
const TOGETHER: usize = 1_000;
/// How often the API is asked.
const ASK: Duration = Duration::from_millis(2);
/// After so long, a push that is not visible fails the measurement.
const GIVE_UP: Duration = Duration::from_secs(60);

/// What `events` is told.
#[derive(Debug, Args)]
pub(crate) struct Events {
    /// Images that are pushed, one after the other
    #[arg(long, default_value_t = 200)]
    pushes: usize,
    /// Of them, so many more to one repository, as fast as they are seen
    #[arg(long, default_value_t = 20)]
    same: usize,
    /// Events of one repository that come at once
    #[arg(long, default_value_t = 10_000)]
    burst: usize,
    /// Where to write what was measured
    #[arg(long, default_value = "target/bench/events.json")]
    to: PathBuf,
}

impl Events {
    /// Measures, prints and writes.
    pub(crate) async fn run(&self, cargo: &Path) -> anyhow::Result<()> {
        Programs::build(cargo, Profile::own()).await?;
        eprintln!("starting docker-registry, control plane and agent");
        let shape = BenchShape {
            repositories: REPOSITORIES,
            tags: 10 * REPOSITORIES,
            ..BenchShape::default()
        };
        let mut notified = Notified::start(Door::Listener, &Content::bench(shape)).await?;
        let mut lines = Vec::new();

        eprintln!("{} pushes to {REPOSITORIES} repositories in turn", self.pushes);
        let mut pushers = Vec::new();
        for number in 0..REPOSITORIES {
            let repository = format!("bench/{number:03}");
            pushers.push((notified.pusher(&repository).await?, repository));
        }
        let spread = Waits::measure(&notified, &pushers, self.pushes, "spread").await?;
        lines.extend(spread.lines("push to visible"));

        eprintln!("{} pushes to one repository", self.same);
        let same = Waits::measure(&notified, &pushers[..1], self.same, "same").await?;
        lines.extend(same.lines("same repository"));

        eprintln!("{} events at once", self.burst);
        lines.push(burst(&mut notified, self.burst).await?);
        let aims = [Aim::most(
            "push to visible, 99 of 100",
            spread.share(99).as_secs_f64(),
            1.0,
            "s",
        )];
        let table = Table {
            lines: &lines,
            base: None,
            aims: &aims,
        };
        println!("{table}");
        let facts = json!({"pushes": self.pushes, "repositories": REPOSITORIES, "same": self.same, "burst": self.burst});
        table.write(&self.to, &facts)?;
        println!("written to {}", self.to.display());
        Ok(())
    }
}

/// How long pushes took to be visible, the shortest first.
struct Waits(Vec<Duration>);

impl Waits {
    async fn measure(
        notified: &Notified,
        pushers: &[(Pusher, String)],
        pushes: usize,
        name: &str,
    ) -> anyhow::Result<Self> {
        ensure!(pushes > 0, "nothing to push");
        let (api, clock) = (notified.scene.control_plane.api()?, SystemClock);
        let mut waits = Vec::with_capacity(pushes);
        for n in 0..pushes {
            let (pusher, repository) = &pushers[n % pushers.len()];
            let tag = format!("{name}-{n}");
            pusher
                .push(&SmallImage::new(&format!("{repository}:{tag}")), &tag)
                .await?;
            let pushed = clock.uptime();
            let reference = format!("gitlab/{repository}:{tag}");
            let seen = tokio::time::timeout(GIVE_UP, visible(&api, &reference));
            seen.await
                .with_context(|| format!("{reference} did not become visible"))?;
            waits.push(clock.uptime().since(pushed));
        }
        waits.sort_unstable();
        Ok(Self(waits))
    }

    /// So many of a hundred were visible by then.
    fn share(&self, percent: usize) -> Duration {
        let at = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
        self.0.get(at).copied().unwrap_or_default()
    }

    fn lines(&self, what: &str) -> impl Iterator<Item = Line> {
        [("p50", 50), ("p99", 99), ("max", 100)]
            .map(|(word, percent)| Line {
                wall: self.share(percent),
                note: format!("{} ms", self.share(percent).as_millis()),
                ..Line::new(&format!("{what}, {word}"))
            })
            .into_iter()
    }
}

async fn visible(api: &Api, reference: &str) {
    while api.get("/images", &[("reference", reference)]).await.is_err() {
        tokio::time::sleep(ASK).await;
    }
}

/// Events of one repository, each of another tag: from the first request to the end of the last run.
async fn burst(notified: &mut Notified, events: usize) -> anyhow::Result<Line> {
    let runs = notified.settled().await.len();
    let requests = notified.registry.requests().len();
    let clock = SystemClock;
    let began = clock.uptime();
    let tags: Vec<String> = (0..events).map(|n| format!("burst-{n}")).collect();
    let envelopes: Vec<Vec<Value>> = tags
        .chunks(TOGETHER)
        .map(|tags| {
            let event = |tag: &String| distribution_event(tag, "push", "bench/000", Some(tag), None);
            tags.iter().map(event).collect()
        })
        .collect();
    try_join_all(envelopes.iter().map(|events| notified.tell(events))).await?;
    let taken = clock.uptime().since(began);
    let looks = notified.settled().await.len() - runs;
    let requests = notified.registry.requests().len() - requests;
    let peak = notified
        .scene
        .agent
        .process()
        .and_then(|agent| agent.memory_kib("VmHWM"));
    Ok(Line {
        wall: taken,
        requests: Some(requests as u64),
        peak_rss_kib: peak,
        note: format!("{looks} run(s); wall is until all were taken"),
        ..Line::new(&format!("{events} events of one repository"))
    })
}
