use super::super::file::parse;
use super::super::hop::HopPurpose;
use super::*;

fn registries(texts: &[&str]) -> Allowed {
    Allowed {
        registries: texts.iter().map(|text| text.parse().unwrap()).collect(),
        ..Allowed::default()
    }
}

#[test]
fn what_was_allowed_is_allowed_and_nothing_else() {
    let allowed = registries(&[
        "gitlab.example.com:5050",
        "http://127.0.0.1:5000",
        "[::1]:5001",
        "*.corp",
    ]);
    let policy = parse(&first_policy(&allowed)).unwrap();
    for good in [
        "https://gitlab.example.com:5050",
        "http://127.0.0.1:5000",
        "https://[::1]:5001",
        "https://h.corp",
    ] {
        policy.allows_registry(&good.parse().unwrap()).unwrap();
    }
    for bad in [
        "https://gitlab.example.com",
        "http://[::1]:5001",
        "https://127.0.0.1",
    ] {
        policy.allows_registry(&bad.parse().unwrap()).unwrap_err();
    }
    let registry = "https://gitlab.example.com:5050".parse().unwrap();
    policy
        .allows_address(&registry, "gitlab.example.com", "10.0.0.1".parse().unwrap())
        .unwrap();
    for (purpose, elsewhere) in [
        (HopPurpose::Realm, "sso.example.com"),
        (HopPurpose::Storage, "s3.example.com"),
    ] {
        for port in [443, 8443] {
            policy
                .allows_hop(&registry, true, "gitlab.example.com", port, purpose)
                .unwrap();
        }
        policy
            .allows_hop(&registry, true, elsewhere, 443, purpose)
            .unwrap_err();
    }
    assert!("ftp://h".parse::<Allowance>().is_err() && "h:x".parse::<Allowance>().is_err());
}

#[test]
fn a_path_is_allowed_alone_and_without_one_the_usual_ones_are() {
    let policy = |texts: &[&str]| parse(&first_policy(&registries(texts))).unwrap();
    let may = |texts: &[&str], url: &str| policy(texts).allows_registry(&url.parse().unwrap()).is_ok();
    let usual = [
        "https://h",
        "https://h/artifactory",
        "https://h/artifactory/api/docker/cloud",
        "https://h/repository/docker-hosted",
        "https://h/nexus/repository/docker-hosted",
    ];
    for url in usual {
        assert!(may(&["h"], url), "{url}");
    }
    assert!(!may(&["h"], "https://h/admin") && !may(&["h"], "https://h/repository/a%2f..%2fb"));
    let one = ["https://h/artifactory/api/docker/cloud/", "h:8443/*"];
    assert!(may(&one, "https://h/artifactory/api/docker/cloud/v2") && may(&one, "https://h:8443/any"));
    for url in [
        "https://h",
        "https://h/artifactory/api/docker/other",
        "https://h:8443",
    ] {
        assert!(!may(&one, url), "{url}");
    }
    for bad in ["h/a?b", "h/a/../b", "h/a*", "h:x/a"] {
        assert!(bad.parse::<Allowance>().is_err(), "{bad}");
    }
}

#[test]
fn realms_and_storage_hold_for_every_registry_and_for_their_purpose_alone() {
    let allowed = Allowed {
        realms: vec![
            "sso.example.com".parse().unwrap(),
            "[fd00::1]:8443".parse().unwrap(),
        ],
        storage: vec!["*.s3.example.com:9000".parse().unwrap()],
        ..registries(&["gitlab.example.com:5050", "http://10.0.0.5:5000"])
    };
    let policy = parse(&first_policy(&allowed)).unwrap();
    for registry in ["https://gitlab.example.com:5050", "http://10.0.0.5:5000"] {
        let registry = registry.parse().unwrap();
        let may = |host, port, purpose| policy.allows_hop(&registry, true, host, port, purpose).is_ok();
        assert!(
            may("sso.example.com", 443, HopPurpose::Realm) && may("sso.example.com", 8443, HopPurpose::Realm)
        );
        assert!(may("[fd00::1]", 8443, HopPurpose::Realm) && !may("[fd00::1]", 443, HopPurpose::Realm));
        assert!(may("b.s3.example.com", 9000, HopPurpose::Storage));
        assert!(
            !may("b.s3.example.com", 443, HopPurpose::Storage)
                && !may("s3.example.com", 9000, HopPurpose::Storage)
        );
        assert!(
            !may("sso.example.com", 443, HopPurpose::Storage)
                && !may("b.s3.example.com", 9000, HopPurpose::Realm)
        );
        assert!(
            policy.names_realm(&registry, "sso.example.com", 443),
            "it gets the credential"
        );
        assert!(!may("sso.example.com", 443, HopPurpose::Registry));
        policy
            .allows_registry(&"https://sso.example.com".parse().unwrap())
            .unwrap_err();
    }
}

#[test]
fn credentials_are_added_to_those_that_are_always_allowed() {
    let registry = "https://h".parse().unwrap();
    let may = |allowed: &Allowed, reference: &str| {
        let policy = parse(&first_policy(allowed)).unwrap();
        policy
            .allows_credential(&registry, &reference.parse().unwrap())
            .is_ok()
    };
    let plain = registries(&["h"]);
    let odd = r#"file:/opt/a "b" \c"#;
    let given = Allowed {
        credentials: vec!["file:/opt/login".parse().unwrap(), odd.parse().unwrap()],
        ..registries(&["h"])
    };
    for reference in ["file:/opt/login", odd] {
        assert!(!may(&plain, reference) && may(&given, reference), "{reference}");
    }
    for reference in DEFAULT_CREDENTIALS.map(|text| text.replace('*', "x")) {
        assert!(may(&plain, &reference) && may(&given, &reference), "{reference}");
    }
    assert!(!may(&given, "file:/etc/shadow"));
    assert!(!may(&given, "file:/opt/other"));
}

#[test]
fn an_existing_policy_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("etc/policy.toml");
    let allowed = registries(&["h"]);
    write_first_policy(&path, &allowed).unwrap();
    write_first_policy(&path, &allowed).unwrap();
    let refused = write_first_policy(&path, &registries(&["other"])).unwrap_err();
    assert!(matches!(refused, AllowanceError::Exists { .. }));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), first_policy(&allowed));
}
