//! From a registry behind a private CA to the screen, with witnesses.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use portolan_doubles::content::BenchShape;
use portolan_doubles::network::{Direction, Flow};
use portolan_doubles::{Content, FaultProxy, Skopeo};
use portolan_harness::{LOGIN, Scene};
use serde_json::{Value, json};

fn expected(content: &Content) -> BTreeMap<(String, String), String> {
    content
        .expected()
        .into_iter()
        .map(|(place, digest)| (place, digest.to_string()))
        .collect()
}

fn complete(run: &Value) {
    assert_eq!(run["state"], json!("complete"), "{run:#}");
    assert_eq!(run["coverage"]["discovery_complete"], json!(true), "{run:#}");
}

/// Debian's registry behind TLS with a private CA and the token service; skopeo is the witness.
#[tokio::test(flavor = "multi_thread")]
async fn every_tag_and_digest_of_a_real_registry_is_right() -> anyhow::Result<()> {
    let mut scene = Scene::start().await?;
    let content = Content::demo();
    let registry = scene.docker_registry(&content).await?;
    scene.enrol(&[registry.address()]).await?;
    let gitlab = scene.add_registry("gitlab", &registry.url(), &[])?;
    let run = scene.sync(&gitlab).await?;
    complete(&run);
    let inventory = scene.inventory(&gitlab).await?;
    assert_eq!(inventory, expected(&content));

    let witness = Skopeo::new(registry.address(), Some(&scene.ca), Some(LOGIN))?;
    let mut repositories: Vec<&String> = inventory.keys().map(|(repository, _)| repository).collect();
    repositories.dedup();
    for repository in repositories {
        let tags: Vec<String> = witness
            .list_tags(repository)
            .await?
            .iter()
            .map(ToString::to_string)
            .collect();
        let known: Vec<&String> = inventory
            .keys()
            .filter(|(of, _)| of == repository)
            .map(|(_, tag)| tag)
            .collect();
        assert_eq!(
            tags.iter().collect::<std::collections::BTreeSet<_>>(),
            known.into_iter().collect(),
            "{repository}"
        );
    }
    let witness = &witness;
    let checked = futures::stream::iter(&inventory)
        .map(|((repository, tag), digest)| async move {
            anyhow::Ok((
                format!("{repository}:{tag}"),
                witness.digest(repository, tag).await?.to_string(),
                digest,
            ))
        })
        .buffer_unordered(8)
        .try_fold(0, async |checked, (place, seen, digest)| {
            anyhow::ensure!(
                seen == *digest,
                "{place}: skopeo sees {seen}, the inventory says {digest}"
            );
            Ok(checked + 1)
        });
    assert_eq!(checked.await?, inventory.len());
    assert!(
        scene.tokens.asked_beyond_reading().is_empty(),
        "only pull and catalog scopes are ever asked for"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_five_seconds_are_renewed_in_the_middle_of_a_repository() -> anyhow::Result<()> {
    let mut scene = Scene::start().await?;
    scene.tokens.set_lifetime(Duration::from_secs(5));
    // The registry allows a minute of leeway, so that tokens made a minute ago are refused after five seconds.
    scene.tokens.set_backdated(Duration::from_secs(60));
    let content = Content::bench(BenchShape {
        repositories: 2,
        tags: 300,
        ..BenchShape::default()
    });
    let registry = scene.docker_registry(&content).await?;
    let way = FaultProxy::start(registry.address(), &scene.tasks).await?;
    way.set(Direction::ToClient, Flow::Delay(Duration::from_millis(60)));
    scene.enrol(&[way.address()]).await?;
    let gitlab = scene.add_registry(
        "gitlab",
        &format!("https://{}", way.address()),
        &["--concurrency", "4"],
    )?;
    let run = scene.sync(&gitlab).await?;
    complete(&run);
    assert_eq!(scene.inventory(&gitlab).await?, expected(&content));
    let again = content
        .repositories()
        .keys()
        .filter(|name| scene.tokens.calls_for(&format!("repository:{name}:pull")) > 1)
        .count();
    assert_eq!(again, 2, "each repository takes longer than a token lives");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t54_a_second_sync_sends_and_fetches_nothing_again_and_changes_become_history() -> anyhow::Result<()>
{
    let mut scene = Scene::start().await?;
    let registry = scene.registry_double(Content::demo()).await?;
    scene.enrol(&[registry.address()]).await?;
    let gitlab = scene.add_registry("gitlab", &registry.url(), &[])?;
    let first = scene.sync(&gitlab).await?;
    complete(&first);
    assert_eq!(scene.inventory(&gitlab).await?, expected(&registry.content()));
    assert_eq!(
        registry.log().fetched_again(),
        BTreeMap::new(),
        "shared digests are fetched once"
    );

    registry.log().clear();
    let second = scene.sync(&gitlab).await?;
    complete(&second);
    let fetched = registry
        .log()
        .count(|seen| seen.method == "GET" && seen.path().contains("/sha256:"));
    assert_eq!(
        (fetched, &second["progress"]["manifests"]),
        (0, &json!(0)),
        "{second:#}"
    );
    assert_eq!(second["content_stored"], json!(0));
    let repositories = second["coverage"]["unchanged"].as_u64().unwrap();
    let bytes = second["progress"]["bytes_up"].as_u64().unwrap();
    assert!(
        bytes < 64 * repositories + 512,
        "{bytes} bytes for {repositories} unchanged repositories"
    );

    let ((repository, tag), from) = registry.content().expected().into_iter().next().unwrap();
    let to = registry.change(|content| {
        let mut shelf = content.shelf(&repository);
        let to = shelf.helm_chart("moved", "9.9.9");
        shelf.tag(&tag, &to);
        to
    });
    let third = scene.sync(&gitlab).await?;
    complete(&third);
    assert_eq!(third["changes"]["moved"], json!(1), "{third:#}");
    let reference = format!("gitlab/{repository}:{tag}");
    let history = scene
        .control_plane
        .api()?
        .all("/history", &[("reference", &reference)])
        .await?;
    assert_eq!(history[0]["change"], json!("moved"));
    assert_eq!(
        (&history[0]["from"], &history[0]["to"]),
        (&json!(from.to_string()), &json!(to.to_string()))
    );
    assert!(
        history[0]["not_before"].is_string(),
        "it happened between two looks: {:#}",
        history[0]
    );

    registry.change(|content| content.remove_repository(&repository));
    let fourth = scene.sync(&gitlab).await?;
    complete(&fourth);
    let history = scene
        .control_plane
        .api()?
        .all("/history", &[("reference", &reference)])
        .await?;
    assert_eq!(history[0]["change"], json!("vanished"));
    assert_eq!(scene.inventory(&gitlab).await?, expected(&registry.content()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn images_are_shown_with_platforms_layers_facts_and_signatures_but_without_secrets()
-> anyhow::Result<()> {
    let mut scene = Scene::start().await?;
    let content = Content::every_kind(true);
    let registry = scene.registry_double(content.clone()).await?;
    registry.behave(|behaviour| behaviour.flavour = portolan_doubles::registry::Flavour::Plain);
    scene.enrol(&[registry.address()]).await?;
    let gitlab = scene.add_registry("kinds", &registry.url(), &[])?;
    let run = scene.sync(&gitlab).await?;
    complete(&run);
    assert_eq!(scene.inventory(&gitlab).await?, expected(&content));
    let shown = |tag: &str| {
        scene
            .control_plane
            .cli(&["image", "show", &format!("kinds/acme/kinds:{tag}"), "-o", "json"])
    };
    for (tag, kind) in [
        ("image", "image"),
        ("index", "index"),
        ("docker-list", "index"),
        ("helm-chart", "helm_chart"),
        ("sbom", "sbom"),
        ("build-cache-index", "build_cache"),
        ("wasm", "wasm"),
    ] {
        let finished = shown(tag)?;
        assert!(finished.status.success(), "{tag}: {}", finished.errors);
        let image: Value = serde_json::from_str(&finished.output)?;
        assert_eq!(image["kind"], json!(kind), "{tag}: {image:#}");
        assert_eq!(
            image["digest"],
            json!(content.resolve("acme/kinds", tag).unwrap().to_string()),
            "{tag}"
        );
        if tag == "index" {
            let platforms: Vec<&str> = image["platforms"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(|p| p["platform"].as_str())
                .collect();
            assert!(
                platforms.len() > 1 && platforms.iter().all(|p| !p.contains("unknown")),
                "{platforms:?}"
            );
        }
        let raw = scene
            .control_plane
            .cli(&["image", "show", &format!("kinds/acme/kinds:{tag}"), "--raw"])?;
        let digest = content.resolve("acme/kinds", tag).unwrap();
        assert_eq!(
            digest.verify(raw.output.as_bytes()),
            Ok(()),
            "--raw gives the bytes as the registry served them"
        );
    }
    let canaries = content.canaries();
    assert!(!canaries.is_empty());
    for file in std::fs::read_dir(scene.control_plane.data_dir())? {
        let bytes = std::fs::read(file?.path()).unwrap_or_default();
        for canary in &canaries {
            let found = bytes
                .windows(canary.len())
                .any(|window| window == canary.as_bytes());
            assert!(
                !found,
                "the value of an environment variable reached the control plane"
            );
        }
    }
    assert!(!scene.agent.log().contains(LOGIN.1) && !scene.control_plane.log().contains(LOGIN.1));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_takes_an_operator_through_the_whole_job() -> anyhow::Result<()> {
    let mut scene = Scene::start().await?;
    let registry = scene.registry_double(Content::demo()).await?;
    scene.enrol(&[registry.address()]).await?;
    scene.add_registry("gitlab", &registry.url(), &[])?;
    let say = |arguments: &[&str]| {
        let finished = scene.control_plane.cli(arguments)?;
        anyhow::ensure!(
            finished.status.success(),
            "{arguments:?}: {}{}",
            finished.output,
            finished.errors
        );
        Ok(finished.output)
    };
    assert!(say(&["sensor", "list"])?.contains("office"));
    assert!(say(&["registry", "list"])?.contains("gitlab"));
    let synced = scene.control_plane.cli(&["sync", "gitlab", "--wait"])?;
    assert_eq!(
        synced.status.code(),
        Some(0),
        "{}{}",
        synced.output,
        synced.errors
    );
    let repositories: Value = serde_json::from_str(&say(&["repository", "list", "-o", "json"])?)?;
    let repositories = repositories
        .as_array()
        .or(repositories["items"].as_array())
        .unwrap();
    assert_eq!(repositories.len(), registry.content().repositories().len());
    let ((repository, tag), digest) = registry.content().expected().into_iter().next_back().unwrap();
    assert!(say(&["tag", "list", &format!("gitlab/{repository}")])?.contains(&tag));
    assert!(say(&["history", &format!("gitlab/{repository}:{tag}")])?.contains("appeared"));
    assert!(say(&["where", &digest.to_string()])?.contains(&repository));
    assert!(say(&["run", "list"])?.contains("complete"));
    let status = scene.agent.cli(&["status"])?;
    assert!(status.status.success(), "{}{}", status.output, status.errors);
    let missing = scene
        .control_plane
        .cli(&["image", "show", "gitlab/no/such:tag"])?;
    assert!(!missing.status.success() && !missing.errors.is_empty());
    Ok(())
}
