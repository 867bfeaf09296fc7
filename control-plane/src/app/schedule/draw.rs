//! Numbers that look random and follow from the registry: every replica draws the same, today and after an update.

use aws_lc_rs::digest::{SHA256, digest};
use portolan_shared::model::RegistryId;

/// What a number is drawn for; one purpose says nothing about another.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    /// The moment of the hour, the day or the week of a schedule that leaves it open.
    Moment,
    /// By how much one start is put off.
    Jitter,
    /// The time of day at which it is reckoned anew what a schedule promises.
    Promise,
}

/// A number from 0 to `most`, both included.
pub(super) fn draw(registry: RegistryId, purpose: Purpose, of: i64, most: u64) -> u64 {
    let purpose = match purpose {
        Purpose::Moment => "moment",
        Purpose::Jitter => "jitter",
        Purpose::Promise => "promise",
    };
    let drawn = digest(&SHA256, format!("portolan {purpose} {registry} {of}").as_bytes());
    let number = drawn
        .as_ref()
        .iter()
        .take(8)
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    match most.checked_add(1) {
        Some(numbers) => number % numbers,
        None => number,
    }
}
