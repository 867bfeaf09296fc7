//! What is granted by what is known, and for how long.

use super::*;
use crate::app::staleness::{BLIND_AFTER, LATE_AFTER, STALE_AFTER, Watch};
use crate::app::{Meters, Sessions};
use portolan_shared::model::TenantId;
use portolan_shared::process::{ManualClock, SeededRng};

const TICK: Duration = Duration::from_millis(1);

struct Scene {
    clock: Arc<ManualClock>,
    denials: Denials,
    sessions: Sessions,
    meters: Meters,
    session: Arc<LiveSession>,
    watch: Watch,
}

impl Scene {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at_unix_seconds(1_800_000_000));
        let rng = SeededRng::new(1);
        let (tenant, sensor) = (TenantId::random(&rng), SensorId::random(&rng));
        let (session, _) = LiveSession::new(tenant, sensor, 1, [0; 16], [0; 16], clock.now());
        let sessions = Sessions::new();
        sessions.enter(&session);
        Self {
            denials: Denials::new(Arc::<ManualClock>::clone(&clock)),
            clock,
            sessions,
            meters: Meters::new().unwrap(),
            session,
            watch: Watch::default(),
        }
    }

    fn answer(&self) {
        self.denials
            .answered
            .store(self.denials.millis(), Ordering::Release);
    }

    fn look(&mut self) -> Staleness {
        self.watch.look(&self.denials, &self.sessions, &self.meters)
    }

    fn has_ended(&self) -> bool {
        use futures::FutureExt as _;
        self.session.ended().now_or_never() == Some(Reason::Overloaded)
    }
}

#[test]
fn t19_nothing_is_granted_before_the_first_answer_nor_five_seconds_after_the_last() {
    let scene = Scene::new();
    assert!(!scene.denials.is_fresh());
    assert!(scene.denials.grant(&scene.session).is_none());
    scene.answer();
    scene.clock.advance(STALE_AFTER);
    assert!(scene.denials.is_fresh());
    assert!(scene.denials.grant(&scene.session).is_some());
    scene.clock.advance(TICK);
    assert!(!scene.denials.is_fresh());
    assert!(scene.denials.grant(&scene.session).is_none());
    scene.answer();
    assert!(scene.denials.grant(&scene.session).is_some());
    let shut_out = (scene.session.sensor, Reason::SensorRevoked);
    scene.denials.known.write().unwrap().extend([shut_out]);
    assert!(scene.denials.grant(&scene.session).is_none());
}

#[test]
fn t19_after_two_seconds_it_is_told_of_and_after_thirty_every_session_ends() {
    let mut scene = Scene::new();
    scene.answer();
    scene.clock.advance(LATE_AFTER);
    assert_eq!(scene.look(), Staleness::Fresh);
    assert!(!scene.denials.is_blind());
    assert!(scene.meters.render().contains("portolan_denials_age_seconds 2\n"));
    scene.clock.advance(TICK);
    assert_eq!(scene.look(), Staleness::Late);
    scene.clock.advance(STALE_AFTER - LATE_AFTER);
    assert_eq!(scene.look(), Staleness::Stale);
    scene.clock.advance(BLIND_AFTER - STALE_AFTER - TICK);
    scene.look();
    assert_eq!(scene.look(), Staleness::Stale, "at the bound it stays");
    assert!(!scene.has_ended());
    scene.clock.advance(TICK);
    assert_eq!(scene.look(), Staleness::Blind);
    assert_eq!(scene.look(), Staleness::Blind);
    assert!(scene.has_ended() && scene.denials.is_blind());
    assert!(
        scene
            .meters
            .render()
            .contains("portolan_denials_age_seconds 30.001")
    );
    scene.answer();
    assert_eq!(scene.look(), Staleness::Fresh);
    assert!(scene.meters.render().contains("portolan_denials_age_seconds 0\n"));
}

#[test]
fn t19_a_process_that_slept_asks_before_it_sends_anybody_away() {
    let mut scene = Scene::new();
    scene.answer();
    scene.look();
    scene.clock.advance(BLIND_AFTER * 100);
    assert_eq!(scene.look(), Staleness::Blind);
    assert!(!scene.has_ended() && !scene.denials.is_blind());
    scene.answer();
    assert_eq!(scene.look(), Staleness::Fresh);
    scene.clock.advance(BLIND_AFTER * 100);
    scene.look();
    assert!(!scene.has_ended(), "what was blind before that does not count");
}
