//! Has a sensor look, and waits for its report.

use std::io::Write as _;
use std::time::Duration;

use portolan_shared::process::Uptime;
use reqwest::Method;
use serde::Serialize;
use serde_json::Value;

use crate::cli::Exit;
use crate::cli::failure::CliError;
use crate::cli::operate::Desk;
use crate::web::api::probes::Probe;

/// Between two questions.
const POLL: Duration = Duration::from_millis(300);
/// Time after which a person is told what is waited for.
const QUIET: Duration = Duration::from_secs(3);

/// A probe that has ended.
pub(in crate::cli) struct Looked {
    /// As it came.
    pub(in crate::cli) value: Value,
    pub(in crate::cli) probe: Probe,
}

impl Looked {
    pub(in crate::cli) fn exit(&self) -> Exit {
        match self.probe.sound {
            Some(true) => Exit::Done,
            Some(false) => Exit::Unsound,
            None => Exit::Unanswered,
        }
    }

    /// The name of who looked.
    pub(in crate::cli) fn by(&self) -> &str {
        self.probe
            .sensor
            .as_ref()
            .map_or("", |sensor| sensor.name.as_str())
    }
}

/// Asks for a probe and polls it until it has ended.
pub(in crate::cli) async fn look(
    desk: &mut Desk<'_>,
    path: &[&str],
    body: &(impl Serialize + Sync),
) -> Result<Looked, CliError> {
    let asked = desk.client.put(Method::POST, path, body).await?;
    let asked: Probe = desk.client.view(&asked)?;
    let begun = desk.clock.uptime();
    let mut told = false;
    let mut tag = None;
    loop {
        if let Some((value, new_tag)) = desk
            .client
            .get_changed(&["probes", &asked.id], tag.as_deref())
            .await?
        {
            let probe: Probe = desk.client.view(&value)?;
            if probe.state != "waiting" {
                return Ok(Looked { value, probe });
            }
            tag = new_tag;
        }
        if !told && waited_long(begun, desk.clock.uptime()) {
            told = true;
            let names: Vec<_> = asked.sensors.iter().map(|sensor| sensor.name.as_str()).collect();
            let names = names.join(" or ");
            writeln!(desk.terminal.err, "waiting for {names} to look at {}", asked.url)?;
        }
        tokio::time::sleep(POLL).await;
    }
}

fn waited_long(begun: Uptime, now: Uptime) -> bool {
    now.since(begun) >= QUIET
}
