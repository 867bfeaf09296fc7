use super::super::file::parse;
use super::super::hop::HopPurpose;
use super::*;

fn policy(text: &str) -> Policy {
    parse(text).unwrap()
}

fn url(text: &str) -> RegistryUrl {
    text.parse().unwrap()
}

const GITLAB: &str = r#"
version = 1

[[allow]]
host = "other.example.com"

[[allow]]
host = "gitlab.example.com"
ports = [5050]
addresses = ["10.0.0.0/8"]
realms = ["login.example.com:443"]
storage = ["*.s3.example.com"]
"#;

#[test]
fn nothing_is_allowed_by_default() {
    let refused = Policy::nothing().allows_registry(&url("https://h")).unwrap_err();
    assert_eq!(refused.rule, "policy:default");
    assert!(policy("version = 1").is_empty());
    assert_eq!(Policy::nothing().summary(), "allows nothing");
}

#[test]
fn the_rule_that_decides_is_named() {
    let policy = policy(GITLAB);
    assert_eq!(
        policy
            .allows_registry(&url("https://gitlab.example.com:5050"))
            .unwrap(),
        "policy:allow[2]"
    );
    let refused = policy
        .allows_registry(&url("https://gitlab.example.com"))
        .unwrap_err();
    assert_eq!(refused.rule, "policy:allow[2]", "{refused}");
    let refused = policy
        .allows_registry(&url("http://gitlab.example.com:5050"))
        .unwrap_err();
    assert!(refused.why.contains("https only"), "{refused}");
    assert_eq!(
        policy
            .allows_registry(&url("https://gitlab.example.org"))
            .unwrap_err()
            .rule,
        "policy:default"
    );
}

#[test]
fn t44_hops_lead_only_where_the_registrys_own_entry_says() {
    let policy = policy(GITLAB);
    let registry = url("https://gitlab.example.com:5050");
    let ask = |https, host, port, purpose| policy.allows_hop(&registry, https, host, port, purpose).is_ok();
    assert!(ask(true, "gitlab.example.com", 5050, HopPurpose::Registry));
    assert!(!ask(true, "gitlab.example.com", 443, HopPurpose::Registry));
    assert!(
        ask(true, "gitlab.example.com", 443, HopPurpose::Realm),
        "GitLab's token service is on its web port"
    );
    assert!(
        !ask(false, "gitlab.example.com", 80, HopPurpose::Realm),
        "never without TLS"
    );
    assert!(ask(true, "login.example.com", 443, HopPurpose::Realm));
    assert!(!ask(true, "login.example.com", 8443, HopPurpose::Realm));
    assert!(!ask(true, "login.example.com", 443, HopPurpose::Storage));
    assert!(ask(true, "bucket.s3.example.com", 9000, HopPurpose::Storage));
    assert!(!ask(true, "bucket.s3.example.com", 9000, HopPurpose::Realm));
    assert!(
        !ask(true, "other.example.com", 443, HopPurpose::Realm),
        "another entry's host is not this registry's"
    );
    assert!(policy.names_realm(&registry, "login.example.com", 443));
    assert!(!policy.names_realm(&registry, "gitlab.example.com", 443));
}

#[test]
fn t43_rebinding_to_metadata_address_is_refused() {
    let policy = policy(GITLAB);
    let registry = url("https://gitlab.example.com:5050");
    let ask =
        |address: &str| policy.allows_address(&registry, "gitlab.example.com", address.parse().unwrap());
    assert!(ask("10.1.1.1").is_ok());
    assert_eq!(ask("169.254.169.254").unwrap_err().rule, "address.link_local");
    assert_eq!(ask("93.184.216.34").unwrap_err().rule, "policy:allow[2]");
    let literal = policy.allows_hop(&registry, true, "169.254.169.254", 443, HopPurpose::Storage);
    assert!(
        literal.is_err(),
        "an address literal meets no resolver, so it is judged here"
    );
}

/// Every decision asks for the registry's entry first, so that a path which no entry has gets nowhere, whatever is asked of it.
#[test]
fn a_path_that_no_entry_has_is_refused_whatever_is_asked() {
    let policy = policy(
        "version = 1\n[[allow]]\nhost = \"h\"\npaths = [\"/a\"]\ncredentials = [\"env:A\"]\n\
         [[allow]]\nhost = \"h\"\npaths = [\"/b/*\", \"/\"]\ncredentials = [\"env:B\"]\n",
    );
    let rule = |text: &str| policy.allows_registry(&url(text)).map_err(|refused| refused.rule);
    assert_eq!(rule("https://h/a/v2/"), Ok("policy:allow[1]"));
    assert_eq!(
        rule("https://h/b/x"),
        Ok("policy:allow[2]"),
        "each path has its entry"
    );
    assert_eq!(rule("https://h"), Ok("policy:allow[2]"));
    let wrong = url("https://h/b/x%2f..%2fsecret");
    let refused = policy.allows_registry(&wrong).unwrap_err();
    assert_eq!(refused.rule, "policy:allow[2]");
    assert!(refused.why.contains("paths lack /b/x%2f..%2fsecret"), "{refused}");
    let reference = "env:B".parse().unwrap();
    assert!(
        policy
            .allows_credential(&url("https://h/b/x"), &reference)
            .is_ok()
    );
    assert!(policy.allows_credential(&url("https://h/a"), &reference).is_err());
    assert!(policy.allows_credential(&wrong, &reference).is_err());
    assert!(policy.allows_sealed_credential(&wrong).is_err());
    assert!(
        policy
            .allows_hop(&wrong, true, "h", 443, HopPurpose::Registry)
            .is_err()
    );
    assert!(
        policy
            .allows_address(&wrong, "h", [93, 184, 216, 34].into())
            .is_err()
    );
    assert!(policy.repositories(&wrong).is_err() && policy.registry_limits(&wrong).is_err());
    assert!(policy.allows_bytes(&wrong, 0, 0).is_err() && !policy.names_realm(&wrong, "h", 443));
    let long = url(&format!("https://h/{}", "x".repeat(1_000)));
    assert!(policy.allows_registry(&long).unwrap_err().why.len() < 300);
    assert_eq!(policy.summary(), "allows 2 (some paths only): h:443, h:443");
    assert!(
        policy.describe()[1].contains(", paths /b/* /"),
        "{:?}",
        policy.describe()
    );
    assert!(
        policy
            .explain()
            .contains("Paths of their URLs: /b/*, / (\"/\" is none); others are refused.")
    );
}

#[test]
fn loopback_only_where_it_is_written() {
    let file = "version = 1\n[[allow]]\nhost = \"127.0.0.1\"\nports = [5000]\n[[allow]]\nhost = \"h\"\n";
    let policy = policy(file);
    let (local, named) = (url("https://127.0.0.1:5000"), url("https://h"));
    assert!(policy.allows_loopback(&local) && !policy.allows_loopback(&named));
    let loopback = "127.0.0.1".parse().unwrap();
    assert!(
        policy
            .allows_hop(&local, true, "127.0.0.1", 5000, HopPurpose::Registry)
            .is_ok()
    );
    assert!(policy.allows_address(&named, "h", loopback).is_err());
}

#[test]
fn what_an_entry_narrows_is_refused_by_its_rule() {
    let policy = policy(
        "version = 1\n[[allow]]\nhost = \"h\"\nrepositories = [\"acme/**\", \"!acme/tmp/**\"]\ncredential_modes = [\"sealed\"]\n",
    );
    let registry = url("https://h");
    let repository = |name: &str| policy.allows_repository(&registry, &name.parse().unwrap());
    assert_eq!(repository("acme/shop"), Ok("policy:allow[1]"));
    for name in ["acme/tmp/x", "other"] {
        let refused = repository(name).unwrap_err();
        assert_eq!(refused.rule, "policy:allow[1]");
        assert!(refused.why.contains(name), "{refused}");
    }
    assert!(policy.allows_sealed_credential(&registry).is_ok());
    let refused = policy
        .allows_credential(&registry, &"env:A".parse().unwrap())
        .unwrap_err();
    assert!(refused.why.contains("credential_modes"), "{refused}");
}

#[test]
fn only_local_credentials_leave_sealed_ones_out() {
    let policy = policy("version = 1\n[[allow]]\nhost = \"h\"\ncredential_modes = [\"local\"]\n");
    let registry = url("https://h");
    assert!(
        policy
            .allows_credential(&registry, &"env:A".parse().unwrap())
            .is_ok()
    );
    let refused = policy.allows_sealed_credential(&registry).unwrap_err();
    assert_eq!(refused.rule, "policy:allow[1]");
}

#[test]
fn outside_of_windows_nothing_is_allowed_and_the_refusal_says_until_when() {
    let policy = policy("version = 1\n[[window]]\nhours = \"01:00-02:00\"\n");
    let at = |text: &str| policy.allows_now(text.parse().unwrap());
    assert_eq!(
        at("2026-01-05T01:30:00Z"),
        Ok(Some("2026-01-05T02:00:00Z".parse().unwrap()))
    );
    let refused = at("2026-01-05T02:00:00Z").unwrap_err();
    assert_eq!(refused.rule, "policy:window");
    assert!(refused.why.contains("2026-01-06T01:00:00Z"), "{refused}");
}

#[test]
fn summaries_and_explanations_say_what_holds() {
    let all = policy(GITLAB);
    assert_eq!(
        all.summary(),
        "allows 2: other.example.com:443, gitlab.example.com:5050"
    );
    let text = all.explain();
    for said in [
        "policy:allow[2]: gitlab.example.com",
        "port 5050 of gitlab.example.com, over https only",
        "addresses that are 10.0.0.0/8",
        "Credentials go to the registry's own host and login.example.com:443.",
        "own host and *.s3.example.com",
        "Every repository may be read.",
        "At most 64 requests at once, 2 GiB per job.",
        "256 requests at once, 20 GiB per day (UTC); a job ends after 24 h",
        "Jobs are taken at any time.",
        "cloud metadata services",
        "the control plane of this sensor",
    ] {
        assert!(text.contains(said), "{said}:\n{text}");
    }
    assert!(Policy::nothing().explain().starts_with("Nothing is allowed"));
    let long = "[[allow]]\nhost = \"a-rather-long-name.example.com\"\n".repeat(100);
    let summary = policy(&format!("version = 1\n{long}")).summary();
    assert!(
        summary.len() <= 256 && summary.starts_with("allows 100: "),
        "{summary}"
    );
}

#[test]
fn a_host_that_is_written_as_an_address_opens_that_address_alone() {
    let entry = |keys: &str| {
        policy(&format!(
            "version = 1\n[[allow]]\nhost = \"10.0.0.7\"\nstorage = [\"s3.example.com\"]\n{keys}"
        ))
    };
    let registry = url("https://10.0.0.7");
    for keys in ["", "addresses = [\"10.9.0.0/16\"]\n"] {
        let policy = entry(keys);
        let ask =
            |host: &str, address: &str| policy.allows_address(&registry, host, address.parse().unwrap());
        assert!(ask("10.0.0.7", "10.0.0.7").is_ok());
        assert!(ask("s3.example.com", "192.168.1.1").is_err(), "{keys:?}");
        assert_eq!(ask("s3.example.com", "10.9.1.1").is_ok(), !keys.is_empty());
    }
}

#[test]
fn a_job_goes_on_where_only_counts_or_other_registries_have_changed() {
    let registry = url("https://h");
    let entry = "version = 1\n[[allow]]\nhost = \"h\"\n";
    let former = policy(entry);
    let goes_on = |text: &str| policy(text).goes_on_from(&former, &registry);
    for same in [
        "",
        "concurrency = 1\nrequests_per_second = 3\nbytes_per_job = 10\n",
        "[[allow]]\nhost = \"other\"\n",
        "[limits]\nbytes_per_day = 10\n",
    ] {
        assert!(goes_on(&format!("{entry}{same}")), "{same}");
    }
    for other in [
        "addresses = [\"10.0.0.0/8\"]\n",
        "repositories = [\"acme/**\"]\n",
        "credentials = []\n",
        "credential_modes = [\"local\"]\n",
        "realms = [\"login\"]\n",
        "storage = [\"s3\"]\n",
        "ports = [443, 5000]\n",
        "paths = [\"/\"]\n",
        "plaintext = true\n",
        "[upload]\nwithhold = [\"labels\"]\n",
        "[limits]\njob_duration = \"2 h\"\n",
        "[[window]]\nhours = \"01:00-02:00\"\n",
    ] {
        assert!(!goes_on(&format!("{entry}{other}")), "{other}");
    }
    assert!(!goes_on("version = 1\n") && !Policy::nothing().goes_on_from(&former, &registry));
}

#[test]
fn a_repository_may_be_named_if_any_entry_lets_it_be_read() {
    let policy = policy(
        "version = 1\n[[allow]]\nhost = \"a\"\nrepositories = [\"acme/**\"]\n[[allow]]\nhost = \"b\"\nrepositories = [\"base\"]\n",
    );
    let named = |name: &str| policy.names_repository(&name.parse().unwrap());
    assert!(named("acme/shop/api") && named("base"));
    assert!(!named("secret/project") && !named("base/x"));
    assert!(!Policy::nothing().names_repository(&"base".parse().unwrap()));
}
