use portolan_shared::model::{
    Budget, CaTrust, CredentialId, HostFacts, RegistryId, RegistryTarget, RepositoryPatterns, RunId,
    RunProgress, Scope, TagFilter,
};
use portolan_shared::process::SeededRng;
use portolan_shared::secret::SecretBytes;
use portolan_store::ContinuityHash;

use super::super::inbound::Hello;
use super::super::jobs::{ACCEPT_WITHIN, PROGRESS_EVERY};
use super::super::step::Opened;
use super::*;

const SLOTS: u32 = 2;

fn at(millis: u64) -> Uptime {
    Uptime(Duration::from_millis(millis))
}

fn attempt(number: u32) -> AttemptRef {
    AttemptRef {
        run: RunId::random(&SeededRng::new(8)),
        attempt: number,
    }
}

fn lease(number: u32) -> Box<Lease> {
    Box::new(Lease {
        attempt: attempt(number),
        target: RegistryTarget {
            registry: RegistryId::random(&SeededRng::new(9)),
            url: "https://registry.example".parse().unwrap(),
            ca: CaTrust {
                bundle_pem: None,
                only_bundle: false,
            },
            repositories: RepositoryPatterns::all(),
            credential: None,
            tags: TagFilter::default(),
            budget: Budget::default(),
            requests_left: None,
        },
        scope: Scope::default(),
        resumed: false,
        look: false,
    })
}

fn hello(protocol: (u32, u32), running: &[u32]) -> Inbound {
    Inbound::Hello(Box::new(Hello {
        protocol,
        capabilities: vec!["unheard-of".into()],
        host: HostFacts::default(),
        running: running.iter().map(|number| attempt(*number)).collect(),
        policy_hash: None,
        policy_summary: String::new(),
        wall_clock_ms: 0,
        job_slots: SLOTS,
        instance_nonce: [1; 16],
        replaces_epoch: 0,
        shown: Some(ContinuityHash([9; 32])),
        fingerprint: None,
        boot_id: String::new(),
        incarnation: 1,
        notify_url: None,
    }))
}

fn message(seq: u64, size: usize, message: Inbound) -> Event {
    Event::Message {
        seq,
        size,
        message: Ok(message),
    }
}

fn opened(kept: &[u32]) -> Event {
    Event::Opened(Opened {
        epoch: 7,
        generation: 2,
        kept: kept.iter().map(|number| attempt(*number)).collect(),
        server_time_ms: 1,
        spread: Duration::from_secs(5),
        continuity_token: SecretBytes::new(vec![3; 32]),
    })
}

fn open(kept: &[u32]) -> Machine {
    let mut machine = Machine::new(at(0), at(u64::MAX / 2));
    machine.on(message(1, 100, hello((1, 1), kept)), at(0));
    machine.on(opened(kept), at(0));
    // Its token is stored.
    machine.unstored = None;
    machine
}

fn heartbeat(counter: u64, running: &[u32]) -> Inbound {
    Inbound::Heartbeat {
        counter,
        running: running.iter().map(|number| attempt(*number)).collect(),
    }
}

fn ended_with(actions: &[Action]) -> Option<Reason> {
    match actions.last() {
        Some(Action::Close(reason)) => *reason,
        other => panic!("not closed but {other:?}"),
    }
}

mod continuity;
mod honest;
mod introduction;
mod looks;
mod plane;
mod probes;
mod schedules;

#[test]
fn the_welcome_tells_what_is_kept() {
    let mut machine = Machine::new(at(0), at(u64::MAX / 2));
    let actions = machine.on(message(1, 100, hello((1, 3), &[1, 2])), at(0));
    assert!(matches!(actions.as_slice(), [Action::Open(_)]));
    let actions = machine.on(opened(&[2]), at(0));
    let [Action::Send(Body::Welcome(welcome))] = actions.as_slice() else {
        panic!("{actions:?}");
    };
    assert_eq!(
        (welcome.protocol, welcome.session_epoch),
        (portolan_proto::PROTOCOL, 7)
    );
    assert_eq!(
        (welcome.continuity_token.as_ref(), welcome.generation),
        ([3; 32].as_slice(), 2)
    );
    assert!(welcome.capabilities.is_empty());
    let keeps: Vec<bool> = welcome.verdicts.iter().map(|verdict| verdict.keep).collect();
    assert_eq!(keeps, [false, true]);
    assert_eq!(machine.free(false), 0, "its token is not stored");
    machine.on(
        message(2, 40, Inbound::Stored(ContinuityHash::of(&[3; 32]))),
        at(1),
    );
    assert_eq!(machine.free(false), SLOTS - 1);
}

#[test]
fn strange_beginnings_are_refused() {
    for (event, reason) in [
        (message(1, 1, heartbeat(1, &[])), Reason::ProtocolViolation),
        (message(2, 1, hello((1, 1), &[])), Reason::ProtocolViolation),
        (message(1, 1, hello((2, 9), &[])), Reason::VersionUnsupported),
        (
            message(1, limits::HELLO_BYTES + 1, hello((1, 1), &[])),
            Reason::MessageTooLarge,
        ),
        (
            Event::Message {
                seq: 1,
                size: 1,
                message: Err(FieldError::missing("body")),
            },
            Reason::ProtocolViolation,
        ),
        (Event::End(Reason::SensorRevoked), Reason::SensorRevoked),
    ] {
        let mut machine = Machine::new(at(0), at(u64::MAX / 2));
        let actions = machine.on(event, at(0));
        assert!(matches!(actions[0], Action::Send(Body::Refuse(_))));
        assert_eq!(ended_with(&actions), Some(reason));
    }
    let mut machine = Machine::new(at(0), at(u64::MAX / 2));
    let at_bound = message(1, limits::HELLO_BYTES, hello((1, 1), &[]));
    assert!(matches!(machine.on(at_bound, at(0))[0], Action::Open(_)));
}

#[test]
fn t20_silence_ends_the_session_after_45_seconds_and_before_the_hello_after_5() {
    let mut machine = Machine::new(at(0), at(u64::MAX / 2));
    assert_eq!(machine.due(), at(5_000));
    assert!(machine.on(Event::Tick, at(4_999)).is_empty());
    machine.on(Event::Tick, at(5_000));
    assert!(machine.is_over());

    let mut machine = open(&[]);
    machine.on(message(2, 10, heartbeat(1, &[])), at(1_000));
    assert_eq!(machine.due(), at(46_000));
    assert!(machine.on(Event::Tick, at(45_999)).is_empty());
    assert_eq!(
        ended_with(&machine.on(Event::Tick, at(46_000))),
        Some(Reason::StaleSession)
    );
}

#[test]
fn t10_the_certificate_s_end_is_the_session_s() {
    let mut machine = Machine::new(at(0), at(10_000));
    machine.on(message(1, 100, hello((1, 1), &[])), at(0));
    machine.on(opened(&[]), at(0));
    assert_eq!(machine.due(), at(10_000));
    let actions = machine.on(Event::Tick, at(10_000));
    assert_eq!(ended_with(&actions), Some(Reason::CertificateExpired));
}

#[test]
fn gaps_repeats_and_floods_end_the_session() {
    for seq in [1, 3, 0] {
        let actions = open(&[]).on(message(seq, 1, heartbeat(1, &[])), at(0));
        assert_eq!(ended_with(&actions), Some(Reason::ProtocolViolation));
    }
    let mut machine = open(&[]);
    let burst = MESSAGES.burst as u64;
    for seq in 2..=burst {
        assert!(!machine.is_over());
        machine.on(message(seq, 1, Inbound::TrustBundleAck), at(0));
    }
    machine.on(message(burst + 1, 1, Inbound::TrustBundleAck), at(0));
    assert!(machine.is_over(), "the hello took one of the burst");
}

#[test]
fn heartbeats_hold_at_their_bound_and_end_the_session_above() {
    let mut machine = open(&[]);
    machine.on(message(2, limits::HEARTBEAT_BYTES, heartbeat(1, &[])), at(0));
    assert!(!machine.is_over());
    machine.on(message(3, limits::HEARTBEAT_BYTES + 1, heartbeat(2, &[])), at(0));
    assert!(machine.is_over());
}

#[test]
fn leases_that_are_not_held_any_more_are_cancelled_and_missing_in_the_answer() {
    let mut machine = open(&[1, 2]);
    let actions = machine.on(message(2, 1, heartbeat(5, &[1, 2, 3])), at(0));
    let [Action::Renew { counter: 5, attempts }] = actions.as_slice() else {
        panic!("{actions:?}");
    };
    let mut asked = vec![attempt(1), attempt(2)];
    asked.sort_unstable();
    assert_eq!(*attempts, asked, "the third was never leased to this session");
    let actions = machine.on(
        Event::Renewed {
            counter: 5,
            asked,
            held: vec![attempt(2)],
            server_time_ms: 1,
        },
        at(0),
    );
    assert!(
        matches!(&actions[0], Action::Send(Body::JobCancel(cancel)) if cancel.attempt == Some(attempt(1).into()))
    );
    assert!(
        matches!(&actions[1], Action::Send(Body::HeartbeatAck(ack)) if ack.renewed == [attempt(2).into()])
    );
    assert_eq!(machine.free(false), SLOTS - 1);
}

#[test]
fn offers_that_are_not_accepted_in_time_go_back() {
    let mut machine = open(&[]);
    machine.on(Event::Offer(lease(1), None), at(0));
    machine.on(Event::Offer(lease(2), None), at(0));
    assert_eq!(machine.free(false), 0);
    let actions = machine.on(Event::Offer(lease(3), None), at(0));
    assert!(matches!(actions.as_slice(), [Action::Return(back)] if *back == attempt(3)));
    machine.on(message(2, 1, Inbound::Accept(attempt(1))), at(0));
    let actions = machine.on(Event::Tick, at(millis(ACCEPT_WITHIN).into()));
    assert!(matches!(actions.as_slice(), [Action::Return(back)] if *back == attempt(2)));
    let late = machine.on(message(3, 1, Inbound::Accept(attempt(2))), at(11_000));
    assert!(matches!(late.as_slice(), [Action::Send(Body::JobCancel(_))]));
}

#[test]
fn a_registry_that_does_not_fit_into_a_message_fails_its_run_instead_of_the_session() {
    let mut large = lease(1);
    large.target.ca.bundle_pem = Some("x".repeat(limits::SESSION_MESSAGE_BYTES));
    let mut machine = open(&[]);
    let actions = machine.on(Event::Offer(large, None), at(0));
    assert!(matches!(actions.as_slice(), [Action::Fail { again: false, .. }]));
    assert_eq!(machine.free(false), SLOTS);
}

#[test]
fn a_sensor_that_turns_an_offer_down_is_left_in_peace_for_a_while() {
    let turn_down = |reason| {
        let mut machine = open(&[]);
        machine.on(Event::Offer(lease(1), None), at(0));
        let ending = Inbound::Reject(Ending {
            attempt: attempt(1),
            reason,
            finding: None,
        });
        let actions = machine.on(message(2, 1, ending), at(0));
        assert!(matches!(actions.as_slice(), [Action::Return(_)]));
        assert_eq!(machine.free(false), 0);
        machine
    };
    let mut busy = turn_down(Reason::Overloaded);
    let until = at(millis(PAUSE).into());
    assert_eq!(busy.due(), until);
    busy.on(Event::Tick, until);
    assert_eq!(busy.free(false), SLOTS);
    let mut leaving = turn_down(Reason::Draining);
    leaving.on(Event::Tick, until);
    assert_eq!(leaving.free(false), 0);
}

#[test]
fn endings_are_judged_by_their_reason() {
    for (reason, expected) in [
        (Reason::Policy, Some(false)),
        (Reason::Unsupported, Some(false)),
        (Reason::Internal, Some(true)),
        (Reason::Cancelled, None),
        (Reason::StaleAttempt, None),
    ] {
        let mut machine = open(&[1]);
        let ending = Inbound::Done(Ending {
            attempt: attempt(1),
            reason,
            finding: None,
        });
        let again = match machine.on(message(2, 1, ending), at(0)).pop() {
            Some(Action::Fail { again, .. }) => Some(again),
            None => None,
            other => panic!("{other:?}"),
        };
        assert_eq!(again, expected, "{reason}");
        assert_eq!(machine.free(false), SLOTS);
    }
}

#[test]
fn progress_is_written_once_a_second_and_the_latest_wins() {
    let mut machine = open(&[1]);
    let step = |tags| {
        Inbound::Progress(
            attempt(1),
            RunProgress {
                tags,
                ..RunProgress::default()
            },
        )
    };
    let written = |actions: Vec<Action>| match actions.as_slice() {
        [] => None,
        [Action::Progress(_, progress)] => Some(progress.tags),
        other => panic!("{other:?}"),
    };
    assert_eq!(written(machine.on(message(2, 1, step(1)), at(0))), Some(1));
    assert_eq!(written(machine.on(message(3, 1, step(2)), at(10))), None);
    assert_eq!(written(machine.on(message(4, 1, step(3)), at(20))), None);
    assert_eq!(machine.due(), at(millis(PROGRESS_EVERY).into()));
    assert_eq!(written(machine.on(Event::Tick, at(1_000))), Some(3));
    assert_eq!(written(machine.on(Event::Tick, at(3_000))), None);
}

#[test]
fn nothing_is_offered_while_draining() {
    let mut machine = open(&[]);
    machine.on(Event::Drain(Duration::from_secs(1)), at(0));
    assert_eq!(machine.free(false), 0);
    let actions = machine.on(Event::Offer(lease(1), None), at(0));
    assert!(matches!(actions.as_slice(), [Action::Return(_)]));
}

#[test]
fn t58_an_attempt_is_told_to_stop_once_and_keeps_its_slot_until_it_has() {
    let mut machine = open(&[1, 2]);
    let cancel = |number| Event::Cancel(attempt(number), Reason::StaleAttempt);
    let told = machine.on(cancel(1), at(10));
    assert!(matches!(
        told.as_slice(),
        [Action::Send(Body::JobCancel(cancel))] if cancel.reason() == v1::Reason::StaleAttempt
    ));
    assert_eq!(machine.held(), [attempt(2)]);
    assert!(machine.on(cancel(1), at(20)).is_empty());
    assert!(machine.on(cancel(3), at(20)).is_empty(), "it is not here");
    assert_eq!(machine.free(false), 0);
    machine.on(message(2, 100, heartbeat(1, &[2])), at(30));
    assert_eq!((machine.free(false), machine.held()), (1, vec![attempt(2)]));
}
