//! The limits, at the bound and one above.

use super::given::*;
use crate::model::{SensorId, limits};
use crate::process::SeededRng;
use crate::secret::Secret;
use crate::secret::sealed::*;

fn with_password(length: usize) -> CredentialSecret {
    CredentialSecret::new(Secret::new("reader".into()), Secret::new("p".repeat(length))).unwrap()
}

#[test]
fn a_plain_text_holds_at_its_bound_and_is_refused_above() {
    let to = [Recipient::own(sensor(9), &pair(9))];
    let rest = 3 * fields::length_of(0) + binding().encode().len() + "reader".len();
    let most = limits::SEALED_PLAIN_BYTES - rest;
    let sealed = seal(&with_password(most), &binding(), &to, &SeededRng::new(1)).unwrap();
    let stored = sealed.payload.encode();
    assert_eq!(stored.len(), limits::SEALED_PAYLOAD_BYTES);
    let read = SealedPayload::parse(&stored).unwrap();
    let opened = open(&binding(), &read, &sealed.wraps[0], sensor(9), &pair(9)).unwrap();
    assert_eq!(opened.password().expose().len(), most);

    let above = seal(&with_password(most + 1), &binding(), &to, &SeededRng::new(1));
    let length = limits::SEALED_PLAIN_BYTES + credential::BLOCK;
    assert_eq!(above.unwrap_err(), SealError::TooLarge(length));
    let huge = seal(&with_password(1 << 20), &binding(), &to, &SeededRng::new(1));
    assert!(matches!(huge.unwrap_err(), SealError::TooLarge(_)));
    let longer = [stored, vec![0; credential::BLOCK]].concat();
    assert!(SealedPayload::parse(&longer).is_err());
}

#[test]
fn recipients_hold_at_their_bound_and_are_refused_above() {
    let to = |count: usize| -> Vec<_> {
        let own = pair(9);
        (0..count)
            .map(|n| {
                let id = SensorId::from_slice(&(n as u128).to_be_bytes()).unwrap();
                Recipient::own(id, &own)
            })
            .collect()
    };
    let rng = SeededRng::new(1);
    let sealed = seal(&login(), &binding(), &to(limits::SEALED_RECIPIENTS), &rng).unwrap();
    assert_eq!(sealed.wraps.len(), limits::SEALED_RECIPIENTS);
    let above = limits::SEALED_RECIPIENTS + 1;
    let refused = |to: &[Recipient]| seal(&login(), &binding(), to, &rng).unwrap_err();
    assert_eq!(refused(&to(above)), SealError::TooManyRecipients(above));
    assert_eq!(refused(&[]), SealError::NoRecipient);
    let twice = [to(2), to(1)].concat();
    assert_eq!(refused(&twice), SealError::RepeatedRecipient(twice[0].sensor()));
}

#[test]
fn hosts_hold_at_their_bound_and_are_refused_above() {
    let many = |count: usize| {
        let long = format!("{0}.{0}.{0}", "h".repeat(63));
        (0..count).map(move |n| host(&format!("{}-{n:02}.{long}:65535", "x".repeat(58))))
    };
    let most = BoundHosts::new(many(limits::BOUND_HOSTS)).unwrap();
    assert_eq!(most.iter().next().unwrap().host().len(), limits::HOST_BYTES);
    let above = limits::BOUND_HOSTS + 1;
    assert_eq!(BoundHosts::new(many(above)), Err(HostError::TooMany(above)));
    let repeated = most.iter().cloned().chain(most.iter().cloned());
    assert_eq!(BoundHosts::new(repeated).unwrap(), most, "each counts once");

    let largest = CredentialBinding {
        host: most.iter().next().unwrap().clone(),
        realm_hosts: most.clone(),
        storage_hosts: most.clone(),
        ..binding()
    };
    let bytes = largest.encode();
    assert!(bytes.len() <= limits::BINDING_BYTES, "{}", bytes.len());
    assert_eq!(CredentialBinding::parse(&bytes).unwrap(), largest);
    let mut list = most.encode();
    fields::put(&mut list, b"zz:1");
    assert_eq!(BoundHosts::parse(&list), None);
}

#[test]
fn wraps_have_the_size_that_is_stated() {
    assert_eq!(sealed().1.encode().len(), limits::WRAP_BYTES);
}
