//! Several logins for one registry: each repository is read with that of the longest path.

use std::collections::BTreeSet;
use std::fs;

use data_encoding::BASE64;
use portolan_doubles::Content;
use portolan_doubles::token::Account;
use portolan_harness::{Agent, Scene};
use serde_json::{Value, json};

use crate::sealing::{GITLAB, told};

/// Logins, what follows the host in their keys, and what each may read.
const LOGINS: [(&str, &str, &str, &[&str]); 3] = [
    ("for-all", "glpat-AAAAAAAAAAAAAAAAAAAA", "", &["acme/base/*"]),
    (
        "for-shop",
        "glpat-BBBBBBBBBBBBBBBBBBBB",
        "/acme/shop",
        &["acme/shop/api", "acme/shop/web"],
    ),
    (
        "for-worker",
        "glpat-CCCCCCCCCCCCCCCCCCCC",
        "/acme/shop/worker",
        &["acme/shop/worker"],
    ),
];
const READ: [&str; 4] = [
    "acme/base/alpine",
    "acme/shop/api",
    "acme/shop/web",
    "acme/shop/worker",
];

fn auths(host: &str) -> Value {
    let entry = |(user, secret, path, _): &(&str, &str, &str, &[&str])| {
        let auth = BASE64.encode(format!("{user}:{secret}").as_bytes());
        (format!("{host}{path}"), json!({"auth": auth}))
    };
    let entries: serde_json::Map<_, _> = LOGINS.iter().map(entry).collect();
    json!({"auths": entries})
}

/// Enrols the agent with consent to this credential, and starts it.
async fn enrol(scene: &mut Scene, registry: &str, reference: &str) -> anyhow::Result<()> {
    let token = scene.control_plane.invite("office")?;
    let realm = scene.realm_host()?;
    let consent = ["--allow", registry, "--allow", &realm, "--credential", reference];
    let agent: &Agent = &scene.agent;
    told(agent.cli(&[&["enroll", &token][..], &consent].concat())?, 0)?;
    scene.agent.start()?;
    scene.online().await
}

/// A docker configuration, and a pull secret of Kubernetes' as it is mounted.
#[tokio::test(flavor = "multi_thread")]
async fn each_repository_of_a_real_registry_is_read_with_the_login_of_its_longest_path() -> anyhow::Result<()>
{
    for mounted in [false, true] {
        let mut scene = Scene::start().await?;
        for (user, secret, _, reads) in LOGINS {
            scene.tokens.set_account(Account::new(user, secret).reads(reads));
        }
        let content = Content::demo();
        let registry = scene.docker_registry(&content).await?;
        let host = registry.address().to_string();
        let folder = scene.agent.file("secret");
        fs::create_dir(&folder)?;
        let file = folder.join(".dockerconfigjson");
        fs::write(&file, auths(&host).to_string())?;
        let reference = if mounted {
            format!("kubernetes:{}", folder.display())
        } else {
            format!("docker-config:{}", file.display())
        };
        enrol(&mut scene, &host, &reference).await?;
        let mut further = vec!["--credential-ref", &reference];
        for repository in READ {
            further.extend(["--repository", repository]);
        }
        scene.add_registry(GITLAB.name, &registry.url(), &further)?;
        let run = scene.sync(&GITLAB).await?;
        assert_eq!(run["state"], json!("complete"), "{run:#}");
        let expected = content.expected().into_iter();
        let expected: BTreeSet<_> = expected
            .map(|(place, digest)| (place, digest.to_string()))
            .filter(|((repository, _), _)| READ.contains(&repository.as_str()))
            .collect();
        assert_eq!(
            scene
                .inventory(&GITLAB)
                .await?
                .into_iter()
                .collect::<BTreeSet<_>>(),
            expected
        );

        // The service has seen each login with its own repositories alone.
        let seen: BTreeSet<(String, String)> = scene
            .tokens
            .requests()
            .into_iter()
            .flat_map(|request| {
                let scopes = request.scopes.into_iter();
                let login = request.login.unwrap_or_default();
                scopes.map(move |scope| (scope, login.clone()))
            })
            .filter(|(scope, _)| scope.starts_with("repository:"))
            .collect();
        let own = |repository: &str, user: &str| (format!("repository:{repository}:pull"), user.to_owned());
        let expected = BTreeSet::from([
            own("acme/base/alpine", "for-all"),
            own("acme/shop/api", "for-shop"),
            own("acme/shop/web", "for-shop"),
            own("acme/shop/worker", "for-worker"),
        ]);
        assert_eq!(seen, expected);

        // And it is said which one was taken.
        let test = ["registry", "test", GITLAB.name, "--repository"];
        let tested = told(
            scene
                .control_plane
                .cli(&[&test[..], &["acme/shop/worker"]].concat())?,
            0,
        )?;
        let entry = format!("acme/shop/worker: read with the login of the entry {host}/acme/shop/worker");
        let said = format!("{}{}", tested.output, tested.errors);
        assert!(said.contains(&entry), "{said}");
        for (_, secret, ..) in LOGINS {
            assert!(!said.contains(secret) && !scene.agent.log().contains(secret));
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_takes_a_reference_of_every_kind() -> anyhow::Result<()> {
    let mut scene = Scene::start().await?;
    scene.enrol(&[]).await?;
    for (number, reference) in [
        "file:/etc/portolan/login",
        "env:GITLAB",
        "docker-config",
        "docker-config:/etc/portolan/config.json",
        "systemd:gitlab",
        "kubernetes:/run/secrets/gitlab",
        "command:vault",
    ]
    .into_iter()
    .enumerate()
    {
        let (name, url) = (
            format!("registry-{number}"),
            format!("https://registry-{number}.example.com"),
        );
        let add = ["registry", "add", &name, &url, "--sensor", "office", "--no-test"];
        told(
            scene
                .control_plane
                .cli(&[&add[..], &["--credential-ref", reference]].concat())?,
            0,
        )?;
        let show = ["credential", "show", &name, "-o", "json"];
        let shown: Value = serde_json::from_str(&told(scene.control_plane.cli(&show)?, 0)?.output)?;
        assert_eq!(shown["reference"], json!(reference), "{shown:#}");
    }
    Ok(())
}
