//! Who stands, what is remembered, and where it stops.

use std::sync::Arc;

use jiff::Timestamp;
use portolan_shared::model::{AttemptRef, ProbeId, Reason, SensorId, TenantId};
use tokio::sync::mpsc;

use super::live::{REMEMBERED_ATTEMPTS, REMEMBERED_PROBES, WAITING_COMMANDS};
use super::{LiveSession, SessionCommand, Sessions};
use portolan_shared::process::SeededRng;

fn session(epoch: u64) -> (Arc<LiveSession>, mpsc::Receiver<SessionCommand>) {
    let rng = SeededRng::new(3);
    let (tenant, sensor) = (TenantId::random(&rng), SensorId::random(&rng));
    LiveSession::new(tenant, sensor, epoch, [1; 16], [2; 16], Timestamp::UNIX_EPOCH)
}

#[tokio::test]
async fn the_newest_session_stands_in_whichever_order_they_come() {
    for epochs in [[1, 2], [2, 1]] {
        let sessions = Sessions::new();
        let pair = epochs.map(|epoch| session(epoch).0);
        pair.iter().for_each(|session| sessions.enter(session));
        let [older, newer] = if epochs[0] < epochs[1] { [0, 1] } else { [1, 0] };
        assert_eq!(pair[older].ended().await, Reason::StaleSession);
        sessions.leave(&pair[older]);
        assert_eq!(sessions.of(pair[newer].sensor).unwrap().epoch, 2);
        sessions.leave(&pair[newer]);
        assert_eq!(sessions.count(), 0);
    }
}

#[test]
fn attempts_are_known_for_a_while_after_they_are_over() {
    let (session, _received) = session(1);
    let run = portolan_shared::model::RunId::random(&SeededRng::new(1));
    let attempt = |number: usize| AttemptRef {
        run,
        attempt: u32::try_from(number).unwrap(),
    };
    session.set_held(vec![attempt(1), attempt(2)]);
    session.set_held(vec![attempt(2)]);
    let held: Vec<_> = session.held().iter().map(|held| held.attempt).collect();
    assert_eq!(held, [attempt(2)]);
    assert!(session.knows(attempt(1)) && session.knows(attempt(2)) && !session.knows(attempt(3)));
    for number in 0..REMEMBERED_ATTEMPTS {
        session.set_held(vec![attempt(10 + number)]);
    }
    assert!(session.knows(attempt(10)), "at the bound");
    assert!(!session.knows(attempt(2)), "the oldest are forgotten");
}

#[test]
fn a_probe_is_brought_to_a_session_once() {
    let (session, _received) = session(1);
    let rng = SeededRng::new(5);
    let first = ProbeId::random(&rng);
    assert!(session.takes_probe(first) && !session.takes_probe(first));
    for _ in 1..REMEMBERED_PROBES {
        assert!(session.takes_probe(ProbeId::random(&rng)));
    }
    assert!(!session.takes_probe(first), "at the bound");
    assert!(
        session.takes_probe(ProbeId::random(&rng)) && session.takes_probe(first),
        "beyond"
    );
    let sessions = Sessions::new();
    sessions.enter(&session);
    assert_eq!(sessions.able_to_probe(), []);
    session.set_able_to_probe();
    assert_eq!(sessions.able_to_probe(), [session.sensor]);
}

#[test]
fn commands_stop_at_their_bound_and_waiting_offers_take_slots() {
    let (session, _received) = session(1);
    let attempt = AttemptRef {
        run: portolan_shared::model::RunId::random(&SeededRng::new(1)),
        attempt: 1,
    };
    for _ in 0..WAITING_COMMANDS {
        assert!(session.tell(SessionCommand::Cancel(attempt, Reason::Cancelled)));
    }
    assert!(!session.tell(SessionCommand::Cancel(attempt, Reason::Cancelled)));
    session.set_free(2, 2);
    assert_eq!(session.free(), 2);
}
