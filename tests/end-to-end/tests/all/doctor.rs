//! The doctor, from all the places where it can be asked.

use std::process::ExitStatus;

use portolan_doubles::Content;
use portolan_harness::{LOGIN, Scene};
use serde_json::Value;

/// A repository of the demonstration's that holds images.
const IMAGES: &str = "acme/base/alpine";

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or(-1)
}

fn stage<'r>(report: &'r Value, name: &str) -> &'r Value {
    let stages = report["stages"].as_array().expect("a report has stages");
    stages
        .iter()
        .find(|stage| stage["stage"] == name)
        .unwrap_or(&Value::Null)
}

/// Every stage of a real registry behind a private CA, looked at by the sensor.
#[tokio::test(flavor = "multi_thread")]
async fn a_sensor_tests_a_real_registry_stage_by_stage() -> anyhow::Result<()> {
    let mut scene = Scene::start().await?;
    let registry = scene.docker_registry(&Content::demo()).await?;
    scene.enrol(&[registry.address()]).await?;
    let added = scene.try_add_registry("gitlab", &registry.url(), &[])?;
    assert_eq!(code(added.status), 0, "{}", added.errors);
    assert!(
        added.errors.contains("tested by office: it works"),
        "{}",
        added.errors
    );

    let tested =
        scene
            .control_plane
            .cli(&["registry", "test", "gitlab", "--repository", IMAGES, "-o", "json"])?;
    assert_eq!(code(tested.status), 0, "{}{}", tested.output, tested.errors);
    let report: Value = serde_json::from_str(&tested.output)?;
    assert_eq!(report["sound"], true, "{report:#}");
    assert_eq!(report["sensor"]["name"], "office");
    for name in [
        "policy",
        "tcp",
        "tls",
        "api",
        "challenge",
        "token",
        "discovery",
        "tags",
        "manifest",
        "config",
    ] {
        let verdict = &stage(&report, name)["verdict"];
        assert!(verdict == "passed" || verdict == "warned", "{name}: {report:#}");
    }
    let tls = stage(&report, "tls").to_string();
    assert!(
        tls.contains("registry.acme.example"),
        "the served names are shown: {tls}"
    );
    let everything = format!("{report}{}", scene.agent.log());
    assert!(
        !everything.contains(LOGIN.1),
        "the secret is in the report or in the log"
    );
    Ok(())
}

/// What is wrong is named, with its cause and cure, before anything is saved.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named_and_nothing_is_saved() -> anyhow::Result<()> {
    let mut scene = Scene::start().await?;
    let registry = scene.docker_registry(&Content::demo()).await?;
    let url = registry.url();
    scene.enrol(&[registry.address()]).await?;

    let wrong = scene.agent.file("wrong");
    std::fs::write(&wrong, format!("{}:glpat-wrong\n", LOGIN.0))?;
    // Not among the places that the sensor's administrator consented to.
    let reference = format!("file:{}", wrong.display());
    let refused = scene.try_add_registry("gitlab", &url, &["--credential-ref", &reference])?;
    assert_eq!(code(refused.status), 13, "{}", refused.errors);
    assert!(refused.errors.contains("policy.refused"), "{}", refused.errors);

    drop(registry);
    let gone = scene.try_add_registry("gitlab", &url, &[])?;
    assert_eq!(code(gone.status), 13, "{}", gone.errors);
    assert!(gone.errors.contains("registry.port_closed"), "{}", gone.errors);
    assert!(gone.errors.contains("Put right first: tcp"), "{}", gone.errors);
    let list = scene.control_plane.cli(&["registry", "list", "-o", "json"])?;
    assert!(!list.output.contains("gitlab"), "{}", list.output);
    Ok(())
}

/// On the spot, without a control plane.
#[tokio::test(flavor = "multi_thread")]
async fn the_agent_tests_a_registry_on_the_spot() -> anyhow::Result<()> {
    let scene = Scene::start().await?;
    let registry = scene.docker_registry(&Content::demo()).await?;
    let (url, ca) = (registry.url(), scene.agent.file("ca.pem"));
    std::fs::write(&ca, scene.ca.root_pem())?;
    let (ca, reference) = (ca.display().to_string(), scene.login_reference(LOGIN)?);
    let doctor = |further: &[&str]| scene.agent.cli(&[&["doctor", &url][..], further].concat());

    let sound = doctor(&[
        "--ca-file",
        &ca,
        "--credential-ref",
        &reference,
        "--repository",
        IMAGES,
        "-o",
        "json",
    ])?;
    assert_eq!(code(sound.status), 0, "{}{}", sound.output, sound.errors);
    let report: Value = serde_json::from_str(&sound.output)?;
    assert_eq!(stage(&report, "config")["verdict"], "passed", "{report:#}");

    let untrusted = doctor(&["--credential-ref", &reference])?;
    assert_eq!(
        code(untrusted.status),
        2,
        "{}{}",
        untrusted.output,
        untrusted.errors
    );
    assert!(untrusted.output.contains("tls."), "{}", untrusted.output);
    assert!(
        untrusted.output.contains("--ca-file"),
        "what to do: {}",
        untrusted.output
    );
    assert!(
        !untrusted.output.contains('\x1b'),
        "no colours where nobody sees them"
    );
    Ok(())
}
