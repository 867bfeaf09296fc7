//! What is refused, in all its forms.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::BoxFuture;
use portolan_shared::model::CaTrust;
use portolan_shared::tls::{RegistryTrust, SystemRoots};
use proptest::prelude::*;
use tokio::net::TcpListener;

use super::address::{Permission, permission};
use super::{AddressBlock, AddressBlockError, HttpCourier, HttpCourierParts, Names};
use crate::app::{Courier as _, FailureWord, Letter, Reply};

/// A name server whose answers change with each question.
#[derive(Debug)]
struct Fickle {
    answers: Vec<Vec<&'static str>>,
    asked: AtomicUsize,
}

impl Names for Fickle {
    fn addresses<'a>(&'a self, _host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        let turn = self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answers.get(turn).or(self.answers.last());
        let addresses = answer.map_or(&[][..], Vec::as_slice).iter();
        // What is no address is a failure of the name server.
        let found = addresses
            .map(|text| text.parse().map(|address| SocketAddr::new(address, port)))
            .collect::<Result<_, _>>();
        Box::pin(async move { found.map_err(io::Error::other) })
    }
}

fn courier(allow: &[&str], answers: Vec<Vec<&'static str>>) -> (HttpCourier, Arc<Fickle>) {
    let names = Arc::new(Fickle {
        answers,
        asked: AtomicUsize::new(0),
    });
    let courier = HttpCourier::new(HttpCourierParts {
        exceptions: blocks(allow),
        trust: RegistryTrust::new(SystemRoots::none(), &CaTrust::default(), None).unwrap(),
        names: Arc::clone(&names) as _,
        patience: HttpCourierParts::PATIENCE,
    });
    (courier, names)
}

fn blocks(texts: &[&str]) -> Vec<AddressBlock> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn letter(url: &str) -> Letter {
    Letter {
        url: url.parse().unwrap(),
        id: "msg_1".to_owned(),
        timestamp: 1,
        signature: "v1,x".to_owned(),
        body: b"[]".to_vec(),
    }
}

#[test]
fn addresses_that_are_not_of_the_internet_are_refused_in_every_form() {
    for refused in [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.255",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "::10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a00:1",
        "64:ff9b:1::808:808",
        "100::1",
        "2001::1",
        "2001:0:7f00:1::",
        "2001:db8::1",
        "2001:20::1",
        "2002:7f00:1::1",
        "2002:a00:1::",
        "2002:a9fe:a9fe::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00::1",
        "fd00:ec2::254",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
        "4000::1",
    ] {
        let address: IpAddr = refused.parse().unwrap();
        assert_eq!(permission(address, &[]), Permission::Refused, "{refused}");
    }
    for public in [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.167.255.255",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2606:4700::1111",
        "2a00:1450::1",
        "64:ff9b::808:808",
        "::ffff:8.8.8.8",
        "2002:808:808::1",
        "3ffe::1",
    ] {
        let address: IpAddr = public.parse().unwrap();
        assert_eq!(permission(address, &[]), Permission::Public, "{public}");
    }
}

#[test]
fn exceptions_hold_for_what_they_name_and_never_for_metadata_services() {
    let allow = blocks(&["10.20.0.0/16", "fd00::/8", "127.0.0.1"]);
    for (address, expected) in [
        ("10.20.0.1", Permission::Exception),
        ("10.20.255.255", Permission::Exception),
        ("::ffff:10.20.0.1", Permission::Exception),
        ("64:ff9b::a14:1", Permission::Exception),
        ("fd12::1", Permission::Exception),
        ("127.0.0.1", Permission::Exception),
        ("127.0.0.2", Permission::Refused),
        ("10.21.0.1", Permission::Refused),
        ("fd00:ec2::254", Permission::Refused),
        ("8.8.8.8", Permission::Public),
    ] {
        assert_eq!(
            permission(address.parse().unwrap(), &allow),
            expected,
            "{address}"
        );
    }
    let all = blocks(&["0.0.0.0/0", "::/0"]);
    for never in [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "100.100.100.200",
        "fe80::1",
        "0.0.0.0",
        "::",
        "224.0.0.1",
    ] {
        assert_eq!(
            permission(never.parse().unwrap(), &all),
            Permission::Refused,
            "{never}"
        );
    }
}

#[test]
fn hosts_that_are_addresses_are_seen_through_however_they_are_written() {
    let (strict, _) = courier(&[], Vec::new());
    for refused in [
        "https://127.0.0.1/",
        "https://127.1/",
        "https://0x7f000001/",
        "https://2130706433/",
        "https://017700000001/",
        "https://0177.0.0.1/",
        "https://0x7f.0.0.1/",
        "https://127.0.0.1./",
        "https://１２７.0.0.1/",
        "https://127。0。0。1/",
        "https://%31%32%37.0.0.1/",
        "https://0/",
        "https://[::1]/",
        "https://[::ffff:7f00:1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::10.0.0.1]/",
        "https://[fe80::1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://2852039166/",
        "https://localhost/",
        "https://LOCALHOST/",
        "https://localhost./",
        "https://a.localhost:8443/",
        "http://hooks.example.com/",
        "http://8.8.8.8/",
    ] {
        let url = refused.parse().unwrap();
        assert!(strict.judge(&url).is_err(), "{refused}");
    }
    for fine in [
        "https://hooks.example.com/",
        "https://8.8.8.8:8443/x",
        "https://[2606:4700::1111]/",
        "https://localhost.example.com/",
    ] {
        assert_eq!(strict.judge(&fine.parse().unwrap()), Ok(()), "{fine}");
    }
    let (lenient, _) = courier(&["127.0.0.0/8", "10.20.0.0/16"], Vec::new());
    for (url, fine) in [
        ("http://127.0.0.1:8080/", true),
        ("http://localhost:8080/", true),
        ("http://10.20.1.1/", true),
        ("http://10.21.1.1/", false),
        ("https://10.21.1.1/", false),
        ("http://8.8.8.8/", false),
        ("https://8.8.8.8/", true),
        // What it resolves to is not known yet.
        ("http://hooks.example.com/", true),
    ] {
        assert_eq!(lenient.judge(&url.parse().unwrap()).is_ok(), fine, "{url}");
    }
}

/// The word and detail of a failure.
async fn fails(courier: &HttpCourier, url: &str) -> (FailureWord, String) {
    match courier.bring(letter(url)).await {
        Reply::Failed(failure) => (failure.word, failure.detail),
        answered @ Reply::Answered { .. } => panic!("{answered:?}"),
    }
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_even_if_it_leads_outside_too() {
    // A name that does not exist is refused in the same words: nobody can ask here which names there are inside.
    let (silent, _) = courier(&[], vec![Vec::new()]);
    let unknown = fails(&silent, "https://hooks.example.com/hunter2").await;
    assert_eq!(unknown.0, FailureWord::Dns);
    for answer in [
        vec!["10.0.0.1"],
        vec!["8.8.8.8", "10.0.0.1"],
        vec!["::1"],
        vec!["169.254.169.254"],
    ] {
        for url in [
            "https://hooks.example.com/hunter2",
            "http://hooks.example.com/hunter2",
        ] {
            let (courier, _) = courier(&["10.1.0.0/16"], vec![answer.clone()]);
            assert_eq!(fails(&courier, url).await, unknown, "{answer:?}");
        }
    }
    for hidden in ["10.0.0.1", "169.254", "hunter2"] {
        assert!(!unknown.1.contains(hidden), "{}", unknown.1);
    }
    let (broken, _) = courier(&[], vec![vec!["no address"]]);
    assert_eq!(fails(&broken, "https://hooks.example.com/").await, unknown);
    let (plain, _) = courier(&["10.0.0.0/8"], vec![vec!["8.8.8.8"]]);
    let (word, detail) = fails(&plain, "http://hooks.example.com/").await;
    assert!(
        word == FailureWord::Forbidden && detail.contains("https"),
        "{detail}"
    );
}

#[tokio::test]
async fn what_is_refused_by_its_form_is_not_even_resolved() {
    let (strict, names) = courier(&[], vec![vec!["127.0.0.1"]]);
    for url in [
        "https://127.0.0.1:1/",
        "https://localhost:1/",
        "http://hooks.example.com/",
        "https://[::1]:1/",
    ] {
        assert_eq!(fails(&strict, url).await.0, FailureWord::Forbidden, "{url}");
    }
    assert_eq!(names.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_connection_goes_to_the_addresses_that_were_looked_at() {
    let inside = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (courier, names) = courier(&["127.0.0.1"], vec![vec!["127.0.0.1"], vec!["169.254.169.254"]]);
    let url = format!(
        "http://hooks.example.com:{}/",
        inside.local_addr().unwrap().port()
    );
    let (first, reached) = tokio::join!(fails(&courier, &url), async {
        // Whoever comes is hung up on.
        inside.accept().await.map(drop).is_ok()
    });
    assert!(reached && first.0 == FailureWord::Protocol, "{first:?}");
    assert_eq!(
        names.asked.load(Ordering::SeqCst),
        1,
        "nobody asks again before connecting"
    );
    assert_eq!(fails(&courier, &url).await.0, FailureWord::Dns);
}

#[test]
fn blocks_are_read_as_they_are_written() {
    for (text, shown) in [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.1.2.3", "10.1.2.3/32"),
        ("fd00::/8", "fd00::/8"),
        ("::1", "::1/128"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("::/0", "::/0"),
    ] {
        assert_eq!(text.parse::<AddressBlock>().unwrap().to_string(), shown);
    }
    for wrong in [
        "",
        "x",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/+8",
        "::/129",
        "10.0.0/8",
        "10.0.0.0/8/8",
    ] {
        assert_eq!(
            wrong.parse::<AddressBlock>(),
            Err(AddressBlockError::Form),
            "{wrong}"
        );
    }
    assert_eq!(
        "10.1.0.0/8".parse::<AddressBlock>(),
        Err(AddressBlockError::Bits([10, 0, 0, 0].into()))
    );
}

proptest! {
    #[test]
    fn no_text_is_a_panic(text in "[0-9a-f.:/]{0,24}") {
        if let Ok(block) = text.parse::<AddressBlock>() {
            prop_assert_eq!(block.to_string().parse::<AddressBlock>(), Ok(block));
        }
    }

    #[test]
    fn what_never_is_contacted_is_refused_whatever_is_allowed(bits: u128) {
        let address = IpAddr::from(std::net::Ipv6Addr::from_bits(bits));
        let all = blocks(&["0.0.0.0/0", "::/0"]);
        let never = portolan_shared::model::never_contacted(address).is_some();
        prop_assert_eq!(permission(address, &all) == Permission::Refused, never);
    }
}
