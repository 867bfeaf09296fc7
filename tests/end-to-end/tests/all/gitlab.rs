//! GitLab's own interfaces, from a token's rights to the screen.

use std::collections::BTreeMap;

use portolan_doubles::Content;
use portolan_doubles::web::{GitLab, Mode};
use portolan_harness::{Registered, Scene};
use serde_json::{Value, json};

struct Read {
    run: Value,
    registry: Value,
    inventory: BTreeMap<(String, String), String>,
    requests: usize,
}

/// Reads a GitLab in this mode with this login.
async fn read(mode: Mode, content: &Content, login: (&str, &str), further: &[&str]) -> anyhow::Result<Read> {
    let mut scene = Scene::start().await?;
    let gitlab = GitLab::builder(content.clone())
        .mode(mode)
        .start(scene.tls()?, &scene.tasks)
        .await?;
    scene
        .enrol(&[gitlab.registry().address(), gitlab.web().address()])
        .await?;
    let reference = scene.login_reference(login)?;
    let further = [&["--credential-ref", &reference][..], further].concat();
    let registered: Registered = scene.add_registry("gitlab", &gitlab.registry_url(), &further)?;
    let run = scene.sync(&registered).await?;
    let api = scene.control_plane.api()?;
    let read = Read {
        run,
        registry: api.get("/registries/gitlab", &[]).await?,
        inventory: scene.inventory(&registered).await?,
        requests: gitlab.registry().log().total(),
    };
    assert!(
        !scene.agent.log().contains(login.1),
        "the secret is in the agent's log"
    );
    Ok(read)
}

fn step<'r>(run: &'r Value, list: &str, method: &str) -> &'r Value {
    let steps = run["coverage"][list].as_array().expect("coverage has steps");
    steps
        .iter()
        .find(|step| step["method"] == method)
        .unwrap_or(&Value::Null)
}

#[tokio::test(flavor = "multi_thread")]
async fn both_modes_of_gitlab_give_the_same_inventory_and_the_database_the_cheaper_one() -> anyhow::Result<()>
{
    let content = Content::demo();
    let database = read(Mode::Database, &content, GitLab::FULL, &[]).await?;
    let files = read(Mode::Filesystem, &content, GitLab::FULL, &[]).await?;
    for read in [&database, &files] {
        assert_eq!(read.run["state"], "complete", "{:#}", read.run);
        assert_eq!(
            step(&read.run, "discovery", "gitlab.projects")["complete"],
            true,
            "{:#}",
            read.run
        );
        assert_eq!(
            read.registry["facts"]["flavour"]["flavour"], "gitlab",
            "{:#}",
            read.registry
        );
        assert_eq!(
            read.registry["facts"]["credential"]["kind"], "personal_access_token",
            "{:#}",
            read.registry
        );
    }
    let expected: BTreeMap<_, _> = content
        .expected()
        .into_iter()
        .map(|(place, digest)| (place, digest.to_string()))
        .collect();
    assert_eq!(database.inventory, expected);
    assert_eq!(files.inventory, expected);
    assert!(
        step(&database.run, "listings", "gitlab.v1")["repositories"].as_u64() > Some(0),
        "{:#}",
        database.run
    );
    assert!(
        step(&files.run, "listings", "tags_list")["repositories"].as_u64() > Some(0),
        "{:#}",
        files.run
    );
    assert!(
        database.requests + expected.len() / 2 < files.requests,
        "{} requests with the database, {} without, for {} tags",
        database.requests,
        files.requests,
        expected.len()
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_token_reads_what_is_named_and_says_that_it_can_find_nothing() -> anyhow::Result<()> {
    let content = Content::gitlab_fixture();
    let blind = read(Mode::Database, &content, GitLab::DEPLOY, &[]).await?;
    assert_eq!(blind.run["state"], "failed", "{:#}", blind.run);
    assert_eq!(
        blind.run["finding"]["code"], "discovery.names_needed",
        "{:#}",
        blind.run
    );
    assert_eq!(
        blind.registry["facts"]["credential"]["kind"],
        json!("deploy_token")
    );
    let named = read(
        Mode::Database,
        &content,
        GitLab::DEPLOY,
        &["--repository", "acme/shop/api"],
    )
    .await?;
    let api = named
        .inventory
        .keys()
        .filter(|(repository, _)| repository == "acme/shop/api");
    assert!(api.count() > 0, "{:#}", named.run);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_leave_out_and_nothing_vanishes_by_them() -> anyhow::Result<()> {
    let mut scene = Scene::start().await?;
    let registry = scene.registry_double(Content::demo()).await?;
    scene.enrol(&[registry.address()]).await?;
    let gitlab = scene.add_registry("gitlab", &registry.url(), &[])?;
    assert_eq!(scene.sync(&gitlab).await?["state"], "complete");
    let before = scene.inventory(&gitlab).await?;
    let (repository, tag) = before.keys().next().expect("the demo has tags").clone();
    let pattern = format!("!{tag}");
    let previewed =
        scene
            .control_plane
            .cli(&["registry", "set", "gitlab", "--tag", &pattern, "--preview"])?;
    assert!(
        previewed.status.success(),
        "{}{}",
        previewed.output,
        previewed.errors
    );
    assert_eq!(
        scene.inventory(&gitlab).await?,
        before,
        "a preview changes nothing"
    );
    let set = scene
        .control_plane
        .cli(&["registry", "set", "gitlab", "--tag", &pattern])?;
    assert!(set.status.success(), "{}", set.errors);
    let run = scene.sync(&gitlab).await?;
    assert_eq!(run["state"], "complete", "{run:#}");
    let after = scene.inventory(&gitlab).await?;
    assert!(!after.contains_key(&(repository.clone(), tag.clone())));
    let history =
        scene
            .control_plane
            .cli(&["history", &format!("gitlab/{repository}:{tag}"), "-o", "json"])?;
    assert!(
        history.output.contains("left_out"),
        "{}{}",
        history.output,
        history.errors
    );
    assert!(!history.output.contains("vanished"), "{}", history.output);

    let pattern = format!("!{repository}");
    let set = ["registry", "set", "gitlab", "--repository", &pattern];
    let set = scene.control_plane.cli(&set)?;
    assert!(set.status.success(), "{}", set.errors);
    let run = scene.sync(&gitlab).await?;
    assert_eq!(run["state"], "complete", "{run:#}");
    assert_eq!(run["coverage"]["filtered"], 1, "{run:#}");
    let coverage = format!("/runs/{}/coverage", run["id"].as_str().expect("runs have ids"));
    let api = scene.control_plane.api()?;
    let left_out = api.all(&coverage, &[("outcome", "filtered")]).await?;
    assert_eq!(
        left_out,
        [json!({"repository": repository, "outcome": "filtered", "finding": null})]
    );
    assert_eq!(api.all(&coverage, &[]).await?, Vec::<Value>::new());
    assert_eq!(
        scene.inventory(&gitlab).await?,
        after,
        "what was known of it stays"
    );
    Ok(())
}
