//! After everything that a sensor and its control plane do, no secret is anywhere but where it belongs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use data_encoding::BASE64;
use portolan_doubles::Content;
use portolan_doubles::token::{Account, TokenAnswer};
use portolan_harness::{Finished, LOGIN, Registered, Scene};
use portolan_shared::secret::EnrolmentToken;
use serde_json::{Value, json};

use crate::scan::{Scan, Secret};
use crate::sealing::{enter, sealable, told};

/// Every file below a folder.
fn files(folder: &Path) -> anyhow::Result<Vec<std::path::PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(files(&entry.path())?);
        } else if entry.file_type()?.is_file() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// What keeps a key private, of a PKCS #8 document: the octet string of 32 bytes.
fn private_part(pkcs8: &[u8]) -> Option<Vec<u8>> {
    let found = pkcs8
        .windows(34)
        .find(|window| window.starts_with(&[0x04, 0x20]))?;
    Some(found[2..].to_vec())
}

/// The private key among the PEM blocks of a file.
fn in_pem(content: &[u8]) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(content);
    let (_, behind) = text.split_once("-----BEGIN PRIVATE KEY-----")?;
    let (block, _) = behind.split_once("-----END PRIVATE KEY-----")?;
    BASE64.decode(block.lines().collect::<String>().as_bytes()).ok()
}

/// The members `key` of a JSON document, wherever they are.
fn json_keys(value: &Value, found: &mut Vec<Vec<u8>>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value
                    .as_str()
                    .and_then(|text| BASE64.decode(text.as_bytes()).ok())
                {
                    Some(key) if name == "key" => found.push(key),
                    _ => json_keys(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| json_keys(item, found)),
        _ => {}
    }
}

/// The secrets of a state file by its name; none for those that hold no secret.
fn of_file(path: &Path) -> anyhow::Result<Vec<Secret>> {
    let content = fs::read(path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Behind the first line, which holds the checksum.
    let payload = content
        .split(|byte| *byte == b'\n')
        .next()
        .map_or(0, |line| line.len() + 1);
    let payload = content.get(payload..).unwrap_or_default();
    let parts: Vec<Vec<u8>> = match &*name {
        "sealing.keys" | "certificate" => {
            let mut keys = Vec::new();
            json_keys(&serde_json::from_slice(payload)?, &mut keys);
            keys.into_iter()
                .map(|key| private_part(&key).unwrap_or(key))
                .collect()
        }
        "continuity" => vec![payload.to_vec()],
        "pepper" | "audit.key" => vec![content],
        "identity.key" => private_part(payload).into_iter().collect(),
        name if name.ends_with(".pem") => match in_pem(&content) {
            Some(key) => private_part(&key).into_iter().collect(),
            None => return Ok(Vec::new()),
        },
        _ => return Ok(Vec::new()),
    };
    anyhow::ensure!(!parts.is_empty(), "no secret was found in {}", path.display());
    Ok(parts.iter().map(|part| Secret::in_file(path, part)).collect())
}

/// Logins that were sealed one after the other, and what was entered in vain between them.
struct Sealed {
    users: [&'static str; 2],
    passwords: [&'static str; 3],
    /// What the commands said, and their command lines.
    commands: Vec<Finished>,
}

/// A login is sealed from a file and used, tried in vain, rotated through standard input, used, probed and taken away.
async fn sealed(scene: &mut Scene, gitlab: &Registered) -> anyhow::Result<Sealed> {
    let users = ["first-of-the-sealed", "second-of-the-sealed"];
    let passwords = [
        "glpat-HHHHHHHHHHHHHHHHHHHH",
        "p@ss word/with=every:thing&more%",
        "glpat-JJJJJJJJJJJJJJJJJJJJ",
    ];
    for (user, password) in users.iter().zip(&passwords) {
        scene
            .tokens
            .set_account(Account::new(user, password).administrator());
    }
    sealable(scene, "office").await?;
    let realm = scene.realm_host()?;
    let accept = ["--accept-realm", &realm];
    let file = scene.control_plane.file("sealed.json");
    let login = json!({"username": users[0], "password": passwords[0]});
    fs::write(&file, login.to_string())?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    let path = file.display().to_string();
    let from_file = ["registry", "set", gitlab.name, "--credential-file", &path];
    let from_file = [&from_file[..], &accept].concat();
    let mut commands = vec![told(scene.control_plane.cli(&from_file)?, 0)?];
    fs::remove_file(&file)?;
    assert_eq!(scene.sync(gitlab).await?["state"], json!("complete"));
    commands.push(told(enter(scene, (users[1], passwords[2]), &accept)?, 13)?);
    commands.push(told(enter(scene, (users[1], passwords[1]), &accept)?, 0)?);
    assert_eq!(scene.sync(gitlab).await?["state"], json!("complete"));
    // Both halves have it delivered once more.
    scene.control_plane.restart().await?;
    scene.agent.start()?;
    scene.online().await?;
    assert_eq!(scene.sync(gitlab).await?["state"], json!("complete"));
    for command in [
        &["registry", "test", "gitlab"][..],
        &["credential", "show", "gitlab", "-o", "json"],
        &["credential", "list", "-o", "json"],
        &["audit", "list", "-o", "json"],
    ] {
        commands.push(told(scene.control_plane.cli(command)?, 0)?);
    }
    Ok(Sealed {
        users,
        passwords,
        commands,
    })
}

/// Looks at every file, column, log and process of both halves.
async fn everywhere(scan: &mut Scan, scene: &mut Scene) -> anyhow::Result<()> {
    for folder in [
        scene.agent.data_dir(),
        scene.control_plane.data_dir(),
        scene.control_plane.operators_home(),
    ] {
        scan.files(&folder)?;
    }
    scan.database(&scene.control_plane.data_dir().join("portolan.db"))
        .await?;
    let logs = [
        ("the agent's log", scene.agent.log()),
        ("the control plane's log", scene.control_plane.log()),
    ];
    for (place, log) in &logs {
        assert!(log.contains("TRACE"), "{place} tells everything");
        scan.bytes(place, log.as_bytes());
    }
    scan.process(scene.agent.process().context("the agent runs")?.id())?;
    scan.process(scene.control_plane.process()?.id())
}

#[tokio::test(flavor = "multi_thread")]
async fn t09_after_a_whole_scenario_no_secret_is_in_database_files_logs_or_processes() -> anyhow::Result<()> {
    let mut scene = Scene::start().await?;
    scene.control_plane.set_log_filter("trace");
    scene.agent.set_log_filter("trace");
    scene.control_plane.restart().await?;
    let registry = scene.registry_double(Content::demo()).await?;
    let realm = scene
        .tokens
        .realm()
        .split('/')
        .nth(2)
        .context("the host of the realm")?
        .to_owned();
    let allowed = [registry.address().to_string(), realm];
    let token = scene.control_plane.invite("office")?;
    let enrolled = scene
        .agent
        .enroll(&token, &allowed.each_ref().map(String::as_str))?;
    anyhow::ensure!(
        enrolled.status.success(),
        "{}{}",
        enrolled.output,
        enrolled.errors
    );
    scene.agent.start()?;
    scene.online().await?;
    let gitlab = scene.add_registry("gitlab", &registry.url(), &[])?;
    // Once with tokens that are signed, once with those that only their issuer can read, and once with a login that does not work.
    let signed = scene.tokens.mint(LOGIN.0, Vec::new()).context("a signed token")?;
    assert_eq!(scene.sync(&gitlab).await?["state"], json!("complete"));
    scene.tokens.set_answer(TokenAnswer::Opaque);
    scene.agent.start()?;
    scene.online().await?;
    assert_eq!(scene.sync(&gitlab).await?["state"], json!("complete"));
    let tested = scene.control_plane.cli(&["registry", "test", "gitlab"])?;
    anyhow::ensure!(tested.status.success(), "{}{}", tested.output, tested.errors);
    let wrong = "glpat-WWWWWWWWWWWWWWWWWWWW";
    scene.login_reference((LOGIN.0, wrong))?;
    scene.agent.start()?;
    scene.online().await?;
    assert_eq!(scene.sync(&gitlab).await?["state"], json!("failed"));
    let sealed = sealed(&mut scene, &gitlab).await?;

    let enrolment = EnrolmentToken::parse(&token)?;
    let admin = scene.control_plane.admin_token()?;
    let bearers = scene.tokens.handed_out();
    assert!(!bearers.is_empty(), "no token was handed out");
    let mut secrets = vec![
        Secret::new("the enrolment token", token.as_bytes()),
        Secret::new("the secret of the enrolment token", enrolment.secret.expose()),
        Secret::in_file(
            &scene.control_plane.data_dir().join("admin.token"),
            admin.as_bytes(),
        ),
        Secret::new("the registry's password", LOGIN.1.as_bytes()),
        Secret::new("the wrong password", wrong.as_bytes()),
        Secret::new(
            "the head of a signed token",
            signed.split('.').next().unwrap_or_default().as_bytes(),
        ),
    ];
    secrets.extend(
        bearers
            .iter()
            .map(|bearer| Secret::new("a token of the registry", bearer.as_bytes())),
    );
    for password in sealed.passwords {
        secrets.push(Secret::new("a sealed password", password.as_bytes()));
    }
    let database = scene.control_plane.data_dir().join("portolan.db");
    let folders = [scene.agent.data_dir(), scene.control_plane.data_dir()];
    for folder in &folders {
        for file in files(folder)? {
            secrets.extend(of_file(&file)?);
        }
    }
    for file in [
        "identity.key",
        "certificate",
        "continuity",
        "sealing.keys",
        "pepper",
        "audit.key",
        ".pem",
    ] {
        assert!(secrets.iter().any(|secret| secret.name.ends_with(file)), "{file}");
    }
    let mut scan = Scan::of(secrets);
    everywhere(&mut scan, &mut scene).await?;
    for (number, command) in sealed.commands.iter().enumerate() {
        scan.bytes(
            &format!("the output of command {number}"),
            command.output.as_bytes(),
        );
        scan.bytes(
            &format!("the errors of command {number}"),
            command.errors.as_bytes(),
        );
        assert!(!command.command_line.is_empty(), "command {number}");
        scan.bytes(
            &format!("the command line of command {number}"),
            &command.command_line,
        );
    }
    assert!(scan.columns > 100, "{} columns", scan.columns);
    assert!(scan.found.is_empty(), "{:#?}", scan.found);

    // Whose a login is, is a fact that operators are shown. It is nowhere else: in no log, no other column, no file of the sensor's.
    let names = sealed.users.map(|user| Secret::new("a name", user.as_bytes()));
    let mut named = Scan::of(names.into());
    everywhere(&mut named, &mut scene).await?;
    let facts = |found: &&String| {
        let in_file = found.contains(&*database.to_string_lossy());
        in_file || found.contains("in registry.facts") || found.contains("in probe.diagnosis")
    };
    let elsewhere: Vec<_> = named.found.iter().filter(|found| !facts(found)).collect();
    assert!(elsewhere.is_empty(), "{elsewhere:#?}");

    // The same scan sees what is there.
    scan.files(&scene.agent.file("login"))?;
    assert!(
        scan.found
            .iter()
            .any(|found| found.starts_with("the wrong password")),
        "{:#?}",
        scan.found
    );
    Ok(())
}
