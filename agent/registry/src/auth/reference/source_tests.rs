//! Credential references, resolved.

use std::os::unix::fs::PermissionsExt as _;

use portolan_shared::process::ManualClock;
use portolan_shared::secret::Secret;

use super::super::file::FILE_BYTES;
use super::*;

fn source(reference: CredentialReference, environment: Environment) -> (Arc<ManualClock>, CredentialSource) {
    let clock = Arc::new(ManualClock::at_unix_seconds(0));
    let registry = "https://r.example.com:5050".parse().unwrap();
    let source = CredentialSource::new(
        reference,
        registry,
        environment,
        Arc::clone(&clock) as Arc<dyn Clock>,
    );
    (clock, source)
}

fn login(username: &str, secret: &str) -> Credential {
    Credential::Login {
        username: username.into(),
        secret: Secret::new(secret.into()),
    }
}

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::new(
        variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    )
}

#[tokio::test]
async fn a_file_is_read_again_when_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("login");
    let (_, source) = source(
        CredentialReference::File(path.display().to_string()),
        Environment::default(),
    );
    assert!(matches!(source.current().await, Err(CredentialError::NoFile(_))));
    std::fs::write(&path, "reader:one:two\n").unwrap();
    assert_eq!(source.current().await.unwrap(), Some(login("reader", "one:two")));
    std::fs::write(&path, "reader:another").unwrap();
    assert_eq!(source.current().await.unwrap(), Some(login("reader", "another")));
    for bad in ["", "\n", "no-colon", "a:b\nc:d", ":x", "x:"] {
        std::fs::write(&path, bad).unwrap();
        let error = source.current().await.unwrap_err();
        assert!(matches!(error, CredentialError::Form { .. }), "{bad:?}");
        assert!(
            !error.to_string().contains("no-colon"),
            "what stands in the file is not repeated"
        );
    }
    std::fs::write(&path, format!("a:{}", "b".repeat(FILE_BYTES as usize))).unwrap();
    assert!(matches!(
        source.current().await,
        Err(CredentialError::Form {
            problem: "is too large",
            ..
        })
    ));
}

#[tokio::test]
async fn only_regular_files_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
    for path in [pipe.as_path(), Path::new("/dev/zero"), folder.path()] {
        let text = path.display().to_string();
        for reference in [
            CredentialReference::File(text.clone()),
            CredentialReference::DockerConfig(Some(text.clone())),
        ] {
            let (_, source) = source(reference, Environment::default());
            let error = source.current().await.unwrap_err();
            assert!(
                matches!(
                    error,
                    CredentialError::Form {
                        problem: "is not a regular file",
                        ..
                    }
                ),
                "{error}"
            );
        }
        assert!(
            read(path, FILE_BYTES).await.is_err(),
            "nor after it was looked at"
        );
    }
    let config = folder.path().join("config.json");
    let entry = r#"{"auths":{"r.example.com:5050":{"auth":"YTpi"}}}"#;
    let padded = |bytes: u64| format!("{entry}{}", " ".repeat(bytes as usize - entry.len()));
    let reference = || CredentialReference::DockerConfig(Some(config.display().to_string()));
    std::fs::write(&config, padded(CONFIG_BYTES)).unwrap();
    let (_, at_bound) = source(reference(), Environment::default());
    assert_eq!(at_bound.current().await.unwrap(), Some(login("a", "b")));
    std::fs::write(&config, padded(CONFIG_BYTES + 1)).unwrap();
    assert!(at_bound.current().await.is_err());
}

#[tokio::test]
async fn variables_come_in_pairs() {
    let reference = || CredentialReference::Environment("GITLAB".into());
    let (_, both) = source(
        reference(),
        environment(&[("GITLAB_USERNAME", "reader"), ("GITLAB_SECRET", "s")]),
    );
    assert_eq!(both.current().await.unwrap(), Some(login("reader", "s")));
    let (_, half) = source(
        reference(),
        environment(&[("GITLAB_USERNAME", "reader"), ("GITLAB_SECRET", "")]),
    );
    assert!(
        matches!(half.current().await, Err(CredentialError::NoVariable(name)) if name == "GITLAB_SECRET")
    );
    let shown = format!("{:?}", environment(&[("GITLAB_SECRET", "hunter2")]));
    assert!(!shown.contains("hunter2"), "{shown}");
}

/// Writes a docker configuration that names the helper `test`, and that helper.
fn with_helper(folder: &Path, script: &str) -> (CredentialReference, Environment) {
    let config = folder.join("config.json");
    std::fs::write(&config, r#"{"credHelpers":{"r.example.com:5050":"test"}}"#).unwrap();
    let helper = folder.join("docker-credential-test");
    std::fs::write(&helper, format!("#!/bin/sh\n{script}")).unwrap();
    std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o700)).unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.display());
    let variables = environment(&[("PATH", &path), ("OTHER_SECRET", "hunter2")]);
    (
        CredentialReference::DockerConfig(Some(config.display().to_string())),
        variables,
    )
}

#[tokio::test]
async fn a_helper_is_asked_once_and_told_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let calls = folder.path().join("calls");
    let script = format!(
        "read server\necho \"$1 $server $OTHER_SECRET\" >> {}\nprintf '{{\"ServerURL\":\"x\",\"Username\":\"reader\",\"Secret\":\"s\"}}'",
        calls.display()
    );
    let (reference, variables) = with_helper(folder.path(), &script);
    let (clock, source) = source(reference, variables);
    for _ in 0..3 {
        assert_eq!(source.current().await.unwrap(), Some(login("reader", "s")));
    }
    assert_eq!(
        std::fs::read_to_string(&calls).unwrap(),
        "get r.example.com:5050 \n"
    );
    clock.advance(KEEPS);
    source.current().await.unwrap();
    assert_eq!(
        std::fs::read_to_string(&calls).unwrap().lines().count(),
        2,
        "asked again after five minutes"
    );
    assert!(source.program().unwrap().ends_with(" test"));
    let CredentialReference::DockerConfig(Some(config)) = &source.reference else {
        panic!("another reference")
    };
    let written = r#"{"auths":{"r.example.com:5050":{"auth":"YTpi"}}}"#;
    std::fs::write(config, written).unwrap();
    assert_eq!(source.current().await.unwrap(), Some(login("a", "b")));
    assert_eq!(source.program(), None, "somebody has written it down");
}

#[tokio::test]
async fn what_a_helper_can_answer() {
    let token = r#"printf '{"Username":"<token>","Secret":"t"}'"#;
    let none = "echo 'credentials not found in native keychain'; exit 1";
    for (script, expected) in [
        (token, Ok(Credential::IdentityToken(Secret::new("t".into())))),
        (none, Err("holds no login")),
        ("exit 1", Err("failed")),
        ("echo nonsense", Err("something that is no login")),
        ("head -c 100000 /dev/zero", Err("answered too much")),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (reference, variables) = with_helper(folder.path(), script);
        let (_, source) = source(reference, variables);
        match (source.current().await, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, Some(expected), "{script}"),
            (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{script}: {error}"),
            (found, _) => panic!("{script}: {found:?}"),
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let (reference, _) = with_helper(folder.path(), "");
    let (_, source) = source(reference, environment(&[("PATH", "relative:/nonexistent")]));
    assert!(
        source
            .current()
            .await
            .unwrap_err()
            .to_string()
            .contains("is not in PATH")
    );
}
