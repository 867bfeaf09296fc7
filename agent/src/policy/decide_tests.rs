use super::super::file::parse;
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
    assert_eq!(
        ask("169.254.169.254").unwrap_err().rule,
        "policy:address.link_local"
    );
    assert_eq!(ask("93.184.216.34").unwrap_err().rule, "policy:allow[2]");
    let literal = policy.allows_hop(&registry, true, "169.254.169.254", 443, HopPurpose::Storage);
    assert!(
        literal.is_err(),
        "an address literal meets no resolver, so it is judged here"
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
