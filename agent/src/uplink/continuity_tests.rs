use std::collections::VecDeque;

use portolan_shared::process::{Rng as _, SeededRng};

use super::*;

fn at(seconds: u64) -> Uptime {
    Uptime(Duration::from_secs(seconds))
}

fn token(n: u64) -> ContinuityToken {
    let mut bytes = [0; ContinuityToken::BYTES];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    ContinuityToken::new(&bytes).unwrap()
}

#[test]
fn t56_what_cannot_be_stored_is_tried_again_and_never_acknowledged() {
    let mut continuity = Continuity::default();
    assert!(continuity.is_settled());
    continuity.received(token(1), at(100));
    assert!(continuity.due(false, at(100)).is_some() && !continuity.is_settled());
    continuity.failed(at(100));
    assert!(continuity.due(false, at(104)).is_none());
    assert!(continuity.due(false, at(105)).is_some());
    continuity.ended();
    assert!(continuity.is_settled() && continuity.stored().is_none());
}

#[test]
fn a_token_is_not_stored_while_a_hello_that_shows_the_one_before_is_on_its_way() {
    let mut continuity = Continuity::default();
    continuity.received(token(1), at(0));
    assert!(continuity.due(true, at(50)).is_none());
    continuity.received(token(2), at(50));
    assert_eq!(continuity.due(false, at(50)).unwrap().expose(), token(2).expose());
    assert_eq!(continuity.stored(), Some(token(2).sha256()));
    assert!(
        continuity.due(false, at(99)).is_none(),
        "the former one is forgotten"
    );
}

/// The control plane, by its four rules: what is shown must be the current token or one that was sent since; the one that is shown becomes
/// the current one; each answer carries a fresh one; an acknowledged one becomes the current one, in its own session alone.
struct Plane {
    current: Vec<u8>,
    sent: VecDeque<Vec<u8>>,
    made: u64,
    epoch: u64,
}

/// Tokens that are sent and not acknowledged, at most.
const OUTSTANDING: usize = 8;

impl Plane {
    fn new(first: &ContinuityToken) -> Self {
        Self {
            current: first.sha256(),
            sent: VecDeque::new(),
            made: 0,
            epoch: 0,
        }
    }

    fn accepts(&mut self, shown: &ContinuityToken) -> bool {
        let shown = shown.sha256();
        if shown == self.current {
            return true;
        }
        self.stored(&shown)
    }

    fn stored(&mut self, token: &[u8]) -> bool {
        if !self.sent.iter().any(|sent| sent == token) {
            return false;
        }
        self.current = token.to_vec();
        self.sent.clear();
        true
    }

    fn fresh(&mut self) -> ContinuityToken {
        self.made += 1;
        if self.sent.len() == OUTSTANDING {
            self.sent.pop_front();
        }
        let fresh = token(self.made);
        self.sent.push_back(fresh.sha256());
        fresh
    }

    /// A Hello: the epoch of the session and its token, or nothing if its token is not good.
    fn hello(&mut self, shown: &ContinuityToken) -> Option<(u64, ContinuityToken)> {
        self.accepts(shown).then(|| {
            self.epoch += 1;
            (self.epoch, self.fresh())
        })
    }

    fn recover(&mut self, shown: &ContinuityToken) -> Option<ContinuityToken> {
        self.accepts(shown).then(|| self.fresh())
    }

    fn acknowledged(&mut self, epoch: u64, token: &[u8]) {
        if epoch == self.epoch {
            self.stored(token);
        }
    }
}

/// A sensor and the wires between the two.
struct World {
    plane: Plane,
    disk: ContinuityToken,
    continuity: Continuity,
    session: Option<u64>,
    now: u64,
    rng: SeededRng,
    /// Hellos of connections that are dead, and acknowledgements, that may arrive yet.
    late_hellos: Vec<ContinuityToken>,
    late_acks: Vec<(u64, Vec<u8>)>,
    conflicts: u32,
}

impl World {
    fn new(seed: u64) -> Self {
        let first = token(u64::MAX);
        Self {
            plane: Plane::new(&first),
            disk: first,
            continuity: Continuity::default(),
            session: None,
            now: 0,
            rng: SeededRng::new(seed),
            late_hellos: Vec::new(),
            late_acks: Vec::new(),
            conflicts: 0,
        }
    }

    fn one_in(&self, n: u32) -> bool {
        self.rng.fraction() < 1.0 / f64::from(n)
    }

    fn crash(&mut self) {
        self.continuity = Continuity::default();
        self.session = None;
    }

    /// Stores what is due, unless the disk is full or the machine dies on either side of the fsync, and acknowledges it.
    fn settle(&mut self, introducing: bool) {
        let Some(token) = self.continuity.due(introducing, at(self.now)) else {
            return;
        };
        if self.one_in(6) {
            self.continuity.failed(at(self.now));
            return;
        }
        if self.one_in(6) {
            self.crash();
            return;
        }
        self.disk = token;
        if self.one_in(6) {
            self.crash();
            return;
        }
        let (Some(token), Some(epoch)) = (self.continuity.stored(), self.session) else {
            return;
        };
        match self
            .rng
            .between(Duration::ZERO, Duration::from_millis(4))
            .as_micros()
        {
            0..1_000 => {}
            1_000..2_000 => self.late_acks.push((epoch, token)),
            _ => self.plane.acknowledged(epoch, &token),
        }
    }

    /// Introduces itself: what is shown is read first, and everything may go wrong afterwards.
    fn introduce(&mut self) {
        let shown = self.disk.clone();
        // Time passes while the Hello is on its way, and what could not be stored before is looked at again.
        if self.one_in(3) {
            self.now += 6;
            self.settle(true);
        }
        if self.one_in(5) {
            if self.late_hellos.len() < 3 {
                self.late_hellos.push(shown);
            }
            return;
        }
        match self.plane.hello(&shown) {
            // Asked whether anybody is there; this one is alive, and says so.
            None => self.conflicts += 1,
            // Cut before the Welcome.
            Some(_) if self.one_in(5) => {}
            Some((epoch, token)) => {
                self.session = Some(epoch);
                self.continuity.received(token, at(self.now));
                self.settle(false);
            }
        }
    }

    /// Asks for a certificate; the token is stored first.
    fn recover(&mut self) {
        let shown = self.disk.clone();
        let Some(token) = self.plane.recover(&shown) else {
            self.conflicts += 1;
            return;
        };
        if self.one_in(3) {
            return;
        }
        if self.one_in(4) {
            self.crash();
            return;
        }
        self.disk = token;
        // What a session gave before is older than what is on disk now.
        self.continuity.ended();
        if self.one_in(4) {
            self.crash();
        }
    }

    fn step(&mut self) {
        self.now += 1;
        match self
            .rng
            .between(Duration::ZERO, Duration::from_secs(10))
            .as_secs()
        {
            0..=3 => self.introduce(),
            4 => self.recover(),
            5 => self.crash(),
            6 => {
                self.session = None;
                self.continuity.ended();
            }
            7 => {
                // Of a dead connection: whoever sent it does not answer, so a token that is not good is no conflict. Nobody hears the Welcome.
                if let Some(shown) = self.late_hellos.pop() {
                    let _ = self.plane.hello(&shown);
                }
            }
            8 => {
                if let Some((epoch, token)) = self.late_acks.pop() {
                    self.plane.acknowledged(epoch, &token);
                }
            }
            _ => {
                self.now += 6;
                self.settle(false);
            }
        }
    }
}

#[test]
fn t15_ten_thousand_schedules_of_cuts_crashes_and_late_packets_are_no_conflict() {
    let mut stored = 0_u32;
    for seed in 0..10_000 {
        let mut world = World::new(seed);
        for step in 0..60 {
            world.step();
            assert_eq!(world.conflicts, 0, "schedule {seed}, step {step}");
        }
        stored += u32::from(world.disk.expose() != token(u64::MAX).expose());
    }
    assert!(stored > 9_000, "the schedules do open sessions: {stored}");
}

#[test]
fn t15_a_copy_and_a_restored_state_are_noticed_by_the_same_rules() {
    let mut world = World::new(7);
    let snapshot = world.disk.clone();
    while world.disk.expose() == snapshot.expose() || world.plane.current == snapshot.sha256() {
        world.step();
    }
    assert_eq!(world.conflicts, 0);
    world.disk = snapshot;
    assert!(world.plane.hello(&world.disk).is_none());
    world.recover();
    assert_eq!(world.conflicts, 1);
}
