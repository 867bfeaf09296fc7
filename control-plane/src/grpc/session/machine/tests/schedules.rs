//! Many schedules, most of them odd.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Move {
    Hello,
    Opened,
    Refused,
    Heartbeat(Vec<u32>),
    Accept(u32),
    Done(u32),
    Progress(u32),
    Offer,
    Cancel(u32),
    Ended(u32),
    Drain,
    End,
    Closed,
    Wait(u64),
    Gap,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let number = 1_u32..6;
    let one = prop_oneof![
        1 => Just(Move::Hello),
        1 => Just(Move::Opened),
        1 => Just(Move::Refused),
        4 => proptest::collection::vec(number.clone(), 0..4).prop_map(Move::Heartbeat),
        4 => number.clone().prop_map(Move::Accept),
        2 => number.clone().prop_map(Move::Done),
        2 => number.clone().prop_map(Move::Progress),
        6 => Just(Move::Offer),
        1 => number.clone().prop_map(Move::Cancel),
        1 => number.prop_map(Move::Ended),
        1 => Just(Move::Drain),
        1 => Just(Move::End),
        1 => Just(Move::Closed),
        6 => (1_u64..20_000).prop_map(Move::Wait),
        1 => Just(Move::Gap),
    ];
    (any::<bool>(), proptest::collection::vec(one, 1..60)).prop_map(|(begun, mut rest)| {
        if begun {
            rest.splice(0..0, [Move::Hello, Move::Opened]);
        }
        rest
    })
}

proptest! {
    /// Whatever happens: a lease that was handed in is put back, or was sent and then taken up, refused, or cancelled; nothing is sent
    /// before the welcome but a refusal, nothing after the end; time never stands still.
    #[test]
    fn no_schedule_loses_a_lease(moves in moves()) {
        let mut machine = Machine::new(at(0), at(u64::MAX / 2));
        let (mut now, mut seq, mut leased) = (0, 0, 0);
        let mut hanging: BTreeSet<AttemptRef> = BTreeSet::new();
        let (mut welcomed, mut closed) = (false, false);
        for step in moves {
            let gap = u64::from(matches!(step, Move::Gap));
            let mut say = |inbound| {
                seq += 1 + gap;
                message(seq, 10, inbound)
            };
            let event = match step {
                Move::Hello => say(hello((1, 1), &[])),
                Move::Opened => opened(&[]),
                Move::Refused => Event::Refused { reason: Reason::Overloaded, retry_after: None },
                Move::Heartbeat(running) => {
                    if !closed && welcomed {
                        running.iter().for_each(|number| { hanging.remove(&attempt(*number)); });
                    }
                    say(heartbeat(1, &running))
                }
                Move::Accept(number) => {
                    if !closed && welcomed { hanging.remove(&attempt(number)); }
                    say(Inbound::Accept(attempt(number)))
                }
                Move::Done(number) => {
                    if !closed && welcomed { hanging.remove(&attempt(number)); }
                    say(Inbound::Done(Ending { attempt: attempt(number), reason: Reason::Internal, finding: None }))
                }
                Move::Progress(number) => say(Inbound::Progress(attempt(number), RunProgress::default())),
                Move::Offer => {
                    leased += 1;
                    hanging.insert(attempt(leased));
                    Event::Offer(lease(leased), None)
                }
                Move::Cancel(number) => Event::Cancel(attempt(number), Reason::Cancelled),
                Move::Ended(number) => {
                    hanging.remove(&attempt(number));
                    Event::Ended(attempt(number))
                }
                Move::Drain => Event::Drain(Duration::ZERO),
                Move::End => Event::End(Reason::SensorRevoked),
                Move::Closed => Event::Closed,
                Move::Wait(millis) => {
                    now = (now + millis).min(u64::try_from(machine.due().0.as_millis()).unwrap().max(now));
                    Event::Tick
                }
                Move::Gap => say(Inbound::TrustBundleAck),
            };
            for action in machine.on(event, at(now)) {
                match action {
                    Action::Return(back) => prop_assert!(hanging.remove(&back), "{back} was put back twice"),
                    Action::Send(Body::Welcome(_)) => { prop_assert!(!welcomed && !closed); welcomed = true; }
                    Action::Send(Body::Refuse(_)) => prop_assert!(!welcomed && !closed),
                    Action::Send(_) => prop_assert!(welcomed && !closed),
                    Action::Close(_) => { prop_assert!(!closed); closed = true; }
                    _ => prop_assert!(!closed),
                }
            }
            prop_assert_eq!(closed, machine.is_over());
            prop_assert!(machine.free(false) <= SLOTS);
            if !closed {
                let due = machine.due();
                machine.on(Event::Tick, at(now));
                prop_assert!(machine.is_over() || machine.due() > at(now) || due > at(now));
            }
        }
        for action in machine.on(Event::Closed, at(now)) {
            if let Action::Return(back) = action {
                prop_assert!(hanging.remove(&back));
            }
        }
        prop_assert!(hanging.is_empty(), "left hanging: {hanging:?}");
    }
}
