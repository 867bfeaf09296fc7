//! What happens when somebody pushes: the registry notifies the agent, and the tag is there.

use std::path::Path;

use anyhow::Context as _;
use portolan_shared::process::{Clock as _, SystemClock, write_atomically};

use crate::brought_registry::BroughtRegistry;
use crate::installation::{Agent, Operator, Programs, free_address, loopback_client, wait_until};
use crate::screen::Screen;
use crate::story::{REGISTRY, SENSOR};

/// Where the image is pushed to.
const REPOSITORY: &str = "acme/shop/api";
/// Under which tag.
const TAG: &str = "pushed-just-now";

/// Tells the agent to listen, pushes, and waits until the tag is in the inventory.
pub(crate) async fn tell(
    screen: Screen,
    programs: &Programs,
    operator: &Operator,
    registry: &BroughtRegistry,
    agent: &mut Agent,
    folder: &Path,
) -> anyhow::Result<()> {
    screen.command(&format!("portolan registry show {REGISTRY} --webhook"));
    let webhook = operator
        .get(&format!("/registries/{REGISTRY}/webhook"), &[])
        .await?;
    let secret = webhook["listener_secret"]
        .as_str()
        .context("find the secret of the listener")?;
    let listen = free_address()?;
    let secret_file = folder.join("notify.secret");
    write_atomically(&secret_file, secret.as_bytes())?;
    let settings = folder.join("agent.toml");
    let written = format!(
        "[notify]\nlisten = \"{listen}\"\n\n[[notify.registry]]\nname = {REGISTRY:?}\nsender = \"distribution\"\nsecret_file = {secret_file:?}\n"
    );
    write_atomically(&settings, written.as_bytes())?;
    agent.restart(programs, operator, SENSOR, &settings).await?;
    // The control plane takes the sensor for connected a while longer: that it is says nothing of the new process.
    wait_until("the agent to listen", async || {
        Ok(tokio::net::TcpStream::connect(listen).await.ok())
    })
    .await?;
    screen.good(&format!(
        "the agent listens on {listen}, the registry has the secret"
    ));
    let set = ["registry", "set", REGISTRY, "--schedule", "on-push"];
    screen.command(&format!("portolan {}", set.join(" ")));
    operator.json(&set).await?;
    // The registry is looked at once more, because nobody knows what was pushed before there was a listener.
    wait_until("the runs to end", async || {
        let runs = operator.get("/runs", &[("registry", REGISTRY)]).await?;
        let runs = runs["items"].as_array().context("read the runs")?;
        Ok(runs.iter().all(|run| run["ended"] == true).then_some(()))
    })
    .await?;

    let (client, clock) = (loopback_client()?, SystemClock);
    let notification = registry.push(REPOSITORY, TAG).to_string();
    let pushed = clock.uptime();
    let answer = client
        .post(format!("http://{listen}/notify/{REGISTRY}"))
        .header("authorization", secret)
        .body(notification)
        .send()
        .await
        .context("notify the agent")?;
    answer
        .error_for_status()
        .context("the agent refused the notification")?;
    let reference = format!("{REGISTRY}/{REPOSITORY}:{TAG}");
    wait_until("the tag to be in the inventory", async || {
        Ok(operator.get("/images", &[("reference", &reference)]).await.ok())
    })
    .await?;
    let took = clock.uptime().since(pushed).as_millis();
    screen.good(&format!(
        "{reference} was in the inventory {took} ms after the registry had told of it"
    ));
    screen.command(&format!("portolan history {reference}"));
    Ok(())
}
