//! Continuity: a token that changes with each session, by which a copy of a sensor gives itself away. Pure; a backend keeps it with the
//! sensor's row and changes it under that row's lock.
//!
//! The control plane keeps hashes alone. A sensor shows the last token that it stored; it is the current one, or one of those that were sent
//! since and whose acknowledgement was lost on the way. Whoever shows another one runs on a state that is older than the last session, or
//! beside a copy that went on.

use portolan_shared::model::Digest;

/// SHA-256 of a continuity token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContinuityHash(pub [u8; 32]);

impl ContinuityHash {
    /// The hash of a token.
    #[must_use]
    pub fn of(token: &[u8]) -> Self {
        let Digest::Sha256(hash) = Digest::sha256_of(token) else {
            unreachable!("sha256_of gives a SHA-256 digest")
        };
        Self(hash)
    }
}

/// Tokens that were sent and not acknowledged, at most: the oldest is forgotten above. A sensor shows one only if it stored it, and then it
/// has connected once more and all others are void.
pub const OUTSTANDING_TOKENS: usize = 8;

/// Which tokens of a sensor are good.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Continuity {
    /// None: the sensor was enrolled before there were tokens, and whatever it shows is good until it has acknowledged one.
    current: Option<ContinuityHash>,
    /// Oldest first.
    outstanding: Vec<ContinuityHash>,
}

impl Continuity {
    /// Of a sensor that was given its first token.
    #[must_use]
    pub fn begin(first: ContinuityHash) -> Self {
        Self {
            current: Some(first),
            outstanding: Vec::new(),
        }
    }

    /// Whether a token is good. One that was sent and not acknowledged becomes the current one: its sensor has stored it.
    #[must_use]
    pub fn shown(&mut self, token: Option<ContinuityHash>) -> bool {
        match (self.current, token) {
            (None, _) => true,
            (Some(current), Some(token)) if current == token => true,
            (Some(_), Some(token)) => self.stored(token),
            (Some(_), None) => false,
        }
    }

    /// A session begins: whether the token that is shown is good; then another one is being sent.
    #[must_use]
    pub fn opened(&mut self, shown: Option<ContinuityHash>, sent: ContinuityHash) -> bool {
        let good = self.shown(shown);
        if good {
            self.sent(sent);
        }
        good
    }

    /// A sensor recovers: whether it may, by the token that it shows; then another one is being sent. Excused, it shows
    /// what it wants, and everything that was sent before is void, because it may be in two hands.
    #[must_use]
    pub fn recovered(&mut self, excused: bool, shown: Option<ContinuityHash>, sent: ContinuityHash) -> bool {
        if excused {
            *self = Self::begin(sent);
            return true;
        }
        self.opened(shown, sent)
    }

    /// Notes that a token is being sent.
    pub fn sent(&mut self, token: ContinuityHash) {
        if self.outstanding.len() >= OUTSTANDING_TOKENS {
            self.outstanding.remove(0);
        }
        self.outstanding.push(token);
    }

    /// Notes that the sensor has stored a token. `false` if it was not waited for; then nothing changes.
    #[must_use]
    pub fn stored(&mut self, token: ContinuityHash) -> bool {
        if !self.outstanding.contains(&token) {
            return false;
        }
        *self = Self::begin(token);
        true
    }

    /// For storage: the current hash, and the outstanding ones, oldest first.
    #[must_use]
    pub fn to_parts(&self) -> (Option<[u8; 32]>, Vec<u8>) {
        let outstanding = self.outstanding.iter().flat_map(|hash| hash.0).collect();
        (self.current.map(|hash| hash.0), outstanding)
    }

    /// From storage; none unless the outstanding ones are whole hashes, and not too many.
    #[must_use]
    pub fn from_parts(current: Option<[u8; 32]>, outstanding: &[u8]) -> Option<Self> {
        let (hashes, rest) = outstanding.as_chunks::<32>();
        if !rest.is_empty() || hashes.len() > OUTSTANDING_TOKENS {
            return None;
        }
        Some(Self {
            current: current.map(ContinuityHash),
            outstanding: hashes.iter().map(|hash| ContinuityHash(*hash)).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token(n: u8) -> ContinuityHash {
        ContinuityHash::of(&[n])
    }

    #[test]
    fn the_current_one_and_those_on_their_way_are_good_and_others_are_not() {
        let mut continuity = Continuity::begin(token(0));
        for n in 1..=3 {
            assert!(
                continuity.shown(Some(token(0))),
                "the acknowledgement of {n} was lost"
            );
            continuity.sent(token(n));
        }
        assert!(!continuity.shown(Some(token(9))));
        assert!(!continuity.shown(None));
        assert!(
            continuity.shown(Some(token(2))),
            "it was stored and not acknowledged"
        );
        for void in [0, 1, 3] {
            assert!(!continuity.shown(Some(token(void))), "{void}");
        }
        assert!(!continuity.stored(token(3)));
    }

    #[test]
    fn a_sensor_from_before_there_were_tokens_is_let_in_until_it_has_one() {
        let mut continuity = Continuity::default();
        assert!(continuity.shown(None));
        continuity.sent(token(1));
        assert!(continuity.shown(None), "the welcome was lost");
        continuity.sent(token(2));
        assert!(continuity.stored(token(2)));
        assert!(!continuity.shown(None));
        assert!(!continuity.shown(Some(token(1))));
    }

    #[test]
    fn the_oldest_is_forgotten_at_the_bound() {
        let bound = u8::try_from(OUTSTANDING_TOKENS).unwrap();
        let mut continuity = Continuity::begin(token(0));
        (1..=bound).for_each(|n| continuity.sent(token(n)));
        assert!(continuity.clone().shown(Some(token(1))));
        continuity.sent(token(bound + 1));
        assert!(!continuity.clone().shown(Some(token(1))));
        assert!(continuity.clone().shown(Some(token(2))) && continuity.clone().shown(Some(token(0))));
        let (current, mut outstanding) = continuity.to_parts();
        assert_eq!(Continuity::from_parts(current, &outstanding), Some(continuity));
        outstanding.extend([0; 32]);
        assert_eq!(Continuity::from_parts(current, &outstanding), None);
    }

    proptest! {
        #[test]
        fn t15_an_honest_sensor_is_never_refused(
            // What happens to each session: the welcome is lost, the crash comes before or after the token is on disk,
            // the acknowledgement is lost, or all goes well.
            fates in prop::collection::vec(0..4_u8, 1..200),
        ) {
            let mut continuity = Continuity::begin(token(0));
            let mut on_disk = token(0);
            for (n, fate) in fates.into_iter().enumerate() {
                prop_assert!(continuity.shown(Some(on_disk)));
                let fresh = ContinuityHash::of(&n.to_be_bytes());
                continuity.sent(fresh);
                if fate >= 2 {
                    on_disk = fresh;
                }
                if fate == 3 {
                    prop_assert!(continuity.stored(fresh));
                }
            }
        }

        #[test]
        fn no_stored_bytes_panic(current: Option<[u8; 32]>, outstanding in prop::collection::vec(any::<u8>(), 0..400)) {
            if let Some(continuity) = Continuity::from_parts(current, &outstanding) {
                prop_assert_eq!(continuity.to_parts(), (current, outstanding));
            }
        }
    }
}
