//! Probes go past the slots of jobs, but not past the phases.

use portolan_shared::model::{Diagnosis, ProbeId};

use super::*;

fn offer() -> Event {
    Event::Probe(Box::new(v1::ProbeOffer {
        seconds_left: 7,
        ..v1::ProbeOffer::default()
    }))
}

fn report(seq: u64) -> Event {
    let probe = ProbeId::random(&SeededRng::new(4));
    message(seq, 1_000, Inbound::Probed(probe, Box::default()))
}

#[test]
fn a_probe_is_offered_while_the_session_is_open_even_if_every_slot_is_taken() {
    let mut machine = open(&[1, 2]);
    assert_eq!(machine.free(false), 0);
    let actions = machine.on(offer(), at(1));
    let [Action::Send(Body::ProbeOffer(offered))] = actions.as_slice() else {
        panic!("{actions:?}");
    };
    assert_eq!(offered.seconds_left, 7);
    machine.on(Event::Drain(Duration::from_secs(1)), at(2));
    assert!(
        machine.on(offer(), at(3)).is_empty(),
        "whoever is sent away begins nothing"
    );
    let mut silent = Machine::new(at(0), at(u64::MAX / 2));
    assert!(silent.on(offer(), at(0)).is_empty());
}

#[test]
fn a_report_is_stored_while_the_session_is_open() {
    let mut machine = open(&[]);
    let actions = machine.on(report(2), at(1));
    let [Action::Probed(_, diagnosis)] = actions.as_slice() else {
        panic!("{actions:?}");
    };
    assert_eq!(**diagnosis, Diagnosis::default());
    let mut silent = Machine::new(at(0), at(u64::MAX / 2));
    assert_eq!(
        ended_with(&silent.on(report(1), at(0))),
        Some(Reason::ProtocolViolation)
    );
}
