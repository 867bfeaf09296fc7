//! Who wants to know whether a session's sensor is alive: others that show its identity.

use tokio::sync::oneshot;

use crate::app::Presence;

/// Those who wait for one answer: a further one is told that there are too many.
const WAITING: usize = 16;

/// Those who wait. Each is told of an answer to a question that was sent after it came: an older answer may come from an agent that has ended
/// since.
#[derive(Debug, Default)]
pub(super) struct Askers {
    /// For the question that is open.
    asked: Vec<oneshot::Sender<Presence>>,
    /// For the next one.
    next: Vec<oneshot::Sender<Presence>>,
}

impl Askers {
    /// One more waits: for the next question if one is open.
    pub(super) fn wait(&mut self, waiting: oneshot::Sender<Presence>, open: bool) {
        let those = if open { &mut self.next } else { &mut self.asked };
        those.retain(|waiting| !waiting.is_closed());
        if those.len() < WAITING {
            those.push(waiting);
        } else {
            // It may have gone; then it does not matter.
            let _ = waiting.send(Presence::Busy);
        }
    }

    /// The question that is open was answered.
    pub(super) fn answered(&mut self) {
        for waiting in std::mem::replace(&mut self.asked, std::mem::take(&mut self.next)) {
            let _ = waiting.send(Presence::Alive);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_comes_while_a_question_is_open_waits_for_the_next_answer() {
        let mut askers = Askers::default();
        let (first, mut first_answer) = oneshot::channel();
        let (second, mut second_answer) = oneshot::channel();
        askers.wait(first, false);
        askers.wait(second, true);
        askers.answered();
        assert_eq!(first_answer.try_recv(), Ok(Presence::Alive));
        assert!(second_answer.try_recv().is_err());
        askers.answered();
        assert_eq!(second_answer.try_recv(), Ok(Presence::Alive));
    }

    #[test]
    fn at_the_bound_the_next_one_is_told_so_and_those_that_are_gone_do_not_count() {
        for open in [false, true] {
            let mut askers = Askers::default();
            let mut answers: Vec<_> = (0..WAITING)
                .map(|_| {
                    let (waiting, answer) = oneshot::channel();
                    askers.wait(waiting, open);
                    answer
                })
                .collect();
            let (waiting, mut answer) = oneshot::channel();
            askers.wait(waiting, open);
            assert_eq!(answer.try_recv(), Ok(Presence::Busy));
            assert!(answers.iter_mut().all(|answer| answer.try_recv().is_err()));
            answers.pop();
            let (waiting, mut answer) = oneshot::channel();
            askers.wait(waiting, open);
            assert!(answer.try_recv().is_err());
            askers.answered();
            askers.answered();
            assert_eq!(answer.try_recv(), Ok(Presence::Alive));
        }
    }
}
