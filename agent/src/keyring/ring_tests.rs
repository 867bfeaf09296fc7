use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use portolan_shared::model::TenantId;
use portolan_shared::process::SeededRng;
use portolan_shared::secret::SecretBytes;
use proptest::prelude::*;
use rcgen::CertificateParams;
use rustls_pki_types::CertificateDer;

use data_encoding::HEXLOWER;

use super::super::NewIdentity;
use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn certificate(mark: u8) -> StoredCertificate {
    StoredCertificate {
        chain: vec![CertificateDer::from(vec![mark])],
        key: SecretBytes::new(vec![mark]),
        issued_at: at(1_000),
        received_at: at(1_000),
        not_after: at(87_400),
    }
}

fn token(mark: u8) -> ContinuityToken {
    ContinuityToken::new(&[mark; 32]).unwrap()
}

fn shown(ring: &Keyring) -> Option<Vec<u8>> {
    ring.continuity().map(|token| token.expose().to_vec())
}

fn root() -> CertificateDer<'static> {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![]).unwrap();
    params.self_signed(&key).unwrap().der().clone()
}

fn enrol(path: &Path) -> Keyring {
    let rng = SeededRng::new(1);
    let invitation = InvitationId::random(&rng);
    let dir = StateDir::open(path).unwrap();
    let new = NewIdentity::prepare(&dir, invitation).unwrap();
    let enrolled = Enrolled {
        invitation,
        sensor: SensorId::random(&rng),
        tenant: TenantId::random(&rng),
        name: "hamburg".into(),
        deployment: "d".into(),
        endpoints: vec!["https://h:1".into()],
        identity: HEXLOWER.encode(new.identity.public_key()),
        at: at(1_000),
    };
    let first = root();
    let trust = TrustBundle::new(1, vec![first.clone()]).unwrap();
    new.complete(&dir, &enrolled, &certificate(1), &trust, &token(1))
        .unwrap();
    let ring = Keyring::open(dir).unwrap();
    ring.store_certificate(certificate(2)).unwrap();
    ring.store_trust(TrustBundle::new(2, vec![first, root()]).unwrap())
        .unwrap();
    ring.store_continuity(token(2)).unwrap();
    ring.count_start().unwrap();
    ring
}

fn files(path: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                fs::read(entry.path()).unwrap(),
            )
        })
        .collect()
}

#[test]
fn t07_a_second_try_with_the_same_token_uses_the_same_keys() {
    let folder = tempfile::tempdir().unwrap();
    let dir = StateDir::open(folder.path()).unwrap();
    let (one, other) = (
        InvitationId::random(&SeededRng::new(1)),
        InvitationId::random(&SeededRng::new(2)),
    );
    let first = NewIdentity::prepare(&dir, one).unwrap();
    let again = NewIdentity::prepare(&dir, one).unwrap();
    assert_eq!(first.identity.public_key(), again.identity.public_key());
    assert_eq!(first.tls.public_key_info(), again.tls.public_key_info());
    assert_eq!(first.signing_request, again.signing_request);
    let fresh = NewIdentity::prepare(&dir, other).unwrap();
    assert_ne!(first.identity.public_key(), fresh.identity.public_key());
}

#[test]
fn an_enrolled_directory_is_not_enrolled_again() {
    let folder = tempfile::tempdir().unwrap();
    drop(enrol(folder.path()));
    let before = files(folder.path());
    let dir = StateDir::open(folder.path()).unwrap();
    let refused = NewIdentity::prepare(&dir, InvitationId::random(&SeededRng::new(9))).unwrap_err();
    assert!(matches!(refused, KeyringError::AlreadyEnrolled { .. }));
    assert_eq!(files(folder.path()), before);
    assert!(
        !before.contains_key("tls.key"),
        "the certificate's file holds that key"
    );
}

#[test]
fn starts_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let ring = enrol(folder.path());
    assert_eq!((ring.count_start().unwrap(), ring.count_start().unwrap()), (2, 3));
}

#[test]
fn a_revoked_sensor_keeps_its_name_and_loses_its_keys() {
    let folder = tempfile::tempdir().unwrap();
    let ring = enrol(folder.path());
    let sensor = ring.sensor();
    ring.revoke(at(2_000)).unwrap();
    drop(ring);
    let left = files(folder.path());
    let names: Vec<_> = left.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["enrolment", "incarnation", "lock", "trust", "trust.previous"]
    );
    let refused = Keyring::open(StateDir::open(folder.path()).unwrap()).unwrap_err();
    assert!(matches!(refused, KeyringError::Revoked { sensor: was, .. } if was == sensor));
}

#[test]
fn a_lost_certificate_is_named_and_the_identity_still_stands() {
    let folder = tempfile::tempdir().unwrap();
    drop(enrol(folder.path()));
    for name in ["certificate", "certificate.previous"] {
        fs::write(folder.path().join(name), b"rubbish").unwrap();
    }
    let ring = Keyring::open(StateDir::open(folder.path()).unwrap()).unwrap();
    assert!(ring.certificate().is_none());
    assert!(
        ring.warnings()[0].contains("certificate is damaged"),
        "{:?}",
        ring.warnings()
    );
    ring.store_certificate(certificate(3)).unwrap();
    assert_eq!(ring.certificate().unwrap().key.expose(), [3]);
    assert!(ring.warnings().is_empty(), "{:?}", ring.warnings());
}

#[test]
fn a_lost_continuity_token_is_named_until_there_is_another() {
    let folder = tempfile::tempdir().unwrap();
    drop(enrol(folder.path()));
    fs::remove_file(folder.path().join("continuity")).unwrap();
    let ring = Keyring::open(StateDir::open(folder.path()).unwrap()).unwrap();
    assert_eq!(shown(&ring), None);
    assert!(ring.warnings()[0].contains("continuity is damaged: it is missing"));
    ring.store_continuity(token(9)).unwrap();
    assert!(ring.warnings().is_empty());
    drop(ring);
    let ring = Keyring::open(StateDir::open(folder.path()).unwrap()).unwrap();
    assert_eq!(shown(&ring), Some(vec![9; 32]));
}

#[test]
fn t56_a_token_that_cannot_be_stored_leaves_the_old_one_in_use_and_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let ring = enrol(folder.path());
    // No file can take the place of a folder.
    let place = folder.path().join("continuity");
    fs::remove_file(&place).unwrap();
    fs::create_dir(&place).unwrap();
    assert!(ring.store_continuity(token(3)).is_err());
    assert_eq!(shown(&ring), Some(vec![2; 32]));
    assert!(
        ring.warnings()[0].contains("cannot be written"),
        "{:?}",
        ring.warnings()
    );
    fs::remove_dir(&place).unwrap();
    ring.store_continuity(token(3)).unwrap();
    assert_eq!((shown(&ring), ring.warnings().len()), (Some(vec![3; 32]), 0));
}

#[test]
fn an_older_trust_bundle_never_replaces_a_newer_one() {
    let folder = tempfile::tempdir().unwrap();
    let ring = enrol(folder.path());
    let before = ring.trust();
    assert_eq!(
        ring.store_trust(TrustBundle::new(1, vec![root()]).unwrap())
            .unwrap(),
        2
    );
    assert_eq!(ring.trust(), before);
}

#[test]
fn a_trust_bundle_without_a_root_in_common_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ring = enrol(folder.path());
    let before = ring.trust();
    let refused = ring.store_trust(TrustBundle::new(3, vec![root()]).unwrap());
    assert!(matches!(
        refused,
        Err(KeyringError::TrustUnrelated {
            version: 3,
            current: 2
        })
    ));
    assert_eq!(ring.trust(), before);
    let related = vec![root(), before.roots[1].clone()];
    assert_eq!(
        ring.store_trust(TrustBundle::new(3, related).unwrap()).unwrap(),
        3
    );
    drop(ring);
    let ring = Keyring::open(StateDir::open(folder.path()).unwrap()).unwrap();
    assert_eq!(ring.trust().version, 3, "it is on disk");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn t57_each_damaged_file_is_named_and_nothing_is_deleted(
        which in 0..5_usize, cut: bool, at: prop::sample::Index, bit in 0..8_u8,
    ) {
        let name = ["certificate", "trust", "enrolment", "identity.key", "continuity"][which];
        let folder = tempfile::tempdir().unwrap();
        drop(enrol(folder.path()));
        let path = folder.path().join(name);
        let mut content = fs::read(&path).unwrap();
        let index = at.index(content.len());
        if cut { content.truncate(index) } else { content[index] ^= 1 << bit }
        fs::write(&path, &content).unwrap();
        let before = files(folder.path());
        let opened = Keyring::open(StateDir::open(folder.path()).unwrap());
        prop_assert_eq!(files(folder.path()), before);
        match (name, opened) {
            ("certificate", Ok(ring)) => {
                let used = ring.certificate().unwrap();
                prop_assert_eq!(used.key.expose(), [1], "the previous certificate is used");
                prop_assert!(ring.warnings()[0].contains("certificate"));
            }
            ("trust", Ok(ring)) => prop_assert_eq!(ring.trust().version, 1),
            ("continuity", Ok(ring)) => {
                prop_assert_eq!(shown(&ring), None, "an older token is never shown");
                let warning = &ring.warnings()[0];
                prop_assert!(warning.contains("continuity is damaged"), "{}", warning);
                prop_assert!(warning.contains("portolan sensor approve hamburg"), "{}", warning);
            }
            ("enrolment", Err(KeyringError::Damaged { path: named, .. })) => prop_assert_eq!(named, path),
            ("identity.key", Err(error @ KeyringError::IdentityLost { .. })) => {
                prop_assert!(error.to_string().contains("Nothing was deleted"));
            }
            (_, other) => prop_assert!(false, "unexpected: {:?}", other.map(|_| ())),
        }
    }
}
