//! The sensor's half of the simulation of T15: what an agent has on disk and in memory, and what it does with it.

use std::collections::VecDeque;

use super::plane::{Claim, Down, Plane, Token, Up};
use super::*;

/// Time for the answer to a hello, and for that to a recovery.
const WELCOME_WITHIN: u64 = 10_000;
const RECOVER_WITHIN: u64 = 15_000;

/// How far storing a token comes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Storing {
    /// The disk is full: it is tried again.
    Full,
    /// The machine dies before it is on disk.
    DiesBefore,
    /// The machine dies when it is on disk and not acknowledged.
    DiesAfter,
    Done,
}

/// An agent. What is on disk outlives its crashes.
#[derive(Debug, Clone)]
pub(super) struct Sensor {
    token: Token,
    pub(super) serial: Option<u64>,
    starts: u64,
    who: u8,
    session: Option<(usize, u64)>,
    opening: Option<(usize, u64)>,
    pending: Option<Token>,
    /// Whose answer is waited for, by its number, and until when.
    recovering: Option<(u64, u64)>,
    claims: u64,
}

/// The wires of all streams: what is on its way up, and who holds the other end.
#[derive(Default)]
pub(super) struct Wires {
    pub(super) up: Vec<VecDeque<Up>>,
    pub(super) holder: Vec<Option<usize>>,
}

impl Sensor {
    pub(super) fn enrolled(token: Token, serial: u64) -> Self {
        Self {
            token,
            serial: Some(serial),
            starts: 1,
            who: 0,
            session: None,
            opening: None,
            pending: None,
            recovering: None,
            claims: 0,
        }
    }

    /// What somebody who copies the disk now starts with.
    pub(super) fn copy(&self) -> Self {
        Self {
            who: self.who + 1,
            ..Self {
                claims: self.claims + 1_000_000,
                ..Self::enrolled(self.token, 0)
            }
        }
        .with(self.serial)
    }

    fn with(mut self, serial: Option<u64>) -> Self {
        self.serial = serial;
        self
    }

    fn nonce(&self) -> [u8; 16] {
        let mut nonce = [self.who; 16];
        nonce[..8].copy_from_slice(&self.starts.to_be_bytes());
        nonce
    }

    /// Whether its session is open and its token acknowledged.
    pub(super) fn is_settled(&self) -> bool {
        self.session.is_some() && self.pending.is_none() && self.opening.is_none()
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.opening.is_some() || self.recovering.is_some()
    }

    /// Its process ends, and the next one begins with what is on disk.
    pub(super) fn crash(&mut self, wires: &mut Wires) {
        for wire in [self.session, self.opening].into_iter().flatten() {
            wires.holder[wire.0] = None;
        }
        (self.session, self.opening, self.pending, self.recovering) = (None, None, None, None);
        self.starts += 1;
    }

    /// Gives its session up; the other side may not learn of it.
    pub(super) fn drop_session(&mut self, wires: &mut Wires) {
        if let Some((wire, _)) = self.session.take() {
            wires.holder[wire] = None;
        }
        self.pending = None;
    }

    /// Introduces itself over a new connection. Gives the wire.
    pub(super) fn dial(&mut self, own: usize, plane: &mut Plane, wires: &mut Wires) -> Option<usize> {
        let serial = self.serial.filter(|_| !self.is_waiting())?;
        let wire = plane.accept();
        wires.up.push(VecDeque::from([Up::Hello {
            shown: self.token,
            serial,
            nonce: self.nonce(),
            replaces: self.session.map_or(0, |(_, epoch)| epoch),
        }]));
        wires.holder.push(Some(own));
        self.opening = Some((wire, plane.now + WELCOME_WITHIN));
        Some(wire)
    }

    /// Asks for a certificate, if it has none, and no session that goes on without one.
    pub(super) fn claim(&mut self, now: u64) -> Option<(u64, Claim)> {
        if self.serial.is_some() || self.session.is_some() || self.is_waiting() {
            return None;
        }
        self.claims += 1;
        self.recovering = Some((self.claims, now + RECOVER_WITHIN));
        let claim = Claim {
            challenged_at: now,
            shown: self.token,
        };
        Some((self.claims, claim))
    }

    /// The answer to a claim. The token is stored first; the machine may die before the certificate is.
    pub(super) fn recovered(
        &mut self,
        number: u64,
        (serial, token): (u64, Token),
        storing: Storing,
        wires: &mut Wires,
    ) {
        if self.recovering.is_none_or(|(waited, _)| waited != number) {
            return;
        }
        self.recovering = None;
        match storing {
            Storing::Full => {}
            Storing::DiesBefore => self.crash(wires),
            Storing::DiesAfter => {
                self.token = token;
                self.crash(wires);
            }
            Storing::Done => {
                (self.token, self.serial, self.pending) = (token, Some(serial), None);
            }
        }
    }

    /// Its certificate has ended.
    pub(super) fn expire(&mut self, wires: &mut Wires) {
        self.drop_session(wires);
        if let Some((wire, _)) = self.opening.take() {
            wires.holder[wire] = None;
        }
        self.serial = None;
    }

    /// Gives up what was not answered in time. Hello and claim may arrive all the same.
    pub(super) fn look_at_clock(&mut self, now: u64, wires: &mut Wires) {
        if let Some((wire, until)) = self.opening
            && now >= until
        {
            wires.holder[wire] = None;
            self.opening = None;
        }
        if self.recovering.is_some_and(|(_, until)| now >= until) {
            self.recovering = None;
        }
    }

    /// Stores the token of its session, unless it introduces itself anew.
    pub(super) fn store(&mut self, storing: Storing, wires: &mut Wires) {
        let (Some(token), Some((wire, _)), None) = (self.pending, self.session, self.opening) else {
            return;
        };
        match storing {
            Storing::Full => {}
            Storing::DiesBefore => self.crash(wires),
            Storing::DiesAfter => {
                self.token = token;
                self.crash(wires);
            }
            Storing::Done => {
                self.token = token;
                self.pending = None;
                wires.up[wire].push_back(Up::Stored(token));
            }
        }
    }

    /// Something came down a wire that it holds.
    pub(super) fn hear(&mut self, wire: usize, down: &Down, storing: Storing, wires: &mut Wires) {
        let opening = self.opening.is_some_and(|(opening, _)| opening == wire);
        match *down {
            Down::Ask(nonce) => wires.up[wire].push_back(Up::Present(nonce)),
            Down::Welcome { epoch, token } if opening => {
                self.drop_session(wires);
                self.opening = None;
                (self.session, self.pending) = (Some((wire, epoch)), Some(token));
                self.store(storing, wires);
            }
            Down::Refuse(reason) if opening => {
                wires.holder[wire] = None;
                self.opening = None;
                if reason == v1::Reason::CertificateNotCurrent {
                    self.expire(wires);
                }
            }
            Down::Goodbye => self.drop_session(wires),
            Down::Welcome { .. } | Down::Refuse(_) => panic!("{down:?} on another wire"),
        }
    }
}
