//! What can be said.

use crate::cli::output::{ListArgs, ShowArgs};
use crate::cli::terminal::ConfirmArgs;

/// What can be done with webhooks.
#[derive(Debug, clap::Subcommand)]
pub enum WebhookCommand {
    /// Add an endpoint that is told of changes
    #[command(after_help = "\
It is told of what changes from now on: batches of CloudEvents (application/cloudevents-batch+json), signed by the rules of Standard Webhooks. The key is printed on standard output alone.
The URL leads to the Internet, over https. What else it may lead to, the server's --webhook-allow says.

Examples:
  portolan webhook add deployer https://deploy.example.com/hooks/portolan
  portolan webhook add scanner https://scan.example.com/in --registry gitlab
  portolan webhook add chat - < url          # a URL that is a secret itself")]
    Add {
        /// Its name
        name: String,
        /// Where messages go; - reads it from standard input
        url: String,
        /// Told only of this registry's changes, by name or id
        #[arg(long, value_name = "REGISTRY")]
        registry: Option<String>,
        #[command(flatten)]
        show: ShowArgs,
    },
    /// List webhooks
    #[command(after_help = "Example:\n  portolan webhook list")]
    List(ListArgs),
    /// Show a webhook
    #[command(after_help = "\
Example:
  portolan webhook show deployer
  portolan webhook show deployer --secret")]
    Show {
        /// Name or id
        webhook: String,
        /// Also its whole URL, and what its messages are signed with
        #[arg(long)]
        secret: bool,
        #[command(flatten)]
        show: ShowArgs,
    },
    /// Change a webhook
    #[command(after_help = "\
A message that could not be delivered goes to the new URL at once. Another registry counts from the next message on.

Examples:
  portolan webhook set deployer --url https://deploy.example.com/hooks/v2
  portolan webhook set scanner --all-registries")]
    Set {
        /// Name or id
        webhook: String,
        /// New name
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// New URL; - reads it from standard input
        #[arg(long, value_name = "URL")]
        url: Option<String>,
        /// Told only of this registry's changes
        #[arg(long, value_name = "REGISTRY", conflicts_with = "all_registries")]
        registry: Option<String>,
        /// Told of the changes of all registries
        #[arg(long)]
        all_registries: bool,
        #[command(flatten)]
        show: ShowArgs,
    },
    /// Remove a webhook
    #[command(after_help = "Example:\n  portolan webhook remove deployer")]
    Remove {
        /// Name or id
        webhook: String,
        #[command(flatten)]
        confirm: ConfirmArgs,
    },
    /// Deliver nothing to a webhook until it is resumed
    #[command(after_help = "Example:\n  portolan webhook pause deployer")]
    Pause {
        /// Name or id
        webhook: String,
        #[command(flatten)]
        show: ShowArgs,
    },
    /// Let a webhook that is paused or disabled go on
    #[command(after_help = "\
It goes on where it was, without a gap. One that is disabled as forgotten can only go on from now, with --skip: what it was not told of is not kept any more.

Examples:
  portolan webhook resume deployer
  portolan webhook resume deployer --skip")]
    Resume {
        /// Name or id
        webhook: String,
        /// Go on from now: it is not told of what has changed so far
        #[arg(long)]
        skip: bool,
        #[command(flatten)]
        show: ShowArgs,
    },
    /// Replace what a webhook's messages are signed with
    #[command(after_help = "\
For a day, messages carry a signature by the new key and one by the key before it: give the endpoint the new one meanwhile. A further rotation within the day ends the first key at once: of two keys that are good, one is always the newest. The key is printed on standard output alone.

Example:
  portolan webhook rotate deployer")]
    Rotate {
        /// Name or id
        webhook: String,
        #[command(flatten)]
        show: ShowArgs,
    },
    /// Send a message to a webhook at once, and say what came back
    #[command(after_help = "\
It has one event of the type io.portolan.webhook.test, is signed as all are, is tried once, and goes out in whatever state the webhook is. Two may be under way at once.

Example:
  portolan webhook test deployer")]
    Test {
        /// Name or id
        webhook: String,
        #[command(flatten)]
        show: ShowArgs,
    },
    /// List what came of the last deliveries to a webhook, newest first
    #[command(after_help = "Example:\n  portolan webhook deliveries deployer --limit 20")]
    Deliveries {
        /// Name or id
        webhook: String,
        #[command(flatten)]
        list: ListArgs,
    },
}
