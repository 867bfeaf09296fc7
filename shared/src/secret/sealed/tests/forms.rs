//! Parsers: what is written reads back, in one way only, and nothing that comes instead of it does harm.

use proptest::prelude::*;

use super::given::*;
use crate::process::SeededRng;
use crate::secret::Secret;
use crate::secret::sealed::*;

#[test]
fn what_is_stored_reads_back_and_nothing_less_or_more() {
    let (payload, wrap) = sealed();
    let (stored, stored_wrap, stored_binding) = (payload.encode(), wrap.encode(), binding().encode());
    assert_eq!(SealedPayload::parse(&stored).unwrap(), payload);
    assert_eq!(Wrap::parse(&stored_wrap).unwrap(), wrap);
    assert_eq!(CredentialBinding::parse(&stored_binding).unwrap(), binding());
    for end in 0..stored.len() {
        assert!(
            SealedPayload::parse(&stored[..end]).is_err(),
            "payload cut at {end}"
        );
    }
    for end in 0..stored_wrap.len() {
        assert!(Wrap::parse(&stored_wrap[..end]).is_err(), "wrap cut at {end}");
    }
    for end in 0..stored_binding.len() {
        assert!(
            CredentialBinding::parse(&stored_binding[..end]).is_err(),
            "binding cut at {end}"
        );
    }
    let more = |bytes: &[u8]| [bytes, &[0]].concat();
    assert!(SealedPayload::parse(&more(&stored)).is_err());
    assert!(Wrap::parse(&more(&stored_wrap)).is_err());
    assert!(CredentialBinding::parse(&more(&stored_binding)).is_err());
}

#[test]
fn a_suite_to_come_is_refused_by_its_number() {
    let (payload, wrap) = sealed();
    let (mut payload, mut wrap) = (payload.encode(), wrap.encode());
    (payload[0], wrap[0]) = (2, 2);
    let unknown = |form| FormError::Suite { form, suite: 2 };
    assert_eq!(
        SealedPayload::parse(&payload).unwrap_err(),
        unknown("sealed payload")
    );
    assert_eq!(Wrap::parse(&wrap).unwrap_err(), unknown("wrap"));
}

#[test]
fn hosts_have_one_form() {
    for (written, canonical) in [
        ("Registry.Example.COM", "registry.example.com:443"),
        ("registry.example.com.:5050", "registry.example.com:5050"),
        ("h:0443", "h:443"),
        ("bücher.example", "xn--bcher-kva.example:443"),
        ("0x7f.1", "127.0.0.1:443"),
        ("[FD00:0::1]:8443", "[fd00::1]:8443"),
    ] {
        assert_eq!(host(written).to_string(), canonical, "{written}");
        assert_eq!(host(canonical).to_string(), canonical);
    }
    for bad in [
        "", ":443", "h:", "http://h", "h/p", "u@h", "h?q", "h#f", "h h", "h\t", "h\\p", "h:65536", "h:1:2",
        "[::1", ".",
    ] {
        assert_eq!(bad.parse::<BoundHost>(), Err(HostError::Host), "{bad:?}");
    }
    let sorted = hosts(&["b", "a:2", "B", "a:10", "a:2"]);
    let shown: Vec<_> = sorted.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["a:2", "a:10", "b:443"]);
}

#[test]
fn a_binding_in_another_spelling_is_not_a_binding() {
    let good = binding().encode();
    let replace = |from: &[u8], to: &[u8]| {
        let at = good.windows(from.len()).position(|part| part == from).unwrap();
        [&good[..at], to, &good[at + from.len()..]].concat()
    };
    for (from, to) in [
        (&b"v1"[..], &b"v2"[..]),
        (b"https", b"HTTPS"),
        (b"registry.example.com", b"Registry.example.com"),
        (b"gitlab.example.com:443", b"gitlab.example.COM:443"),
        (b"\0\x16gitlab.example.com:443", b"\0\x17gitlab.example.com:0443"),
        // Not ascending, and one named twice.
        (b"cdn.example.com:443", b"zzz.example.com:443"),
        (
            b"\0\x13cdn.example.com:443\0\x13s3.example.com:9000",
            b"\0\x13s3.example.com:9000\0\x13s3.example.com:9000",
        ),
    ] {
        assert!(
            CredentialBinding::parse(&replace(from, to)).is_err(),
            "{}",
            from.escape_ascii()
        );
    }
    assert!(CredentialBinding::parse(&replace(b"https", b"https")).is_ok());
}

#[test]
fn logins_that_no_header_can_carry_are_refused() {
    let login = |user: &str, password: &str| {
        CredentialSecret::new(Secret::new(user.into()), Secret::new(password.into())).map(drop)
    };
    assert_eq!(login("", "token"), Ok(()));
    assert_eq!(login("robot$ci", "p:a ss wört"), Ok(()));
    assert_eq!(login("reader", ""), Err(CredentialSecretError::Empty));
    for (user, password) in [("a:b", "p"), ("a\n", "p"), ("a", "p\r\n"), ("a", "\u{0}")] {
        assert_eq!(
            login(user, password),
            Err(CredentialSecretError::Characters),
            "{user:?}"
        );
    }
}

#[test]
fn a_plain_text_with_anything_but_zeros_behind_it_is_refused() {
    let plain = login().to_plain(&binding().encode(), 0).unwrap();
    assert!(CredentialSecret::from_plain(&plain).is_some());
    let mut noted = plain.clone();
    *noted.last_mut().unwrap() = 1;
    assert!(CredentialSecret::from_plain(&noted).is_none());
    let mut longer = plain.clone();
    longer.resize(plain.len() + 256, 0);
    assert!(CredentialSecret::from_plain(&longer).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn bindings_are_equal_exactly_if_their_bytes_are(a in any_binding(), b in any_binding()) {
        prop_assert_eq!(CredentialBinding::parse(&a.encode()).unwrap(), a.clone());
        prop_assert_eq!(a == b, a.encode() == b.encode());
        prop_assert_eq!(a == b, a.difference(&b).is_none());
        prop_assert_eq!(a.difference(&b), b.difference(&a));
    }

    #[test]
    fn a_changed_binding_is_none_or_another_one(a in any_binding(), at: prop::sample::Index, to: u8) {
        let mut bytes = a.encode();
        let at = at.index(bytes.len());
        bytes[at] = to;
        if let Ok(read) = CredentialBinding::parse(&bytes) {
            prop_assert_eq!(read.encode(), bytes);
        }
    }

    #[test]
    fn no_bytes_panic_and_what_is_read_writes_itself(bytes in proptest::collection::vec(any::<u8>(), 0..600), suite in 0..3_u8) {
        let mut led = vec![suite];
        led.extend_from_slice(&bytes);
        for bytes in [&bytes, &led] {
            let _ = CredentialBinding::parse(bytes);
            let _ = SealingKeyStatement::parse(bytes);
            let _ = CredentialSecret::from_plain(bytes);
            let _ = SealingKeyId::from_slice(bytes);
            if let Ok(payload) = SealedPayload::parse(bytes) {
                prop_assert_eq!(&payload.encode(), bytes);
            }
            if let Ok(wrap) = Wrap::parse(bytes) {
                prop_assert_eq!(&wrap.encode(), bytes);
            }
        }
    }

    #[test]
    fn no_fields_panic(fields in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..24), 0..14)) {
        let mut bytes = Vec::new();
        fields::put(&mut bytes, b"portolan credential binding v1");
        for field in &fields {
            fields::put(&mut bytes, field);
        }
        let _ = CredentialBinding::parse(&bytes);
    }

    #[test]
    fn no_text_is_a_host_in_two_ways(text in "\\PC{0,40}|[a-z0-9.:\\[\\]-]{0,20}") {
        if let Ok(host) = text.parse::<BoundHost>() {
            prop_assert_eq!(host.to_string().parse::<BoundHost>(), Ok(host));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_sealed_opens_for_each_recipient(bound in any_binding(), user in "[^:\\p{Cc}]{0,40}", password in "\\P{Cc}{1,80}", seed: u64) {
        let secret = CredentialSecret::new(Secret::new(user), Secret::new(password)).unwrap();
        let to = [1, 2].map(|n| Recipient::own(sensor(n), &pair(u64::from(n))));
        let sealed = seal(&secret, &bound, &to, &SeededRng::new(seed)).unwrap();
        for (n, wrap) in [1, 2].into_iter().zip(&sealed.wraps) {
            let opened = open(&bound, &sealed.payload, wrap, sensor(n), &pair(u64::from(n))).unwrap();
            prop_assert_eq!(&opened, &secret);
        }
        let crossed = open(&bound, &sealed.payload, &sealed.wraps[0], sensor(2), &pair(2)).unwrap_err();
        prop_assert_eq!(crossed.field(), BindingField::Recipient);
    }
}
