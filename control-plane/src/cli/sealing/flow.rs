//! From a login that was entered to one that can be stored.
//!
//! Nothing is stored on the way but pins, on this machine: whoever interrupts it leaves the registry as it was.

use std::io::Write as _;

use portolan_shared::model::{CredentialId, RegistryId, TenantId};
use portolan_shared::secret::sealed::{
    BoundHost, CredentialBinding, CredentialSecret, Recipient, UnixSecond, seal,
};

use super::SealArgs;
use super::hosts::{Accepted, Seen};
use super::login::read_login;
use super::recipients::{Sealable, recipients};
use crate::cli::Exit;
use crate::cli::failure::CliError;
use crate::cli::operate::Desk;
use crate::cli::probe::{Looked, look, render, render_warned};
use crate::web::api::credentials::SealedCredentialInput;
use crate::web::api::probes::{CreateProbe, CreateRegistryProbe};
use crate::web::api::whoami::Whoami;

/// What a login is sealed for.
pub(in crate::cli) struct Target {
    /// Its registry's id; made up before if it is not saved yet.
    pub(in crate::cli) registry: RegistryId,
    /// Whether it is saved.
    pub(in crate::cli) saved: bool,
    /// How to look at it without a login.
    pub(in crate::cli) anonymous: CreateProbe,
    /// The sealed credential that it has, and the version that comes next.
    pub(in crate::cli) former: Option<(CredentialId, u64)>,
}

/// How sealing ended.
pub(in crate::cli) enum Sealing {
    /// The login may be stored.
    Sealed(SealedCredentialInput),
    /// It may not. What is wrong has been shown.
    Stopped(Exit),
}

/// Stages on the way to a registry that have nothing to do with logins.
const BEFORE_LOGIN: [&str; 6] = ["policy", "name_resolution", "route", "tcp", "tls", "api"];

/// Reads a login, seals it and, if `tested`, has it tried.
pub(in crate::cli) async fn seal_login(
    desk: &mut Desk<'_>,
    args: &SealArgs,
    target: &Target,
    tested: bool,
) -> Result<Sealing, CliError> {
    let now = desk.clock.now();
    let expires_at = args.expires.map(|expiry| expiry.after(now)).transpose()?;
    let login = read_login(args, desk.terminal)?;
    let who: Whoami = desk.client.view(&desk.client.get(&["whoami"], &[]).await?)?;
    let tenant: TenantId = desk.id(&who.tenant_id)?;
    let sensors = recipients(desk, args, tenant, &target.anonymous.sensors).await?;
    let recipients: Vec<Recipient> = sensors.iter().map(|sensor| sensor.recipient).collect();
    let mut accepted = Accepted::by(args);
    if tested {
        if let Some(exit) = look_around(desk, args, target, &mut accepted).await? {
            return Ok(Sealing::Stopped(exit));
        }
        tell_away(desk, &sensors)?;
    }
    let (credential, version) = target
        .former
        .unwrap_or_else(|| (CredentialId::random(desk.rng), 1));
    let envelope = Envelope {
        tenant,
        credential,
        version,
        created_at: now.into(),
        expires_at,
    };
    let mut sealed = envelope.seal(desk, &login, target, &accepted, &recipients)?;
    if tested {
        let mut looked = try_sealed(desk, target, &sealed).await?;
        let seen = Seen::in_probe(&looked.value, &host(target));
        if !accepted.covers(&seen) {
            writeln!(desk.terminal.err, "with the login, it was also seen")?;
            accepted.ask(desk, args, &seen)?;
            sealed = envelope.seal(desk, &login, target, &accepted, &recipients)?;
            looked = try_sealed(desk, target, &sealed).await?;
        }
        if let Some(exit) = judged(desk, &looked)? {
            return Ok(Sealing::Stopped(exit));
        }
    }
    let names: Vec<_> = sensors.iter().map(|sensor| sensor.name.as_str()).collect();
    writeln!(
        desk.terminal.err,
        "sealed {}: version {version}, only {} can open it",
        accepted.told(&host(target)),
        names.join(", ")
    )?;
    Ok(Sealing::Sealed(sealed))
}

fn host(target: &Target) -> BoundHost {
    (&target.anonymous.url).into()
}

/// Looks at the registry without a login, and asks which of the hosts that it names may be used. Gives how that went if it cannot be reached.
async fn look_around(
    desk: &mut Desk<'_>,
    args: &SealArgs,
    target: &Target,
    accepted: &mut Accepted,
) -> Result<Option<Exit>, CliError> {
    let looked = look(desk, &["probes"], &target.anonymous).await?;
    let unreachable = looked
        .probe
        .stages
        .iter()
        .any(|stage| stage.verdict == "failed" && BEFORE_LOGIN.contains(&stage.stage.as_str()));
    if looked.probe.sound.is_none() || unreachable {
        show(desk, &looked)?;
        return Ok(Some(looked.exit()));
    }
    let seen = Seen::in_probe(&looked.value, &host(target));
    let named = if seen == Seen::default() {
        ", and saw no other host"
    } else {
        ", and saw"
    };
    writeln!(
        desk.terminal.err,
        "{} looked at {} without a login{named}",
        looked.by(),
        target.anonymous.url
    )?;
    accepted.ask(desk, args, &seen)?;
    Ok(None)
}

/// A sensor that is away is sealed to all the same; another one tries the login.
fn tell_away(desk: &mut Desk<'_>, sensors: &[Sealable]) -> Result<(), CliError> {
    if sensors.iter().any(|sensor| sensor.online) {
        for away in sensors.iter().filter(|sensor| !sensor.online) {
            let name = &away.name;
            writeln!(
                desk.terminal.err,
                "{name} is not connected: the login is sealed for it too, and tried by another"
            )?;
        }
    }
    Ok(())
}

async fn try_sealed(
    desk: &mut Desk<'_>,
    target: &Target,
    sealed: &SealedCredentialInput,
) -> Result<Looked, CliError> {
    if target.saved {
        let body = CreateRegistryProbe {
            credential: Some(sealed.clone()),
            ..CreateRegistryProbe::default()
        };
        let id = target.registry.to_string();
        return look(desk, &["registries", &id, "probes"], &body).await;
    }
    let body = CreateProbe {
        registry_id: Some(target.registry),
        credential: Some(sealed.clone()),
        ..target.anonymous.clone()
    };
    look(desk, &["probes"], &body).await
}

/// Says how the trial went. Gives the exit code if the login must not be stored.
fn judged(desk: &mut Desk<'_>, looked: &Looked) -> Result<Option<Exit>, CliError> {
    if looked.exit() != Exit::Done {
        show(desk, looked)?;
        return Ok(Some(looked.exit()));
    }
    writeln!(desk.terminal.err, "tried by {}: the login works", looked.by())?;
    let warned = render_warned(&looked.probe);
    desk.terminal.err.write_all(warned.as_bytes())?;
    Ok(None)
}

fn show(desk: &mut Desk<'_>, looked: &Looked) -> Result<(), CliError> {
    let coloured = desk.terminal.marks && desk.terminal.progress;
    let text = render(&looked.probe, coloured);
    desk.terminal.err.write_all(text.as_bytes())?;
    writeln!(
        desk.terminal.err,
        "nothing was stored; with --no-test it is stored untried"
    )?;
    Ok(())
}

/// What stays the same when a login is sealed again with more hosts.
struct Envelope {
    tenant: TenantId,
    credential: CredentialId,
    version: u64,
    created_at: UnixSecond,
    expires_at: Option<UnixSecond>,
}

impl Envelope {
    fn seal(
        &self,
        desk: &Desk<'_>,
        login: &CredentialSecret,
        target: &Target,
        accepted: &Accepted,
        recipients: &[Recipient],
    ) -> Result<SealedCredentialInput, CliError> {
        let binding = CredentialBinding {
            tenant: self.tenant,
            registry: target.registry,
            scheme: (&target.anonymous.url).into(),
            host: host(target),
            realm_hosts: accepted.realm()?,
            storage_hosts: accepted.storage()?,
            credential: self.credential,
            version: self.version,
            created_at: self.created_at,
            expires_at: self.expires_at,
        };
        let sealed = seal(login, &binding, recipients, desk.rng).map_err(CliError::usage)?;
        Ok(SealedCredentialInput::of(&binding, &sealed))
    }
}
