//! What can be said, and the commands that are a line or two.

use std::io::Write as _;

use jiff::Timestamp;
use reqwest::Method;

use super::rotate::tell_what_to_rotate;
use super::sheet::print;
use super::story;
use crate::cli::Exit;
use crate::cli::failure::CliError;
use crate::cli::invitation::{self, InvitationCommand};
use crate::cli::operate::Desk;
use crate::cli::output::{Format, ListArgs, Sheet, ShowArgs, Table, ago, moment, print_items, print_one};
use crate::cli::terminal::ConfirmArgs;
use crate::web::api::invitations::{CreateInvitation, CreatedInvitation};
use crate::web::api::sensors::Sensor;

/// What can be done with sensors.
#[derive(Debug, clap::Subcommand)]
pub enum SensorCommand {
    /// Make an enrolment token for one machine
    #[command(after_help = "\
The token is printed on standard output alone, so that it can be piped. It can be used once.

Example:
  portolan sensor invite berlin-1
  # then, on the machine:
  portolan-agent enroll TOKEN --data-dir /var/lib/portolan-agent --allow registry.example.com:5050")]
    Invite {
        /// Name that the sensor gets
        name: String,
        /// Minutes that the token can be used
        #[arg(long, value_name = "MINUTES", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=1_440))]
        ttl: u32,
        #[command(flatten)]
        show: ShowArgs,
    },
    /// List sensors
    #[command(after_help = "Example:\n  portolan sensor list")]
    List(ListArgs),
    /// Show a sensor, and the story of its identity
    #[command(after_help = "Example:\n  portolan sensor show berlin-1")]
    Show {
        /// Name or id
        sensor: String,
        #[command(flatten)]
        show: ShowArgs,
    },
    /// List and withdraw enrolment tokens
    #[command(subcommand)]
    Invitation(InvitationCommand),
    /// Shut a sensor out until it is resumed
    #[command(after_help = "\
Its session is cut within a second and its work goes to another sensor. It keeps its identity, and asks every quarter of an hour whether it may come back.

Example:
  portolan sensor suspend berlin-1")]
    Suspend {
        /// Name or id
        sensor: String,
        #[command(flatten)]
        show: ShowArgs,
    },
    /// Let a suspended sensor in again
    #[command(after_help = "Example:\n  portolan sensor resume berlin-1")]
    Resume {
        /// Name or id
        sensor: String,
        #[command(flatten)]
        show: ShowArgs,
    },
    /// Say that a sensor is the right machine, after its identity was seen twice or it was away for long
    #[command(after_help = "\
Lets the sensor recover within 24 hours, until it has opened a session; a quarantine ends with that, and goes on if it does not come. Look at its story first: `portolan sensor show`. A restored snapshot is harmless; where a copy runs that nobody made, or a thief asks more often than the right machine, revoke the sensor and enrol the machine anew. Its sealing key may have been in two hands: rotate the credentials of its registries.
On a contested sensor it says besides that the machine which was enrolled first is the right one.

Example:
  portolan sensor approve berlin-1")]
    Approve {
        /// Name or id
        sensor: String,
        /// Only the machine with this fingerprint, of those that the story shows; without it, whoever comes first
        #[arg(long, value_name = "HEX")]
        fingerprint: Option<String>,
        #[command(flatten)]
        confirm: ConfirmArgs,
        #[command(flatten)]
        show: ShowArgs,
    },
    /// Remove a revoked sensor from sight
    #[command(
        after_help = "Its name is free then. Its id and its key cannot come back.\n\nExample:\n  portolan sensor delete berlin-1"
    )]
    Delete {
        /// Name or id
        sensor: String,
        #[command(flatten)]
        confirm: ConfirmArgs,
    },
    /// Shut a sensor out for good
    #[command(after_help = "\
Its session is cut within a second, its certificate opens nothing any more, and its work goes to another sensor. There is no way back: to use the machine again, invite and enrol it anew, under another name. On a terminal it asks first.

Example:
  portolan sensor revoke berlin-1")]
    Revoke {
        /// Name or id
        sensor: String,
        #[command(flatten)]
        confirm: ConfirmArgs,
        #[command(flatten)]
        show: ShowArgs,
    },
}

/// The state of a sensor that is shut out.
pub(in crate::cli) const REVOKED: &str = "revoked";

pub(in crate::cli) async fn run(mut desk: Desk<'_>, command: SensorCommand) -> Result<Exit, CliError> {
    match command {
        SensorCommand::Invite { name, ttl, show } => invite(desk, name, ttl, show.output).await,
        SensorCommand::List(args) => list(desk, &args).await,
        SensorCommand::Show { sensor, show } => story::show(desk, &sensor, show.output).await,
        SensorCommand::Suspend { sensor, show } => {
            let value = desk.client.act(&["sensors", &sensor, "suspend"]).await?;
            print(&mut desk, show.output, &value)
        }
        SensorCommand::Resume { sensor, show } => {
            let value = desk.client.act(&["sensors", &sensor, "resume"]).await?;
            print(&mut desk, show.output, &value)
        }
        SensorCommand::Approve {
            sensor,
            fingerprint,
            confirm,
            show,
        } => {
            let question = format!("Is sensor {sensor} the right machine, and may come back?");
            confirm.ask(desk.terminal, &question)?;
            let path = ["sensors", &sensor, "approve"];
            let value = match &fingerprint {
                Some(fingerprint) => {
                    desk.client
                        .act_with(&path, &[("fingerprint", Some(fingerprint.as_str()))])
                        .await?
                }
                None => desk.client.act(&path).await?,
            };
            let exit = print(&mut desk, show.output, &value)?;
            tell_what_to_rotate(&mut desk, &value).await?;
            Ok(exit)
        }
        SensorCommand::Delete { sensor, confirm } => {
            let question = format!("Delete sensor {sensor}?");
            confirm.ask(desk.terminal, &question)?;
            desk.client.delete(&["sensors", &sensor]).await?;
            Ok(Exit::Done)
        }
        SensorCommand::Invitation(command) => invitation::run(desk, command).await,
        SensorCommand::Revoke {
            sensor,
            confirm,
            show,
        } => {
            let question = format!("Shut sensor {sensor} out for good?");
            confirm.ask(desk.terminal, &question)?;
            let value = desk.client.act(&["sensors", &sensor, "revoke"]).await?;
            print(&mut desk, show.output, &value)
        }
    }
}

async fn invite(desk: Desk<'_>, sensor_name: String, ttl: u32, format: Format) -> Result<Exit, CliError> {
    let body = CreateInvitation {
        sensor_name,
        ttl_seconds: Some(u64::from(ttl) * 60),
    };
    let value = desk.client.put(Method::POST, &["invitations"], &body).await?;
    if format != Format::Table {
        print_one(desk.terminal, format, &value, || Ok(Sheet::new()))?;
        return Ok(Exit::Done);
    }
    let made: CreatedInvitation = desk.client.view(&value)?;
    writeln!(desk.terminal.out, "{}", made.token)?;
    desk.terminal.out.flush()?;
    writeln!(
        desk.terminal.err,
        "This token enrols one machine as {}, until {}. There:\n  portolan-agent enroll TOKEN --data-dir DIR --allow REGISTRY_HOST:PORT",
        made.sensor_name,
        moment(made.expires_at)
    )?;
    Ok(Exit::Done)
}

async fn list(desk: Desk<'_>, args: &ListArgs) -> Result<Exit, CliError> {
    let listing = desk.client.list(&["sensors"], &[], args.limit()).await?;
    let now = desk.clock.now();
    print_items(desk.terminal, args.show.output, listing, |items| {
        let mut table = Table::new(&[
            "NAME",
            "STATE",
            "CONNECTION",
            "LAST SEEN",
            "CERTIFICATE ENDS",
            "HOST",
            "AGENT",
        ]);
        for item in items {
            let sensor: Sensor = desk.client.view(item)?;
            table.row([
                sensor.name.clone(),
                sensor.state.clone(),
                connection(&sensor),
                last_seen(&sensor, now),
                moment(sensor.certificate_ends_at),
                sensor.host.hostname,
                sensor.host.agent_version,
            ]);
        }
        Ok(table)
    })?;
    Ok(Exit::Done)
}

pub(super) fn connection(sensor: &Sensor) -> String {
    let shown = match (sensor.online, sensor.freshness.state.as_str()) {
        (true, "not_progressing") => "online, not progressing",
        (true, _) => "online",
        (false, _) => "offline",
    };
    shown.to_owned()
}

pub(super) fn last_seen(sensor: &Sensor, now: Timestamp) -> String {
    sensor
        .last_seen_at
        .map_or_else(|| "never".to_owned(), |time| ago(time, now))
}
