//! `policy egress`: the policy as firewall rules.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use portolan_shared::process::read_bounded;

use super::exit::{DONE, FAILED, Failed, USAGE, keyring_code, say};
use super::notify::incoming;
use crate::keyring::{Enrolment, Keyring, StateDir};
use crate::policy::{ControlPlaneDoors, EgressFormat, HostPattern, HostPort, Needed, Policy, ResolvedHosts};
use crate::settings::Settings;
use crate::uplink::Endpoint;

/// Where the system's name servers are listed (resolv.conf(5)), and how much of it is read.
const RESOLV_CONF: &str = "/etc/resolv.conf";
const RESOLV_CONF_BYTES: u64 = 64 * 1024;

#[derive(Args)]
#[command(after_help = "\
Examples:
  portolan-agent policy egress > /etc/nftables.d/portolan-agent.nft
  portolan-agent policy egress --format systemd > /etc/systemd/system/portolan-agent.service.d/egress.conf

Names are resolved now; addresses change. Generate the rules again when a host moves, or list address ranges in the policy: those are
written as they are. The control plane, proxies and name servers are always included.

A wildcard whose addresses may be public opens every address. The nftables rules still refuse link-local addresses and metadata services;
the systemd form cannot (an IPAddressAllow wins over every IPAddressDeny), and says so in a note, as it does for each range that has some of them.

The systemd form holds for what comes in as well: it lets in from where registries may notify, by [notify] of the settings, and loopback if
health is served there by the settings.

What credential commands and credential helpers contact is in no policy, and let through by neither form: add it by hand.")]
pub(super) struct EgressArguments {
    /// Which policy [default: the one that `run` would use]
    file: Option<PathBuf>,
    /// In which form
    #[arg(long, value_enum, default_value_t = EgressFormat::Nftables)]
    format: EgressFormat,
    /// The user that the agent runs as, by name or number
    #[arg(long, value_name = "USER", default_value = "portolan-agent", value_parser = user)]
    user: String,
    /// The control plane [default: the one that this machine is enrolled with]
    #[arg(long, value_name = "HOST[:PORT]")]
    control_plane: Vec<HostPort>,
}

/// The portable names of users, and their numbers.
fn user(text: &str) -> Result<String, String> {
    let good = (1..=32).contains(&text.len())
        && !text.starts_with('-')
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    if good {
        Ok(text.to_owned())
    } else {
        Err("expected the name or number of a user".to_owned())
    }
}

pub(super) async fn egress(arguments: &EgressArguments, settings: &Settings) -> Result<u8, Failed> {
    let file = arguments.file.as_ref().unwrap_or(&settings.policy);
    let policy = Policy::load(file).map_err(|error| Failed::because(USAGE, &error))?;
    let mut needed = name_servers(Path::new(RESOLV_CONF))?;
    for (host, port) in control_plane(arguments, settings)? {
        // By a proxy, the control plane itself is none of the firewall's business.
        needed.push(match settings.proxy.for_host(&host, port) {
            Some(proxy) => tcp("proxy to the control plane", &proxy.host, proxy.port),
            None => tcp("control plane", &host, port),
        });
    }
    needed.extend(policy.proxies(&settings.registry_proxy));
    let mut names = policy.hosts_to_resolve();
    names.extend(needed.iter().map(|needed| needed.host.clone()));
    let resolved = resolve(names).await;
    let rules = policy
        .egress(&needed, &resolved, &settings.registry_proxy)
        .render(arguments.format, &arguments.user);
    say(rules.trim_end())?;
    if arguments.format == EgressFormat::Systemd {
        if let Some(notify) = &settings.notify {
            say(incoming(notify).trim_end())?;
        }
        say(health(settings))?;
    }
    Ok(DONE)
}

/// Lines of a systemd drop-in: it denies loopback as well, where health is served.
fn health(settings: &Settings) -> &'static str {
    if settings.health.listen.is_some() {
        "# health and metrics are served over loopback\nIPAddressAllow=localhost"
    } else {
        "# Note: loopback is denied as well. If `run` has --health-listen on its command line, add IPAddressAllow=localhost, or write the address\n\
         # into the settings file (section health, listen) and generate this again."
    }
}

fn tcp(what: &str, host: &str, port: u16) -> Needed {
    Needed {
        what: what.to_owned(),
        host: host.to_owned(),
        port,
        udp: false,
    }
}

/// Each name with its addresses, IPv4 first; nothing for those that do not resolve.
async fn resolve(names: BTreeSet<String>) -> ResolvedHosts {
    let mut resolved = ResolvedHosts::new();
    for name in names {
        let found: BTreeSet<IpAddr> = match tokio::net::lookup_host((name.as_str(), 0)).await {
            Ok(addresses) => addresses.map(|address| address.ip()).collect(),
            Err(error) => {
                tracing::debug!(%name, %error, "does not resolve");
                continue;
            }
        };
        resolved.insert(name, found.into_iter().collect());
    }
    resolved
}

fn control_plane(arguments: &EgressArguments, settings: &Settings) -> Result<Vec<(String, u16)>, Failed> {
    let mut places = Vec::new();
    for place in &arguments.control_plane {
        let HostPattern::Exact(host) = &place.host else {
            return Err(Failed(USAGE, "--control-plane: expected one host".to_owned()));
        };
        places.push((host.clone(), place.port.unwrap_or(443)));
    }
    if !places.is_empty() {
        return Ok(places);
    }
    enrolled_with(settings)?.ok_or_else(|| {
        Failed(
            USAGE,
            "this machine is not enrolled, so nothing is known of its control plane: name it by --control-plane HOST[:PORT]"
                .to_owned(),
        )
    })
}

/// Hosts and ports of the control plane that this machine is enrolled with.
pub(super) fn enrolled_with(settings: &Settings) -> Result<Option<Vec<(String, u16)>>, Failed> {
    let enrolment = Keyring::enrolment_in(&StateDir::for_looking(&settings.data_dir))
        .map_err(|error| Failed::because(keyring_code(&error), &error))?;
    let Some(Enrolment::Enrolled(enrolled)) = enrolment else {
        return Ok(None);
    };
    Ok(Some(Endpoint::places(&enrolled.endpoints)))
}

/// Where the control plane listens that this machine is enrolled with; nowhere, with a word about it, if its state may not be read by whoever asks.
pub(super) fn doors(settings: &Settings) -> ControlPlaneDoors {
    let places = enrolled_with(settings).unwrap_or_else(|Failed(_, why)| {
        tracing::warn!(%why, "this machine's control plane is not known, and not judged");
        None
    });
    ControlPlaneDoors::new(places.into_iter().flatten())
}

/// The name servers of a resolv.conf; this machine where it lists none.
fn name_servers(file: &Path) -> Result<Vec<Needed>, Failed> {
    let content = read_bounded(file, RESOLV_CONF_BYTES).map_err(|error| Failed::because(FAILED, &error))?;
    let text = String::from_utf8_lossy(content.as_deref().unwrap_or_default()).into_owned();
    let listed = text.lines().filter_map(|line| {
        let server = line.trim_start().strip_prefix("nameserver")?;
        let address = server.split_whitespace().next()?;
        // fe80::1%eth0: the firewall knows no zones.
        address.split('%').next()?.parse::<IpAddr>().ok()
    });
    let mut servers: Vec<IpAddr> = listed.collect();
    if servers.is_empty() {
        servers.push(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));
    }
    let needed = servers.into_iter().map(|address| Needed {
        what: "name server".to_owned(),
        host: address.to_string(),
        port: 53,
        udp: true,
    });
    Ok(needed.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_those_of_the_system() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("resolv.conf");
        let hosts = || {
            let servers = name_servers(&file).ok().unwrap();
            servers.into_iter().map(|server| server.host).collect::<Vec<_>>()
        };
        assert_eq!(hosts(), ["127.0.0.1"]);
        std::fs::write(
            &file,
            "# x\nsearch corp\nnameserver 10.0.0.2\n nameserver\tfe80::1%eth0 \nnameserver nonsense\n",
        )
        .unwrap();
        assert_eq!(hosts(), ["10.0.0.2", "fe80::1"]);
    }

    #[test]
    fn a_user_is_a_plain_name_or_a_number() {
        for good in ["portolan-agent", "64123", "_a.b"] {
            assert!(user(good).is_ok());
        }
        for bad in ["", "-x", "a b", "a\"", "a;b", "a\nb"] {
            assert!(user(bad).is_err(), "{bad:?}");
        }
    }
}
