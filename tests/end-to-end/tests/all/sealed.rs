//! Logins that are sealed by the operator's command and opened by a sensor alone, from the first one to the last.

use std::collections::BTreeMap;

use anyhow::Context as _;
use portolan_doubles::Content;
use portolan_doubles::faults::{Fault, Gate, Rule};
use portolan_doubles::token::{Account, TokenRequest};
use portolan_harness::{Agent, Finished, Scene, wait_for};
use serde_json::{Value, json};

use crate::sealing::{GITLAB, READER, add, enter, sealable, shown, told};

/// What was asked of the token service with this login, or with any, from a place of its list on.
fn asked_by<'r>(requests: &'r [TokenRequest], from: usize, login: Option<&str>) -> Vec<&'r TokenRequest> {
    let by = |request: &&TokenRequest| match login {
        Some(_) => request.login.as_deref() == login,
        None => request.login.is_some(),
    };
    requests[from..].iter().filter(by).collect()
}

fn expected(content: &Content) -> BTreeMap<(String, String), String> {
    let all = content.expected().into_iter();
    all.map(|(place, digest)| (place, digest.to_string())).collect()
}

/// Everything that people can ask about a credential, in every form.
fn everything_said(scene: &Scene) -> anyhow::Result<Vec<Finished>> {
    let mut said = Vec::new();
    for command in [
        &["credential", "list"][..],
        &["credential", "show", "gitlab"],
        &["registry", "show", "gitlab"],
        &["registry", "list"],
        &["run", "list"],
        &["audit", "list"],
    ] {
        for form in ["table", "json", "yaml"] {
            said.push(told(
                scene.control_plane.cli(&[command, &["-o", form]].concat())?,
                0,
            )?);
        }
    }
    Ok(said)
}

/// Debian's registry behind TLS and a token service, from the first entry of a login to its removal.
#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_login_is_tried_used_rotated_and_removed_and_never_shown() -> anyhow::Result<()> {
    let mut scene = Scene::start().await?;
    let content = Content::demo();
    let registry = scene.docker_registry(&content).await?;
    let (user, first) = READER;
    // A deploy token: no token of the service names whose it is.
    let account = |secret: &str| Account::new(user, secret).administrator().deploy_token();
    scene.tokens.set_account(account(first));
    scene.enrol(&[registry.address()]).await?;
    sealable(&scene, "office").await?;

    // Nobody is there to be asked, and so nothing is accepted that was not named.
    let realm = scene.realm_host()?;
    let refused = told(add(&scene, &registry.url(), READER, &[])?, 2)?;
    assert!(
        refused.errors.contains(&format!("--accept-realm {realm}")),
        "{}",
        refused.errors
    );
    let list = told(scene.control_plane.cli(&["registry", "list", "-o", "json"])?, 0)?;
    assert!(!list.output.contains("gitlab"), "{}", list.output);
    assert!(
        asked_by(&scene.tokens.requests(), 0, None).is_empty(),
        "no login went anywhere"
    );

    let accept = ["--accept-realm", &realm];
    let added = told(add(&scene, &registry.url(), READER, &accept)?, 0)?;
    assert!(
        added.errors.contains("looked at") && added.errors.contains("tried by office: the login works"),
        "{}",
        added.errors
    );
    let sync = || scene.control_plane.cli(&["sync", "gitlab", "--wait"]);
    told(sync()?, 0)?;
    assert_eq!(scene.inventory(&GITLAB).await?, expected(&content));
    assert_eq!(shown(&scene)?["version"], json!(1));
    assert_eq!(shown(&scene)?["state"], json!("ready"));
    assert!(!asked_by(&scene.tokens.requests(), 0, Some(user)).is_empty());

    // What does not work is not stored, and what is stored goes on working.
    let wrong = "glpat-RRRRRRRRRRRRRRRRRRRR";
    let refused = told(enter(&scene, (user, wrong), &accept)?, 13)?;
    assert!(
        refused.errors.contains("nothing was stored"),
        "{}",
        refused.errors
    );
    assert_eq!(shown(&scene)?["version"], json!(1));
    told(sync()?, 0)?;

    // Changed at the registry, then entered: from the next run on there is no other.
    let second = "glpat-SSSSSSSSSSSSSSSSSSSS";
    scene.tokens.set_account(account(second));
    let entered = told(enter(&scene, (user, second), &accept)?, 0)?;
    assert_eq!(
        (&shown(&scene)?["version"], &shown(&scene)?["former_version"]),
        (&json!(2), &json!(1)),
        "the one before is kept until the new one has worked"
    );
    told(sync()?, 0)?;
    assert_eq!(shown(&scene)?["former_version"], Value::Null);

    let mut said = everything_said(&scene)?;
    said.extend([added, refused, entered]);
    for finished in &said {
        let line = String::from_utf8_lossy(&finished.command_line);
        for text in [&*finished.output, &finished.errors, &line] {
            for secret in [first, wrong, second] {
                assert!(!text.contains(secret), "{text}");
            }
        }
    }

    // A sensor that was started again is handed it again.
    scene.agent.start()?;
    scene.online().await?;
    told(scene.control_plane.cli(&["sync", "gitlab", "--wait"])?, 0)?;

    told(
        scene
            .control_plane
            .cli(&["credential", "remove", "gitlab", "--yes"])?,
        0,
    )?;
    let from = scene.tokens.requests().len();
    let run = scene.sync(&GITLAB).await?;
    assert_eq!(run["state"], json!("failed"), "{run:#}");
    assert_eq!(
        run["finding"]["code"],
        json!("discovery.names_needed"),
        "a stranger is shown no list: {run:#}"
    );
    assert!(
        asked_by(&scene.tokens.requests(), from, None).is_empty(),
        "the sensor has no login any more"
    );
    assert_eq!(
        scene.inventory(&GITLAB).await?,
        expected(&content),
        "what is known stays known"
    );
    told(scene.control_plane.cli(&["credential", "show", "gitlab"])?, 4)?;
    Ok(())
}

/// A run that is under way goes on with the login that was entered meanwhile, and without a restart of anything.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_under_way_goes_on_with_the_next_login_and_stops_without_one() -> anyhow::Result<()> {
    const LAST: &str = "acme/tools/migrator";
    let mut scene = Scene::start().await?;
    let (next, secret) = ("sealed-successor", "glpat-TTTTTTTTTTTTTTTTTTTT");
    for (user, secret) in [READER, (next, secret)] {
        scene
            .tokens
            .set_account(Account::new(user, secret).administrator());
    }
    let registry = scene.registry_double(Content::demo()).await?;
    scene.enrol(&[registry.address()]).await?;
    sealable(&scene, "office").await?;
    let realm = scene.realm_host()?;
    let accept = ["--accept-realm", &realm];
    told(add(&scene, &registry.url(), READER, &accept)?, 0)?;

    let held = |requests: &str| {
        let gate = Gate::new();
        let held = Fault::Hold(gate.clone());
        registry.faults().add(Rule::on(requests), held);
        gate
    };
    let gate = held(&format!("{LAST}/tags/list"));
    let run = scene.queue(&GITLAB).await?;
    gate.arrived(1).await;
    let scope = format!("repository:{LAST}:pull");
    let of_it = |requests: &[TokenRequest], from: usize| -> Vec<Option<String>> {
        let of_it = requests[from..]
            .iter()
            .filter(|request| request.scopes.contains(&scope));
        of_it.map(|request| request.login.clone()).collect()
    };
    assert_eq!(of_it(&scene.tokens.requests(), 0), [Some(READER.0.to_owned())]);
    told(enter(&scene, (next, secret), &accept)?, 0)?;
    wait_for("the sensor to have the next version", async || {
        scene
            .agent
            .log()
            .contains("another version of the credential is used from now on")
            .then_some(())
    })
    .await;
    let from = scene.tokens.requests().len();
    registry.faults().clear();
    gate.open();
    let run = scene.ended(&run).await?;
    assert_eq!(run["state"], json!("complete"), "{run:#}");
    assert_eq!(
        of_it(&scene.tokens.requests(), from),
        [Some(next.to_owned())],
        "the rest of the repository was read with the next login"
    );

    // Taken away in the middle of a run: what is left of it is not read, and not read as a stranger either.
    let gate = held("_catalog");
    let run = scene.queue(&GITLAB).await?;
    gate.arrived(1).await;
    let before = wiped(&scene)?;
    told(
        scene
            .control_plane
            .cli(&["credential", "remove", "gitlab", "--yes"])?,
        0,
    )?;
    wait_for("the sensor to have wiped it", async || {
        (wiped(&scene).ok()? > before).then_some(())
    })
    .await;
    let from = scene.tokens.requests().len();
    gate.open();
    let run = scene.ended(&run).await?;
    assert_eq!(run["state"], json!("failed"), "{run:#}");
    let coverage = format!("/runs/{}/coverage", run["id"].as_str().context("its id")?);
    let api = scene.control_plane.api()?;
    let said = format!("{run}{:?}", api.all(&coverage, &[]).await?);
    assert!(said.contains("the sealed credential was withdrawn"), "{said}");
    assert!(said.contains("credential.refused"), "{said}");
    assert_eq!(
        scene.tokens.requests().len(),
        from,
        "nobody was asked for a token any more"
    );
    Ok(())
}

/// How often the sensor has wiped credentials, by its own audit log.
fn wiped(scene: &Scene) -> anyhow::Result<usize> {
    let show = told(scene.agent.cli(&["audit", "show", "-o", "json"])?, 0)?;
    Ok(show.output.matches("credential.wiped").count())
}

/// A sensor that joins cannot open what was sealed before; whoever knows the login seals it for both.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_sensor_waits_until_the_login_is_sealed_for_it_too() -> anyhow::Result<()> {
    let mut scene = Scene::start().await?;
    scene
        .tokens
        .set_account(Account::new(READER.0, READER.1).administrator());
    let registry = scene.registry_double(Content::demo()).await?;
    scene.enrol(&[registry.address()]).await?;
    sealable(&scene, "office").await?;
    let realm = scene.realm_host()?;
    let accept = ["--accept-realm", &realm];
    told(add(&scene, &registry.url(), READER, &accept)?, 0)?;
    let annex = scene.another_agent("annex", &[registry.address()]).await?;
    sealable(&scene, "annex").await?;
    let assign = |sensors: &[&str]| {
        let mut arguments = vec!["registry", "set", "gitlab"];
        for sensor in sensors {
            arguments.extend(["--sensor", sensor]);
        }
        told(scene.control_plane.cli(&arguments)?, 0)
    };
    let recipients = || -> anyhow::Result<BTreeMap<String, String>> {
        let shown = shown(&scene)?;
        let all = shown["recipients"].as_array().context("its recipients")?.iter();
        let text = |one: &Value, member: &str| one[member].as_str().unwrap_or_default().to_owned();
        Ok(all.map(|one| (text(one, "sensor"), text(one, "state"))).collect())
    };
    let states = |office: &str, annex: &str| {
        let pair = |name: &str, state: &str| (name.to_owned(), state.to_owned());
        BTreeMap::from([pair("office", office), pair("annex", annex)])
    };

    let assigned = assign(&["annex", "office"])?;
    assert!(
        assigned.errors.contains("annex cannot open it"),
        "{}",
        assigned.errors
    );
    assert_eq!(shown(&scene)?["state"], json!("awaiting_sealing"));
    assert_eq!(recipients()?, states("sealed", "awaiting_sealing"));
    let run = scene.sync(&GITLAB).await?;
    assert_eq!(
        (&run["state"], &run["sensor"]["name"]),
        (&json!("complete"), &json!("office")),
        "it goes to the one that can: {run:#}"
    );

    // With nobody left who can open it, a run waits, and says for what.
    assign(&["annex"])?;
    let waiting = scene.queue(&GITLAB).await?;
    let api = scene.control_plane.api()?;
    let path = format!("/runs/{waiting}");
    let run = api.get(&path, &[]).await?;
    assert_eq!(run["state"], json!("queued"), "{run:#}");
    assert_eq!(
        run["finding"]["code"],
        json!("credential.awaits_sealing"),
        "{run:#}"
    );

    // Entered again, it is that sensor that tries it and then does the work that waited.
    let entered = told(enter(&scene, READER, &accept)?, 0)?;
    assert!(entered.errors.contains("tried by annex"), "{}", entered.errors);
    let run = scene.ended(&waiting).await?;
    assert_eq!(
        (&run["state"], &run["sensor"]["name"]),
        (&json!("complete"), &json!("annex")),
        "{run:#}"
    );
    assign(&["annex", "office"])?;
    told(enter(&scene, READER, &accept)?, 0)?;
    assert_eq!(recipients()?, states("sealed", "sealed"));
    assert_eq!(done_by_the_other(&scene, annex).await?, json!("office"));
    Ok(())
}

/// Who does the next run once this agent is gone.
async fn done_by_the_other(scene: &Scene, mut gone: Agent) -> anyhow::Result<Value> {
    gone.kill();
    wait_for("its session to end", async || {
        scene.control_plane.log().contains("session ended").then_some(())
    })
    .await;
    let run = scene.sync(&GITLAB).await?;
    assert_eq!(run["state"], json!("complete"), "{run:#}");
    Ok(run["sensor"]["name"].clone())
}
