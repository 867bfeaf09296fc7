//! Slots for looks at what events named.

use super::*;

fn look(number: u32) -> Box<Lease> {
    Box::new(Lease {
        look: true,
        ..*lease(number)
    })
}

fn is_sent(actions: &[Action]) -> bool {
    matches!(actions, [Action::Send(Body::JobOffer(_))])
}

#[test]
fn neither_looks_nor_others_take_each_others_slots() {
    let mut machine = open(&[]);
    machine.knows_events = true;
    assert_eq!(
        (machine.free(false), machine.free(true)),
        (SLOTS, limits::LOOK_SLOTS)
    );
    for number in 1..=limits::LOOK_SLOTS {
        assert!(is_sent(&machine.on(Event::Offer(look(number), None), at(0))));
    }
    assert_eq!((machine.free(false), machine.free(true)), (SLOTS, 0));
    assert!(matches!(
        machine.on(Event::Offer(look(9), None), at(0))[..],
        [Action::Return(_)]
    ));
    for number in 11..11 + SLOTS {
        assert!(is_sent(&machine.on(Event::Offer(lease(number), None), at(0))));
    }
    assert_eq!((machine.free(false), machine.free(true)), (0, 0));
    machine.on(Event::Ended(attempt(1)), at(0));
    assert_eq!((machine.free(false), machine.free(true)), (0, 1));
}

#[test]
fn whoever_does_not_know_what_a_look_is_takes_it_as_any_other_job() {
    let mut machine = open(&[]);
    assert_eq!(machine.free(true), SLOTS);
    assert!(is_sent(&machine.on(Event::Offer(look(1), None), at(0))));
    assert_eq!((machine.free(false), machine.free(true)), (SLOTS - 1, SLOTS - 1));
}
