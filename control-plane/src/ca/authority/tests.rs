use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use jiff::SignedDuration;
use portolan_shared::process::{Clock as _, ManualClock, SeededRng};
use portolan_shared::tls::PeerIdentity;
use rcgen::CertificateParams;
use rustls_pki_types::{ServerName, UnixTime};
use x509_parser::prelude::{FromDer as _, ParsedExtension, X509Certificate};

use super::*;

struct Fixture {
    folder: tempfile::TempDir,
    clock: ManualClock,
    authority: Authority,
}

fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::at_unix_seconds(1_800_000_000);
    let authority = open(&folder, &clock).unwrap();
    Fixture {
        folder,
        clock,
        authority,
    }
}

fn open(folder: &tempfile::TempDir, clock: &ManualClock) -> Result<Authority, CaError> {
    Authority::open(
        &folder.path().join("ca"),
        clock.now(),
        Arc::new(SeededRng::new(5)),
    )
}

fn key() -> RequestedKey {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let request = CertificateParams::default().serialize_request(&key).unwrap();
    RequestedKey::from_der(request.der()).unwrap()
}

fn ids() -> (TenantId, SensorId) {
    let rng = SeededRng::new(9);
    (TenantId::random(&rng), SensorId::random(&rng))
}

fn verify(
    leaf: &CertificateDer<'_>,
    issuing: &[CertificateDer<'_>],
    root: &CertificateDer<'_>,
    at: Timestamp,
    usage: webpki::KeyUsage,
) -> Result<(), webpki::Error> {
    let anchors = [webpki::anchor_from_trusted_cert(root).unwrap()];
    let at = UnixTime::since_unix_epoch(Duration::from_secs(at.as_second().try_into().unwrap()));
    let algorithms = provider().signature_verification_algorithms.all;
    webpki::EndEntityCert::try_from(leaf)
        .unwrap()
        .verify_for_usage(algorithms, &anchors, issuing, at, usage, None, None)
        .map(|_| ())
}

#[test]
fn sensor_certificates_follow_their_profile() {
    let Fixture { clock, authority, .. } = fixture();
    let (tenant, sensor) = ids();
    let planned = authority.plan(clock.now());
    let chain = authority.issue_sensor(planned, tenant, sensor, &key()).unwrap();
    let (_, leaf) = X509Certificate::from_der(&chain[0]).unwrap();
    assert_eq!(leaf.version().0, 2, "version 3");
    assert_eq!(leaf.raw_serial(), planned.serial);
    let identity = PeerIdentity::from_certificate(authority.deployment(), &chain[0]).unwrap();
    assert_eq!((identity.tenant, identity.sensor), (tenant, sensor));
    assert_eq!(identity.not_before, clock.now() - SignedDuration::from_mins(5));
    assert_eq!(identity.not_after, clock.now() + SignedDuration::from_hours(24));
    assert_eq!(identity.not_after, planned.not_after());
    let common_name = leaf.subject().iter_common_name().next().unwrap();
    assert_eq!(common_name.as_str().unwrap(), sensor.to_string());
    let mut seen = Vec::new();
    for extension in leaf.extensions() {
        let name = match extension.parsed_extension() {
            ParsedExtension::BasicConstraints(basic) => {
                assert!(!basic.ca && extension.critical);
                "basic"
            }
            ParsedExtension::KeyUsage(usage) => {
                assert!(usage.digital_signature() && usage.flags.count_ones() == 1 && extension.critical);
                "usage"
            }
            ParsedExtension::SubjectKeyIdentifier(_) => "ski",
            ParsedExtension::AuthorityKeyIdentifier(_) => "aki",
            ParsedExtension::ExtendedKeyUsage(_) => "eku",
            ParsedExtension::SubjectAlternativeName(_) => "san",
            other => panic!("{other:?}"),
        };
        seen.push(name);
    }
    seen.sort_unstable();
    assert_eq!(seen, ["aki", "basic", "eku", "san", "ski", "usage"]);
    let root = authority.sensor_root();
    let usage = webpki::KeyUsage::client_auth;
    verify(&chain[0], &chain[1..], root, clock.now(), usage()).unwrap();
    let later = identity.not_after + SignedDuration::from_secs(1);
    assert!(verify(&chain[0], &chain[1..], root, later, usage()).is_err());
    assert!(
        verify(
            &chain[0],
            &chain[1..],
            root,
            clock.now(),
            webpki::KeyUsage::server_auth()
        )
        .is_err(),
        "a sensor is not a server"
    );
    assert!(
        verify(
            &chain[0],
            &chain[1..],
            authority.server_root(),
            clock.now(),
            usage()
        )
        .is_err(),
        "the roots are apart"
    );
}

#[test]
fn server_certificates_carry_names_and_the_root() {
    let Fixture { clock, authority, .. } = fixture();
    let names = ["portolan.example".to_owned(), "127.0.0.1".to_owned()];
    let issued = authority.issue_server(&names, clock.now()).unwrap();
    let chain = &issued.certified.cert;
    assert_eq!(chain.len(), 3);
    assert_eq!(&chain[2], authority.server_root());
    assert_eq!(
        SpkiPin::of_certificate(&chain[2]).into_iter().collect::<Vec<_>>(),
        authority.server_pins()
    );
    let usage = webpki::KeyUsage::server_auth();
    verify(&chain[0], &chain[1..2], &chain[2], clock.now(), usage).unwrap();
    let leaf = webpki::EndEntityCert::try_from(&chain[0]).unwrap();
    for name in &names {
        let name = ServerName::try_from(name.as_str()).unwrap();
        leaf.verify_is_valid_for_subject_name(&name).unwrap();
    }
    let (_, parsed) = X509Certificate::from_der(&chain[0]).unwrap();
    let validity = parsed.validity();
    let now = clock.now().as_second();
    assert_eq!(validity.not_before.timestamp(), now - 3_600);
    assert_eq!(validity.not_after.timestamp(), now + 7 * 86_400);
    assert_eq!(issued.replace_at.as_second(), now + 7 * 43_200);
    for (der, path_length, days) in [(&chain[1], 0, 90), (&chain[2], 1, 3_650)] {
        let (_, ca) = X509Certificate::from_der(der).unwrap();
        let basic = ca.basic_constraints().unwrap().unwrap();
        assert!(basic.critical && basic.value.ca);
        assert_eq!(basic.value.path_len_constraint, Some(path_length));
        assert_eq!(ca.validity().not_after.timestamp(), now + days * 86_400);
    }
}

#[test]
fn is_the_same_after_a_restart_and_private() {
    let Fixture {
        folder,
        clock,
        authority,
    } = fixture();
    let again = open(&folder, &clock).unwrap();
    assert_eq!(again.deployment(), authority.deployment());
    assert_eq!(again.server_root(), authority.server_root());
    let (tenant, sensor) = ids();
    let chain = again
        .issue_sensor(again.plan(clock.now()), tenant, sensor, &key())
        .unwrap();
    let usage = webpki::KeyUsage::client_auth();
    verify(
        &chain[0],
        &chain[1..],
        authority.sensor_root(),
        clock.now(),
        usage,
    )
    .unwrap();
    for entry in std::fs::read_dir(folder.path().join("ca")).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
    }
}

#[test]
fn half_an_authority_is_refused_by_name() {
    for missing in ["deployment", "server-root.pem", "sensor-issuing.pem"] {
        let Fixture { folder, clock, .. } = fixture();
        std::fs::remove_file(folder.path().join("ca").join(missing)).unwrap();
        match open(&folder, &clock).unwrap_err() {
            CaError::Incomplete(path) => assert!(path.ends_with(missing)),
            other => panic!("{other}"),
        }
    }
    let Fixture { folder, clock, .. } = fixture();
    let other = fixture();
    let name = "ca/server-root.pem";
    let mixed = std::fs::read_to_string(other.folder.path().join(name)).unwrap();
    let own = std::fs::read_to_string(folder.path().join(name)).unwrap();
    let key_at = mixed.find("-----BEGIN PRIVATE").unwrap();
    let cut = own.find("-----BEGIN PRIVATE").unwrap();
    std::fs::write(
        folder.path().join(name),
        format!("{}{}", &own[..cut], &mixed[key_at..]),
    )
    .unwrap();
    assert!(matches!(
        open(&folder, &clock).unwrap_err(),
        CaError::Content { .. }
    ));
}

#[test]
fn an_interrupted_creation_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::at_unix_seconds(1_800_000_000);
    std::fs::create_dir(folder.path().join(".ca.new")).unwrap();
    std::fs::write(folder.path().join(".ca.new/server-root.pem"), "half").unwrap();
    open(&folder, &clock).unwrap();
    assert!(!folder.path().join(".ca.new").exists());
}

#[test]
fn issuing_cas_are_replaced_at_half_of_their_life_without_breaking_what_they_issued() {
    let Fixture {
        folder,
        clock,
        authority,
    } = fixture();
    assert!(!authority.refresh(clock.now()).unwrap());
    clock.advance(Duration::from_secs(46 * 86_400));
    let (tenant, sensor) = ids();
    let before = authority
        .issue_sensor(authority.plan(clock.now()), tenant, sensor, &key())
        .unwrap();
    assert!(authority.refresh(clock.now()).unwrap());
    assert!(!authority.refresh(clock.now()).unwrap());
    let after = open(&folder, &clock).unwrap();
    let after = after
        .issue_sensor(after.plan(clock.now()), tenant, sensor, &key())
        .unwrap();
    assert_ne!(before[1], after[1]);
    for chain in [before, after] {
        let usage = webpki::KeyUsage::client_auth();
        verify(
            &chain[0],
            &chain[1..],
            authority.sensor_root(),
            clock.now(),
            usage,
        )
        .unwrap();
    }
}
