//! Challenges that need no memory: random bytes, the time, and a MAC over both and the sensor they were made for. Any process with the
//! same pepper can judge one.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use jiff::Timestamp;
use portolan_shared::model::SensorId;
use portolan_shared::process::Rng;

use crate::app::Pepper;

/// Milliseconds that a challenge is good for.
const GOOD_FOR: i64 = 60_000;
const RANDOM: usize = 32;
const TIME: usize = 8;
const MAC: usize = 32;

fn mac(pepper: &Pepper, sensor: SensorId, head: &[u8]) -> [u8; MAC] {
    let mut message = sensor.as_bytes().to_vec();
    message.extend_from_slice(head);
    pepper.hash("challenge", &message).0
}

/// A new challenge for a sensor.
pub(super) fn make(pepper: &Pepper, rng: &dyn Rng, sensor: SensorId, now: Timestamp) -> Vec<u8> {
    let mut challenge = vec![0; RANDOM];
    rng.fill(&mut challenge);
    challenge.extend_from_slice(&now.as_millisecond().to_be_bytes());
    let mac = mac(pepper, sensor, &challenge);
    challenge.extend_from_slice(&mac);
    challenge
}

/// When this challenge was made, if it was made for the sensor, and lately.
pub(super) fn made_at(
    pepper: &Pepper,
    sensor: SensorId,
    challenge: &[u8],
    now: Timestamp,
) -> Option<Timestamp> {
    if challenge.len() != RANDOM + TIME + MAC {
        return None;
    }
    let (head, tag) = challenge.split_at(RANDOM + TIME);
    let genuine = verify_slices_are_equal(&mac(pepper, sensor, head), tag).is_ok();
    let mut time = [0; TIME];
    time.copy_from_slice(&head[RANDOM..]);
    let made = i64::from_be_bytes(time);
    let age = now.as_millisecond().saturating_sub(made);
    (genuine && (0..=GOOD_FOR).contains(&age))
        .then(|| Timestamp::from_millisecond(made).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::process::SeededRng;
    use portolan_shared::secret::SecretBytes;

    #[test]
    fn challenges_are_good_for_one_sensor_and_a_minute() {
        let pepper = Pepper::new(&SecretBytes::new(vec![1; 32]));
        let rng = SeededRng::new(1);
        let (sensor, other) = (SensorId::random(&rng), SensorId::random(&rng));
        let at = |millis| Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap();
        let is_good = |sensor, challenge: &[u8], now| made_at(&pepper, sensor, challenge, now).is_some();
        let challenge = make(&pepper, &rng, sensor, at(0));
        assert_eq!(made_at(&pepper, sensor, &challenge, at(5)), Some(at(0)));
        assert!(is_good(sensor, &challenge, at(GOOD_FOR)));
        assert!(!is_good(sensor, &challenge, at(GOOD_FOR + 1)));
        assert!(!is_good(sensor, &challenge, at(-1)));
        assert!(!is_good(other, &challenge, at(0)));
        for i in 0..challenge.len() {
            let mut changed = challenge.clone();
            changed[i] ^= 1;
            assert!(!is_good(sensor, &changed, at(0)), "byte {i}");
            assert!(!is_good(sensor, &challenge[..i], at(0)), "cut at {i}");
        }
    }
}
