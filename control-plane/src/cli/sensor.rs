//! `portolan sensor`

use std::io::Write as _;

use jiff::Timestamp;
use reqwest::Method;
use serde_json::Value;

use super::Exit;
use super::failure::CliError;
use super::invitation::{self, InvitationCommand};
use super::operate::Desk;
use super::output::{Format, ListArgs, Sheet, ShowArgs, Table, ago, moment, print_items, print_one};
use super::terminal::ConfirmArgs;
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
    /// Show a sensor
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
pub(super) const REVOKED: &str = "revoked";

pub(super) async fn run(mut desk: Desk<'_>, command: SensorCommand) -> Result<Exit, CliError> {
    match command {
        SensorCommand::Invite { name, ttl, show } => invite(desk, name, ttl, show.output).await,
        SensorCommand::List(args) => list(desk, &args).await,
        SensorCommand::Show { sensor, show } => {
            let value = desk.client.get(&["sensors", &sensor], &[]).await?;
            print(&mut desk, show.output, &value)
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

fn print(desk: &mut Desk<'_>, format: Format, value: &Value) -> Result<Exit, CliError> {
    let now = desk.clock.now();
    print_one(desk.terminal, format, value, || {
        let sensor: Sensor = desk.client.view(value)?;
        Ok(sheet(sensor, now))
    })?;
    Ok(Exit::Done)
}

fn sheet(sensor: Sensor, now: Timestamp) -> Sheet {
    let mut sheet = Sheet::new();
    let (connection, last_seen) = (connection(&sensor), last_seen(&sensor, now));
    let host = sensor.host;
    sheet
        .add("name", sensor.name)
        .add("id", sensor.id)
        .add("state", sensor.state)
        .add("connection", connection)
        .add("last seen", last_seen);
    if sensor.contested {
        sheet.add(
            "CONTESTED",
            "somebody else showed the secret of its enrolment token: revoke it unless you know why"
                .to_owned(),
        );
    }
    sheet
        .add("certificate ends", moment(sensor.certificate_ends_at))
        .add(
            "host",
            format!("{}, {}/{}", host.hostname, host.os, host.architecture),
        )
        .add("agent", host.agent_version)
        .add("clock", format!("{} ms against ours", sensor.clock_skew_ms))
        .add("policy", sensor.policy_summary)
        .add("policy hash", sensor.policy_hash)
        .add(
            "enrolled",
            format!("{} from {}", moment(sensor.enrolled_at), sensor.enrolled_from),
        )
        .add("revoked", sensor.revoked_at.map(moment));
    sheet
}

fn connection(sensor: &Sensor) -> String {
    if sensor.online { "online" } else { "offline" }.to_owned()
}

fn last_seen(sensor: &Sensor, now: Timestamp) -> String {
    sensor
        .last_seen_at
        .map_or_else(|| "never".to_owned(), |time| ago(time, now))
}
