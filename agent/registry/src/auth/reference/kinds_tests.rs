//! References to what systemd, Kubernetes and this machine's administrator provide.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::Arc;

use portolan_shared::model::{CommandLine, Commands, CredentialReference};
use portolan_shared::process::{Clock, ManualClock};
use portolan_shared::secret::Secret;

use super::environment::Environment;
use super::program;
use super::source::CredentialSource;
use crate::auth::credential::{Credential, CredentialError, Credentials as _, ProgramProblem};

fn source(
    reference: CredentialReference,
    variables: &[(&str, &str)],
    commands: Commands,
) -> (Arc<ManualClock>, CredentialSource) {
    let clock = Arc::new(ManualClock::at_unix_seconds(0));
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let source = CredentialSource::new(
        reference,
        "https://r.example.com:5050".parse().unwrap(),
        Environment::new(variables),
        Arc::clone(&clock) as Arc<dyn Clock>,
    );
    (clock, source.with_commands(commands))
}

fn login(username: &str, secret: &str) -> Option<Credential> {
    Some(Credential::Login {
        username: username.into(),
        secret: Secret::new(secret.into()),
    })
}

#[tokio::test]
async fn a_systemd_credential_is_a_file_in_the_folder_that_the_unit_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let reference = || CredentialReference::Systemd("gitlab".into());
    let (_, without) = source(reference(), &[], Commands::default());
    let error = without.current().await.unwrap_err();
    assert!(matches!(&error, CredentialError::NoCredentialsDirectory(name) if name == "gitlab"));
    assert!(error.to_string().contains("LoadCredential=gitlab:"), "{error}");

    let text = folder.path().display().to_string();
    let (_, given) = source(
        reference(),
        &[("CREDENTIALS_DIRECTORY", &text)],
        Commands::default(),
    );
    assert!(matches!(given.current().await, Err(CredentialError::NoFile(_))));
    std::fs::write(folder.path().join("gitlab"), "reader:s3cret\n").unwrap();
    assert_eq!(given.current().await.unwrap(), login("reader", "s3cret"));
    std::fs::write(folder.path().join("gitlab"), "reader:changed\n").unwrap();
    assert_eq!(given.current().await.unwrap(), login("reader", "changed"));
}

/// Writes a version of a secret as the kubelet does: a folder of its own, and `..data` swapped to it at once.
fn mount(folder: &Path, version: &str, keys: &[(&str, &str)]) {
    let own = folder.join(version);
    std::fs::create_dir(&own).unwrap();
    for (key, value) in keys {
        std::fs::write(own.join(key), value).unwrap();
        let link = folder.join(key);
        if !link.exists() {
            symlink(Path::new("..data").join(key), link).unwrap();
        }
    }
    symlink(version, folder.join("..data_tmp")).unwrap();
    std::fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
}

fn mounted(folder: &Path) -> CredentialSource {
    let reference = CredentialReference::Kubernetes(folder.display().to_string());
    source(reference, &[], Commands::default()).1
}

#[tokio::test]
async fn a_mounted_secret_is_read_as_one_version_and_again_when_it_is_swapped() {
    let folder = tempfile::tempdir().unwrap();
    let source = mounted(folder.path());
    assert!(
        matches!(source.current().await, Err(CredentialError::Form { problem, .. }) if problem.contains("username and password"))
    );
    mount(
        folder.path(),
        "..v1",
        &[("username", "reader\n"), ("password", "one\n")],
    );
    assert_eq!(source.current().await.unwrap(), login("reader", "one"));
    mount(
        folder.path(),
        "..v2",
        &[("username", "other"), ("password", "two")],
    );
    std::fs::remove_dir_all(folder.path().join("..v1")).unwrap();
    assert_eq!(source.current().await.unwrap(), login("other", "two"));
    mount(folder.path(), "..v3", &[("username", "other")]);
    assert!(
        matches!(source.current().await, Err(CredentialError::NoFile(path)) if path.ends_with("..v3/password")),
        "a half is not filled up from another version"
    );
}

#[tokio::test]
async fn a_mounted_docker_configuration_and_a_plain_folder_do_too() {
    let folder = tempfile::tempdir().unwrap();
    let config = r#"{"auths":{"r.example.com:5050":{"auth":"YTpi"}}}"#;
    mount(folder.path(), "..v1", &[(".dockerconfigjson", config)]);
    assert_eq!(mounted(folder.path()).current().await.unwrap(), login("a", "b"));

    let plain = tempfile::tempdir().unwrap();
    for (username, password) in [("a:b", "x"), ("", "x"), ("a", ""), ("a", "x\ny"), ("a\nb", "x")] {
        std::fs::write(plain.path().join("username"), username).unwrap();
        std::fs::write(plain.path().join("password"), password).unwrap();
        let refused = mounted(plain.path()).current().await;
        assert!(
            matches!(refused, Err(CredentialError::Form { .. })),
            "{username:?} {password:?}"
        );
    }
    std::fs::write(plain.path().join("username"), "reader").unwrap();
    std::fs::write(plain.path().join("password"), "with spaces ").unwrap();
    assert_eq!(
        mounted(plain.path()).current().await.unwrap(),
        login("reader", "with spaces ")
    );
}

#[tokio::test]
async fn a_helper_of_a_mounted_configuration_is_started_once_for_all_who_wait() {
    let folder = tempfile::tempdir().unwrap();
    let (calls, secret) = (folder.path().join("calls"), folder.path().join("secret"));
    let helper = folder.path().join("docker-credential-test");
    std::fs::write(
        &helper,
        format!("#!/bin/sh\necho x >> {}; exit 1", calls.display()),
    )
    .unwrap();
    std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o700)).unwrap();
    std::fs::create_dir(&secret).unwrap();
    let config = r#"{"credHelpers":{"r.example.com:5050":"test"}}"#;
    mount(&secret, "..v1", &[(".dockerconfigjson", config)]);
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let reference = CredentialReference::Kubernetes(secret.display().to_string());
    let (clock, source) = source(reference, &[("PATH", &path)], Commands::default());
    let all = futures::future::join_all((0..4).map(|_| source.current())).await;
    assert!(all.iter().all(Result::is_err));
    assert_eq!(std::fs::read_to_string(&calls).unwrap(), "x\n");
    clock.advance(std::time::Duration::from_secs(30));
    source.current().await.unwrap_err();
    assert_eq!(std::fs::read_to_string(&calls).unwrap(), "x\nx\n");
}

/// A command of the name `vault` that runs a script.
fn script(folder: &Path, script: &str) -> Commands {
    let file = folder.join("vault");
    std::fs::write(&file, script).unwrap();
    let command = CommandLine {
        program: "/bin/sh".into(),
        arguments: vec![
            file.display().to_string(),
            "read".to_owned(),
            "$HOME; *".to_owned(),
        ],
        environment: vec!["VAULT_ADDR".to_owned()],
    };
    Commands::from_iter([("vault".to_owned(), command)])
}

const ANSWER: &str = r#"printf '{"Username":"reader","Secret":"s"}'"#;
const VARIABLES: [(&str, &str); 4] = [
    ("PATH", "/usr/bin:/bin"),
    ("HOME", "/nonexistent"),
    ("VAULT_ADDR", "https://vault"),
    ("GITLAB_SECRET", "hunter2"),
];

fn vault() -> CredentialReference {
    CredentialReference::Command("vault".into())
}

#[tokio::test]
async fn a_command_runs_as_the_policy_has_it_and_sees_only_what_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let seen = folder.path().join("seen");
    let write = format!(
        "{{ echo \"$# $1 $2\"; env | sort; pwd; }} >> {}\n{ANSWER}",
        seen.display()
    );
    let (clock, source) = source(vault(), &VARIABLES, script(folder.path(), &write));
    for _ in 0..3 {
        assert_eq!(source.current().await.unwrap(), login("reader", "s"));
    }
    let text = std::fs::read_to_string(&seen).unwrap();
    assert!(
        text.starts_with("2 read $HOME; *\n"),
        "no shell reads the arguments: {text}"
    );
    for variable in [
        "PATH=/usr/bin:/bin",
        "HOME=/nonexistent",
        "VAULT_ADDR=https://vault",
    ] {
        assert_eq!(text.matches(variable).count(), 1, "asked once: {text}");
    }
    assert!(!text.contains("hunter2") && text.ends_with("\n/\n"), "{text}");
    source.refused(&login("reader", "old").unwrap());
    source.current().await.unwrap();
    assert_eq!(
        std::fs::read_to_string(&seen)
            .unwrap()
            .matches("VAULT_ADDR")
            .count(),
        1
    );
    source.refused(&login("reader", "s").unwrap());
    source.current().await.unwrap();
    let asked = || {
        std::fs::read_to_string(&seen)
            .unwrap()
            .matches("VAULT_ADDR")
            .count()
    };
    assert_eq!(asked(), 2, "asked again after it was refused");
    clock.advance(std::time::Duration::from_secs(300));
    source.current().await.unwrap();
    assert_eq!(asked(), 3, "and after five minutes");
    let program = source.program().unwrap();
    assert!(
        program.contains("command:vault") && program.contains("/bin/sh"),
        "{program}"
    );
}

#[tokio::test]
async fn what_a_failing_command_says_is_not_repeated() {
    let failed = |code, complaint_bytes| ProgramProblem::Failed {
        code,
        complaint_bytes,
    };
    for (text, expected) in [
        ("echo hunter2 >&2; exit 3", failed(Some(3), 8)),
        ("kill -9 $$", failed(None, 0)),
        ("echo reader:hunter2", ProgramProblem::NoLogin),
        (
            r#"echo '{"Username":"hunter2","Secret":""}'"#,
            ProgramProblem::NoLogin,
        ),
        ("head -c 65537 /dev/zero", ProgramProblem::TooMuch),
        ("yes hunter2", ProgramProblem::TooMuch),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (_, source) = source(vault(), &VARIABLES, script(folder.path(), text));
        let error = source.current().await.unwrap_err();
        assert!(
            matches!(&error, CredentialError::Command { name, problem } if name == "vault" && (*problem == expected || matches!((problem, expected),
                (ProgramProblem::Failed { code, .. }, ProgramProblem::Failed { code: other, .. }) if *code == other))),
            "{text}: {error}"
        );
        assert!(!format!("{error:?} {error}").contains("hunter2"), "{error}");
    }
    let (_, unknown) = source(vault(), &VARIABLES, Commands::default());
    assert!(matches!(
        unknown.current().await,
        Err(CredentialError::NoCommand(_))
    ));
    let missing = CommandLine {
        program: "/nonexistent/vault".into(),
        arguments: Vec::new(),
        environment: Vec::new(),
    };
    let (_, missing) = source(vault(), &[], Commands::from_iter([("vault".to_owned(), missing)]));
    assert!(matches!(
        missing.current().await,
        Err(CredentialError::Command {
            problem: ProgramProblem::NotStarted(_),
            ..
        })
    ));
}

#[tokio::test]
async fn an_answer_at_the_bound_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let padding = program::ANSWER_BYTES as usize - r#"{"Username":"reader","Secret":"s"}"#.len();
    let text = format!("{ANSWER}; head -c {padding} /dev/zero | tr '\\0' ' '");
    let (_, source) = source(vault(), &VARIABLES, script(folder.path(), &text));
    assert_eq!(source.current().await.unwrap(), login("reader", "s"));
}

#[tokio::test]
async fn a_failed_command_is_not_started_again_for_every_request() {
    let folder = tempfile::tempdir().unwrap();
    let calls = folder.path().join("calls");
    let text = format!("echo x >> {}; exit 1", calls.display());
    let (clock, source) = source(vault(), &VARIABLES, script(folder.path(), &text));
    let all = futures::future::join_all((0..4).map(|_| source.current())).await;
    assert!(all.iter().all(Result::is_err));
    assert_eq!(std::fs::read_to_string(&calls).unwrap(), "x\n");
    clock.advance(std::time::Duration::from_secs(30));
    source.current().await.unwrap_err();
    assert_eq!(std::fs::read_to_string(&calls).unwrap(), "x\nx\n");
}

#[tokio::test(start_paused = true)]
async fn a_command_that_says_nothing_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let (_, source) = source(vault(), &VARIABLES, script(folder.path(), "sleep 1000"));
    let error = source.current().await.unwrap_err();
    assert!(
        matches!(
            error,
            CredentialError::Command {
                problem: ProgramProblem::NoAnswer,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn whoever_a_command_started_ends_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let child = folder.path().join("child");
    let text = format!(
        "sleep 1000 & echo $! > {0}.new; mv {0}.new {0}; wait",
        child.display()
    );
    let (_, source) = source(vault(), &VARIABLES, script(folder.path(), &text));
    let running = tokio::select! {
        ended = source.current() => panic!("{ended:?}"),
        id = async {
            loop {
                match std::fs::read_to_string(&child) {
                    Ok(id) => break id,
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        } => id,
    };
    // Dead, if perhaps not yet buried by whoever inherits it.
    let stat = Path::new("/proc").join(running.trim()).join("stat");
    while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn several_logins_of_one_host_keep_the_names_of_their_entries() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.json");
    let json =
        r#"{"auths":{"r.example.com:5050/team/app":{"auth":"YTpi"},"r.example.com:5050":{"auth":"Yzpk"}}}"#;
    std::fs::write(&config, json).unwrap();
    let reference = CredentialReference::DockerConfig(Some(config.display().to_string()));
    let (_, source) = source(reference, &[], Commands::default());
    let logins = source.logins().await.unwrap();
    for (repository, entry, expected) in [
        (
            Some("team/app/api"),
            "r.example.com:5050/team/app",
            login("a", "b"),
        ),
        (Some("team/application"), "r.example.com:5050", login("c", "d")),
        (None, "r.example.com:5050", login("c", "d")),
    ] {
        let chosen = logins.choose(repository).unwrap();
        assert_eq!(chosen.entry.as_deref(), Some(entry));
        assert_eq!(Some(Credential::clone(&chosen.credential)), expected);
    }
}
