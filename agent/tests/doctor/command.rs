//! The command as people use it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use portolan_doubles::web::GitLab;
use portolan_doubles::{Content, RegistryDouble};
use portolan_shared::model::{Diagnosis, FindingCode, Stage, Verdict};
use tempfile::TempDir;

use crate::scene::{Scene, found, report};

/// The codes that are provoked here.
pub(crate) const CODES: &[FindingCode] = &[FindingCode::PolicyMissing];

/// Runs `portolan-agent doctor` in a data directory, with `input` on its standard input.
async fn doctor(data: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portolan-agent"));
    command
        .arg("doctor")
        .args(arguments)
        .arg("--data-dir")
        .arg(data)
        .env_clear()
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let input = input.to_owned();
    tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        // It may have ended without reading.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    })
    .await
    .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn diagnosis(output: &Output) -> Diagnosis {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

struct Desk {
    scene: Scene,
    gitlab: GitLab,
    data: TempDir,
}

impl Desk {
    async fn new() -> Self {
        let scene = Scene::new();
        let gitlab = scene.gitlab().await;
        Self {
            scene,
            gitlab,
            data: tempfile::tempdir().unwrap(),
        }
    }

    fn policy(&self, port: u16) {
        let text = format!(
            "version = 1\n[[allow]]\nhost = \"127.0.0.1\"\nports = [{port}]\naddresses = [\"127.0.0.1\"]\nplaintext = true\n"
        );
        std::fs::write(self.data.path().join("policy.toml"), text).unwrap();
    }

    async fn doctor(&self, arguments: &[&str], input: &str) -> Output {
        let url = self.gitlab.registry_url();
        let all: Vec<&str> = [url.as_str()]
            .into_iter()
            .chain(arguments.iter().copied())
            .collect();
        doctor(self.data.path(), &all, input).await
    }
}

const LOGIN: [&str; 3] = ["--username", GitLab::FULL.0, "--password-stdin"];

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_registry_exits_0_and_reads_at_a_glance() {
    let desk = Desk::new().await;
    desk.policy(desk.gitlab.registry().address().port());
    let arguments = [&LOGIN[..], &["--repository", "acme/shop/api"]].concat();
    let output = desk.doctor(&arguments, &format!("{}\n", GitLab::FULL.1)).await;
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}{}", text(&output.stderr));
    assert!(shown.starts_with(&desk.gitlab.registry_url()), "{shown}");
    for line in [
        "ok   policy",
        "ok   tcp",
        "ok   flavour",
        "ok   manifest",
        "ok   config",
    ] {
        assert!(shown.contains(line), "{line} in\n{shown}");
    }
    assert!(shown.contains("policy:allow[1] in"), "{shown}");
    assert!(
        !shown.contains('\u{1b}') && !shown.contains(GitLab::FULL.1),
        "{shown}"
    );
    assert!(shown.lines().last().unwrap().starts_with("Sound"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_exits_2_and_says_what_to_do_first() {
    let desk = Desk::new().await;
    let output = desk.doctor(&LOGIN, "glpat-wrong-wrong-wrong").await;
    let (shown, errors) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(2), "{shown}{errors}");
    assert!(
        shown.contains("FAIL token") && shown.contains("skip scopes to config"),
        "{shown}"
    );
    let last = shown.lines().last().unwrap();
    assert!(
        last.starts_with("To be put right first (registry.authentication)"),
        "{last}"
    );
    assert!(!shown.contains("wrong-wrong") && !errors.contains("wrong-wrong"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_policy_it_says_so_and_goes_on() {
    let desk = Desk::new().await;
    let arguments = [&LOGIN[..], &["-o", "json", "--repository", "acme/shop/api"]].concat();
    let output = desk.doctor(&arguments, GitLab::FULL.1).await;
    let diagnosis = diagnosis(&output);
    found(&diagnosis, Stage::Policy, FindingCode::PolicyMissing);
    assert_eq!(report(&diagnosis, Stage::Policy).verdict, Verdict::Warned);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let finding = &json["stages"][0]["findings"][0];
    assert_eq!(finding["severity"], "warning", "{finding}");
    for field in ["seen", "symptom", "cause", "cure"] {
        assert!(finding[field].is_string(), "{field} of {finding}");
    }
    assert_eq!(output.status.code(), Some(0), "a warning is sound");
    assert!(!text(&output.stdout).contains(GitLab::FULL.1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_of_this_machine_holds_unless_it_is_set_aside() {
    let desk = Desk::new().await;
    desk.policy(1);
    let output = desk.doctor(&["-o", "json"], "").await;
    assert_eq!(output.status.code(), Some(2));
    let refused = diagnosis(&output);
    let finding = found(&refused, Stage::Policy, FindingCode::PolicyRefused);
    assert!(
        finding.seen.contains("policy:allow[1]"),
        "the rule is named: {finding}"
    );
    assert_eq!(desk.gitlab.registry().connections(), 0, "nothing was contacted");
    let output = desk.doctor(&["-o", "json", "--no-policy"], "").await;
    let allowed = diagnosis(&output);
    assert_eq!(report(&allowed, Stage::Policy).verdict, Verdict::Passed);
    assert_eq!(report(&allowed, Stage::Api).verdict, Verdict::Passed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ca_file_and_a_credential_reference_do_as_well() {
    let desk = Desk::new().await;
    let registry = RegistryDouble::builder(Content::gitlab_fixture())
        .basic("reader", "s3cret")
        .start(Some(desk.scene.server(None)), &desk.scene.tasks)
        .await
        .unwrap();
    let login = desk.data.path().join("login");
    std::fs::write(&login, "reader:s3cret\n").unwrap();
    let ca = desk.scene.ca.write_root(desk.data.path()).unwrap();
    let (reference, ca) = (format!("file:{}", login.display()), ca.display().to_string());
    let url = registry.url();
    let arguments = [
        url.as_str(),
        "--ca-file",
        &ca,
        "--credential-ref",
        &reference,
        "-o",
        "json",
    ];
    let output = doctor(desk.data.path(), &arguments, "").await;
    let diagnosis = diagnosis(&output);
    assert!(diagnosis.is_sound(), "{diagnosis:#?}");
    assert_eq!(report(&diagnosis, Stage::Tls).verdict, Verdict::Passed);
    assert!(!text(&output.stdout).contains("s3cret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_usage_is_named_and_exits_64() {
    let desk = Desk::new().await;
    let file = |name: &str, content: &[u8]| {
        let path = desk.data.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let empty = file("empty.pem", b"nothing\n");
    let der = file("ca.der", &desk.scene.ca.root_der());
    let broken = file(
        "broken.pem",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    let key = file(
        "key.pem",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    );
    let long = "x".repeat(5_000);
    for (arguments, input, says) in [
        (&["https://user:hunter2@h"][..], "", "--password-stdin"),
        (&["ftp://h"], "", "scheme \"ftp\" is not supported"),
        (&["https://h/?a=1"], "", "neither query nor fragment"),
        (&["h", "--ca-file", "/nowhere.pem"], "", "no such file"),
        (
            &["h", "--ca-file", &empty],
            "",
            "-----BEGIN CERTIFICATE----- is expected",
        ),
        (&["h", "--ca-file", &der], "", "openssl x509 -inform der"),
        (&["h", "--ca-file", &key], "", "private key"),
        (&["h", "--ca-file", &broken], "", "certificate 1 of the CA bundle"),
        (
            &["h", "--username", "u", "--password-stdin"],
            "\n",
            "holds no password",
        ),
        (&["h", "--username", "u", "--password-stdin"], &long, "4096 bytes"),
        (&["h", "--username", "u"], "", "--password-stdin"),
        (&["h", "--only-ca-file"], "", "--ca-file"),
        (&["h", "--repository", "Not A Name"], "", "--repository"),
        (&["h", "--timeout", "0"], "", "--timeout"),
        (
            &["h", "--credential-ref", "glpat-secret"],
            "",
            "credential reference",
        ),
    ] {
        let output = doctor(desk.data.path(), arguments, input).await;
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}: {errors}");
        assert!(errors.contains(says), "{arguments:?}: {errors}");
        assert!(!errors.contains("hunter2"), "{errors}");
    }
    std::fs::write(desk.data.path().join("policy.toml"), "version = 9").unwrap();
    let output = doctor(desk.data.path(), &["h"], "").await;
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stderr).contains("version must be 1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn help_has_examples_and_exit_codes() {
    let data = tempfile::tempdir().unwrap();
    let output = doctor(data.path(), &["--help"], "").await;
    let help = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0));
    for part in [
        "Examples:",
        "--password-stdin < token",
        "Exit codes: 0 sound",
        "[default: 90]",
    ] {
        assert!(help.contains(part), "{part} in\n{help}");
    }
}
