//! Whom to seal to: the sensors of a registry, each by a key that its identity vouches for, and each identity compared with what is known.

use std::io::Write as _;

use data_encoding::BASE64;
use portolan_shared::model::TenantId;
use portolan_shared::secret::sealed::{
    IdentityFingerprint, IdentityPublicKey, Recipient, SignedSealingKey, StatementError,
};

use super::SealArgs;
use super::pins::{Known, Pinned, Pins};
use crate::cli::failure::CliError;
use crate::cli::operate::Desk;
use crate::cli::output::moment;
use crate::cli::{Exit, sensor};
use crate::web::api::credentials::SealingKeyView;
use crate::web::api::sensors::Sensor;

/// A sensor that can be sealed to.
pub(super) struct Sealable {
    pub(super) name: String,
    pub(super) online: bool,
    pub(super) recipient: Recipient,
}

/// All sensors of a registry, or why one of them cannot be sealed to.
pub(super) async fn recipients(
    desk: &mut Desk<'_>,
    args: &SealArgs,
    tenant: TenantId,
    sensors: &[String],
) -> Result<Vec<Sealable>, CliError> {
    let pins = Pins::open(desk.environment.config_folder.as_deref())?;
    let mut found = Vec::with_capacity(sensors.len());
    for named in sensors {
        let sensor: Sensor = desk
            .client
            .view(&desk.client.get(&["sensors", named], &[]).await?)?;
        let id = desk.id(&sensor.id)?;
        let key = sealing_key(desk, &sensor).await?;
        let identity = identity(desk, &key)?;
        let recipient = read(&key)
            .ok_or_else(|| desk.client.odd("a sealing key of another form".to_owned()))?
            .recipient(&identity, tenant, id, desk.clock.now())
            .map_err(|error| refused(&sensor, error))?;
        let pinned = Pinned {
            control_plane: desk.client.control_plane().to_string(),
            tenant,
            sensor: id,
            name: sensor.name.clone(),
        };
        compare(desk, args, &pins, pinned, identity.fingerprint())?;
        found.push(Sealable {
            name: sensor.name,
            online: sensor.online,
            recipient,
        });
    }
    Ok(found)
}

impl Desk<'_> {
    /// An identifier in an answer.
    pub(in crate::cli) fn id<T: std::str::FromStr>(&self, text: &str) -> Result<T, CliError>
    where
        T::Err: std::fmt::Display,
    {
        text.parse()
            .map_err(|error| self.client.odd(format!("an answer of another form: {error}")))
    }
}

async fn sealing_key(desk: &Desk<'_>, sensor: &Sensor) -> Result<SealingKeyView, CliError> {
    let name = &sensor.name;
    match sensor.state.as_str() {
        sensor::REVOKED => {
            return Err(CliError::NotReady(format!(
                "sensor {name} is revoked: assign another one"
            )));
        }
        "quarantined" => {
            return Err(CliError::NotReady(format!(
                "sensor {name} is quarantined, because its identity was seen twice: look at `portolan sensor show {name}`, then approve or \
                 revoke it"
            )));
        }
        _ => {}
    }
    match desk
        .client
        .get(&["sensors", &sensor.id, "sealing-key"], &[])
        .await
    {
        Ok(value) => desk.client.view(&value),
        Err(error) if error.exit() == Exit::NotFound => Err(CliError::NotReady(match sensor.last_seen_at {
            None => format!(
                "sensor {name} has not published a sealing key yet, because it never connected: start `portolan-agent run` on its machine"
            ),
            Some(seen) => format!(
                "sensor {name} has not published a sealing key yet. It was last seen {}, with agent version {}: if that is older than \
                 this program, update it; else wait until it is connected",
                moment(seen),
                sensor.host.agent_version
            ),
        })),
        Err(error) => Err(error),
    }
}

/// The identity key of an answer. People compare the fingerprint that is made of it here, never the one that the control plane says.
fn identity(desk: &Desk<'_>, key: &SealingKeyView) -> Result<IdentityPublicKey, CliError> {
    let bytes = BASE64.decode(key.identity_public_key.as_bytes()).ok();
    let identity = bytes
        .and_then(|bytes| bytes.try_into().ok())
        .map(IdentityPublicKey)
        .ok_or_else(|| desk.client.odd("an identity key of another form".to_owned()))?;
    if identity.fingerprint().to_string() != key.identity_fingerprint {
        return Err(desk
            .client
            .odd("a fingerprint that is not the one of the identity key beside it".to_owned()));
    }
    Ok(identity)
}

fn read(key: &SealingKeyView) -> Option<SignedSealingKey> {
    let statement = BASE64.decode(key.statement.as_bytes()).ok()?;
    let signature = BASE64.decode(key.signature.as_bytes()).ok()?;
    SignedSealingKey::parse(&statement, &signature).ok()
}

fn refused(sensor: &Sensor, error: StatementError) -> CliError {
    let name = &sensor.name;
    match error {
        StatementError::Ended { .. } => {
            CliError::NotReady(format!("sensor {name} cannot be sealed to: {error}"))
        }
        _ => CliError::Untrusted(format!(
            "nothing is sealed for sensor {name}: {error}\nEither this control plane has mixed up its records, or it wants the login for \
             itself: tell whoever operates it."
        )),
    }
}

/// Compares an identity with what is known, shows it, asks where it is new or another one, and remembers it.
fn compare(
    desk: &mut Desk<'_>,
    args: &SealArgs,
    pins: &Pins,
    sensor: Pinned,
    shown: IdentityFingerprint,
) -> Result<(), CliError> {
    let name = sensor.name.clone();
    let accepted = args.accept_fingerprint.contains(&shown);
    match pins.known(&sensor, shown)? {
        Known::Same => {
            writeln!(desk.terminal.err, "sealing for {name}: {shown}, as before")?;
            return Ok(());
        }
        Known::Never => {
            writeln!(
                desk.terminal.err,
                "sealing for {name}: {shown}, for the first time\n  `portolan-agent status` on its machine has to show the same: \
                 whoever put another one here would read the login"
            )?;
            if !accepted && !args.accept_fingerprint.is_empty() {
                return Err(CliError::Untrusted(format!(
                    "sensor {name} has the fingerprint {shown}, which is none of those that --accept-fingerprint names"
                )));
            }
            let asked = !accepted && !args.yes && desk.terminal.has_person();
            if asked && !desk.terminal.agrees(&format!("Does {name} show {shown}?"))? {
                return Err(CliError::NotConfirmed);
            }
        }
        Known::Otherwise(before, at) => {
            let told = format!(
                "sensor {name} is not the one that it was:\n  fingerprint now     {shown}\n  pinned {at}  {before}\n\
                 That is right only if somebody enrolled a sensor of this name anew. Compare it with what `portolan-agent status` shows on its \
                 machine: whoever put another one here would read the login.",
                at = at.strftime("%Y-%m-%d"),
            );
            if accepted {
                writeln!(desk.terminal.err, "{told}\naccepted by --accept-fingerprint")?;
            } else if desk.terminal.has_person() {
                writeln!(desk.terminal.err, "{told}")?;
                if !desk.terminal.agrees(&format!("Does {name} show {shown} now?"))? {
                    return Err(CliError::Untrusted(format!(
                        "nothing is sealed for sensor {name}: its fingerprint was not confirmed"
                    )));
                }
            } else {
                return Err(CliError::Untrusted(format!(
                    "{told}\nIf it is right: --accept-fingerprint {shown}"
                )));
            }
        }
    }
    pins.pin(sensor, shown, desk.clock.now())?;
    writeln!(desk.terminal.err, "  pinned in {}", pins.path().display())?;
    Ok(())
}
