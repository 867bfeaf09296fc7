use std::io;
use std::net::IpAddr;
use std::sync::Mutex;

use async_trait::async_trait;
use clap::Parser;
use jiff::Timestamp;
use portolan_registry::Resolver;
use portolan_shared::process::ProxyRules;

use super::judge::judge_with;
use super::*;
use crate::policy::{ControlPlaneDoors, Policy};

const POLICY: &str = r#"
version = 1

[[allow]]
host = "gitlab.example.com"
ports = [443, 5050]
addresses = ["10.0.0.0/8"]
realms = ["login.example.com:443"]
storage = ["s3.example.com"]
paths = ["/", "/artifactory/api/docker/*"]
credentials = ["env:GITLAB"]
repositories = ["acme/**", "!acme/tmp/**"]
"#;

/// A Monday.
const NOON: Timestamp = Timestamp::constant(1_767_614_400, 0);

/// Answers every name with the same addresses, and counts the questions.
struct Names(Vec<IpAddr>, Mutex<Vec<String>>);

#[async_trait]
impl Resolver for Names {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        self.1.lock().unwrap().push(host.to_owned());
        Ok(self.0.clone())
    }
}

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    arguments: TrialArguments,
}

async fn ask(arguments: &[&str], addresses: &[&str]) -> (Verdict, usize) {
    ask_of(POLICY, arguments, addresses, &ProxyRules::default()).await
}

async fn ask_of(
    policy: &str,
    arguments: &[&str],
    addresses: &[&str],
    proxies: &ProxyRules,
) -> (Verdict, usize) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.toml");
    std::fs::write(&file, policy).unwrap();
    let line = std::iter::once("test").chain(arguments.iter().copied());
    let request = Request::of(&Line::parse_from(line).arguments).unwrap();
    let addresses = addresses.iter().map(|address| address.parse().unwrap());
    let names = Names(addresses.collect(), Mutex::default());
    let doors = [("portolan.example.com", 9443), ("10.0.0.99", 443)];
    let doors = ControlPlaneDoors::new(doors.map(|(host, port)| (host.to_owned(), port)));
    let policy = Policy::load(&file).unwrap();
    let verdict = judge_with(&policy, &request, &names, proxies, doors, NOON).await;
    let asked = names.1.lock().unwrap().len();
    (verdict, asked)
}

#[tokio::test]
async fn a_request_is_judged_with_every_address_of_its_name() {
    let url = "https://gitlab.example.com:5050";
    let (verdict, _) = ask(&[url], &["10.0.0.7", "192.168.1.1", "169.254.169.254"]).await;
    assert!(verdict.allowed);
    let rules: Vec<(bool, &str)> = verdict
        .addresses
        .iter()
        .map(|address| (address.allowed, address.rule.as_str()))
        .collect();
    assert_eq!(
        rules,
        [
            (true, "policy:allow[1]"),
            (false, "policy:allow[1]"),
            (false, "address.link_local")
        ]
    );
    let text = verdict.to_string();
    assert!(text.starts_with("allowed by policy:allow[1]: https://gitlab.example.com:5050 as registry\n"));
    assert!(
        text.contains("10.0.0.7 allowed by policy:allow[1]: would be connected to"),
        "{text}"
    );
    let (verdict, _) = ask(&[url], &["192.168.1.1"]).await;
    assert!(!verdict.allowed && verdict.rule == "policy:allow[1]", "{verdict}");
    let (verdict, _) = ask(&[url], &[]).await;
    assert!(verdict.allowed && verdict.unresolved, "{verdict}");
}

#[tokio::test]
async fn the_rule_that_refuses_is_named_before_any_name_is_resolved() {
    let registry = "https://gitlab.example.com:5050";
    for (arguments, rule) in [
        (vec!["https://other.example.com"], "policy:default"),
        (vec!["http://gitlab.example.com:5050"], "policy:allow[1]"),
        (vec!["https://gitlab.example.com:8443"], "policy:allow[1]"),
        (
            vec!["https://gitlab.example.com:5050/artifactory"],
            "policy:allow[1]",
        ),
        (vec![registry, "--repository", "acme/tmp/x"], "policy:allow[1]"),
        (vec![registry, "--repository", "other"], "policy:allow[1]"),
        (vec![registry, "--credential", "env:OTHER"], "policy:allow[1]"),
        (
            vec!["https://login.example.com:8443/x?y=z", "--realm-of", registry],
            "policy:allow[1]",
        ),
        (
            vec!["https://s3.example.com:22", "--storage-of", registry],
            "port.foreign",
        ),
        (
            vec!["https://169.254.169.254", "--storage-of", registry],
            "policy:allow[1]",
        ),
    ] {
        let (verdict, asked) = ask(&arguments, &["10.0.0.7"]).await;
        assert_eq!(
            (verdict.allowed, verdict.rule.as_str()),
            (false, rule),
            "{verdict}"
        );
        assert!(verdict.why.is_some());
        assert_eq!(asked, 0, "{arguments:?}");
    }
}

#[tokio::test]
async fn hops_of_a_registry_are_judged_by_its_entry() {
    let registry = "https://gitlab.example.com:5050";
    for arguments in [
        [registry, "--repository", "acme/shop"],
        [registry, "--credential", "env:GITLAB"],
        [
            "https://login.example.com/token?service=x",
            "--realm-of",
            registry,
        ],
        ["https://s3.example.com:9000/bucket", "--storage-of", registry],
    ] {
        let (verdict, asked) = ask(&arguments, &["10.0.0.7"]).await;
        assert!(verdict.allowed && asked == 1, "{verdict}");
    }
}

#[tokio::test]
async fn the_path_of_a_registry_is_judged_and_that_of_its_other_hosts_is_its_own() {
    let registry = "https://gitlab.example.com:5050";
    let cloud = format!("{registry}/artifactory/api/docker/cloud");
    let (verdict, _) = ask(&[&cloud], &["10.0.0.7"]).await;
    assert_eq!((verdict.allowed, verdict.url.as_str()), (true, cloud.as_str()));
    let elsewhere = format!("{registry}/-/metrics");
    let (verdict, asked) = ask(&[&elsewhere], &["10.0.0.7"]).await;
    assert_eq!(
        verdict.to_string(),
        "refused by policy:allow[1]: https://gitlab.example.com:5050/-/metrics as registry\n  \
         gitlab.example.com:5050: the entry's paths lack /-/metrics, where no product has its registry by itself: does it belong in the URL? If so, this \
         machine's administrator can add it to policy.toml\n  \
         If /-/metrics is where pages are, leave it out of the registry's URL: https://gitlab.example.com:5050. GitLab's registry has a host or a port of its own.\n  \
         If the registry answers at /-/metrics/v2/, add \"/-/metrics\" to the `paths` of policy:allow[1] in policy.toml."
    );
    assert_eq!(asked, 0);
    let token = ["https://login.example.com/token", "--realm-of", registry];
    let (verdict, _) = ask(&token, &["10.0.0.7"]).await;
    assert!(verdict.allowed && verdict.url.ends_with("/token"));
    assert!(
        verdict.to_string().contains("its path is not judged"),
        "{verdict}"
    );
    let (verdict, _) = ask(
        &["https://login.example.com/token", "--realm-of", &elsewhere],
        &[],
    )
    .await;
    assert!(
        !verdict.allowed,
        "a registry that may not be read has no token service"
    );
}

#[tokio::test]
async fn the_control_plane_of_this_machine_is_refused_by_its_name_and_by_its_address() {
    let registry = "https://gitlab.example.com:5050";
    let judged = async |url: &str, address: &str| {
        let (verdict, asked) = ask(&[url, "--storage-of", registry], &[address]).await;
        (verdict.allowed, verdict.rule, asked)
    };
    let never = |asked| (false, "address.control_plane".to_owned(), asked);
    let named = judged("https://portolan.example.com:9443", "10.0.0.7").await;
    assert_eq!(named, never(0));
    // All names are at one address here: the storage's, and the control plane's.
    assert_eq!(judged("https://s3.example.com:9443", "10.0.0.7").await, never(2));
    assert_eq!(judged("https://s3.example.com", "10.0.0.99").await, never(1));
    assert!(judged("https://s3.example.com", "10.0.0.98").await.0);
}

#[tokio::test]
async fn windows_sealed_credentials_and_proxies_are_judged_as_in_a_job() {
    let registry = "https://gitlab.example.com:5050";
    let direct = ProxyRules::default();
    let night = format!("{POLICY}[[window]]\nhours = \"22:00-06:00\"\n");
    let (verdict, _) = ask_of(&night, &[registry], &["10.0.0.7"], &direct).await;
    assert_eq!((verdict.allowed, verdict.rule.as_str()), (false, "policy:window"));
    let day = format!("{POLICY}[[window]]\nhours = \"06:00-22:00\"\n");
    assert!(ask_of(&day, &[registry], &["10.0.0.7"], &direct).await.0.allowed);

    let sealed = [registry, "--credential", "sealed"];
    assert!(ask(&sealed, &["10.0.0.7"]).await.0.allowed);
    let local = POLICY.replace("ports =", "credential_modes = [\"local\"]\nports =");
    let (verdict, _) = ask_of(&local, &sealed, &["10.0.0.7"], &direct).await;
    assert_eq!(
        (verdict.allowed, verdict.rule.as_str()),
        (false, "policy:allow[1]")
    );

    let proxies = ProxyRules {
        https: Some("http://proxy.example.com:3128".parse().unwrap()),
        ..ProxyRules::default()
    };
    assert!(ask_of(POLICY, &[registry], &[], &proxies).await.0.allowed);
    let below = POLICY.replace("host = \"gitlab.", "host = \"*.");
    let (verdict, asked) = ask_of(&below, &[registry], &[], &proxies).await;
    assert_eq!(
        (verdict.allowed, verdict.rule.as_str(), asked),
        (false, "policy:proxy", 0)
    );
}
