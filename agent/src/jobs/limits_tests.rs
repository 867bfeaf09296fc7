//! Jobs at the limits of the local policy, against a registry double.

use std::time::Duration;

use jiff::ToSpan as _;
use jiff::tz::TimeZone;
use portolan_doubles::Content;
use portolan_shared::model::{Budget, FindingCode, Reason, RepositoryOutcome, RunState, Stage};
use portolan_shared::process::{Clock as _, ManualClock, SystemClock};
use tokio_util::sync::CancellationToken;

use super::tests::Scene;
use super::{JobEnd, Jobs as _};

const REFUSED: Option<FindingCode> = Some(FindingCode::PolicyRefused);

impl Scene {
    /// Adds keys to the policy's entry, and tables behind it.
    pub(super) fn narrow(&self, keys: &str) {
        let file = self.policy.path();
        let before = std::fs::read_to_string(file).unwrap();
        std::fs::write(file, format!("{before}{keys}\n")).unwrap();
        self.policy.reload().unwrap();
    }

    async fn state(&self) -> RunState {
        match self.run(self.job(), CancellationToken::new()).await {
            JobEnd::Closed(state) => state,
            other => panic!("{other:?}"),
        }
    }

    /// Bytes that a run of the whole registry reads.
    async fn whole() -> u64 {
        let scene = Self::new(Content::demo()).await;
        assert_eq!(scene.state().await, RunState::Complete);
        scene.jobs.meters.read_today(0)
    }

    /// Repositories that the policy kept the run from.
    fn refused(&self) -> Vec<String> {
        let state = self.control_plane.state();
        let refused = state
            .coverage
            .iter()
            .filter(|(_, (outcome, code))| (*outcome, *code) == (RepositoryOutcome::Refused, REFUSED));
        refused.map(|(name, _)| name.clone()).collect()
    }
}

#[tokio::test]
async fn repositories_that_are_left_out_are_reported_as_refused_and_never_asked_for() {
    let scene = Scene::new(Content::demo()).await;
    let content = scene.registry.content();
    let all = content.repositories();
    let left_out = all.keys().next().unwrap().to_string();
    scene.narrow(&format!("repositories = [\"!{left_out}\"]"));
    assert_eq!(scene.state().await, RunState::Partial);
    assert_eq!(scene.refused(), std::slice::from_ref(&left_out));
    assert_eq!(scene.control_plane.state().repositories.len(), all.len() - 1);
    let asked = scene
        .registry
        .log()
        .count(|seen| seen.path().contains(&format!("/{left_out}/tags")));
    assert_eq!(asked, 0);

    let mut probe = scene.probe();
    probe.repository = Some(left_out.parse().unwrap());
    let diagnosis = scene.jobs.probe(probe).await;
    let failure = diagnosis.first_failure().unwrap();
    assert_eq!(
        (failure.stage, failure.findings[0].code),
        (Stage::Policy, FindingCode::PolicyRefused)
    );
    let diagnosis = scene.jobs.probe(scene.probe()).await;
    let looked_at = diagnosis.stages.iter().flat_map(|stage| &stage.seen);
    assert!(diagnosis.is_sound());
    assert!(!looked_at.into_iter().any(|line| line.starts_with(&left_out)));
}

#[tokio::test]
async fn a_job_reads_no_more_bytes_than_it_may_and_the_next_one_goes_on() {
    let whole = Scene::whole().await;
    let scene = Scene::new(Content::demo()).await;
    scene.narrow(&format!("bytes_per_job = {}", whole * 4 / 5));
    assert_eq!(scene.state().await, RunState::Partial);
    let (committed, refused) = {
        let state = scene.control_plane.state();
        let refused = state.coverage.values().filter(|(_, code)| *code == REFUSED);
        (state.repositories.len(), refused.count())
    };
    assert!(committed > 0 && refused > 0, "{committed} {refused}");
    assert_eq!(scene.failure(), None, "something was read");
    let mut runs = 1;
    loop {
        scene.control_plane.new_run();
        runs += 1;
        if scene.state().await == RunState::Complete {
            break;
        }
        assert!(runs < 50, "each run gets further than the one before");
    }
}

#[tokio::test]
async fn the_bytes_of_a_day_are_those_of_all_its_jobs() {
    let whole = Scene::whole().await;
    let scene = Scene::new(Content::demo()).await;
    scene.narrow(&format!("[limits]\nbytes_per_day = {}", whole * 4 / 5));
    assert_eq!(scene.state().await, RunState::Partial);
    let sent = scene.registry.log().total();
    let read = scene.jobs.meters.read_today(0);
    assert!(read >= whole * 4 / 5 && read < whole, "{read} of {whole}");
    scene.control_plane.new_run();
    assert_eq!(scene.state().await, RunState::Failed);
    assert_eq!(scene.failure(), REFUSED);
    assert_eq!(scene.registry.log().total(), sent, "nothing more is asked today");
    assert!(!scene.jobs.probe(scene.probe()).await.is_sound());
    assert_eq!(scene.registry.log().total(), sent);
}

#[tokio::test]
async fn the_narrower_of_what_is_asked_and_what_is_allowed_holds() {
    let scene = Scene::new(Content::demo()).await;
    let of = |asked: u16| {
        let mut target = scene.job().target;
        target.budget.concurrency = asked;
        scene.jobs.snapshot().budget(&target).concurrency
    };
    assert_eq!((of(16), of(Budget::MAX_CONCURRENCY)), (16, 64), "as it is asked");
    scene.narrow("concurrency = 3");
    assert_eq!((of(2), of(3), of(16)), (2, 3, 3));
    scene.narrow("[limits]\nconcurrency = 2");
    assert_eq!(of(16), 2, "all together are no fewer than one of them");
    assert_eq!(scene.state().await, RunState::Complete);
}

#[tokio::test]
async fn outside_of_every_window_jobs_are_refused_until_the_next_one_opens() {
    let scene = Scene::new(Content::demo()).await;
    // A window on the day after tomorrow, whichever day it is.
    let day = TimeZone::UTC
        .to_datetime(SystemClock.now())
        .date()
        .tomorrow()
        .unwrap();
    let day = format!("{:?}", day.tomorrow().unwrap().weekday()).to_lowercase();
    scene.narrow(&format!(
        "[[window]]\ndays = [\"{}\"]\nhours = \"12:00-13:00\"",
        &day[..3]
    ));
    let refusal = scene.jobs.admit(&scene.job().target).unwrap_err();
    assert_eq!(
        (refusal.reason, refusal.rule.as_str()),
        (Reason::Policy, "policy:window")
    );
    assert!(refusal.finding.seen.contains("T12:00:00Z"), "{}", refusal.finding);
    // One that was taken before is not begun either.
    assert_eq!(scene.state().await, RunState::Failed);
    assert_eq!(scene.failure(), REFUSED);
    assert_eq!(scene.registry.connections(), 0);
}

#[tokio::test]
async fn a_job_has_the_time_that_the_policy_gives_it_and_ends_with_its_window() {
    let scene = Scene::new(Content::demo()).await;
    let clock = ManualClock::at_unix_seconds(SystemClock.now().as_second());
    let time = || {
        let snapshot = scene.jobs.snapshot();
        let (_, bound) = snapshot.terms(&scene.job().target, &clock).unwrap();
        let (left, why) = bound.left(&clock);
        (left, why.seen.clone())
    };
    let day = Duration::from_secs(24 * 3_600);
    assert_eq!(time().0, day, "unless the file says otherwise");
    let now = TimeZone::UTC.to_datetime(SystemClock.now());
    let (from, to) = (now - 1.hour(), now + 2.hours());
    scene.narrow(&format!(
        "[[window]]\nhours = \"{:02}:{:02}-{:02}:{:02}\"",
        from.hour(),
        from.minute(),
        to.hour(),
        to.minute()
    ));
    let (left, why) = time();
    assert!(
        left <= Duration::from_secs(2 * 3_600) && left > Duration::from_secs(3_600),
        "{left:?}"
    );
    assert!(why.starts_with("policy:window: "), "{why}");
    scene.narrow("[limits]\njob_duration = \"30 min\"");
    let (left, why) = time();
    assert_eq!(left, Duration::from_secs(1_800));
    assert!(why.starts_with("policy:limits.job_duration: "), "{why}");
}
