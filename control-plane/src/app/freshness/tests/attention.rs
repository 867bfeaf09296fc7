//! The order of what needs attention, and its bound.

use portolan_shared::model::{FindingCode, limits::STATUS_ATTENTION};

use crate::app::freshness::attention::Attention;
use crate::app::freshness::{Concern, Rank, Subject};

fn concern(rank: Rank, seen: &str) -> Concern {
    Concern::new(rank, FindingCode::ScheduleOverdue, seen, String::new())
}

fn registry(name: &str) -> Subject {
    Subject::Registry(name.to_owned())
}

#[test]
fn blindness_before_the_partial_before_risk_before_advice_and_causes_before_what_they_cause() {
    let mut attention = Attention::default();
    let all = [Rank::Advice, Rank::Risk, Rank::Partial, Rank::Blind];
    attention.add(&registry("b"), all.map(|rank| concern(rank, "b")).to_vec());
    attention.add(&registry("a"), vec![concern(Rank::Blind, "a")]);
    attention.add(&Subject::Sensor("z".to_owned()), vec![concern(Rank::Blind, "z")]);
    let (items, more) = attention.finish();
    let order: Vec<_> = items
        .iter()
        .map(|(subject, concern)| (subject.to_string(), concern.rank))
        .collect();
    let expected = [
        ("sensor z", Rank::Blind),
        ("registry a", Rank::Blind),
        ("registry b", Rank::Blind),
        ("registry b", Rank::Partial),
        ("registry b", Rank::Risk),
        ("registry b", Rank::Advice),
    ];
    assert_eq!(order, expected.map(|(subject, rank)| (subject.to_owned(), rank)));
    assert_eq!(more, 0);
}

#[test]
fn the_most_important_are_kept_and_the_rest_is_counted() {
    for extra in [0, 1, 500] {
        let mut attention = Attention::default();
        for number in 0..STATUS_ATTENTION + extra - 1 {
            attention.add(
                &registry(&format!("r{number:04}")),
                vec![concern(Rank::Partial, "")],
            );
        }
        attention.add(&registry("z"), vec![concern(Rank::Blind, "")]);
        let (items, more) = attention.finish();
        assert_eq!((items.len(), more), (STATUS_ATTENTION, extra as u64));
        assert_eq!(items[0].0, registry("z"), "whenever it came");
        assert_eq!(items[1].0, registry("r0000"));
    }
}
