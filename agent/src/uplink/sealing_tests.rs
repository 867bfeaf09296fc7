use std::sync::Mutex;

use portolan_proto::convert::sealed_to_wire;
use portolan_shared::model::{Reason, SensorId};
use portolan_shared::process::SystemRng;
use portolan_shared::secret::sealed::{SealingKeyId, SealingKeyPair, SignedSealingKey, open};

use super::*;
use crate::credentials::bench::{Bench, PASSWORD, seal_to};
use crate::keyring::SEALING_KEY_LIFE;

/// A control plane that keeps wraps, and a wire that breaks.
#[derive(Default)]
struct Keeper {
    wraps: Mutex<Vec<SealedForOne>>,
    latest: Mutex<Option<SealingKeyId>>,
    /// Calls that are carried out until the wire breaks; of the one it breaks at, whether that was carried out.
    calls_left: Mutex<Option<(usize, bool)>>,
    rewrapped: Mutex<Vec<Wrap>>,
}

impl Keeper {
    /// Whether the call is carried out, and whether its answer arrives.
    fn call(&self) -> (bool, Result<(), Failure>) {
        let mut left = self.calls_left.lock().unwrap();
        match &mut *left {
            Some((0, carried_out)) => (*carried_out, Err(Failure::Transport("cut".to_owned()))),
            Some((left, _)) => {
                *left -= 1;
                (true, Ok(()))
            }
            None => (true, Ok(())),
        }
    }

    fn outdated_now(&self) -> Vec<SealedForOne> {
        let latest = self.latest.lock().unwrap();
        let wraps = self.wraps.lock().unwrap();
        let old = wraps
            .iter()
            .filter(|held| Some(held.wrap.sealing_key()) != *latest);
        old.cloned().collect()
    }
}

#[async_trait]
impl SealingService for Keeper {
    async fn publish(&self, statement: v1::SealingKeyStatement) -> Result<(), Failure> {
        let (carried_out, answer) = self.call();
        if carried_out {
            let signed = SignedSealingKey::parse(&statement.statement, &statement.signature).unwrap();
            *self.latest.lock().unwrap() = Some(signed.unverified().key_id());
        }
        answer
    }

    async fn outdated(&self) -> Result<Vec<v1::SealedCredential>, Failure> {
        self.call().1?;
        let old = self.outdated_now();
        // Two at a time, so that there are several pages.
        Ok(old.iter().take(2).map(sealed_to_wire).collect())
    }

    async fn rewrap(&self, request: v1::RewrapRequest) -> Result<bool, Failure> {
        let (carried_out, answer) = self.call();
        // Written out: there is no field that could name another sensor, or a key, to seal to.
        let v1::RewrapRequest {
            credential_id,
            version,
            replaced_key_id,
            wrap,
        } = request;
        let wrap = Wrap::parse(&wrap).unwrap();
        self.rewrapped.lock().unwrap().push(wrap.clone());
        let mut replaced = false;
        if carried_out {
            let mut wraps = self.wraps.lock().unwrap();
            for held in wraps.iter_mut() {
                let same = held.binding.credential.as_bytes()[..] == credential_id[..]
                    && held.binding.version == version
                    && held.wrap.sealing_key().as_bytes()[..] == replaced_key_id[..];
                if same {
                    held.wrap = wrap.clone();
                    replaced = true;
                }
            }
        }
        answer.map(|()| replaced)
    }
}

fn parts(bench: &Bench) -> SealingParts {
    SealingParts {
        keyring: Arc::clone(&bench.keyring),
        vault: Arc::clone(&bench.vault),
        clock: Arc::clone(&bench.clock) as _,
        rng: Arc::new(SystemRng),
    }
}

fn rotate(bench: &Bench) {
    let keys = bench.keyring.sealing_keys().unwrap();
    let rotated = keys.rotated(bench.keyring.both_clocks(bench.clock.now()), &SystemRng);
    bench.keyring.store_sealing_keys(rotated).unwrap();
}

/// All of them open with a key that the sensor holds.
fn all_open(bench: &Bench, keeper: &Keeper) {
    let keys = bench.keyring.sealing_keys().unwrap();
    for held in keeper.wraps.lock().unwrap().iter() {
        let pair = keys.pair(held.wrap.sealing_key()).unwrap();
        let me = bench.keyring.sensor();
        let login = open(&held.binding, &held.payload, &held.wrap, me, pair).unwrap();
        assert_eq!(login.password().expose(), PASSWORD);
    }
}

#[tokio::test]
async fn t53_a_crash_between_any_two_steps_of_a_rotation_loses_no_credential() {
    let mut crash = 0;
    loop {
        let mut finished = false;
        for carried_out in [false, true] {
            let mut bench = Bench::new();
            let keeper = Keeper::default();
            let target = Bench::target("https://h");
            for _ in 0..3 {
                let held = bench.seal_as(&bench.binding(&target), PASSWORD);
                keeper.wraps.lock().unwrap().push(held);
            }
            let old = bench.keyring.sealing_keys().unwrap().latest().pair.id();
            rotate(&bench);
            *keeper.calls_left.lock().unwrap() = Some((crash, carried_out));
            finished = parts(&bench).settle(&keeper, false).await.is_ok();
            let holds_old = |bench: &Bench| {
                let keys = bench.keyring.sealing_keys().unwrap();
                keys.pair(old).is_some()
            };
            assert_eq!(holds_old(&bench), !finished, "crash at call {crash}");
            bench = bench.restarted();
            assert_eq!(holds_old(&bench), !finished);
            all_open(&bench, &keeper);

            *keeper.calls_left.lock().unwrap() = None;
            assert!(parts(&bench).settle(&keeper, true).await.unwrap());
            assert!(!holds_old(&bench) && keeper.outdated_now().is_empty());
            all_open(&bench.restarted(), &keeper);
        }
        if finished {
            break;
        }
        crash += 1;
    }
    assert!(crash >= 6, "made known, three moved, asked three times: {crash}");
}

#[tokio::test]
async fn t53_the_former_key_stays_while_a_single_wrap_is_not_confirmed() {
    let bench = Bench::new();
    let keeper = Keeper::default();
    let target = Bench::target("https://h");
    let good = bench.seal_as(&bench.binding(&target), PASSWORD);
    // Sealed to a key of this sensor that nobody has any more.
    let lost = SealingKeyPair::generate(&SystemRng);
    let stuck = seal_to(
        &bench.binding(&target),
        PASSWORD,
        bench.keyring.sensor(),
        &lost,
        &SystemRng,
    );
    keeper.wraps.lock().unwrap().extend([good, stuck]);
    let old = bench.keyring.sealing_keys().unwrap().latest().pair.id();
    rotate(&bench);
    assert!(!parts(&bench).settle(&keeper, false).await.unwrap());
    let keys = bench.keyring.sealing_keys().unwrap();
    assert!(keys.pair(old).is_some());
    assert_eq!(keeper.outdated_now().len(), 1, "the other one was moved");
}

#[tokio::test]
async fn t59_what_is_sealed_again_is_sealed_to_this_sensor_whatever_is_asked() {
    let bench = Bench::new();
    let keeper = Keeper::default();
    let target = Bench::target("https://h");
    let stranger = SealingKeyPair::generate(&SystemRng);
    let own_key = bench.keyring.sealing_keys().unwrap().latest().pair.clone();
    let wraps = [
        // Somebody else's, by its own word; and one that says it is somebody else's though it is sealed to our key.
        seal_to(
            &bench.binding(&target),
            PASSWORD,
            SensorId::random(&SystemRng),
            &stranger,
            &SystemRng,
        ),
        seal_to(
            &bench.binding(&target),
            PASSWORD,
            SensorId::random(&SystemRng),
            &own_key,
            &SystemRng,
        ),
        // Of another tenant, and of an older version than one that has worked.
        {
            let mut binding = bench.binding(&target);
            binding.tenant = portolan_shared::model::TenantId::random(&SystemRng);
            bench.seal_as(&binding, PASSWORD)
        },
        {
            let mut binding = bench.binding(&target);
            bench.keyring.raise_version_floor(binding.credential, 5).unwrap();
            binding.version = 4;
            bench.seal_as(&binding, PASSWORD)
        },
    ];
    rotate(&bench);
    for held in wraps {
        *keeper.wraps.lock().unwrap() = vec![held];
        assert!(!parts(&bench).settle(&keeper, false).await.unwrap());
        assert!(keeper.rewrapped.lock().unwrap().is_empty(), "no wrap was made");
    }
    let own = seal_to(
        &bench.binding(&target),
        PASSWORD,
        bench.keyring.sensor(),
        &own_key,
        &SystemRng,
    );
    *keeper.wraps.lock().unwrap() = vec![own];
    assert!(parts(&bench).settle(&keeper, false).await.unwrap());
    let latest = bench.keyring.sealing_keys().unwrap().latest().pair.id();
    for wrap in keeper.rewrapped.lock().unwrap().iter() {
        assert_eq!(
            (wrap.recipient(), wrap.sealing_key()),
            (bench.keyring.sensor(), latest)
        );
    }
    // What can be asked for names nobody either.
    let v1::OutdatedWrapsRequest {} = v1::OutdatedWrapsRequest {};
}

#[tokio::test]
async fn a_login_in_use_opens_again_after_its_key_was_deleted() {
    let bench = Bench::new();
    let keeper = Keeper::default();
    let target = Bench::target("https://h");
    let login = bench
        .vault
        .take(&bench.seal(&bench.binding(&target)), &target)
        .unwrap();
    rotate(&bench);
    assert!(parts(&bench).settle(&keeper, false).await.unwrap());
    assert!(!bench.keyring.sealing_keys().unwrap().has_former());
    bench.clock.advance(Duration::from_secs(3_600));
    bench.vault.look(bench.clock.uptime());
    assert!(!login.is_open());
    assert!(crate::credentials::bench::opens(&login));
}

#[test]
fn the_key_is_replaced_in_time_and_by_a_later_generation() {
    let bench = Bench::new();
    let mut desk = SealingDesk::new(parts(&bench));
    let id = || bench.keyring.sealing_keys().unwrap().latest().pair.id();
    let first = id();
    desk.opened(1);
    // Its beginning lies at the clock's.
    desk.look(None);
    assert_eq!(id(), first);
    bench.clock.advance(SEALING_KEY_LIFE);
    desk.look(None);
    let second = id();
    assert_ne!(second, first);
    desk.opened(1);
    assert_eq!(id(), second);
    desk.opened(2);
    let third = id();
    assert_ne!(third, second);
    assert_eq!(bench.keyring.sealing_keys().unwrap().latest().generation, 2);
    assert!(bench.keyring.sealing_keys().unwrap().pair(first).is_some());
    bench.clock.advance(FORMER_KEY_LIFE);
    desk.look(None);
    desk.look(None);
    assert!(
        bench.keyring.sealing_keys().unwrap().pair(first).is_none(),
        "no former key is kept for longer than 30 days"
    );
}

#[test]
fn a_generation_that_is_not_believed_leaves_the_key_and_is_recorded() {
    let bench = Bench::new();
    let mut desk = SealingDesk::new(parts(&bench));
    let latest = || bench.keyring.sealing_keys().unwrap().latest().clone();
    let first = latest().pair.id();
    for _ in 0..1_000 {
        desk.opened(1 << 40);
    }
    assert_eq!((latest().pair.id(), latest().generation), (first, 1));
    desk.opened(2);
    assert_eq!(latest().generation, 2, "what is honest is believed as before");
    assert_eq!(bench.recorded("generation.refused"), 64, "the first ones");
    assert_eq!(bench.recorded("generation.changed"), 1);
}

#[test]
fn an_honest_generation_is_believed_later_in_the_same_session_and_warned_of_until_then() {
    let bench = Bench::new();
    let mut desk = SealingDesk::new(parts(&bench));
    let latest = || bench.keyring.sealing_keys().unwrap().latest().generation;
    let warned = |words: &str| bench.keyring.warnings().iter().any(|said| said.contains(words));
    (2..=6).for_each(|generation| desk.opened(generation));
    assert_eq!(latest(), 5);
    assert!(warned("the fifth within a day") && !warned("enrolled anew"));
    desk.done(&Ok(true));
    bench.clock.advance(Duration::from_secs(86_400 - 1));
    desk.look(None);
    assert_eq!(latest(), 5);
    assert!(warned("the fifth within a day"));
    bench.clock.advance(Duration::from_secs(1));
    desk.look(None);
    assert_eq!(latest(), 5, "judged an hour after the last time");
    bench.clock.advance(JUDGE_EVERY);
    desk.look(None);
    assert_eq!(latest(), 6);
    assert!(!warned("not believed"), "{:?}", bench.keyring.warnings());
    assert!(!desk.settled, "the new key is made known");
    assert_eq!(bench.recorded("generation.changed"), 5);

    desk.opened(1 << 40);
    assert!(warned("enrolled anew"));
    bench.clock.advance(30 * JUDGE_EVERY);
    desk.look(None);
    assert_eq!(latest(), 6, "time does not speak for it");
    desk.opened(6);
    assert!(!warned("not believed"), "nothing of the kind is said any more");
}

#[test]
fn a_refusal_of_the_control_plane_is_tried_again_later() {
    let bench = Bench::new();
    let mut desk = SealingDesk::new(parts(&bench));
    desk.opened(1);
    let before = bench.clock.uptime();
    let told = super::super::reconnect::Told {
        reason: Reason::Overloaded,
        retry_after: None,
    };
    desk.done(&Err(Failure::refused(told, "")));
    assert!(desk.not_before.since(before) >= Duration::from_secs(30));
    desk.done(&Ok(true));
    assert!(desk.settled && desk.published);
}
