//! What a sync would contact and send, by the policy in force and by the jobs that there were.

use std::fmt;

use jiff::Timestamp;
use portolan_shared::model::RegistryUrl;
use portolan_shared::process::ProxyRules;
use serde::Serialize;

use crate::audit::{DataKind, Elsewhere, Known, Occasion};
use crate::policy::{HopPurpose, HostPattern, OpenedEntry, Policy};
use crate::settings::Settings;

/// What a sync would do.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Next {
    /// Why no job is taken at this moment, if that is so.
    not_now: Option<String>,
    /// Where results go: one of these. Empty before an enrolment.
    control_plane: Vec<Host>,
    /// Registries that jobs have named.
    registries: Vec<Registry>,
    /// What the policy allows beside those: no job has named it yet.
    allowed_and_not_named_yet: Vec<Allowed>,
    /// Kinds of data that a sync sends.
    sent: Vec<Kind>,
    /// Kinds of data that a session sends, whether or not there is a sync.
    sent_anyway: Vec<Kind>,
    /// Kinds of data that something else has sent, each if it happens.
    sent_if: Vec<Kind>,
    /// Image facts that the policy withholds.
    withheld: Vec<String>,
    never_sent: &'static str,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Host {
    host: String,
    /// Proxy on the way.
    by: Option<String>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Registry {
    registry: String,
    by: Option<String>,
    /// The rule that allows it; none if nothing is contacted.
    rule: Option<String>,
    /// Which repositories; all that the credential can list if empty.
    repositories: Vec<String>,
    /// What was contacted for it before.
    others: Vec<Other>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Other {
    purpose: String,
    host: String,
    by: Option<String>,
    /// Whether the policy still allows it.
    allowed: bool,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Allowed {
    rule: String,
    /// `HOST:PORT`, or `*.SUFFIX:PORT` for any host below.
    registry: String,
    by: Option<String>,
    /// Which paths their URLs may have; the usual ones if empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    paths: Vec<String>,
    repositories: Vec<String>,
    realms: Vec<String>,
    storage: Vec<String>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Kind {
    kind: &'static str,
    part_of: &'static str,
    what: &'static str,
}

const NEVER: &str = "credentials in clear, layers, values of environment variables of images, answers of registries as they are";

/// By `policy` at this moment, for a sensor of the control plane at these hosts and ports, where jobs have contacted the registries `known`.
pub(super) fn next(
    known: &[Known],
    policy: &Policy,
    control_plane: Option<&[(String, u16)]>,
    settings: &Settings,
    now: Timestamp,
) -> Next {
    let proxies = &settings.registry_proxy;
    let kinds = |wanted: fn(Occasion) -> bool| {
        let named = DataKind::ALL.into_iter().filter(|kind| *kind != DataKind::Other);
        named
            .filter(|kind| wanted(kind.occasion()))
            .map(|kind| Kind {
                kind: kind.name(),
                part_of: kind.occasion().says(),
                what: kind.says(),
            })
            .collect()
    };
    let to_control_plane = control_plane.unwrap_or_default().iter().map(|(host, port)| Host {
        host: format!("{host}:{port}"),
        by: settings.proxy.for_host(host, *port).map(ToString::to_string),
    });
    Next {
        not_now: policy.allows_now(now).err().map(|refused| refused.to_string()),
        control_plane: to_control_plane.collect(),
        registries: known
            .iter()
            .map(|known| registry(known, policy, proxies))
            .collect(),
        allowed_and_not_named_yet: policy
            .opened()
            .flat_map(|entry| not_named(&entry, known, proxies))
            .collect(),
        sent: kinds(|occasion| occasion == Occasion::Sync),
        sent_anyway: kinds(|occasion| occasion == Occasion::Session),
        sent_if: kinds(|occasion| !matches!(occasion, Occasion::Sync | Occasion::Session)),
        withheld: policy.withheld().iter().map(ToString::to_string).collect(),
        never_sent: NEVER,
    }
}

fn registry(known: &Known, policy: &Policy, proxies: &ProxyRules) -> Registry {
    // The log has no scheme and no path: what the policy allows is meant.
    let url = split(&known.registry).and_then(|(host, port)| {
        let mut registries = policy
            .opened()
            .flat_map(|entry| entry.registries_at(host, port).collect::<Vec<_>>());
        registries.find(|url| policy.allows_registry(url).is_ok())
    });
    let rule = url.as_ref().and_then(|url| policy.allows_registry(url).ok());
    let repositories = url.as_ref().and_then(|url| policy.repositories(url).ok());
    let others = known.others.iter().map(|Elsewhere { purpose, host }| Other {
        allowed: url
            .as_ref()
            .is_some_and(|url| still_allowed(policy, url, purpose, host)),
        by: by(proxies, host),
        purpose: purpose.clone(),
        host: host.clone(),
    });
    Registry {
        by: by(proxies, &known.registry),
        rule: rule.map(str::to_owned),
        repositories: repositories.map_or_else(Vec::new, |patterns| patterns.as_slice().to_vec()),
        others: others.collect(),
        registry: known.registry.clone(),
    }
}

fn still_allowed(policy: &Policy, registry: &RegistryUrl, purpose: &str, authority: &str) -> bool {
    let purpose = match purpose {
        "token service" => HopPurpose::Realm,
        _ => HopPurpose::Storage,
    };
    split(authority).is_some_and(|(host, port)| {
        [true, false]
            .into_iter()
            .any(|https| policy.allows_hop(registry, https, host, port, purpose).is_ok())
    })
}

/// What an entry opens that no job has named: of an exact host the ports that are left, below a suffix any host.
fn not_named(entry: &OpenedEntry<'_>, known: &[Known], proxies: &ProxyRules) -> Vec<Allowed> {
    let texts = |hosts: &[crate::policy::HostPort]| hosts.iter().map(ToString::to_string).collect();
    let places = entry
        .ports
        .iter()
        .map(|port| (port, format!("{}:{port}", entry.host)));
    let places = places.filter(|(_, place)| !known.iter().any(|known| known.registry == *place));
    let allowed = places.map(|(port, place)| Allowed {
        rule: entry.rule.to_owned(),
        by: match entry.host {
            HostPattern::Exact(host) => proxies.proxy_for(true, host, *port).map(ToString::to_string),
            HostPattern::Below(_) => None,
        },
        registry: place,
        paths: entry.own_paths().iter().map(ToString::to_string).collect(),
        repositories: entry.repositories.as_slice().to_vec(),
        realms: texts(entry.realms),
        storage: texts(entry.storage),
    });
    allowed.collect()
}

fn by(proxies: &ProxyRules, authority: &str) -> Option<String> {
    let (host, port) = split(authority)?;
    proxies.proxy_for(true, host, port).map(ToString::to_string)
}

fn split(authority: &str) -> Option<(&str, u16)> {
    let (host, port) = authority.rsplit_once(':')?;
    Some((host, port.parse().ok()?))
}

fn by_proxy(by: Option<&String>) -> String {
    by.map_or_else(String::new, |proxy| format!(" by the proxy {proxy}"))
}

fn repositories(patterns: &[String]) -> String {
    if patterns.is_empty() {
        "every repository that the credential can list".to_owned()
    } else {
        format!("repositories {}", patterns.join(", "))
    }
}

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_results(f)?;
        self.fmt_registries(f)?;
        self.fmt_allowed(f)?;
        self.fmt_kinds(f)?;
        match self.withheld.as_slice() {
            [] => writeln!(f, "Withheld by the policy: no image fact.")?,
            facts => writeln!(f, "Withheld by the policy, of image facts: {}.", facts.join(", "))?,
        }
        writeln!(f, "Never sent: {}.", self.never_sent)
    }
}

impl Next {
    /// When, and to whom.
    fn fmt_results(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(why) = &self.not_now {
            writeln!(f, "At this moment no job is taken: {why}.")?;
        }
        if self.control_plane.is_empty() {
            writeln!(f, "This machine is not enrolled: nothing is sent to anybody.")?;
        } else {
            writeln!(f, "Results go to one of these hosts of the control plane:")?;
        }
        for Host { host, by } in &self.control_plane {
            writeln!(f, "  {host}{}", by_proxy(by.as_ref()))?;
        }
        Ok(())
    }

    fn fmt_registries(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.registries.is_empty() {
            writeln!(f, "No job has named a registry yet.")?;
        } else {
            writeln!(f, "Registries that jobs have named:")?;
        }
        self.registries
            .iter()
            .try_for_each(|registry| write!(f, "{registry}"))
    }

    fn fmt_allowed(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let allows_none = self.registries.iter().all(|registry| registry.rule.is_none());
        if self.allowed_and_not_named_yet.is_empty() && allows_none {
            writeln!(f, "The policy allows no registry: none is contacted.")?;
        } else if !self.allowed_and_not_named_yet.is_empty() {
            writeln!(f, "Allowed, and not named by any job yet:")?;
        }
        self.allowed_and_not_named_yet
            .iter()
            .try_for_each(|allowed| write!(f, "{allowed}"))
    }

    fn fmt_kinds(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (title, kinds) in [
            ("A sync sends:", &self.sent),
            (
                "A session sends, whether or not there is a sync:",
                &self.sent_anyway,
            ),
        ] {
            writeln!(f, "{title}")?;
            for Kind { kind, what, .. } in kinds {
                writeln!(f, "  {kind:<21} {what}")?;
            }
        }
        writeln!(f, "Sent only if something else happens:")?;
        for Kind { kind, part_of, what } in &self.sent_if {
            writeln!(f, "  {kind:<21} by {part_of}: {what}")?;
        }
        Ok(())
    }
}

/// A line, and one for each other host.
impl fmt::Display for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {}{}: ", self.registry, by_proxy(self.by.as_ref()))?;
        match &self.rule {
            Some(rule) => writeln!(f, "allowed by {rule}, {}", repositories(&self.repositories))?,
            None => writeln!(f, "nothing; the policy does not allow it now")?,
        }
        for other in &self.others {
            let allowed = if other.allowed {
                ""
            } else {
                ", which the policy does not allow now"
            };
            let (purpose, host) = (&other.purpose, &other.host);
            writeln!(f, "    {purpose} {host}{}{allowed}", by_proxy(other.by.as_ref()))?;
        }
        Ok(())
    }
}

/// A line.
impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "  {}{}: allowed by {}, {}",
            self.registry,
            by_proxy(self.by.as_ref()),
            self.rule,
            repositories(&self.repositories)
        )?;
        for (word, hosts) in [
            ("paths", &self.paths),
            ("token services", &self.realms),
            ("storage", &self.storage),
        ] {
            if !hosts.is_empty() {
                write!(f, "; {word} {}", hosts.join(", "))?;
            }
        }
        writeln!(f)
    }
}

#[cfg(test)]
#[path = "next_tests.rs"]
mod tests;
