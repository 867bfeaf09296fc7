//! After everything that a sensor and its control plane do, no secret is anywhere but where it belongs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::Context as _;
use portolan_doubles::Content;
use portolan_doubles::token::{Account, TokenAnswer};
use portolan_harness::{Agent, Finished, LOGIN, Registered, Scene};
use portolan_shared::secret::EnrolmentToken;
use serde_json::json;

use crate::further::{self, Further};
use crate::held::Held;
use crate::scan::{Scan, Secret};
use crate::sealing::{enter, sealable, told};

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
async fn everywhere(scan: &mut Scan, scene: &mut Scene, others: &mut [Agent]) -> anyhow::Result<()> {
    for folder in [
        scene.control_plane.data_dir(),
        scene.control_plane.operators_home(),
    ] {
        scan.files(&folder)?;
    }
    scan.database(&scene.control_plane.data_dir().join("portolan.db"))
        .await?;
    let log = scene.control_plane.log();
    assert!(log.contains("TRACE"), "the control plane tells everything");
    scan.bytes("the control plane's log", log.as_bytes());
    scan.process(scene.control_plane.process()?.id())?;
    scan.process(scene.agent.process().context("the agent runs")?.id())?;
    for agent in others.iter_mut().chain([&mut scene.agent]) {
        if agent.data_dir().exists() {
            scan.files(&agent.data_dir())?;
        }
        let log = agent.log();
        assert!(
            log.is_empty() || log.contains("TRACE"),
            "an agent tells everything"
        );
        scan.bytes("an agent's log", log.as_bytes());
        if let Some(process) = agent.process()
            && process.ended().is_none()
        {
            scan.process(process.id())?;
        }
    }
    Ok(())
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
    let mut held = Held::default();
    let Further {
        secrets: more,
        in_url,
        commands,
        mut agents,
    } = further::all(&mut scene, &gitlab, &registry, &mut held).await?;

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
    secrets.extend(more);
    held.look(&further::folders(&scene, &agents))?;
    assert!(
        held.replaced() > 5,
        "keys and tokens were replaced: {}",
        held.replaced()
    );
    secrets.extend(held.secrets());
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
    everywhere(&mut scan, &mut scene, &mut agents).await?;
    for (number, command) in sealed.commands.iter().chain(&commands).enumerate() {
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
    // So is where an endpoint is told of changes, which may be what it knows us by.
    let mut names = Vec::from(sealed.users.map(|user| Secret::new("a name", user.as_bytes())));
    names.push(in_url);
    let mut named = Scan::of(names);
    everywhere(&mut named, &mut scene, &mut agents).await?;
    let facts = |found: &&String| {
        let in_file = found.contains(&*database.to_string_lossy());
        let in_column = ["registry.facts", "probe.diagnosis", "webhook.url"];
        in_file
            || in_column
                .iter()
                .any(|column| found.contains(&format!("in {column}")))
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
