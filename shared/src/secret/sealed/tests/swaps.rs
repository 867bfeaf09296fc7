//! Everything that a credential is bound to, exchanged for something else.

use super::given::*;
use crate::model::{CredentialId, RegistryId};
use crate::process::SeededRng;
use crate::secret::Secret;
use crate::secret::sealed::*;

/// The binding with one field changed, for every field.
fn swapped() -> Vec<(BindingField, CredentialBinding)> {
    let with = |change: &dyn Fn(&mut CredentialBinding)| {
        let mut changed = binding();
        change(&mut changed);
        changed
    };
    vec![
        (BindingField::Tenant, with(&|b| b.tenant = tenant(8))),
        (
            BindingField::Registry,
            with(&|b| b.registry = RegistryId::from_slice(&[8; 16]).unwrap()),
        ),
        (BindingField::Scheme, with(&|b| b.scheme = Scheme::Http)),
        (
            BindingField::Host,
            with(&|b| b.host = host("registry.example.org:5050")),
        ),
        (
            BindingField::Port,
            with(&|b| b.host = host("registry.example.com:5051")),
        ),
        (
            BindingField::RealmHosts,
            with(&|b| b.realm_hosts = hosts(&["evil.example.com"])),
        ),
        (
            BindingField::RealmHosts,
            with(&|b| b.realm_hosts = hosts(&["gitlab.example.com", "evil.example.com"])),
        ),
        (BindingField::RealmHosts, with(&|b| b.realm_hosts = hosts(&[]))),
        (
            BindingField::RealmHosts,
            with(&|b| std::mem::swap(&mut b.realm_hosts, &mut b.storage_hosts)),
        ),
        (
            BindingField::StorageHosts,
            with(&|b| b.storage_hosts = hosts(&["s3.example.com:9000"])),
        ),
        (
            BindingField::Credential,
            with(&|b| b.credential = CredentialId::from_slice(&[8; 16]).unwrap()),
        ),
        (BindingField::Version, with(&|b| b.version = 6)),
        (BindingField::Version, with(&|b| b.version = 8)),
        (
            BindingField::CreatedAt,
            with(&|b| b.created_at = second(1_800_000_001)),
        ),
        (
            BindingField::ExpiresAt,
            with(&|b| b.expires_at = Some(second(1_900_000_001))),
        ),
        (BindingField::ExpiresAt, with(&|b| b.expires_at = None)),
    ]
}

#[test]
fn t33_every_bound_field_that_is_exchanged_is_named_and_nothing_opens() {
    let (payload, wrap) = sealed();
    assert_eq!(
        open(&binding(), &payload, &wrap, sensor(9), &pair(9)).unwrap(),
        login()
    );
    assert_eq!(binding().difference(&binding()), None);
    for (field, other) in swapped() {
        let refused = open(&other, &payload, &wrap, sensor(9), &pair(9)).unwrap_err();
        assert_eq!(refused, OpenError::Ciphertext(other.credential), "{field}");
        assert_eq!(binding().difference(&other), Some(field));
        assert_eq!(other.difference(&binding()), Some(field));
    }
}

#[test]
fn t33_a_job_for_another_registry_is_named_before_anything_is_opened() {
    let job = |tenant_byte, registry: u8, url: &str| {
        binding().difference_from_registry(
            tenant(tenant_byte),
            RegistryId::from_slice(&[registry; 16]).unwrap(),
            &url.parse().unwrap(),
        )
    };
    assert_eq!(job(1, 2, "https://Registry.Example.COM.:5050/prefix/v2/"), None);
    assert_eq!(
        job(8, 2, "https://registry.example.com:5050"),
        Some(BindingField::Tenant)
    );
    assert_eq!(
        job(1, 8, "https://registry.example.com:5050"),
        Some(BindingField::Registry)
    );
    assert_eq!(
        job(1, 2, "http://registry.example.com:5050"),
        Some(BindingField::Scheme)
    );
    assert_eq!(
        job(1, 2, "https://registry.example.com.evil.net:5050"),
        Some(BindingField::Host)
    );
    assert_eq!(
        job(1, 2, "https://registry.example.com"),
        Some(BindingField::Port)
    );
    let login_goes = |host, port| binding().may_have_login(host, port);
    assert!(login_goes("registry.example.com", 5050) && login_goes("gitlab.example.com", 443));
    assert!(
        !login_goes("registry.example.com", 443),
        "another port is another server"
    );
    assert!(
        !login_goes("s3.example.com", 9000),
        "storage never gets the login"
    );
}

#[test]
fn t33_a_wrap_under_another_sensors_name_or_key_does_not_open() {
    let (payload, wrap) = sealed();
    let relabelled = |at: usize, bytes: &[u8]| {
        let mut changed = wrap.encode();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        Wrap::parse(&changed).unwrap()
    };
    let refused = |wrap: &Wrap, me, own: &SealingKeyPair| {
        open(&binding(), &payload, wrap, me, own).unwrap_err().field()
    };
    assert_eq!(refused(&wrap, sensor(8), &pair(9)), BindingField::Recipient);
    assert_eq!(refused(&wrap, sensor(9), &pair(8)), BindingField::SealingKey);
    // With the label changed too, and even with the right key: what is sealed remembers.
    let to_other = relabelled(1, &[8; 16]);
    assert_eq!(refused(&to_other, sensor(8), &pair(9)), BindingField::Ciphertext);
    let by_other = relabelled(17, pair(8).id().as_bytes());
    assert_eq!(refused(&by_other, sensor(9), &pair(8)), BindingField::Ciphertext);
    assert_eq!(refused(&by_other, sensor(9), &pair(9)), BindingField::SealingKey);
}

#[test]
fn t33_wraps_and_payloads_of_two_credentials_do_not_mix() {
    let (payload, wrap) = sealed();
    // The same login for the same registry, sealed again: only the data key and the ciphertext differ.
    let to = [Recipient::own(sensor(9), &pair(9))];
    let again = seal(&login(), &binding(), &to, &SeededRng::new(2)).unwrap();
    for (payload, wrap) in [(&again.payload, &wrap), (&payload, &again.wraps[0])] {
        let refused = open(&binding(), payload, wrap, sensor(9), &pair(9)).unwrap_err();
        assert_eq!(refused.field(), BindingField::Ciphertext);
    }
}

#[test]
fn t33_no_byte_of_a_payload_or_a_wrap_can_be_changed() {
    let (payload, wrap) = sealed();
    for at in 0..wrap.encode().len() {
        let mut changed = wrap.encode();
        changed[at] ^= 0x40;
        let opened = Wrap::parse(&changed)
            .ok()
            .map(|wrap| open(&binding(), &payload, &wrap, sensor(9), &pair(9)));
        assert!(!matches!(opened, Some(Ok(_))), "byte {at} of the wrap");
    }
    for at in (0..payload.encode().len()).step_by(7) {
        let mut changed = payload.encode();
        changed[at] ^= 1;
        let opened = SealedPayload::parse(&changed)
            .ok()
            .map(|payload| open(&binding(), &payload, &wrap, sensor(9), &pair(9)));
        assert!(!matches!(opened, Some(Ok(_))), "byte {at} of the payload");
    }
}

#[test]
fn a_sealer_that_says_one_thing_outside_and_another_inside_is_found_out() {
    for (field, other) in swapped() {
        let (outside, inside) = (binding().encode(), other.encode());
        let key = payload::DataKey::generate(&SeededRng::new(3));
        let plain = login().to_plain(&inside, payload::TAG).unwrap();
        let payload = SealedPayload::encrypt(&key, &outside, plain).unwrap();
        let to = Recipient::own(sensor(9), &pair(9));
        let wrap = Wrap::seal(&key, &outside, &payload, &to, &SeededRng::new(4)).unwrap();
        let refused = open(&binding(), &payload, &wrap, sensor(9), &pair(9)).unwrap_err();
        let credential = binding().credential;
        assert_eq!(refused, OpenError::Inside { credential, field });
    }
}

#[test]
fn a_credential_moves_to_a_new_key_and_to_a_trusted_sensor_without_its_payload_changing() {
    let (payload, wrap) = sealed();
    let rng = SeededRng::new(5);
    for (me, own) in [(sensor(9), pair(10)), (sensor(4), pair(4))] {
        let to = Recipient::own(me, &own);
        let moved = rewrap(&binding(), &payload, &wrap, sensor(9), &pair(9), &to, &rng).unwrap();
        assert_eq!((moved.recipient(), moved.sealing_key()), (me, own.id()));
        assert_eq!(open(&binding(), &payload, &moved, me, &own).unwrap(), login());
        assert_eq!(
            open(&binding(), &payload, &wrap, sensor(9), &pair(9)).unwrap(),
            login(),
            "the old wrap goes on to work until it is replaced"
        );
    }
}

#[test]
fn what_does_not_open_is_not_sealed_again() {
    let (payload, wrap) = sealed();
    let to = Recipient::own(sensor(9), &pair(10));
    for (_, other) in swapped() {
        let refused = rewrap(
            &other,
            &payload,
            &wrap,
            sensor(9),
            &pair(9),
            &to,
            &SeededRng::new(5),
        );
        assert_eq!(
            refused.unwrap_err(),
            RewrapError::Open(OpenError::Ciphertext(other.credential))
        );
    }
}

#[test]
fn nothing_that_is_secret_is_printed_or_has_its_length_told() {
    let (payload, wrap) = sealed();
    let own = pair(9);
    let shown = format!("{:?} {own:?} {payload:?} {wrap:?} {:?}", login(), binding());
    let private = data_encoding::HEXLOWER.encode(own.to_secret().expose());
    assert!(
        !shown.contains(PASSWORD) && !shown.contains("reader") && !shown.contains(&private),
        "{shown}"
    );
    let sealed_bytes = payload.encode();
    assert!(
        !sealed_bytes
            .windows(6)
            .any(|part| part == b"reader" || part == b"glpat-")
    );
    let longer = CredentialSecret::new(Secret::new("reader".into()), Secret::new(format!("{PASSWORD}++")));
    let to = [Recipient::own(sensor(9), &own)];
    let longer = seal(&longer.unwrap(), &binding(), &to, &SeededRng::new(6)).unwrap();
    assert_eq!(longer.payload.encode().len(), sealed_bytes.len());
}
