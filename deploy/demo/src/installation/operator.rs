//! An administrator with the operators' command line and the REST API.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, bail};
use serde_json::Value;
use tokio::process::Command;

use super::Programs;

/// Pages of a list that are read: longer ones fail.
const PAGES: usize = 100_000;

/// Someone who may do everything in the first tenant.
#[derive(Debug, Clone)]
pub struct Operator {
    program: PathBuf,
    url: String,
    token: String,
    client: reqwest::Client,
}

impl Operator {
    pub(super) fn new(programs: &Programs, url: String, token: &str, client: reqwest::Client) -> Self {
        Self {
            program: programs.portolan.clone(),
            url,
            token: token.to_owned(),
            client,
        }
    }

    /// Where the control plane is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The token. Of a control plane that lives as long as this process, so it may be shown.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .env("PORTOLAN_URL", &self.url)
            .env("PORTOLAN_TOKEN", &self.token)
            .env("NO_PROXY", "127.0.0.1")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs `portolan` with these arguments and `-o json`; gives what it prints.
    pub async fn json(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let output = self
            .command(arguments)
            .args(["-o", "json"])
            .output()
            .await
            .context("start portolan")?;
        let line = arguments.iter().take(2).copied().collect::<Vec<_>>().join(" ");
        if !output.status.success() {
            let message = String::from_utf8_lossy(&output.stderr);
            bail!("portolan {line} failed, {}: {}", output.status, message.trim());
        }
        serde_json::from_slice(&output.stdout).with_context(|| format!("read what portolan {line} printed"))
    }

    /// Runs `portolan` with these arguments on this process's terminal. Gives its exit code.
    pub async fn show(&self, arguments: &[&str]) -> anyhow::Result<i32> {
        let status = self.command(arguments).status().await.context("start portolan")?;
        status.code().context("portolan was killed")
    }

    /// Asks the REST API. `path` begins behind `/api/v1`.
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Value> {
        let answer = self
            .client
            .get(format!("{}/api/v1{path}", self.url))
            .query(query)
            .bearer_auth(&self.token)
            .send()
            .await
            .with_context(|| format!("ask for {path}"))?;
        let status = answer.status();
        let body: Value = answer
            .json()
            .await
            .with_context(|| format!("read the answer to {path}"))?;
        if !status.is_success() {
            bail!(
                "{path} was answered with {status}: {}",
                body["message"].as_str().unwrap_or("no message")
            );
        }
        Ok(body)
    }

    /// All items of a list, page by page.
    pub async fn list(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut cursor = None::<String>;
        for _ in 0..PAGES {
            let mut asked = query.to_vec();
            asked.push(("limit", "1000"));
            if let Some(cursor) = &cursor {
                asked.push(("cursor", cursor));
            }
            let mut page = self.get(path, &asked).await?;
            if let Value::Array(found) = page["items"].take() {
                items.extend(found);
            }
            match page["next"].take() {
                Value::String(next) => cursor = Some(next),
                _ => return Ok(items),
            }
        }
        bail!("{path} has more than {PAGES} pages")
    }
}
