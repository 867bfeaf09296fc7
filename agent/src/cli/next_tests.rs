use super::*;
use crate::settings::{Environment, Flags};

fn told(policy: &str, known: &[Known], control_plane: Option<&[(String, u16)]>, settings: &Settings) -> Next {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    std::fs::write(&path, format!("version = 1\n{policy}")).unwrap();
    let policy = Policy::load(&path).unwrap();
    next(
        known,
        &policy,
        control_plane,
        settings,
        Timestamp::from_second(1_800_000_000).unwrap(),
    )
}

fn settings(registry_proxy: Option<&str>) -> Settings {
    let flags = Flags {
        registry_proxy: registry_proxy.map(str::to_owned),
        proxy: Some("cp-proxy.example.com:8080".to_owned()),
        ..Flags::default()
    };
    Settings::read(&flags, &Environment::default()).unwrap()
}

const POLICY: &str = "\
[[allow]]
host = \"r.example.com\"
ports = [443, 5050]
repositories = [\"acme/*\"]
realms = [\"auth.example.com\"]
[[allow]]
host = \"*.below.example.com\"
[[allow]]
host = \"new.example.com\"
paths = [\"/repository/hosted\"]
storage = [\"s3.example.com:9000\"]
[upload]
withhold = [\"labels\"]
";

fn known(registry: &str, others: &[(&str, &str)]) -> Known {
    Known {
        registry: registry.to_owned(),
        others: others
            .iter()
            .map(|(purpose, host)| Elsewhere {
                purpose: (*purpose).to_owned(),
                host: (*host).to_owned(),
            })
            .collect(),
    }
}

#[test]
fn the_next_sync_is_told_by_the_policy_in_force_and_the_jobs_there_were() {
    let known = [
        known(
            "r.example.com:443",
            &[
                ("token service", "auth.example.com:443"),
                ("storage", "gone.example.com:443"),
            ],
        ),
        known("a.below.example.com:443", &[]),
        known(
            "other.example.com:443",
            &[("token service", "auth.example.com:443")],
        ),
    ];
    let plane = [
        ("a.cp.example.com".to_owned(), 7443),
        ("b.cp.example.com".to_owned(), 443),
    ];
    let next = told(
        POLICY,
        &known,
        Some(&plane),
        &settings(Some("http://proxy.example.com:3128")),
    );
    let text = next.to_string();
    for line in [
        "  a.cp.example.com:7443 by the proxy cp-proxy.example.com:8080",
        "  b.cp.example.com:443 by the proxy cp-proxy.example.com:8080",
        "  r.example.com:443 by the proxy proxy.example.com:3128: allowed by policy:allow[1], repositories acme/*",
        "    token service auth.example.com:443 by the proxy proxy.example.com:3128",
        "    storage gone.example.com:443 by the proxy proxy.example.com:3128, which the policy does not allow now",
        "  other.example.com:443 by the proxy proxy.example.com:3128: nothing; the policy does not allow it now",
        "Allowed, and not named by any job yet:",
        "  r.example.com:5050 by the proxy proxy.example.com:3128: allowed by policy:allow[1], repositories acme/*; token services auth.example.com",
        "  *.below.example.com:443: allowed by policy:allow[2], every repository that the credential can list",
        "  new.example.com:443 by the proxy proxy.example.com:3128: allowed by policy:allow[3], every repository that the credential can list; paths /repository/hosted; storage s3.example.com:9000",
        "  repository names      names of repositories, each with a hash of its tags",
        "Sent only if something else happens:",
        "  probe reports         by a connection test: what each stage of a connection test saw: addresses, certificates, product, findings",
        "Withheld by the policy, of image facts: labels.",
    ] {
        assert!(
            text.lines().any(|told| told == line),
            "{line:?} is missing in\n{text}"
        );
    }
    assert_eq!(
        next.sent.len() + next.sent_anyway.len() + next.sent_if.len(),
        DataKind::ALL.len() - 1,
        "every kind that there is"
    );
}

#[test]
fn a_machine_that_is_nobodys_sensor_and_has_read_nothing_is_told_what_it_would() {
    let window = "[[window]]\nhours = \"01:00-02:00\"\n";
    let next = told(&format!("{POLICY}{window}"), &[], None, &settings(None));
    let text = next.to_string();
    for part in [
        "At this moment no job is taken: policy:window",
        "This machine is not enrolled",
        "No job has named a registry yet.",
        "  r.example.com:443: allowed by policy:allow[1]",
    ] {
        assert!(text.contains(part), "{part:?} is missing in\n{text}");
    }
    let nothing = told("", &[], None, &settings(None));
    assert!(nothing.to_string().contains("The policy allows no registry"));
}

/// The log has the host of a registry and not its path: an entry for one path allows what was read there.
#[test]
fn a_registry_that_was_read_below_a_path_is_found_by_its_entry() {
    let known = [
        known("new.example.com:443", &[]),
        known("new.example.com:8443", &[]),
    ];
    for paths in ["[\"/repository/hosted\"]", "[\"/api/docker/*\"]"] {
        let policy = format!("[[allow]]\nhost = \"*.example.com\"\npaths = {paths}\n");
        let text = told(&policy, &known, None, &settings(None)).to_string();
        for line in [
            "  new.example.com:443: allowed by policy:allow[1], every repository that the credential can list",
            "  new.example.com:8443: nothing; the policy does not allow it now",
        ] {
            assert!(
                text.lines().any(|told| told == line),
                "{line:?} is missing in\n{text}"
            );
        }
    }
}
