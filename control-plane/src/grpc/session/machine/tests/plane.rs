//! The control plane's half of the simulation of T15: session machines and the rules of continuity as they are, and what the database and
//! the loop around a machine do in between.

use std::collections::VecDeque;

use portolan_store::Continuity;

use super::super::super::introduction::takes_over;
use super::*;

pub(super) type Token = [u8; 32];

/// Time for the answer of a session, before another one of the same identity is let in: as in `opening`.
const PRESENT_WITHIN: u64 = 3_000;
/// How long a challenge is good for.
const CHALLENGE: u64 = 60_000;

/// What a sensor sends.
#[derive(Debug, Clone)]
pub(super) enum Up {
    Hello {
        shown: Token,
        serial: u64,
        nonce: [u8; 16],
        replaces: u64,
    },
    Stored(Token),
    Present([u8; 16]),
}

/// What it is sent.
#[derive(Debug)]
pub(super) enum Down {
    Welcome { epoch: u64, token: Token },
    Refuse(v1::Reason),
    Ask([u8; 16]),
    Goodbye,
}

/// One stream, from the hello to the end.
pub(super) struct Stream {
    machine: Machine,
    seq: u64,
    serial: u64,
    nonce: [u8; 16],
    shown: Token,
    epoch: Option<u64>,
    /// Before it is opened, this one is asked whether it is alive, until then.
    waits: Option<(usize, u64)>,
    /// Who waits for the answer to the question that is open, and who for the next.
    asked_by: Vec<usize>,
    asked_next_by: Vec<usize>,
    pub(super) down: VecDeque<Down>,
}

/// A recovery on its way.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub(super) challenged_at: u64,
    pub(super) shown: Token,
}

/// One process, its database, and all streams there ever were.
pub(super) struct Plane {
    continuity: Continuity,
    epoch: u64,
    current: u64,
    new: Option<u64>,
    approved: bool,
    last_seen: u64,
    recovered_at: u64,
    pub(super) quarantined: bool,
    live: Option<usize>,
    pub(super) streams: Vec<Stream>,
    made: u64,
    pub(super) now: u64,
    pub(super) opened: u64,
}

impl Plane {
    /// Right after an enrolment, of which these are token and certificate.
    pub(super) fn new() -> (Self, Token, u64) {
        let mut plane = Self {
            continuity: Continuity::default(),
            epoch: 0,
            current: 0,
            new: None,
            approved: false,
            last_seen: 0,
            recovered_at: 0,
            quarantined: false,
            live: None,
            streams: Vec::new(),
            made: 0,
            now: 0,
            opened: 0,
        };
        let token = plane.token();
        plane.continuity = Continuity::begin(ContinuityHash::of(&token));
        (plane, token, 0)
    }

    fn token(&mut self) -> Token {
        self.made += 1;
        let mut token = [0; 32];
        token[..8].copy_from_slice(&self.made.to_be_bytes());
        token
    }

    fn nonce(&mut self) -> [u8; 16] {
        let mut nonce = [0; 16];
        nonce.copy_from_slice(&self.token()[..16]);
        nonce
    }

    /// A new stream.
    pub(super) fn accept(&mut self) -> usize {
        self.streams.push(Stream {
            machine: Machine::new(at(self.now), at(u64::MAX / 2)),
            seq: 0,
            serial: 0,
            nonce: [0; 16],
            shown: [0; 32],
            epoch: None,
            waits: None,
            asked_by: Vec::new(),
            asked_next_by: Vec::new(),
            down: VecDeque::new(),
        });
        self.streams.len() - 1
    }

    /// Whether the loop of a stream waits for something, and reads nothing meanwhile.
    pub(super) fn is_busy(&self, stream: usize) -> bool {
        self.streams[stream].waits.is_some()
    }

    pub(super) fn hear(&mut self, stream: usize, up: &Up) {
        if self.streams[stream].machine.is_over() {
            return;
        }
        self.streams[stream].seq += 1;
        let inbound = match up {
            Up::Hello {
                shown,
                serial,
                nonce,
                replaces,
            } => {
                let found = &mut self.streams[stream];
                (found.serial, found.nonce, found.shown) = (*serial, *nonce, *shown);
                let Inbound::Hello(mut said) = hello((1, 1), &[]) else {
                    unreachable!("it is one")
                };
                said.shown = Some(ContinuityHash::of(shown));
                said.instance_nonce = *nonce;
                said.replaces_epoch = *replaces;
                Inbound::Hello(said)
            }
            Up::Stored(token) => Inbound::Stored(ContinuityHash::of(token)),
            Up::Present(nonce) => Inbound::Present(*nonce),
        };
        let seq = self.streams[stream].seq;
        self.feed(stream, message(seq, 100, inbound));
    }

    /// The connection is known to be gone.
    pub(super) fn closed(&mut self, stream: usize) {
        if !self.streams[stream].machine.is_over() && !self.is_busy(stream) {
            self.feed(stream, Event::Closed);
        }
    }

    /// Time passes.
    pub(super) fn wait(&mut self, millis: u64) {
        self.now += millis;
        for stream in 0..self.streams.len() {
            if self.streams[stream]
                .waits
                .is_some_and(|(_, until)| self.now >= until)
            {
                self.open(stream);
            } else if !self.is_busy(stream) && self.streams[stream].machine.due() <= at(self.now) {
                self.feed(stream, Event::Tick);
            }
        }
    }

    fn feed(&mut self, stream: usize, event: Event) {
        let now = at(self.now);
        for action in self.streams[stream].machine.on(event, now) {
            match action {
                Action::Send(body) => {
                    let down = match body {
                        Body::Welcome(welcome) => Down::Welcome {
                            epoch: welcome.session_epoch,
                            token: welcome.continuity_token.as_ref().try_into().unwrap(),
                        },
                        Body::Refuse(refuse) => Down::Refuse(refuse.reason()),
                        Body::PresenceAsk(ask) => Down::Ask(ask.nonce.as_ref().try_into().unwrap()),
                        Body::Goodbye(_) => Down::Goodbye,
                        other => panic!("{other:?}"),
                    };
                    self.streams[stream].down.push_back(down);
                }
                Action::Open(hello) => self.begin(stream, &hello),
                Action::Stored(token) => {
                    let latest = self.streams[stream].epoch == Some(self.epoch);
                    if !latest || !self.continuity.stored(token) {
                        self.feed(stream, Event::End(Reason::StaleSession));
                    }
                }
                Action::Present => self.answered(stream, true),
                Action::Conflict => self.conflict(),
                Action::Close(_) => {
                    if self.live == Some(stream) {
                        self.live = None;
                    }
                    self.answered(stream, false);
                    self.answered(stream, false);
                }
                _ => {}
            }
        }
    }

    /// A hello, before the database is asked.
    fn begin(&mut self, stream: usize, hello: &Hello) {
        if let Some(other) = self.live {
            let theirs = &self.streams[other];
            if !takes_over(hello, theirs.epoch.unwrap(), theirs.nonce) {
                self.streams[stream].waits = Some((other, self.now + PRESENT_WITHIN));
                let asked = self.streams[other].machine.asked.is_some();
                let theirs = &mut self.streams[other];
                let waiting = if asked {
                    &mut theirs.asked_next_by
                } else {
                    &mut theirs.asked_by
                };
                waiting.push(stream);
                let nonce = self.nonce();
                self.feed(other, Event::AskPresence { nonce });
                return;
            }
        }
        self.open(stream);
    }

    /// Those who wait for the word of this session have it.
    fn answered(&mut self, stream: usize, alive: bool) {
        let next = std::mem::take(&mut self.streams[stream].asked_next_by);
        for waiting in std::mem::replace(&mut self.streams[stream].asked_by, next) {
            if self.streams[waiting]
                .waits
                .is_none_or(|(other, _)| other != stream)
            {
                continue;
            }
            if alive {
                self.streams[waiting].waits = None;
                let nonce = self.nonce();
                self.feed(waiting, Event::Stale { nonce });
            } else {
                self.open(waiting);
            }
        }
    }

    fn open(&mut self, stream: usize) {
        self.streams[stream].waits = None;
        let refused = |reason| Event::Refused {
            reason,
            retry_after: None,
        };
        if self.quarantined {
            return self.feed(stream, refused(Reason::SensorQuarantined));
        }
        let (serial, shown) = (self.streams[stream].serial, self.streams[stream].shown);
        if serial != self.current && Some(serial) != self.new {
            return self.feed(stream, refused(Reason::CertificateNotCurrent));
        }
        let token = self.token();
        if !self
            .continuity
            .opened(Some(ContinuityHash::of(&shown)), ContinuityHash::of(&token))
        {
            let nonce = self.nonce();
            return self.feed(stream, Event::Stale { nonce });
        }
        if serial != self.current {
            (self.current, self.new, self.approved) = (serial, None, false);
        }
        self.epoch += 1;
        self.last_seen = self.now;
        self.streams[stream].epoch = Some(self.epoch);
        if let Some(older) = self.live.replace(stream) {
            self.feed(older, Event::End(Reason::StaleSession));
            self.live = Some(stream);
        }
        self.opened += 1;
        let Event::Opened(mut granted) = opened(&[]) else {
            unreachable!("it is one")
        };
        granted.epoch = self.epoch;
        granted.continuity_token = SecretBytes::new(token.to_vec());
        self.feed(stream, Event::Opened(granted));
    }

    /// A certificate and a token; or nothing, of which nobody learns the reason in time.
    pub(super) fn recover(&mut self, claim: &Claim) -> Option<(u64, Token)> {
        if self.quarantined || self.now > claim.challenged_at + CHALLENGE {
            return None;
        }
        let token = self.token();
        let (shown, sent) = (ContinuityHash::of(&claim.shown), ContinuityHash::of(&token));
        if !self.continuity.recovered(self.approved, Some(shown), sent) {
            if claim.challenged_at >= self.last_seen.max(self.recovered_at) {
                self.conflict();
            }
            return None;
        }
        self.recovered_at = self.now;
        self.made += 1;
        self.new = Some(self.made);
        Some((self.made, token))
    }

    /// A person lets the sensor in once more, as after a quarantine: its certificates are void.
    pub(super) fn approve(&mut self) {
        self.made += 1;
        (self.current, self.new, self.approved, self.quarantined) = (self.made, None, true, false);
        if let Some(live) = self.live {
            self.feed(live, Event::End(Reason::SensorQuarantined));
        }
    }

    fn conflict(&mut self) {
        self.quarantined = true;
        if let Some(live) = self.live {
            self.feed(live, Event::End(Reason::IdentityConflict));
        }
    }
}
