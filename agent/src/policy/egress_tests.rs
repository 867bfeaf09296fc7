//! Firewall rules from policies.

use std::process::Command;

use portolan_shared::model::never_contacted;

use super::super::address::never;
use super::super::file::parse;
use super::*;

const POLICY: &str = r#"version = 1
[[allow]]
host = "gitlab.example.com"
ports = [5050]
addresses = ["public", "private"]
realms = ["login.example.com:8443", "sso.example.com"]
[[allow]]
host = "harbor.corp"
addresses = ["10.1.0.0/16", "fd00:1::/64"]
storage = ["*.s3.corp:9000"]
[[allow]]
host = "*.quay.example"
plaintext = true
[[allow]]
host = "10.9.9.9"
ports = [5000]
"#;

fn egress() -> Egress {
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let resolved = ResolvedHosts::from([
        (
            "gitlab.example.com".to_owned(),
            vec![ip("10.0.0.5"), ip("2001:db8::5")],
        ),
        (
            "login.example.com".to_owned(),
            vec![ip("169.254.1.1"), ip("192.0.2.7")],
        ),
        ("cp.example.com".to_owned(), vec![ip("198.51.100.1")]),
    ]);
    let needed = |what: &str, host: &str, port, udp| Needed {
        what: what.to_owned(),
        host: host.to_owned(),
        port,
        udp,
    };
    let needed = [
        needed("name server", "10.0.0.2", 53, true),
        needed("control plane", "cp.example.com", 8443, false),
    ];
    parse(POLICY)
        .unwrap()
        .egress(&needed, &resolved, &ProxyRules::default())
}

#[test]
fn every_entry_is_let_through_on_its_ports_and_nothing_else_is() {
    let text = egress().render(EgressFormat::Nftables, "64123");
    let accepted: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| line.contains("accept comment"))
        .collect();
    assert_eq!(
        accepted,
        [
            r#"ip daddr 10.0.0.2/32 meta l4proto { tcp, udp } th dport { 53 } accept comment "name server 10.0.0.2""#,
            r#"ip daddr 198.51.100.1/32 tcp dport { 8443 } accept comment "control plane cp.example.com""#,
            r#"ip daddr 10.0.0.5/32 tcp dport { 443, 5050 } accept comment "policy:allow[1] gitlab.example.com""#,
            r#"ip6 daddr 2001:db8::5/128 tcp dport { 443, 5050 } accept comment "policy:allow[1] gitlab.example.com""#,
            r#"ip daddr 192.0.2.7/32 tcp dport { 8443 } accept comment "policy:allow[1] login.example.com""#,
            r#"ip daddr 10.1.0.0/16 tcp dport { 443 } accept comment "policy:allow[2] harbor.corp""#,
            r#"ip6 daddr fd00:1::/64 tcp dport { 443 } accept comment "policy:allow[2] harbor.corp""#,
            r#"ip daddr 10.1.0.0/16 tcp dport { 9000 } accept comment "policy:allow[2] *.s3.corp""#,
            r#"ip6 daddr fd00:1::/64 tcp dport { 9000 } accept comment "policy:allow[2] *.s3.corp""#,
            r#"tcp dport { 80, 443 } accept comment "policy:allow[3] *.quay.example""#,
            r#"ip daddr 10.9.9.9/32 tcp dport { 443, 5000 } accept comment "policy:allow[4] 10.9.9.9""#,
        ]
    );
    for note in [
        "sso.example.com in realms has no port, so 443 is meant here",
        "sso.example.com did not resolve",
        "login.example.com is at 169.254.1.1, which the entry does not allow",
        "*.quay.example may be at any public address",
    ] {
        assert!(text.contains(note), "{note}: {text}");
    }
    let rules = text.rfind("accept comment").unwrap();
    assert!(text[rules..].contains("counter reject"), "the rest is refused");
    let metadata = text.find("ip daddr 169.254.0.0/16 counter reject").unwrap();
    assert!(
        metadata < text.find("comment \"policy:allow[3]").unwrap(),
        "before any address is let through"
    );
    assert!(
        text.contains("meta skuid 64123 jump agent"),
        "nobody else is concerned"
    );
}

#[test]
fn the_drop_in_denies_everything_else() {
    let text = egress().render(EgressFormat::Systemd, "unused");
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.contains("=any"))
        .collect();
    assert_eq!(
        lines,
        [
            "[Service]",
            "IPAddressAllow=10.0.0.2/32",
            "IPAddressAllow=198.51.100.1/32",
            "IPAddressAllow=10.0.0.5/32",
            "IPAddressAllow=2001:db8::5/128",
            "IPAddressAllow=192.0.2.7/32",
            "IPAddressAllow=10.1.0.0/16",
            "IPAddressAllow=fd00:1::/64",
            "IPAddressAllow=10.1.0.0/16",
            "IPAddressAllow=fd00:1::/64",
            "IPAddressAllow=10.9.9.9/32",
        ]
    );
    assert!(text.contains("IPAddressDeny=any\n") && text.contains("IPAddressAllow=any\n"));
    let note = "# Note: with IPAddressAllow=any below, systemd denies no address at all, link-local ones and cloud metadata";
    assert!(text.contains(note), "{text}");
    assert!(
        !egress().render(EgressFormat::Nftables, "u").contains(note),
        "they stay refused there"
    );
    let bounded = parse("version = 1\n[[allow]]\nhost = \"h\"\naddresses = [\"10.0.0.0/8\"]\n").unwrap();
    let text = bounded
        .egress(&[], &ResolvedHosts::new(), &ProxyRules::default())
        .render(EgressFormat::Systemd, "u");
    assert!(!text.contains("IPAddressAllow=any") && !text.contains("systemd lets"));
}

#[test]
fn t43_what_systemd_cannot_refuse_within_a_range_is_told() {
    let notes = |entry: &str| -> Vec<String> {
        let policy = parse(&format!(
            "version = 1\n[[allow]]\nhost = \"*.corp\"\ncredentials = []\n{entry}"
        ))
        .unwrap();
        let servers = [Needed {
            what: "name server".to_owned(),
            host: "169.254.169.253".to_owned(),
            port: 53,
            udp: true,
        }];
        let egress = policy.egress(&servers, &ResolvedHosts::new(), &ProxyRules::default());
        assert!(
            !egress
                .render(EgressFormat::Nftables, "u")
                .contains("systemd lets")
        );
        let text = egress.render(EgressFormat::Systemd, "u");
        let told = text
            .lines()
            .filter_map(|line| line.strip_prefix("# Note: with IPAddressAllow="));
        told.map(str::to_owned).collect()
    };
    assert_eq!(
        notes("addresses = [\"private\"]\n"),
        [
            "100.64.0.0/10 below, systemd lets 100.100.100.200/32 through as well.",
            "fc00::/7 below, systemd lets fd00:ec2::254/128, fd20:ce::254/128 through as well.",
        ]
    );
    let [all] = notes("addresses = [\"0.0.0.0/0\"]\n").try_into().unwrap();
    for never in never().filter(AddressRange::is_ipv4) {
        assert!(all.contains(&never.to_string()), "{never}: {all}");
    }
    assert_eq!(
        notes("addresses = [\"168.63.129.16\"]\n").len(),
        1,
        "no more than it"
    );
    assert!(notes("addresses = [\"10.0.0.0/8\", \"fd00:1::/32\"]\n").is_empty());
}

#[test]
fn a_host_that_is_written_as_a_metadata_service_is_not_let_through() {
    let policy = parse("version = 1\n[[allow]]\nhost = \"169.254.169.254\"\n").unwrap();
    let egress = policy.egress(&[], &ResolvedHosts::new(), &ProxyRules::default());
    for format in [EgressFormat::Nftables, EgressFormat::Systemd] {
        let text = egress.render(format, "u");
        assert!(text.contains("169.254.169.254 is never contacted, so it is not let through"));
        assert!(
            !text.contains("169.254.169.254/32") && !text.contains("comment \"policy:"),
            "{text}"
        );
    }
}

#[test]
fn programs_that_are_asked_for_credentials_are_told_of_in_both_forms() {
    let text = |policy: &str, format| {
        let policy = parse(&format!("version = 1\n{policy}")).unwrap();
        policy
            .egress(&[], &ResolvedHosts::new(), &ProxyRules::default())
            .render(format, "u")
    };
    let command = "[[allow]]\nhost = \"10.0.0.7\"\ncredentials = [\"command:vault\"]\n[[command]]\nname = \"vault\"\nrun = [\"/usr/bin/vault\"]\n";
    for format in [EgressFormat::Nftables, EgressFormat::Systemd] {
        let told = text(command, format);
        assert!(
            told.contains("asked for a credential (command:vault) run as the agent does"),
            "{told}"
        );
        let usual = text("[[allow]]\nhost = \"10.0.0.7\"\n", format);
        assert!(usual.contains("(credential helpers, where a docker configuration names some)"));
        for none in ["credentials = [\"env:A\"]", "credential_modes = [\"sealed\"]"] {
            let told = text(&format!("[[allow]]\nhost = \"10.0.0.7\"\n{none}\n"), format);
            assert!(!told.contains("asked for a credential"), "{none}: {told}");
        }
    }
}

#[test]
fn an_empty_policy_lets_nothing_through_but_what_is_needed() {
    let text = Policy::nothing()
        .egress(&[], &ResolvedHosts::new(), &ProxyRules::default())
        .render(EgressFormat::Nftables, "u");
    assert!(!text.contains("dport") && text.contains("meta skuid \"u\" jump agent"));
}

#[test]
fn what_a_proxy_reaches_is_let_through_to_the_proxy_alone() {
    let policy = parse(
        "version = 1\n[[allow]]\nhost = \"r.corp\"\nplaintext = true\nports = [5000]\nrealms = [\"login.corp:8443\"]\nstorage = [\"near.corp:9000\"]\n",
    )
    .unwrap();
    let proxy = |text: &str| Some(text.parse().unwrap());
    let proxies = ProxyRules {
        https: proxy("http://10.0.0.1:3128"),
        http: proxy("http://10.0.0.2:3129"),
        except: portolan_shared::process::ProxyExceptions::read("near.corp"),
    };
    let needed = policy.proxies(&proxies);
    let places: Vec<_> = needed
        .iter()
        .map(|needed| (needed.host.as_str(), needed.port))
        .collect();
    assert_eq!(places, [("10.0.0.1", 3128), ("10.0.0.2", 3129)]);
    let addresses = |last| vec![IpAddr::from([93, 184, 216, last])];
    let resolved = ResolvedHosts::from([
        ("r.corp".to_owned(), addresses(1)),
        ("login.corp".to_owned(), addresses(2)),
        ("near.corp".to_owned(), addresses(3)),
    ]);
    let text = policy
        .egress(&needed, &resolved, &proxies)
        .render(EgressFormat::Nftables, "u");
    assert!(
        text.contains("10.0.0.1/32 tcp dport { 3128 }") && text.contains("10.0.0.2/32 tcp dport { 3129 }")
    );
    assert!(text.contains("93.184.216.3/32 tcp dport { 9000 }"), "{text}");
    assert!(
        !text.contains("93.184.216.1/32") && !text.contains("93.184.216.2/32"),
        "{text}"
    );
}

#[test]
fn what_is_never_contacted_is_never_let_through() {
    for range in never() {
        let first = range.to_string();
        let (first, _) = first.split_once('/').unwrap();
        assert!(never_contacted(first.parse().unwrap()).is_some(), "{first}");
    }
}

#[test]
fn nftables_reads_the_rules() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.nft");
    let check = |text: &str| {
        std::fs::write(&file, text).unwrap();
        Command::new("nft")
            .args(["--check", "--file"])
            .arg(&file)
            .output()
    };
    match check("table inet portolan_probe { }\n") {
        Ok(probe) if probe.status.success() => {}
        unable => {
            eprintln!("SKIPPED, the rules were not read by nftables: {unable:?}");
            return;
        }
    }
    let text = egress().render(EgressFormat::Nftables, "64123");
    let read = check(&text).unwrap();
    assert!(read.status.success(), "{text}\n{read:?}");
    let broken = check(&text.replace("jump agent", "jump nowhere")).unwrap();
    assert!(!broken.status.success(), "faults show");
}
