//! A second implementation of HPKE, that of rustls over aws-lc, and a reader of our forms that was written from their description.

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use proptest::prelude::*;
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_CHACHA20_POLY1305 as OTHER;
use rustls::crypto::hpke::{EncapsulatedSecret, Hpke as _, HpkePrivateKey, HpkePublicKey};

use super::given::*;
use crate::process::SeededRng;
use crate::secret::sealed::*;

fn bytes(up_to: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..up_to)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_other_implementation_opens_what_ours_seals(seed: u64, info in bytes(80), aad in bytes(300), plain in bytes(600)) {
        let (public, private) = OTHER.generate_key_pair().unwrap();
        let key: [u8; 32] = public.0.try_into().unwrap();
        let (enc, ciphertext) = hybrid::seal_to(&key, &info, &aad, &plain, &SeededRng::new(seed)).unwrap();
        let enc = EncapsulatedSecret(enc.to_vec());
        prop_assert_eq!(OTHER.open(&enc, &info, &aad, &ciphertext, &private).unwrap(), plain);
    }

    #[test]
    fn ours_opens_what_the_other_implementation_seals(seed: u64, info in bytes(80), aad in bytes(300), plain in bytes(600)) {
        let own = pair(seed);
        let public = HpkePublicKey(own.public_key().as_bytes().to_vec());
        let (enc, ciphertext) = OTHER.seal(&info, &aad, &plain, &public).unwrap();
        let enc: [u8; 32] = enc.0.try_into().unwrap();
        let opened = hybrid::open_with(own.private(), &info, &aad, &enc, &ciphertext).unwrap();
        prop_assert_eq!(opened.as_slice(), plain.as_slice());
    }

    #[test]
    fn neither_opens_what_was_changed(seed: u64, aad in bytes(40), plain in bytes(80), at: prop::sample::Index, bit in 0..8_u8) {
        let own = pair(seed);
        let (enc, mut ciphertext) =
            hybrid::seal_to(own.public_key().as_bytes(), b"", &aad, &plain, &SeededRng::new(!seed)).unwrap();
        let at = at.index(ciphertext.len());
        ciphertext[at] ^= 1 << bit;
        prop_assert!(hybrid::open_with(own.private(), b"", &aad, &enc, &ciphertext).is_none());
        let private = HpkePrivateKey::from(own.to_secret().expose().to_vec());
        prop_assert!(OTHER.open(&EncapsulatedSecret(enc.to_vec()), b"", &aad, &ciphertext, &private).is_err());
    }
}

fn field(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![
        u8::try_from(bytes.len() >> 8).unwrap(),
        (bytes.len() & 0xff) as u8,
    ];
    out.extend_from_slice(bytes);
    out
}

/// The binding of [`binding`], written out from the description.
fn described_binding() -> Vec<u8> {
    [
        field(b"portolan credential binding v1"),
        field(&[1; 16]),
        field(&[2; 16]),
        field(b"https"),
        field(b"registry.example.com"),
        field(&[0x13, 0xba]),
        field(&field(b"gitlab.example.com:443")),
        field(&[field(b"cdn.example.com:443"), field(b"s3.example.com:9000")].concat()),
        field(&[3; 16]),
        field(&[0, 0, 0, 0, 0, 0, 0, 7]),
        field(&1_800_000_000_u64.to_be_bytes()),
        field(&1_900_000_000_u64.to_be_bytes()),
    ]
    .concat()
}

fn described_plain() -> Vec<u8> {
    let mut plain = [
        field(&described_binding()),
        field(b"reader"),
        field(PASSWORD.as_bytes()),
    ]
    .concat();
    plain.resize(plain.len().div_ceil(256) * 256, 0);
    plain
}

fn payload_associated() -> Vec<u8> {
    [
        field(b"portolan credential payload v1"),
        field(&[1]),
        field(&described_binding()),
    ]
    .concat()
}

fn wrap_associated(key_id: &[u8], ciphertext: &[u8]) -> Vec<u8> {
    [
        field(b"portolan credential wrap v1"),
        field(&[1]),
        field(&described_binding()),
        field(&[9; 16]),
        field(key_id),
        field(digest(&SHA256, ciphertext).as_ref()),
    ]
    .concat()
}

fn data_cipher(key: &[u8]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).unwrap())
}

fn zero_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

#[test]
fn a_reader_written_from_the_description_opens_what_we_seal() {
    assert_eq!(binding().encode(), described_binding());
    let (payload, wrap) = sealed();
    let (payload, wrap) = (payload.encode(), wrap.encode());
    let ciphertext = &payload[1..];
    assert_eq!((payload[0], wrap[0], wrap.len()), (1, 1, 113));
    assert_eq!(wrap[1..17], [9; 16]);
    let public = pair(9).public_key();
    let key_id = &digest(&SHA256, &[&[1], public.as_bytes().as_slice()].concat()).as_ref()[..16].to_vec();
    assert_eq!(wrap[17..33], key_id[..]);

    let private = HpkePrivateKey::from(pair(9).to_secret().expose().to_vec());
    let data_key = OTHER
        .open(
            &EncapsulatedSecret(wrap[33..65].to_vec()),
            b"portolan credential wrap v1",
            &wrap_associated(key_id, ciphertext),
            &wrap[65..],
            &private,
        )
        .unwrap();
    let mut text = ciphertext.to_vec();
    let plain = data_cipher(&data_key)
        .open_in_place(zero_nonce(), Aad::from(payload_associated()), &mut text)
        .unwrap();
    assert_eq!(plain, described_plain());
}

#[test]
fn we_open_what_a_writer_from_the_description_seals() {
    let mut ciphertext = described_plain();
    data_cipher(&[5; 32])
        .seal_in_place_append_tag(zero_nonce(), Aad::from(payload_associated()), &mut ciphertext)
        .unwrap();
    let own = pair(9);
    let key_id = own.id();
    let (enc, wrapped) = OTHER
        .seal(
            b"portolan credential wrap v1",
            &wrap_associated(key_id.as_bytes(), &ciphertext),
            &[5; 32],
            &HpkePublicKey(own.public_key().as_bytes().to_vec()),
        )
        .unwrap();
    let wrap = [&[1], [9; 16].as_slice(), key_id.as_bytes(), &enc.0, &wrapped].concat();
    let payload = [&[1], ciphertext.as_slice()].concat();
    let opened = open(
        &binding(),
        &SealedPayload::parse(&payload).unwrap(),
        &Wrap::parse(&wrap).unwrap(),
        sensor(9),
        &own,
    );
    assert_eq!(opened.unwrap(), login());
}
