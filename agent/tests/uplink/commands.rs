//! What the commands say that ask nobody: the program itself, as people and scripts run it.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use insta::assert_snapshot;
use portolan_agent::audit::{FOLDER, files_in};

use crate::agent::{accepted, run_agent};
use crate::plane::{ControlPlane, DAY, Scripts};

/// Without names that somebody would have to resolve.
const POLICY: &str = r#"version = 1

[[allow]]
host = "10.20.0.7"
ports = [5000]
paths = ["/", "/artifactory/api/docker/*"]
addresses = ["10.20.0.0/16"]
realms = ["10.20.0.8:8443"]
storage = ["*.s3.corp:9000"]
credentials = ["env:GITLAB", "command:vault"]
repositories = ["acme/**"]

[[allow]]
host = "*.corp"
addresses = ["private"]

[[command]]
name = "vault"
run = ["/usr/local/bin/registry-login"]
"#;

/// What a command said, and its exit code. What differs from run to run is masked: hashes, and every number that is not the policy's or a code's.
struct Said {
    folder: String,
    text: String,
}

impl Said {
    fn of(folder: &Path) -> Self {
        Self {
            folder: folder.display().to_string(),
            text: String::new(),
        }
    }

    fn run(&mut self, arguments: &[&str]) -> (i32, String) {
        let done = Command::new(env!("CARGO_BIN_EXE_portolan-agent"))
            .args(arguments)
            .args(["--data-dir", &self.folder])
            .env_clear()
            .output()
            .unwrap();
        let [out, errors] = [done.stdout, done.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        let code = done.status.code().unwrap();
        (code, (out + &errors).replace(&self.folder, "DIR"))
    }

    /// Runs a command and takes down what it said, as `masked` leaves it.
    fn tell(&mut self, arguments: &[&str], masked: fn(&str) -> String) {
        let (code, text) = self.run(arguments);
        let asked = arguments.join(" ").replace(&self.folder, "DIR");
        let text = masked(&text);
        writeln!(self.text, "$ {asked}\n{}\n[exit {code}]\n", text.trim_end()).unwrap();
    }
}

fn as_it_is(text: &str) -> String {
    text.to_owned()
}

/// Name servers are this machine's.
fn without_name_servers(text: &str) -> String {
    let mut of_server = false;
    let lines = text.lines().filter(|line| {
        let follows = of_server && line.starts_with("IPAddressAllow=");
        if !follows {
            of_server = line.contains("name server");
        }
        !of_server
    });
    lines.map(|line| format!("{line}\n")).collect()
}

/// Numbers become `N`, hashes and ids `ID`, and columns one space.
fn without_numbers(text: &str) -> String {
    let mut masked = String::new();
    for line in text.lines() {
        let words = line.split(' ').filter(|word| !word.is_empty()).map(|word| {
            let core = word.trim_end_matches(['.', ',', ':', ')']);
            let is_id = core.len() >= 32 && core.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
            if is_id {
                return word.replace(core, "ID");
            }
            let mut numbers = String::new();
            for c in word.chars() {
                match c {
                    '0'..='9' if numbers.ends_with('N') => {}
                    '0'..='9' => numbers.push('N'),
                    c => numbers.push(c),
                }
            }
            numbers
        });
        writeln!(masked, "{}", words.collect::<Vec<_>>().join(" ")).unwrap();
    }
    masked
}

/// Beside numbers, without what is sent sooner or later while a session lasts.
fn without_numbers_and_turns(text: &str) -> String {
    const TURNS: [&str; 5] = [
        "acknowledgements",
        "audit heads",
        "heartbeats",
        "progress",
        "sealing keys",
    ];
    let masked = without_numbers(text);
    let lines = masked
        .lines()
        .filter(|line| !TURNS.iter().any(|turn| line.starts_with(turn)));
    lines.map(|line| format!("{line}\n")).collect()
}

fn with_policy(folder: &Path) {
    std::fs::write(folder.join("policy.toml"), POLICY).unwrap();
}

#[test]
fn policy_test_names_rule_and_reason_and_its_codes_are_for_scripts() {
    let folder = tempfile::tempdir().unwrap();
    with_policy(folder.path());
    let mut said = Said::of(folder.path());
    let registry = "https://10.20.0.7:5000";
    // No name server is asked for a name that cannot be one.
    let nowhere = format!("https://{}.corp", "a".repeat(64));
    let paths = [
        "/artifactory/api/docker/cloud",
        "/-/metrics",
        "/artifactory/api/docker/a%2f..%2fb",
    ];
    let [cloud, metrics, out] = paths.map(|path| format!("{registry}{path}"));
    for arguments in [
        vec![registry],
        vec![
            registry,
            "--repository",
            "acme/shop",
            "--credential",
            "env:GITLAB",
            "-o",
            "json",
        ],
        vec![cloud.as_str()],
        vec![metrics.as_str()],
        vec![metrics.as_str(), "-o", "json"],
        vec![out.as_str()],
        vec!["https://git.corp/gitlab"],
        vec![registry, "--repository", "other"],
        vec![registry, "--credential", "sealed"],
        vec!["https://10.20.0.8:8443/token", "--realm-of", registry],
        vec!["https://169.254.169.254/latest", "--storage-of", registry],
        vec!["http://10.20.0.7:5000"],
        vec!["https://10.20.0.9"],
        vec![nowhere.as_str()],
        vec!["ftp://10.20.0.7"],
        vec!["https://user:hunter2@10.20.0.7"],
    ] {
        said.tell(&[vec!["policy", "test"], arguments].concat(), as_it_is);
    }
    assert!(
        !said
            .text
            .replace("$ policy test https://user:hunter2@", "")
            .contains("hunter2")
    );
    assert_snapshot!(said.text);
}

/// The machine's own doctor says the same, and how to look what is there.
#[test]
fn the_doctor_says_of_a_pasted_path_what_can_be_done_about_it() {
    let folder = tempfile::tempdir().unwrap();
    with_policy(folder.path());
    let mut said = Said::of(folder.path());
    let (code, text) = said.run(&["doctor", "https://git.corp/gitlab"]);
    assert_eq!(code, 2, "{text}");
    let stage: Vec<&str> = text.lines().filter(|line| line.starts_with("FAIL ")).collect();
    assert!(stage.len() == 1 && stage[0].starts_with("FAIL policy "), "{text}");
    for part in [
        "git.corp:443: the entry's paths lack /gitlab, where no product has its registry by itself: does it belong in the URL?",
        "If /gitlab is where pages are, leave it out of the registry's URL: https://git.corp.",
        "\"/nexus/repository/*\", \"/gitlab\"]\n",
        "--no-policy",
    ] {
        assert!(text.contains(part), "{part:?} is missing in\n{text}");
    }
    let (_, other) = said.run(&["doctor", "https://elsewhere.example/gitlab"]);
    assert!(!other.contains("--no-policy"), "{other}");
}

#[test]
fn policy_check_says_in_words_what_is_allowed_or_names_every_fault() {
    let folder = tempfile::tempdir().unwrap();
    with_policy(folder.path());
    let mut said = Said::of(folder.path());
    said.tell(&["policy", "check"], as_it_is);
    let faulty = folder.path().join("faulty.toml");
    let paths = "paths = [\"api\", \"/a/../b\"]\n";
    std::fs::write(
        &faulty,
        format!("version = 1\n[[allow]]\nhost = \"h\"\n{paths}speed = 1\n"),
    )
    .unwrap();
    said.tell(&["policy", "check", &faulty.display().to_string()], as_it_is);
    let widened = folder.path().join("widened.toml");
    let narrow = "[[allow]]\nhost = \"a.corp\"\npaths = [\"/artifactory/api/docker/cloud\"]\ncredentials = [\"env:CLOUD\"]\n";
    let wide = "[[allow]]\nhost = \"*.corp\"\ncredentials = [\"env:OTHERS\"]\n";
    std::fs::write(&widened, format!("version = 1\n{narrow}{wide}")).unwrap();
    let (code, text) = said.run(&["policy", "check", &widened.display().to_string()]);
    let warnings: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("Warning: "))
        .collect();
    assert_eq!(
        (code, warnings.as_slice()),
        (
            0,
            &[
                "Warning: policy:allow[1] (a.corp) allows some paths only, and policy:allow[2] (*.corp) behind it has its hosts too: it allows /, /artifactory, \
               /artifactory/api/docker/*, /repository/*, /nexus, /nexus/repository/* there, with its own credentials. Write its hosts one by one, or its `paths`, \
               unless that is meant."
            ][..]
        )
    );
    assert_snapshot!(said.text);
}

#[test]
fn policy_egress_prints_rules_in_both_forms() {
    let folder = tempfile::tempdir().unwrap();
    with_policy(folder.path());
    let mut said = Said::of(folder.path());
    let plane = ["--control-plane", "192.0.2.10:8443"];
    let egress = |more: &[&'static str]| [&["policy", "egress"], more].concat();
    said.tell(&egress(&[]), as_it_is);
    said.tell(&egress(&["--control-plane", "*.example.com"]), as_it_is);
    said.tell(
        &egress(&[&plane[..], &["--user", "64123"]].concat()),
        without_name_servers,
    );
    let systemd = egress(&[&plane[..], &["--format", "systemd"]].concat());
    said.tell(&systemd, without_name_servers);
    let settings = folder.path().join("agent.toml");
    std::fs::write(&settings, "[health]\nlisten = \"127.0.0.1:9180\"\n").unwrap();
    let settings = settings.display().to_string();
    let (code, text) = said.run(&[&systemd[..], &["--config", &settings]].concat());
    assert_eq!(code, 0);
    assert!(
        text.contains("\nIPAddressAllow=localhost\n") && !text.contains("loopback is denied"),
        "{text}"
    );
    assert_snapshot!(said.text);
}

/// A sensor that has done something, and does nothing more.
async fn sensor(folder: &Path) -> ControlPlane {
    let mut plane = ControlPlane::start(Scripts::default(), DAY).await;
    let (token, policy) = (plane.token().encode(), folder.join("policy.toml"));
    let given = folder.to_owned();
    let enrolled = tokio::task::spawn_blocking(move || {
        let policy = policy.display().to_string();
        let allow = ["--allow", "10.20.0.7:5000/artifactory/api/docker/cloud"];
        Said::of(&given).run(&[&["enroll", token.expose(), "--policy", &policy], &allow[..]].concat())
    });
    let (code, text) = enrolled.await.unwrap();
    assert_eq!(code, 0, "{text}");
    let mut agent = run_agent(folder).await;
    let mut session = plane.session().await;
    session.welcome(1, true).await;
    accepted(&mut session, "10.20.0.7:5000").await;
    agent.started.recv().await.unwrap();
    agent.go.add_permits(1);
    agent.sees(|view| view.last_work.is_some()).await;
    agent.stop().await;
    plane
}

#[tokio::test]
async fn show_outbound_tells_what_left_this_machine_and_what_would() {
    let folder = tempfile::tempdir().unwrap();
    let plane = sensor(folder.path()).await;
    let calls = plane.calls();
    let mut said = Said::of(folder.path());
    said.tell(&["show-outbound"], without_numbers_and_turns);
    said.tell(
        &["show-outbound", "--since", "2100-01-01T00:00:00Z"],
        without_numbers,
    );
    said.tell(&["show-outbound", "--next"], without_numbers);
    let (code, json) = said.run(&["show-outbound", "-o", "json"]);
    let account: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(code, 0);
    assert_eq!(account["hosts"][0]["purpose"], "control plane");
    let (_, json) = said.run(&["show-outbound", "--next", "-o", "json"]);
    let next: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        next["allowed_and_not_named_yet"][0]["paths"],
        serde_json::json!(["/artifactory/api/docker/cloud"])
    );
    let elsewhere = tempfile::tempdir().unwrap();
    let mut nobody = Said::of(elsewhere.path());
    nobody.tell(&["show-outbound"], without_numbers);
    nobody.tell(&["show-outbound", "--next"], |text| {
        text.lines().take(3).collect::<Vec<_>>().join("\n")
    });
    said.text.push_str(&nobody.text);
    assert_eq!(plane.calls(), calls, "nobody is asked");
    assert_snapshot!(said.text);
}

#[tokio::test]
async fn audit_verify_recomputes_the_log_and_names_what_is_not_what_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let plane = sensor(folder.path()).await;
    let calls = plane.calls();
    let mut said = Said::of(folder.path());
    said.tell(&["audit", "verify"], without_numbers);
    let [log] = files_in(&folder.path().join(FOLDER)).try_into().unwrap();
    let (path, content) = (
        log.0.display().to_string(),
        std::fs::read_to_string(&log.0).unwrap(),
    );
    said.tell(&["audit", "verify", &path], without_numbers);
    std::fs::write(&log.0, format!("{content}{{\"torn\":")).unwrap();
    said.tell(&["audit", "verify"], without_numbers);
    let forged = content.replacen("\"agent.start\"", "\"agent.stork\"", 1);
    assert_ne!(forged, content);
    std::fs::write(&log.0, forged).unwrap();
    said.tell(&["audit", "verify"], without_numbers);
    // The second line cut out: what is left is whole in itself.
    let cut = content.lines().enumerate().filter(|(number, _)| *number != 1);
    let cut: String = cut.map(|(_, line)| format!("{line}\n")).collect();
    std::fs::write(&log.0, cut).unwrap();
    said.tell(&["audit", "verify"], without_numbers);
    std::fs::write(&log.0, &content).unwrap();
    // Another sensor's log in this one's place.
    let other = tempfile::tempdir().unwrap();
    let _theirs = sensor(other.path()).await;
    let [theirs] = files_in(&other.path().join(FOLDER)).try_into().unwrap();
    std::fs::copy(&theirs.0, &log.0).unwrap();
    said.tell(&["audit", "verify"], without_numbers);
    std::fs::remove_dir_all(folder.path().join(FOLDER)).unwrap();
    said.tell(&["audit", "verify"], without_numbers);
    said.tell(&["audit", "verify", &path], without_numbers);
    assert_eq!(plane.calls(), calls, "nobody is asked");
    assert_snapshot!(said.text);
}
