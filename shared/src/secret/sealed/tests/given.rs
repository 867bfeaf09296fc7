//! Values that the tests start from.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use proptest::prelude::*;

use crate::model::{CredentialId, RegistryId, SensorId, TenantId};
use crate::process::SeededRng;
use crate::secret::Secret;
use crate::secret::sealed::*;

pub(super) fn host(text: &str) -> BoundHost {
    text.parse().unwrap()
}

pub(super) fn hosts(texts: &[&str]) -> BoundHosts {
    BoundHosts::new(texts.iter().map(|text| host(text))).unwrap()
}

pub(super) fn second(second: i64) -> UnixSecond {
    UnixSecond::from_second(second).unwrap()
}

pub(super) fn tenant(byte: u8) -> TenantId {
    TenantId::from_slice(&[byte; 16]).unwrap()
}

pub(super) fn sensor(byte: u8) -> SensorId {
    SensorId::from_slice(&[byte; 16]).unwrap()
}

pub(super) fn binding() -> CredentialBinding {
    CredentialBinding {
        tenant: tenant(1),
        registry: RegistryId::from_slice(&[2; 16]).unwrap(),
        scheme: Scheme::Https,
        host: host("registry.example.com:5050"),
        realm_hosts: hosts(&["gitlab.example.com"]),
        storage_hosts: hosts(&["s3.example.com:9000", "cdn.example.com"]),
        credential: CredentialId::from_slice(&[3; 16]).unwrap(),
        version: 7,
        created_at: second(1_800_000_000),
        expires_at: Some(second(1_900_000_000)),
    }
}

pub(super) const PASSWORD: &str = "glpat-never-in-clear";

pub(super) fn login() -> CredentialSecret {
    CredentialSecret::new(Secret::new("reader".into()), Secret::new(PASSWORD.into())).unwrap()
}

pub(super) fn pair(seed: u64) -> SealingKeyPair {
    SealingKeyPair::generate(&SeededRng::new(seed))
}

/// A credential sealed to sensor 9 with the key of seed 9.
pub(super) fn sealed() -> (SealedPayload, Wrap) {
    let to = [Recipient::own(sensor(9), &pair(9))];
    let mut sealed = seal(&login(), &binding(), &to, &SeededRng::new(1)).unwrap();
    (sealed.payload, sealed.wraps.remove(0))
}

pub(super) fn identity(seed: u8) -> (Ed25519KeyPair, IdentityPublicKey) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    let public = IdentityPublicKey(pair.public_key().as_ref().try_into().unwrap());
    (pair, public)
}

pub(super) fn signed(statement: SealingKeyStatement, by: &Ed25519KeyPair) -> SignedSealingKey {
    let signature = by.sign(&statement.encode());
    SignedSealingKey::new(statement, signature.as_ref().try_into().unwrap())
}

pub(super) fn statement() -> SealingKeyStatement {
    SealingKeyStatement {
        tenant: tenant(1),
        sensor: sensor(9),
        key: pair(9).public_key(),
        created_at: second(1_800_000_000),
        not_after: second(1_802_592_000),
        generation: 3,
    }
}

fn any_hosts() -> impl Strategy<Value = BoundHosts> {
    proptest::collection::vec(any_host(), 0..4).prop_map(|hosts| BoundHosts::new(hosts).unwrap())
}

fn any_host() -> impl Strategy<Value = BoundHost> {
    (
        "[a-c]{1,3}(\\.[a-c]{1,2})?|10\\.0\\.0\\.[1-9]|\\[fd00::[1-9]\\]",
        1..4_u16,
    )
        .prop_map(|(name, port)| host(&format!("{name}:{port}")))
}

/// From few values, so that two of them often agree in most fields.
pub(super) fn any_binding() -> impl Strategy<Value = CredentialBinding> {
    let ids = (1..3_u8, 1..3_u8, 1..3_u8);
    let hosts = (any_host(), any_hosts(), any_hosts());
    let numbers = (any::<bool>(), 0..3_u64, 0..3_i64, proptest::option::of(0..3_i64));
    (ids, hosts, numbers).prop_map(|(ids, hosts, numbers)| CredentialBinding {
        tenant: tenant(ids.0),
        registry: RegistryId::from_slice(&[ids.1; 16]).unwrap(),
        scheme: if numbers.0 { Scheme::Https } else { Scheme::Http },
        host: hosts.0,
        realm_hosts: hosts.1,
        storage_hosts: hosts.2,
        credential: CredentialId::from_slice(&[ids.2; 16]).unwrap(),
        version: numbers.1,
        created_at: second(numbers.2),
        expires_at: numbers.3.map(second),
    })
}
