//! What is taken, and for how long it is kept.

use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use portolan_doubles::Log;
use portolan_proto::convert::sealed_to_wire;
use portolan_proto::v1;
use portolan_registry::{Credential, Credentials as _, LoginHolder, RefusedLogins};
use portolan_shared::model::{CredentialId, FindingCode, Reason, RegistryId, SensorId, TenantId};
use portolan_shared::process::{Clock as _, SystemRng};
use portolan_shared::secret::sealed::{BindingField, BoundHosts, CredentialBinding, Scheme, SealingKeyPair};

use super::bench::{Bench, PASSWORD, seal_to};
use super::login::IDLE;
use super::{CredentialRefused, SealedSource};

/// A change of one field, by somebody who can change everything that is stored.
type Swap = (BindingField, fn(&mut CredentialBinding));

const SWAPS: &[Swap] = &[
    (BindingField::Tenant, |b| b.tenant = TenantId::random(&SystemRng)),
    (BindingField::Registry, |b| {
        b.registry = RegistryId::random(&SystemRng);
    }),
    (BindingField::Scheme, |b| b.scheme = Scheme::Http),
    (BindingField::Host, |b| b.host = "other:443".parse().unwrap()),
    (BindingField::Port, |b| b.host = "h:444".parse().unwrap()),
    // What a job says nothing of is told by the ciphertext.
    (BindingField::Ciphertext, |b| {
        b.realm_hosts = BoundHosts::new(["evil.example.com".parse().unwrap()]).unwrap();
    }),
    (BindingField::Ciphertext, |b| {
        b.storage_hosts = BoundHosts::new(["evil.example.com".parse().unwrap()]).unwrap();
    }),
    (BindingField::Ciphertext, |b| {
        b.credential = CredentialId::random(&SystemRng);
    }),
    (BindingField::Ciphertext, |b| b.version = 2),
    (BindingField::Ciphertext, |b| {
        b.created_at = jiff::Timestamp::UNIX_EPOCH.into();
    }),
    (BindingField::ExpiresAt, |b| {
        b.expires_at = Some(jiff::Timestamp::UNIX_EPOCH.into());
    }),
];

#[test]
fn t33_every_changed_field_is_refused_by_its_name_and_nothing_of_the_login_is_logged() {
    let bench = Bench::new();
    let target = Bench::target("https://h");
    let binding = bench.binding(&target);
    let log = Log::of_all();
    let _listening = log.listen();
    let refused =
        |wire: &v1::SealedCredential| -> CredentialRefused { bench.vault.take(wire, &target).unwrap_err() };
    let check = |refused: &CredentialRefused, field: BindingField| {
        assert_eq!(refused.field(), Some(field), "{refused:?}");
        let refusal = refused.refusal(&target.url);
        assert_eq!(refusal.reason, Reason::CredentialRefused);
        assert_eq!(refusal.rule, format!("credential:{field}"));
        assert_eq!(refusal.finding.code, FindingCode::CredentialRefused);
        assert!(
            refusal.finding.seen.contains(&refusal.rule),
            "{}",
            refusal.finding
        );
        let said = format!("{refused:?} {refusal:?}");
        assert!(!said.contains(PASSWORD) && !said.contains("reader"), "{said}");
    };
    for (field, swap) in SWAPS {
        let mut wire = bench.seal(&binding);
        let mut changed = binding.clone();
        swap(&mut changed);
        wire.binding = changed.encode().into();
        check(&refused(&wire), *field);
    }
    // Sealed to somebody else, to a key that is not held, and with another payload.
    let (other, lost) = (SensorId::random(&SystemRng), SealingKeyPair::generate(&SystemRng));
    let keys = bench.keyring.sealing_keys().unwrap();
    let mine = bench.keyring.sensor();
    for (field, sensor, pair) in [
        (BindingField::Recipient, other, &keys.latest().pair),
        (BindingField::SealingKey, mine, &lost),
    ] {
        let wire = sealed_to_wire(&seal_to(&binding, PASSWORD, sensor, pair, &SystemRng));
        check(&refused(&wire), field);
    }
    let mut mixed = bench.seal(&binding);
    mixed.payload = bench.seal(&binding).payload;
    check(&refused(&mixed), BindingField::Ciphertext);
    let malformed = refused(&v1::SealedCredential::default());
    assert_eq!(malformed.refusal(&target.url).rule, "credential:form");
    // And as it was sealed it opens.
    let login = bench.vault.take(&bench.seal(&binding), &target);
    assert!(login.unwrap().is_open());
    let logged = log.text();
    assert!(!logged.contains(PASSWORD), "{logged}");
}

#[test]
fn t34_a_credential_with_a_job_for_another_registry_is_refused() {
    let bench = Bench::new();
    let own = Bench::target("https://h");
    let wire = bench.seal(&bench.binding(&own));
    let mut other = Bench::target("https://127.0.0.1");
    other.registry = own.registry;
    let refused = bench.vault.take(&wire, &other).unwrap_err();
    assert_eq!(refused.field(), Some(BindingField::Host));
    let login = bench.vault.take(&wire, &own).unwrap();
    // And a job that holds a good one keeps it when another registry's is offered to it.
    let foreign = bench.seal(&bench.binding(&other));
    let refused = bench.vault.renew(&foreign, &login).unwrap_err();
    assert_eq!(refused.field(), Some(BindingField::Host));
    assert!(login.get().is_ok());
}

fn secret_of(credential: &Credential) -> String {
    match credential {
        Credential::Login { secret, .. } => secret.expose().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn t35_an_older_version_is_refused_once_a_newer_one_has_worked_also_after_a_restart() {
    let bench = Bench::new();
    let target = Bench::target("https://h");
    let mut binding = bench.binding(&target);
    let first = bench.seal(&binding);
    binding.version = 2;
    let second = bench.seal(&binding);
    let take = |bench: &Bench, wire| bench.vault.take(wire, &target);

    // What a probe tries changes nothing, and what never worked neither.
    let login = take(&bench, &second).unwrap();
    let refused = Arc::new(RefusedLogins::default());
    let probe = SealedSource::of_probe(Arc::clone(&login), Arc::clone(&refused));
    let given = probe.current().await.unwrap().unwrap();
    probe.accepted(&given);
    assert!(take(&bench, &first).is_ok());

    let sync = SealedSource::of_sync(Arc::clone(&login), refused);
    let stranger = Credential::RegistryToken(portolan_shared::secret::Secret::new("x".to_owned()));
    sync.accepted(&stranger);
    assert!(take(&bench, &first).is_ok(), "not the login of this version");
    sync.accepted(&given);
    let refuses_older = |bench: &Bench| {
        let taken = take(bench, &first);
        matches!(taken, Err(CredentialRefused::Older { version: 1, floor: 2 }))
    };
    assert!(refuses_older(&bench));
    let bench = bench.restarted();
    assert!(refuses_older(&bench), "after a restart");
    assert!(take(&bench, &second).is_ok());
    // Whoever damages the record gains nothing by it.
    std::fs::write(bench.folder.path().join("state/credential.versions"), "rubbish").unwrap();
    let bench = bench.restarted();
    assert!(matches!(
        take(&bench, &second),
        Err(CredentialRefused::Versions(_))
    ));
    let warnings = bench.keyring.warnings();
    assert!(
        warnings
            .iter()
            .any(|warning| warning.contains("credential.versions")),
        "{warnings:?}"
    );
}

/// Counts how often it was told to drop what it keeps.
#[derive(Default)]
struct Kept(Mutex<u32>);

impl LoginHolder for Kept {
    fn drop_logins(&self) {
        *self.0.lock().unwrap() += 1;
    }
}

#[tokio::test]
async fn the_plain_text_is_wiped_after_15_idle_minutes_and_opened_again_when_asked_for() {
    let bench = Bench::new();
    let target = Bench::target("https://h");
    let login = bench
        .vault
        .take(&bench.seal(&bench.binding(&target)), &target)
        .unwrap();
    let source = SealedSource::of_sync(Arc::clone(&login), Arc::default());
    let kept = Arc::new(Kept::default());
    let holder: Weak<Kept> = Arc::downgrade(&kept);
    source.kept_by(holder);
    let pass = |time: Duration| {
        bench.clock.advance(time);
        bench.vault.look(bench.clock.uptime());
    };
    pass(IDLE - Duration::from_secs(1));
    assert!(login.is_open());
    source.current().await.unwrap();
    pass(IDLE - Duration::from_secs(1));
    assert!(
        login.is_open() && *kept.0.lock().unwrap() == 0,
        "counted from the last use"
    );
    pass(Duration::from_secs(1));
    assert!(
        !login.is_open() && *kept.0.lock().unwrap() == 1,
        "the client has dropped it as well"
    );
    let again = source.current().await.unwrap().unwrap();
    assert_eq!(secret_of(&again), PASSWORD);
    assert!(login.is_open());
}

#[tokio::test]
async fn what_is_withdrawn_or_has_ended_is_gone_for_the_jobs_that_hold_it() {
    let bench = Bench::new();
    let target = Bench::target("https://h");
    let taken = |binding: &CredentialBinding| bench.vault.take(&bench.seal(binding), &target).unwrap();
    let (one, two) = (bench.binding(&target), bench.binding(&target));
    let (first, second) = (taken(&one), taken(&two));
    bench.vault.withdraw(&[one.credential]);
    let source = |login| SealedSource::of_sync(login, Arc::default());
    let error = source(Arc::clone(&first)).current().await.unwrap_err();
    assert_eq!(error.to_string(), "the sealed credential was withdrawn");
    assert!(!first.is_open() && second.is_open());
    // The same again, for the same job.
    bench.vault.renew(&bench.seal(&one), &first).unwrap();
    assert!(source(Arc::clone(&first)).current().await.is_ok());
    bench.vault.withdraw(&[]);
    assert!(!first.is_open() && !second.is_open());

    let mut ending = bench.binding(&target);
    ending.expires_at = Some((bench.clock.now() + Duration::from_secs(60)).into());
    let login = taken(&ending);
    assert!(source(Arc::clone(&login)).current().await.is_ok());
    bench.clock.advance(Duration::from_secs(60));
    let error = source(Arc::clone(&login)).current().await.unwrap_err();
    assert_eq!(error.to_string(), "the sealed credential has ended");
    assert!(!login.is_open());
    let refused = bench.vault.take(&bench.seal(&ending), &target).unwrap_err();
    assert_eq!(refused.field(), Some(BindingField::ExpiresAt));
}

#[tokio::test]
async fn a_newer_version_is_used_from_the_next_request_on_and_an_older_one_never() {
    let bench = Bench::new();
    let target = Bench::target("https://h");
    let mut binding = bench.binding(&target);
    binding.version = 3;
    let login = bench.vault.take(&bench.seal(&binding), &target).unwrap();
    let source = SealedSource::of_sync(Arc::clone(&login), Arc::default());
    let now = || async { secret_of(&source.current().await.unwrap().unwrap()) };
    assert_eq!(now().await, PASSWORD);
    binding.version = 4;
    let next = bench.seal_password(&binding, "next");
    bench.vault.renew(&next, &login).unwrap();
    assert_eq!(now().await, "next");
    binding.version = 3;
    let refused = bench.vault.renew(&bench.seal(&binding), &login).unwrap_err();
    assert!(matches!(
        refused,
        CredentialRefused::Older { version: 3, floor: 4 }
    ));
    assert_eq!(now().await, "next");
}

#[test]
fn credentials_that_are_offered_again_and_again_do_not_fill_the_log() {
    let bench = Bench::new();
    let target = Bench::target("https://h");
    let wire = bench.seal(&bench.binding(&target));
    let login = bench.vault.take(&wire, &target).unwrap();
    for _ in 0..500 {
        bench.vault.renew(&wire, &login).unwrap();
        let garbage = v1::SealedCredential::default();
        bench.vault.take(&garbage, &target).unwrap_err();
        bench.vault.withdraw(&[]);
    }
    let actions = ["credential.renewed", "credential.refused", "credential.wiped"];
    assert_eq!(actions.map(|action| bench.recorded(action)), [64; 3]);
    // Whatever is refused by another rule is recorded all the same.
    let foreign = bench.binding(&Bench::target("https://127.0.0.1"));
    let foreign = bench.seal(&foreign);
    bench.vault.take(&foreign, &target).unwrap_err();
    assert_eq!(bench.recorded("credential.refused"), 65);
}

#[test]
fn a_policy_that_takes_no_sealed_credential_refuses_before_it_is_read() {
    let bench = Bench::with_policy("[[allow]]\nhost = \"h\"\ncredential_modes = [\"local\"]\n");
    let target = Bench::target("https://h");
    let refused = bench
        .vault
        .take(&v1::SealedCredential::default(), &target)
        .unwrap_err();
    let refusal = refused.refusal(&target.url);
    assert_eq!(
        (refusal.reason, refusal.finding.code),
        (Reason::Policy, FindingCode::PolicyRefused)
    );
    assert!(refusal.rule.starts_with("policy:allow[1]"), "{}", refusal.rule);
}
