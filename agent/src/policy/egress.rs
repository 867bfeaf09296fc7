//! Firewall rules that let through what the policy allows.
//!
//! Firewalls know addresses, and the policy names hosts: whoever generates the rules resolves them ([`Policy::hosts_to_resolve`]). A host
//! whose addresses the entry lists as ranges is written with those, because they do not move. Where an entry names no port for a token
//! service or storage, 443 is written: a firewall that opens every port of a host is none.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use portolan_shared::model::{CredentialReference, never_contacted};
use portolan_shared::process::{ProxyRules, ProxyUrl};

use super::address::{AddressRange, AddressSet, PRIVATE};
use super::decide::{Policy, Rule};
use super::egress_text::list;
use super::host::{HostPattern, HostPort, literal};

/// In which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum EgressFormat {
    /// A table for nftables, for the agent's user.
    Nftables,
    /// A drop-in for the systemd unit; addresses only, systemd knows no ports. A public wildcard opens every address.
    Systemd,
}

/// Addresses of the names that were resolved.
pub type ResolvedHosts = BTreeMap<String, Vec<IpAddr>>;

/// What the agent needs whatever the policy says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needed {
    /// What it is, for the comment.
    pub what: String,
    /// Where: a name, or an address.
    pub host: String,
    /// On which port.
    pub port: u16,
    /// Over UDP as well.
    pub udp: bool,
}

/// Addresses that may be reached, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Opening {
    pub(super) why: String,
    /// Any address if none.
    pub(super) range: Option<AddressRange>,
    pub(super) ports: BTreeSet<u16>,
    pub(super) udp: bool,
}

/// A rule set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Egress {
    pub(super) openings: Vec<Opening>,
    /// What could not be written as somebody might expect.
    pub(super) warnings: Vec<String>,
}

impl Policy {
    /// The names whose addresses the rules need.
    #[must_use]
    pub fn hosts_to_resolve(&self) -> BTreeSet<String> {
        let hosts = self.rules.iter().flat_map(|rule| {
            let elsewhere = rule.realms.iter().chain(&rule.storage).map(|place| &place.host);
            std::iter::once(&rule.host).chain(elsewhere)
        });
        hosts
            .filter_map(|host| match host {
                HostPattern::Exact(name) if literal(name).is_none() => Some(name.clone()),
                HostPattern::Exact(_) | HostPattern::Below(_) => None,
            })
            .collect()
    }

    /// The proxies by which hosts are reached that the policy names exactly, in both schemes where an entry allows both.
    #[must_use]
    pub fn proxies(&self, proxies: &ProxyRules) -> Vec<Needed> {
        let mut needed = Vec::new();
        for rule in &self.rules {
            for (host, ports) in rule.places() {
                let HostPattern::Exact(name) = host else {
                    continue;
                };
                for (port, https) in ports.iter().flat_map(|port| [(*port, true), (*port, false)]) {
                    let Some(proxy) = rule.proxy(proxies, https, name, port) else {
                        continue;
                    };
                    let one = Needed {
                        what: "proxy to registries".to_owned(),
                        host: proxy.host.clone(),
                        port: proxy.port,
                        udp: false,
                    };
                    if !needed.contains(&one) {
                        needed.push(one);
                    }
                }
            }
        }
        needed
    }

    /// The rule set: what is needed in any case first, then entry by entry. What is reached by a proxy is none of the firewall's business.
    #[must_use]
    pub fn egress(&self, needed: &[Needed], resolved: &ResolvedHosts, proxies: &ProxyRules) -> Egress {
        let mut egress = Egress {
            openings: Vec::new(),
            warnings: Vec::new(),
        };
        for Needed {
            what,
            host,
            port,
            udp,
        } in needed
        {
            let addresses = match literal(host) {
                Some(address) => vec![address],
                None => resolved.get(host).cloned().unwrap_or_default(),
            };
            if addresses.is_empty() {
                egress.warnings.push(format!("{what}: {host} did not resolve"));
            }
            for address in addresses {
                let why = format!("{what} {host}");
                egress.open(why, Some(address.into()), BTreeSet::from([*port]), *udp);
            }
        }
        for rule in &self.rules {
            egress.add(rule, resolved, proxies);
        }
        egress.warnings.extend(self.run_beside());
        egress
    }

    /// What is to be said of programs that are run for credentials: they are bound as the agent is, and the policy has none of their hosts.
    fn run_beside(&self) -> Option<String> {
        let helpers = self.rules.iter().any(|rule| {
            let docker = CredentialReference::DockerConfig(None);
            rule.modes.local && rule.credentials.iter().any(|pattern| pattern.matches(&docker))
        });
        let commands = self.commands.iter().map(|(name, _)| format!("command:{name}"));
        let helpers =
            helpers.then(|| "credential helpers, where a docker configuration names some".to_owned());
        let programs: Vec<String> = commands.chain(helpers).collect();
        (!programs.is_empty()).then(|| {
            format!(
                "programs that are asked for a credential ({}) run as the agent does, and hosts that they contact are in no policy: where one \
                 needs any, add them here by hand",
                programs.join(", ")
            )
        })
    }
}

impl Egress {
    fn open(&mut self, why: String, range: Option<AddressRange>, ports: BTreeSet<u16>, udp: bool) {
        let opening = Opening {
            why,
            range,
            ports,
            udp,
        };
        if !self.openings.contains(&opening) {
            self.openings.push(opening);
        }
    }

    fn add(&mut self, rule: &Rule, resolved: &ResolvedHosts, proxies: &ProxyRules) {
        for (word, places) in [("realms", &rule.realms), ("storage", &rule.storage)] {
            for HostPort { host, .. } in places.iter().filter(|place| place.port.is_none()) {
                let (id, usual) = (&rule.id, list(rule.usual_ports()));
                self.warnings.push(format!(
                    "{id}: {host} in {word} has no port, so {usual} is meant here; write the port where it is another"
                ));
            }
        }
        for (host, mut ports) in rule.places() {
            if let HostPattern::Exact(name) = host {
                let direct = |https, port| {
                    (https || rule.plaintext) && rule.proxy(proxies, https, name, port).is_none()
                };
                ports.retain(|port| direct(true, *port) || direct(false, *port));
            }
            if !ports.is_empty() {
                self.add_host(rule, host, &ports, resolved);
            }
        }
    }

    fn add_host(&mut self, rule: &Rule, host: &HostPattern, ports: &BTreeSet<u16>, resolved: &ResolvedHosts) {
        let Rule { id, addresses, .. } = rule;
        let why = format!("{id} {host}");
        let ranges = match host {
            HostPattern::Exact(name) => self.ranges_of(id, name, addresses, resolved),
            HostPattern::Below(_) => {
                let mut ranges: Vec<Option<AddressRange>> =
                    addresses.ranges.iter().copied().map(Some).collect();
                if addresses.private {
                    ranges.extend(PRIVATE.into_iter().map(Some));
                }
                if addresses.public {
                    self.warnings.push(format!(
                        "{id}: {host} may be at any public address, so every address is let through on its ports; list ranges in addresses"
                    ));
                    ranges.push(None);
                }
                ranges
            }
        };
        for range in ranges {
            self.open(why.clone(), range, ports.clone(), false);
        }
    }

    fn ranges_of(
        &mut self,
        id: &str,
        name: &str,
        addresses: &AddressSet,
        resolved: &ResolvedHosts,
    ) -> Vec<Option<AddressRange>> {
        if let Some(address) = literal(name) {
            if never_contacted(address).is_some() {
                self.warnings.push(format!(
                    "{id}: {name} is never contacted, so it is not let through"
                ));
                return Vec::new();
            }
            return vec![Some(address.into())];
        }
        let only_ranges = !addresses.public && !addresses.private && !addresses.ranges.is_empty();
        if only_ranges {
            return addresses.ranges.iter().copied().map(Some).collect();
        }
        let found = resolved.get(name).map_or(&[][..], Vec::as_slice);
        let (allowed, refused): (Vec<IpAddr>, Vec<IpAddr>) = found
            .iter()
            .partition(|address| addresses.check(**address).is_ok());
        for address in refused {
            self.warnings.push(format!(
                "{id}: {name} is at {address}, which the entry does not allow"
            ));
        }
        if found.is_empty() {
            self.warnings.push(format!("{id}: {name} did not resolve"));
        }
        let allowed = allowed
            .into_iter()
            .map(|address| Some(AddressRange::from(address)));
        allowed
            .chain(addresses.ranges.iter().copied().map(Some))
            .collect()
    }
}

impl Rule {
    fn usual_ports(&self) -> &'static [u16] {
        if self.plaintext { &[80, 443] } else { &[443] }
    }

    /// Each host that it names, with the ports that are meant: the registry's first.
    fn places(&self) -> Vec<(&HostPattern, BTreeSet<u16>)> {
        let usual = self.usual_ports();
        // Token services on the registry's own host are allowed on any port; they have the usual one.
        let own = self.ports.iter().chain(usual).copied().collect();
        let elsewhere = self.realms.iter().chain(&self.storage).map(|place| {
            let ports = match place.port {
                Some(port) => BTreeSet::from([port]),
                None => usual.iter().copied().collect(),
            };
            (&place.host, ports)
        });
        std::iter::once((&self.host, own)).chain(elsewhere).collect()
    }

    /// By which proxy a host is reached, if it may be reached so at all.
    fn proxy<'p>(&self, proxies: &'p ProxyRules, https: bool, host: &str, port: u16) -> Option<&'p ProxyUrl> {
        let proxy = proxies.proxy_for(https, host, port);
        proxy.filter(|_| https || self.plaintext)
    }
}

#[cfg(test)]
#[path = "egress_tests.rs"]
mod tests;
