//! Numbers on the messages of one direction of a session: from 1, one more each. Pure.

/// A message with the wrong number: the stream is of no use any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("message {got} came where {expected} was due")]
pub(super) struct OutOfSequence {
    /// The number that was due.
    pub(super) expected: u64,
    /// The number that came.
    pub(super) got: u64,
}

/// Counts one direction.
#[derive(Debug, Default)]
pub(super) struct Sequence(u64);

impl Sequence {
    /// The number of the next message to send.
    pub(super) fn number(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }

    /// Checks the number of a message that came in.
    pub(super) fn check(&mut self, got: u64) -> Result<(), OutOfSequence> {
        let expected = self.0 + 1;
        if got != expected {
            return Err(OutOfSequence { expected, got });
        }
        self.0 = got;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_gap_or_repeat_is_noticed(sent in 1..50_u64, wrong: u64) {
            let (mut out, mut back) = (Sequence::default(), Sequence::default());
            for _ in 0..sent {
                prop_assert!(back.check(out.number()).is_ok());
            }
            prop_assume!(wrong != sent + 1);
            prop_assert_eq!(back.check(wrong), Err(OutOfSequence { expected: sent + 1, got: wrong }));
        }
    }
}
