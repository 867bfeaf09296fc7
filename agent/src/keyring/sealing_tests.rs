use super::*;
use portolan_shared::process::{ManualClock, SeededRng};
use portolan_shared::secret::sealed::IdentityPublicKey;

fn both(now: Timestamp) -> BothClocks {
    BothClocks {
        here: now,
        there: now,
    }
}

#[test]
fn a_wrong_clock_moves_neither_what_is_said_nor_the_replacement() {
    let (rng, clock) = (SeededRng::new(6), ManualClock::at_unix_seconds(1_700_000_000));
    let there = clock.now() - 100 * SEALING_KEY_LIFE;
    let now = BothClocks {
        here: clock.now(),
        there,
    };
    let keys = SealingKeys::first(now, &rng)
        .of_generation(1, now, &rng)
        .unwrap()
        .unwrap();
    let identity = IdentityKey::generate().unwrap();
    let (tenant, sensor) = (TenantId::random(&rng), SensorId::random(&rng));
    let signed = keys
        .latest()
        .statement(tenant, sensor, &identity)
        .unwrap()
        .unwrap();
    let said = signed.unverified();
    assert_eq!(said.created_at.timestamp(), there);
    assert_eq!(said.not_after.timestamp(), there + SEALING_KEY_LIFE);
    let (rotation, _) = keys.moments(&clock);
    clock.advance(SEALING_KEY_LIFE - Duration::from_secs(1));
    assert!(!rotation.has_come(&clock));
    clock.advance(Duration::from_secs(1));
    assert!(rotation.has_come(&clock));
}

#[test]
fn keys_survive_the_disk_and_the_statement_is_the_identitys() {
    let (rng, clock) = (SeededRng::new(3), ManualClock::at_unix_seconds(1_700_000_000));
    let keys = SealingKeys::first(both(clock.now()), &rng);
    let (tenant, sensor) = (TenantId::random(&rng), SensorId::random(&rng));
    let identity = IdentityKey::generate().unwrap();
    let said = |keys: &SealingKeys| keys.latest().statement(tenant, sensor, &identity).unwrap();
    assert!(said(&keys).is_none(), "of which generation is not known");
    let told = keys.of_generation(1, both(clock.now()), &rng).unwrap().unwrap();
    assert_eq!(
        told.latest().pair.id(),
        keys.latest().pair.id(),
        "the first one stays"
    );
    let signed = said(&told).unwrap();
    let public = IdentityPublicKey(identity.public_key().try_into().unwrap());
    assert_eq!(signed.verify(&public, tenant, sensor).unwrap().generation, 1);
    assert!(signed.recipient(&public, tenant, sensor, clock.now()).is_ok());

    let rotated = told.accepted().rotated(both(clock.now()), &rng);
    assert!(!rotated.latest().accepted);
    let read = SealingKeys::from_bytes(&rotated.to_bytes()).unwrap();
    for id in [told.latest().pair.id(), rotated.latest().pair.id()] {
        assert_eq!(read.pair(id).unwrap().id(), id);
    }
    assert!(!format!("{read:?}").contains(&BASE64.encode(read.latest.pair.to_secret().expose())));
    assert!(SealingKeys::from_bytes(b"{}").is_err());
}

#[test]
fn a_later_generation_replaces_the_key_and_an_earlier_one_changes_nothing() {
    let (rng, now) = (SeededRng::new(4), both(Timestamp::UNIX_EPOCH));
    let keys = SealingKeys::first(now, &rng);
    let keys = keys.of_generation(2, now, &rng).unwrap().unwrap();
    for known in [1, 2] {
        assert!(keys.of_generation(known, now, &rng).unwrap().is_none());
    }
    let next = keys.of_generation(3, now, &rng).unwrap().unwrap();
    assert_ne!(next.latest().pair.id(), keys.latest().pair.id());
    assert!(
        next.pair(keys.latest().pair.id()).is_some(),
        "the former one is kept"
    );
}

#[test]
fn a_generation_that_is_far_ahead_is_not_believed_whatever_way_leads_there() {
    let (rng, clock) = (SeededRng::new(7), ManualClock::at_unix_seconds(1_700_000_000));
    let first = SealingKeys::first(both(clock.now()), &rng);
    let said = |keys: &SealingKeys, generation| keys.of_generation(generation, both(clock.now()), &rng);
    assert!(said(&first, FIRST_GENERATION + 1).is_err());
    let mut keys = said(&first, 1).unwrap().unwrap();
    let refused = said(&keys, 1 + GENERATIONS_AT_ONCE + 1).unwrap_err();
    assert_eq!((refused.known, refused.said), (1, 10));
    assert!(said(&keys, 1 << 40).is_err());

    // In steps, as far as it goes in each session, over restarts, and with the former keys deleted each time.
    let began = clock.now();
    while keys.latest().generation < 1_000 {
        let next = keys.latest().generation + GENERATIONS_AT_ONCE;
        match said(&keys, next) {
            Ok(next) => keys = SealingKeys::from_bytes(&next.unwrap().alone().to_bytes()).unwrap(),
            Err(_) => clock.advance(Duration::from_secs(3_600)),
        }
    }
    let took = clock.now().duration_since(began);
    assert!(took >= jiff::SignedDuration::from_hours(30 * 24), "{took}");
    // What was believed at a time that is still to come, by a clock that was set back, stands in nobody's way.
    keys.rises = vec![clock.now() + Duration::from_secs(60); RISES];
    assert!(said(&keys, keys.latest().generation + 1).is_ok());
}

#[test]
fn keys_are_replaced_after_30_days_and_deleted_30_days_later_and_at_the_bound() {
    let (rng, clock) = (SeededRng::new(5), ManualClock::at_unix_seconds(1_700_000_000));
    let first = SealingKeys::first(both(clock.now()), &rng);
    let (rotation, deletion) = first.moments(&clock);
    assert!(deletion.is_none() && !rotation.has_come(&clock));
    clock.advance(SEALING_KEY_LIFE);
    assert!(rotation.has_come(&clock));
    let second = first.rotated(both(clock.now()), &rng);
    let deletion = second.moments(&clock).1.unwrap();
    assert!(!deletion.has_come(&clock));
    clock.advance(FORMER_KEY_LIFE);
    assert!(deletion.has_come(&clock));
    let ended = |at: Timestamp| at + FORMER_KEY_LIFE <= clock.now();
    let last = second.without_ended(ended).unwrap();
    assert!(!last.has_former() && last.without_ended(ended).is_none());

    let mut keys = last;
    for _ in 0..FORMER_KEYS {
        keys = keys.rotated(both(clock.now()), &rng);
    }
    let oldest = keys.former[0].pair.id();
    keys = keys.rotated(both(clock.now()), &rng);
    assert_eq!(keys.former.len(), FORMER_KEYS);
    assert!(keys.pair(oldest).is_none());
}
