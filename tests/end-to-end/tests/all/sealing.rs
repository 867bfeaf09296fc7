//! What an operator does to seal a login: the password goes through standard input, never through a command line.

use portolan_harness::{Finished, Registered, Scene, wait_for};
use serde_json::Value;

/// A login that is sealed.
pub(crate) const READER: (&str, &str) = ("sealed-reader", "glpat-QQQQQQQQQQQQQQQQQQQQ");
/// The registry that it is for.
pub(crate) const GITLAB: Registered = Registered { name: "gitlab" };

/// A command that has to end with this exit code.
pub(crate) fn told(finished: Finished, code: i32) -> anyhow::Result<Finished> {
    anyhow::ensure!(
        finished.code() == code,
        "exit code {} where {code} is right:\n{}{}",
        finished.code(),
        finished.output,
        finished.errors
    );
    Ok(finished)
}

/// Waits until a sensor has published the key that logins are sealed to.
pub(crate) async fn sealable(scene: &Scene, sensor: &str) -> anyhow::Result<()> {
    let api = scene.control_plane.api()?;
    let path = format!("/sensors/{sensor}/sealing-key");
    wait_for("a sealing key", async || api.get(&path, &[]).await.ok().map(drop)).await;
    Ok(())
}

/// `registry add` for the sensor `office`, with a login that is sealed.
pub(crate) fn add(
    scene: &Scene,
    url: &str,
    (user, password): (&str, &str),
    further: &[&str],
) -> anyhow::Result<Finished> {
    let ca = scene.ca_file()?;
    let mut arguments = vec!["registry", "add", GITLAB.name, url, "--sensor", "office"];
    arguments.extend(["--ca-file", &ca, "--username", user, "--password-stdin"]);
    arguments.extend(["--schedule", "manual"]);
    arguments.extend(further);
    scene
        .control_plane
        .cli_given(&format!("{password}\n"), &arguments)
}

/// `registry set` with a login that is sealed.
pub(crate) fn enter(
    scene: &Scene,
    (user, password): (&str, &str),
    further: &[&str],
) -> anyhow::Result<Finished> {
    let mut arguments = vec!["registry", "set", GITLAB.name, "--username", user];
    arguments.push("--password-stdin");
    arguments.extend(further);
    scene
        .control_plane
        .cli_given(&format!("{password}\n"), &arguments)
}

/// What is shown of the credential.
pub(crate) fn shown(scene: &Scene) -> anyhow::Result<Value> {
    let show = ["credential", "show", GITLAB.name, "-o", "json"];
    let shown = told(scene.control_plane.cli(&show)?, 0)?;
    Ok(serde_json::from_str(&shown.output)?)
}
