//! Whole lives of sensors, by random schedules: an honest one is never taken for a copy and never locked out, and a copy is always found.

use std::collections::VecDeque;

use portolan_shared::process::Rng as _;

use super::honest::{Sensor, Storing, Wires};
use super::plane::{Claim, Plane};
use super::*;

const SCHEDULES: u64 = 10_000;
const STEPS: usize = 250;
/// Hellos of connections that were given up, and that may arrive yet: the oldest are lost. Each stands for an attempt that failed after its
/// handshake, with a pause before the next, and no network keeps a packet through eight of those.
const LATE: usize = portolan_store::OUTSTANDING_TOKENS - 2;
/// Tries, each with time to be answered, after which an honest sensor is in again whatever happened before.
const TRIES: usize = 4;

struct World {
    plane: Plane,
    wires: Wires,
    sensors: Vec<Sensor>,
    claims: VecDeque<(usize, u64, Claim)>,
    rng: SeededRng,
    schedule: u64,
}

impl World {
    fn new(schedule: u64) -> Self {
        let (plane, token, serial) = Plane::new();
        Self {
            plane,
            wires: Wires::default(),
            sensors: vec![Sensor::enrolled(token, serial)],
            claims: VecDeque::new(),
            rng: SeededRng::new(schedule),
            schedule,
        }
    }

    /// A number below `n`.
    fn below(&self, n: usize) -> usize {
        let mut bytes = [0; 8];
        self.rng.fill(&mut bytes);
        usize::try_from(u64::from_le_bytes(bytes) % n as u64).unwrap()
    }

    fn storing(&self) -> Storing {
        match self.below(12) {
            0 => Storing::Full,
            1 => Storing::DiesBefore,
            2 => Storing::DiesAfter,
            _ => Storing::Done,
        }
    }

    fn wait(&mut self, millis: u64) {
        self.plane.wait(millis);
        for sensor in &mut self.sensors {
            sensor.look_at_clock(self.plane.now, &mut self.wires);
        }
    }

    /// One of those that hold.
    fn pick(&self, holds: impl Fn(&Self, usize) -> bool) -> Option<usize> {
        let found: Vec<usize> = (0..self.plane.streams.len())
            .filter(|wire| holds(self, *wire))
            .collect();
        (!found.is_empty()).then(|| found[self.below(found.len())])
    }

    fn is_up(&self, wire: usize) -> bool {
        !self.wires.up[wire].is_empty() && !self.plane.is_busy(wire)
    }

    fn is_down(&self, wire: usize) -> bool {
        !self.plane.streams[wire].down.is_empty() && self.wires.holder[wire].is_some()
    }

    fn carry_up(&mut self, wire: usize) {
        if let Some(up) = self.wires.up[wire].pop_front() {
            self.plane.hear(wire, &up);
        }
    }

    fn carry_down(&mut self, wire: usize, storing: Storing) {
        if let Some(holder) = self.wires.holder[wire]
            && let Some(down) = self.plane.streams[wire].down.pop_front()
        {
            self.sensors[holder].hear(wire, &down, storing, &mut self.wires);
        }
    }

    fn carry_claim(&mut self, storing: Storing, lost: bool) {
        if let Some((who, number, claim)) = self.claims.pop_front()
            && let Some(answer) = self.plane.recover(&claim)
            && !lost
        {
            self.sensors[who].recovered(number, answer, storing, &mut self.wires);
        }
    }

    /// Introduces itself, or asks for a certificate first.
    fn approach(&mut self, who: usize) {
        let _ = self.sensors[who].dial(who, &mut self.plane, &mut self.wires);
        if let Some((number, claim)) = self.sensors[who].claim(self.plane.now) {
            self.claims.push_back((who, number, claim));
        }
        let given_up: Vec<usize> = (0..self.wires.up.len())
            .filter(|wire| self.wires.holder[*wire].is_none() && !self.wires.up[*wire].is_empty())
            .collect();
        for wire in given_up.iter().rev().skip(LATE) {
            self.wires.up[*wire].clear();
        }
    }

    /// A wire breaks: what is on it is lost, or what is on its way up still arrives; whether either end learns of it is left to chance.
    fn break_wire(&mut self) {
        let Some(wire) = self.pick(|world, wire| world.wires.holder[wire].is_some()) else {
            return;
        };
        if self.below(2) == 0 {
            self.wires.up[wire].clear();
            if self.below(2) == 0 {
                self.plane.closed(wire);
            }
        }
        self.plane.streams[wire].down.clear();
    }

    fn step(&mut self) {
        self.wait(1);
        match self.below(26) {
            0..=2 => self.approach(0),
            3 => self.sensors[0].crash(&mut self.wires),
            4 => self.sensors[0].drop_session(&mut self.wires),
            5 => self.break_wire(),
            6..=11 => {
                if let Some(wire) = self.pick(Self::is_up) {
                    self.carry_up(wire);
                }
            }
            12..=17 => {
                if let Some(wire) = self.pick(Self::is_down) {
                    self.carry_down(wire, self.storing());
                }
            }
            18 => {
                let storing = self.storing();
                self.sensors[0].store(storing, &mut self.wires);
            }
            19 if self.below(3) == 0 => self.sensors[0].expire(&mut self.wires),
            20 if self.below(4) == 0 => self.plane.approve(),
            20 | 21 => self.carry_claim(self.storing(), self.below(3) == 0),
            22 if self.claims.len() > 1 => self.claims.rotate_left(1),
            _ => self.wait(self.below(8_000) as u64),
        }
    }

    fn disturb(&mut self) {
        for step in 0..STEPS {
            self.step();
            assert!(
                !self.plane.quarantined,
                "schedule {}, step {step}: a false alarm",
                self.schedule
            );
        }
    }

    /// Everything that is under way arrives, and nothing goes wrong any more.
    fn settle(&mut self) {
        while let Some(wire) = self.pick(Self::is_up).or_else(|| self.pick(Self::is_down)) {
            if self.is_up(wire) {
                self.carry_up(wire);
            } else {
                self.carry_down(wire, Storing::Done);
            }
        }
        while !self.claims.is_empty() {
            self.carry_claim(Storing::Done, false);
        }
    }

    /// A sensor opens a new session and has its token acknowledged; `false` if it is shut out, or does not get in within [`TRIES`].
    fn session(&mut self, who: usize) -> bool {
        let opened = self.plane.opened;
        for _ in 0..TRIES {
            self.approach(who);
            // A session that is in the way and silent, or a late packet, takes its time.
            for _ in 0..6 {
                self.settle();
                if self.plane.quarantined {
                    return false;
                }
                if self.plane.opened > opened && self.sensors[who].is_settled() {
                    return true;
                }
                self.sensors[who].store(Storing::Done, &mut self.wires);
                if !self.sensors[who].is_waiting() {
                    break;
                }
                self.wait(1_700);
            }
        }
        false
    }
}

#[test]
fn t15_ten_thousand_schedules_raise_no_alarm_and_lock_nobody_out() {
    let mut opened = 0;
    for schedule in 0..SCHEDULES {
        let mut world = World::new(schedule);
        world.disturb();
        opened += world.plane.opened;
        world.wait(11_000);
        assert!(
            world.session(0) && !world.plane.quarantined,
            "schedule {schedule}: locked out"
        );
    }
    assert!(opened > 3 * SCHEDULES, "the schedules do open sessions: {opened}");
}

/// The disk is copied at some moment of a disturbed life. Then both run, one after the other or side by side, in either order.
#[test]
fn t15_a_copy_is_found_within_one_session_of_each() {
    for schedule in 0..SCHEDULES / 10 {
        for (concurrent, order) in [(false, [0, 1]), (false, [1, 0]), (true, [0, 1]), (true, [1, 0])] {
            let mut world = World::new(schedule);
            world.disturb();
            let copy = world.sensors[0].copy();
            world.sensors.push(copy);
            world.wait(60_000);
            for who in order {
                let stopped = order[usize::from(who == order[0])];
                if !concurrent {
                    world.sensors[stopped].crash(&mut world.wires);
                }
                let _ = world.session(who);
            }
            assert!(
                world.plane.quarantined,
                "schedule {schedule}, concurrent: {concurrent}, {order:?}: two of them go on"
            );
        }
    }
}
