//! Who is there, and whether it is the one that was there before.

use super::super::super::introduction::{ANSWER_WITHIN, STORE_WITHIN};
use super::*;

const NONCE: [u8; 16] = [5; 16];

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap()
}

fn opening() -> Machine {
    let mut machine = Machine::new(at(0), at(u64::MAX / 2));
    machine.on(message(1, 100, hello((1, 1), &[])), at(0));
    machine
}

fn is_asked(actions: &[Action]) -> bool {
    matches!(actions, [Action::Send(Body::PresenceAsk(ask))] if ask.nonce.as_ref() == NONCE)
}

#[test]
fn t13_whoever_shows_an_old_token_and_answers_is_a_second_one() {
    let mut machine = opening();
    assert!(is_asked(&machine.on(Event::Stale { nonce: NONCE }, at(0))));
    let actions = machine.on(message(2, 20, Inbound::Present(NONCE)), at(4_999));
    let [
        Action::Conflict,
        Action::Send(Body::Refuse(refuse)),
        Action::Close(_),
    ] = actions.as_slice()
    else {
        panic!("{actions:?}");
    };
    assert_eq!(refuse.reason(), v1::Reason::IdentityConflict);
    assert!(machine.is_over());
}

#[test]
fn t15_late_packets_of_a_dead_connection_are_dropped_without_a_word() {
    let mut machine = opening();
    machine.on(Event::Stale { nonce: NONCE }, at(0));
    assert_eq!(machine.due(), at(millis(ANSWER_WITHIN)));
    let wrong = machine.on(message(2, 20, Inbound::Present([6; 16])), at(10));
    assert!(wrong.is_empty(), "an answer to another question: {wrong:?}");
    assert!(machine.on(Event::Tick, at(millis(ANSWER_WITHIN) - 1)).is_empty());
    let actions = machine.on(Event::Tick, at(millis(ANSWER_WITHIN)));
    assert!(
        matches!(actions.as_slice(), [Action::Unanswered, Action::Close(None)]),
        "{actions:?}"
    );
    let mut machine = opening();
    machine.on(Event::Stale { nonce: NONCE }, at(0));
    let actions = machine.on(Event::Closed, at(1));
    assert!(
        matches!(actions.as_slice(), [Action::Unanswered, Action::Close(None)]),
        "who hangs up has not answered either: {actions:?}"
    );
}

#[test]
fn nothing_but_the_answer_may_come_from_whom_it_is_waited_for() {
    let mut machine = opening();
    machine.on(Event::Stale { nonce: NONCE }, at(0));
    let actions = machine.on(message(2, 20, heartbeat(1, &[])), at(1));
    assert_eq!(ended_with(&actions), Some(Reason::ProtocolViolation));
}

#[test]
fn t12_a_session_that_is_alive_says_so_once() {
    let mut machine = open(&[]);
    assert!(is_asked(&machine.on(Event::AskPresence { nonce: NONCE }, at(1))));
    let actions = machine.on(message(2, 20, Inbound::Present(NONCE)), at(2));
    assert!(matches!(actions.as_slice(), [Action::Present]), "{actions:?}");
    assert!(
        machine
            .on(message(3, 20, Inbound::Present(NONCE)), at(3))
            .is_empty()
    );
}

#[test]
fn a_token_that_is_not_stored_in_time_ends_the_session() {
    let mut machine = opening();
    machine.on(opened(&[]), at(0));
    let due = millis(STORE_WITHIN);
    machine.on(message(2, 20, heartbeat(1, &[])), at(due - 1));
    assert_eq!(machine.due(), at(due));
    assert!(machine.on(Event::Tick, at(due - 1)).is_empty());
    let actions = machine.on(Event::Tick, at(due));
    assert_eq!(ended_with(&actions), Some(Reason::StaleSession));

    let mut machine = opening();
    machine.on(opened(&[]), at(0));
    let stored = machine.on(message(2, 40, stores(SENT)), at(due - 1));
    assert!(matches!(stored.as_slice(), [Action::Stored(_)]), "{stored:?}");
    assert!(machine.on(Event::Tick, at(due)).is_empty());
}

/// What `opened` sends.
const SENT: [u8; 32] = [3; 32];

fn stores(token: [u8; 32]) -> Inbound {
    Inbound::Stored(ContinuityHash::of(&token))
}

#[test]
fn t13_whoever_acknowledges_another_token_than_it_was_sent_is_out() {
    let mut machine = opening();
    machine.on(opened(&[]), at(0));
    let actions = machine.on(message(2, 40, stores([4; 32])), at(1));
    assert_eq!(ended_with(&actions), Some(Reason::ProtocolViolation));
    assert!(!actions.iter().any(|action| matches!(action, Action::Stored(_))));

    let mut machine = opening();
    machine.on(opened(&[]), at(0));
    machine.on(message(2, 40, stores(SENT)), at(1));
    let again = machine.on(message(3, 40, stores(SENT)), at(2));
    assert_eq!(ended_with(&again), Some(Reason::ProtocolViolation));
}

#[test]
fn t13_no_offer_no_probe_and_no_credential_goes_out_before_the_token_is_acknowledged() {
    let probe = || Event::Probe(Box::default());
    let withdrawn = CredentialId::random(&SeededRng::new(5));
    let offer = || Event::Offer(lease(2), None);
    let mut machine = Machine::new(at(0), at(u64::MAX / 2));
    machine.on(message(1, 100, hello((1, 1), &[1])), at(0));
    machine.on(opened(&[1]), at(0));
    assert_eq!((machine.free(false), machine.is_settled()), (0, false));
    let returned = machine.on(offer(), at(1));
    assert!(matches!(returned.as_slice(), [Action::Return(_)]), "{returned:?}");
    for event in [
        probe(),
        Event::Credential(attempt(1), Box::default()),
        Event::Withdraw(withdrawn),
    ] {
        let actions = machine.on(event, at(1));
        assert!(actions.is_empty(), "{actions:?}");
    }
    machine.on(message(2, 40, stores(SENT)), at(2));
    assert!(machine.is_settled());
    for event in [
        offer(),
        probe(),
        Event::Credential(attempt(1), Box::default()),
        Event::Withdraw(withdrawn),
    ] {
        let actions = machine.on(event, at(3));
        assert!(matches!(actions.as_slice(), [Action::Send(_)]), "{actions:?}");
    }
}

/// Asked every 190 ms by whoever stands at the door, over a line on which an answer takes a second.
#[test]
fn t12_however_often_it_is_asked_a_live_session_is_heard() {
    let mut machine = open(&[]);
    assert!(is_asked(&machine.on(Event::AskPresence { nonce: NONCE }, at(0))));
    for n in 1..=5_u8 {
        let actions = machine.on(Event::AskPresence { nonce: [n; 16] }, at(190 * u64::from(n)));
        assert!(actions.is_empty(), "a question is open: {actions:?}");
    }
    let actions = machine.on(message(2, 20, Inbound::Present(NONCE)), at(1_000));
    let [Action::Present, Action::Send(Body::PresenceAsk(next))] = actions.as_slice() else {
        panic!("those who came since have no answer yet: {actions:?}");
    };
    assert_eq!(next.nonce.as_ref(), [1; 16]);
    let actions = machine.on(message(3, 20, Inbound::Present([1; 16])), at(2_000));
    assert!(matches!(actions.as_slice(), [Action::Present]), "{actions:?}");
    assert_eq!(machine.asked, None);
}
