//! The whole log, page by page, oldest first.

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::Terminal;
use crate::cli::client::Client;
use crate::cli::failure::CliError;
use crate::web::api::audit::{AuditLink, AuditLogHead};

/// Records asked for at once.
const PAGE: &str = "1000";

/// The head that the control plane keeps of its log.
pub(super) async fn head(client: &Client) -> Result<AuditLogHead, CliError> {
    client.view(&client.get(&["audit", "head"], &[]).await?)
}

/// Hands over every record that the log has, in the order in which the control plane gives them. What is appended meanwhile is included.
pub(super) async fn walk(
    client: &Client,
    bar: &ProgressBar,
    mut each: impl FnMut(AuditLink) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let mut after = 0;
    loop {
        let from = after.to_string();
        let query = [("after", Some(from.as_str())), ("limit", Some(PAGE))];
        let page = client.get(&["audit", "chain"], &query).await?;
        let items: Vec<AuditLink> = client.view(&page["items"])?;
        let Some(last) = items.last() else {
            return Ok(());
        };
        if last.seq <= after {
            return Err(client.odd("pages that go round in a circle".to_owned()));
        }
        after = last.seq;
        bar.inc(items.len() as u64);
        for item in items {
            each(item)?;
        }
    }
}

/// A bar on a terminal, nothing elsewhere.
pub(super) fn bar(terminal: &Terminal, records: u64) -> ProgressBar {
    if !terminal.progress {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {human_pos} of {human_len} records, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(records).with_style(style)
}
