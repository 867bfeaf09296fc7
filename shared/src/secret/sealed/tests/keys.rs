//! Who may be sealed to.

use data_encoding::HEXLOWER;
use proptest::prelude::*;

use super::given::*;
use crate::process::SeededRng;
use crate::secret::SecretBytes;
use crate::secret::sealed::*;

#[test]
fn t36_a_sealing_key_that_another_identity_signed_is_not_sealed_to() {
    let (sensors_own, public) = identity(1);
    let (of_another, _) = identity(2);
    let now = second(1_801_000_000).timestamp();
    let recipient = |key: &SignedSealingKey| key.recipient(&public, tenant(1), sensor(9), now);
    let good = recipient(&signed(statement(), &sensors_own)).unwrap();
    assert_eq!((good.sensor(), good.key()), (sensor(9), pair(9).public_key()));

    let key = statement().key_id();
    let forged = signed(statement(), &of_another);
    assert_eq!(recipient(&forged).unwrap_err(), StatementError::Signature(key));
    assert_ne!(identity(2).1.fingerprint(), public.fingerprint());

    // The genuine signature over a statement with the attacker's key put in.
    let signature = *signed(statement(), &sensors_own).signature();
    let swapped = SealingKeyStatement {
        key: pair(66).public_key(),
        ..statement()
    };
    let swapped = SignedSealingKey::new(swapped, signature);
    assert_eq!(
        recipient(&swapped).unwrap_err(),
        StatementError::Signature(pair(66).id())
    );
}

#[test]
fn t36_a_genuine_statement_is_of_no_use_for_another_tenant_or_sensor_or_after_its_time() {
    let (own, public) = identity(1);
    let genuine = signed(statement(), &own);
    let key = statement().key_id();
    let at = |second_: i64| second(second_).timestamp();
    let end = statement().not_after;
    let recipient = |of_tenant: u8, of_sensor: u8, now| {
        genuine.recipient(&public, tenant(of_tenant), sensor(of_sensor), now)
    };
    let early = at(1_801_000_000);
    assert_eq!(recipient(2, 9, early).unwrap_err(), StatementError::Tenant(key));
    let other = StatementError::Sensor {
        key,
        sensor: sensor(9),
    };
    assert_eq!(recipient(1, 8, early).unwrap_err(), other);
    assert!(recipient(1, 9, at(end.timestamp().as_second() - 1)).is_ok());
    let ended = StatementError::Ended { key, at: end };
    assert_eq!(recipient(1, 9, end.timestamp()).unwrap_err(), ended);
    assert!(
        genuine.verify(&public, tenant(1), sensor(9)).is_ok(),
        "what it says stays true"
    );
}

#[test]
fn t36_no_byte_of_a_signed_statement_can_be_changed() {
    let (own, public) = identity(1);
    let genuine = signed(statement(), &own);
    let bytes = statement().encode();
    assert_eq!(bytes.len(), 129);
    let read = SignedSealingKey::parse(&bytes, genuine.signature()).unwrap();
    assert_eq!((read, *read.unverified()), (genuine, statement()));
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let accepted = SignedSealingKey::parse(&changed, genuine.signature())
            .is_ok_and(|read| read.verify(&public, tenant(1), sensor(9)).is_ok());
        assert!(!accepted, "byte {at}");
        assert!(SealingKeyStatement::parse(&bytes[..at]).is_err(), "cut at {at}");
    }
    assert!(SealingKeyStatement::parse(&[bytes, vec![0]].concat()).is_err());
    let mut later = statement().encode();
    later[24 + 16 * 3 + 32] = 2;
    let unknown = FormError::Suite {
        form: "sealing key statement",
        suite: 2,
    };
    assert_eq!(SealingKeyStatement::parse(&later).unwrap_err(), unknown);
}

#[test]
fn a_key_that_anybody_could_open_with_is_not_sealed_to() {
    // Points of low order (RFC 7748, section 6.1), by which the shared secret is zero whoever computes it.
    let low = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    for hex in low {
        let key = SealingPublicKey::from_bytes(HEXLOWER.decode(hex.as_bytes()).unwrap().try_into().unwrap());
        let to = Recipient::vouched(sensor(9), key);
        let refused = seal(&login(), &binding(), &[to], &SeededRng::new(1));
        assert_eq!(refused.unwrap_err(), SealError::Key(sensor(9)), "{hex}");
        let (payload, wrap) = sealed();
        let mut poisoned = wrap.encode();
        poisoned[33..65].copy_from_slice(key.as_bytes());
        let poisoned = Wrap::parse(&poisoned).unwrap();
        let refused = open(&binding(), &payload, &poisoned, sensor(9), &pair(9)).unwrap_err();
        assert_eq!(refused.field(), BindingField::Ciphertext);
        let refused = rewrap(
            &binding(),
            &payload,
            &wrap,
            sensor(9),
            &pair(9),
            &to,
            &SeededRng::new(1),
        );
        assert_eq!(refused.unwrap_err(), RewrapError::Key(sensor(9)));
    }
}

#[test]
fn keys_survive_the_keyring() {
    let made = pair(3);
    let read = SealingKeyPair::from_secret(&made.to_secret()).unwrap();
    assert_eq!((read.public_key(), read.id()), (made.public_key(), made.id()));
    assert_ne!(made.id(), pair(4).id());
    assert_eq!(made.id().to_string().parse::<SealingKeyId>().unwrap(), made.id());
    for length in [0, 31, 33] {
        let wrong = SecretBytes::new(vec![1; length]);
        assert!(SealingKeyPair::from_secret(&wrong).is_err(), "{length} bytes");
    }
}

#[test]
fn fingerprints_and_key_ids_are_what_the_description_says() {
    // Both by another program: hashlib and base64 of Python.
    let fingerprint = IdentityPublicKey([7; 32]).fingerprint();
    assert_eq!(fingerprint.to_string(), "F3UMZ-MTUGE-I5JQC-AHLRM");
    let id = SealingPublicKey::from_bytes([7; 32]).id();
    assert_eq!(id.to_string(), "d3907c0247e7e98b72338a00d8724424");
}

#[test]
fn fingerprints_are_read_as_people_type_them_and_no_other_way() {
    let fingerprint = IdentityPublicKey([7; 32]).fingerprint();
    let text = fingerprint.to_string();
    assert_eq!(text.to_ascii_lowercase().parse(), Ok(fingerprint));
    for bad in [
        String::new(),
        text.replace('-', ""),
        text[..17].to_owned(),
        format!("{text}-AAAAA"),
        format!("{text}A"),
        format!(" {text}"),
        "AAAAA-AAAAA-AAAAA-AAAA1".into(),
        "AAAAA-AAAAA-AAAAA-AAAAé".into(),
    ] {
        assert_eq!(
            bad.parse::<IdentityFingerprint>(),
            Err(FingerprintError),
            "{bad:?}"
        );
    }
    let json = serde_json::to_string(&fingerprint).unwrap();
    assert_eq!(
        serde_json::from_str::<IdentityFingerprint>(&json).unwrap(),
        fingerprint
    );
}

proptest! {
    #[test]
    fn every_identity_has_a_fingerprint_that_reads_back(key: [u8; 32], text in "\\PC{0,30}") {
        let fingerprint = IdentityPublicKey(key).fingerprint();
        prop_assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
        let _ = text.parse::<IdentityFingerprint>();
        let _ = text.parse::<SealingKeyId>();
    }
}
