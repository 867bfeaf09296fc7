//! Reading `[[allow]]`.

use portolan_shared::model::{RepositoryPatterns, meanings_of_address};
use toml::de::DeTable;

use super::address::{AddressRange, AddressSet};
use super::credentials::default_credentials;
use super::decide::Rule;
use super::faults::Notes;
use super::host::{HostPattern, literal};
use super::limits::OwnLimits;
use super::modes::CredentialModes;
use super::path::{PathPattern, default_paths};
use super::value::{Value, integer, items, many, one};

/// Entries of a policy file: refused above.
pub(super) const RULES: usize = 1_000;

pub(super) fn read_rules(value: &Value<'_>, notes: &mut Notes<'_>) -> Vec<Rule> {
    let Some(entries) = value.get_ref().as_array() else {
        notes.add(value.span().start, "allow must be written as [[allow]]");
        return Vec::new();
    };
    if entries.len() > RULES {
        notes.add(value.span().start, format!("more than {RULES} [[allow]] entries"));
        return Vec::new();
    }
    let mut rules = Vec::with_capacity(entries.len());
    for (i, entry) in entries.iter().enumerate() {
        match entry.get_ref().as_table() {
            Some(table) => rules.extend(read_rule(i + 1, entry.span().start, table, notes)),
            None => notes.add(entry.span().start, "allow must be written as [[allow]]"),
        }
    }
    rules
}

fn read_rule(number: usize, at: usize, table: &DeTable<'_>, notes: &mut Notes<'_>) -> Option<Rule> {
    let mut host = None;
    let mut ports = vec![443];
    let mut paths = default_paths();
    let mut addresses = AddressSet {
        public: true,
        private: false,
        ranges: Vec::new(),
        loopback: false,
    };
    let (mut realms, mut storage) = (Vec::new(), Vec::new());
    let mut credentials = default_credentials();
    let mut modes = CredentialModes::default();
    let mut repositories = RepositoryPatterns::all();
    let mut limits = OwnLimits::default();
    let mut plaintext = false;
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "host" => host = one(value, notes),
            "ports" => ports = read_ports(value, notes),
            "paths" => paths = read_paths(value, notes),
            "addresses" => addresses = read_addresses(value, notes),
            "realms" => realms = many(value, "a list of hosts", notes),
            "storage" => storage = many(value, "a list of hosts", notes),
            "credentials" => credentials = many(value, "a list of credential references", notes),
            "credential_modes" => modes = CredentialModes::read(value, notes),
            "repositories" => repositories = read_patterns(value, notes),
            "plaintext" => match value.get_ref().as_bool() {
                Some(on) => plaintext = on,
                None => notes.add(value.span().start, "plaintext must be true or false"),
            },
            other => {
                if !limits.take(other, value, notes) {
                    notes.add(
                        key.span().start,
                        format!(
                            "unknown key {other:?}: expected host, ports, paths, addresses, realms, storage, credentials, credential_modes, \
                             repositories, concurrency, requests_per_second, burst, bytes_per_job or plaintext"
                        ),
                    );
                }
            }
        }
    }
    limits.check(at, notes);
    if host.is_none() && !table.iter().any(|(key, _)| key.get_ref() == "host") {
        notes.add(at, "host is missing");
    }
    let host: HostPattern = host?;
    addresses.loopback |= host.is_loopback();
    if let Some(address) = match &host {
        HostPattern::Exact(name) => literal(name),
        HostPattern::Below(_) => None,
    } {
        // Whoever writes an address means it, private or not: this one, and whatever form it is written in.
        if !host.is_loopback() {
            addresses
                .ranges
                .extend(meanings_of_address(address).into_iter().map(AddressRange::from));
        }
    }
    Some(Rule {
        id: format!("policy:allow[{number}]"),
        host,
        ports,
        paths,
        addresses,
        realms,
        storage,
        credentials,
        modes,
        repositories,
        limits,
        plaintext,
    })
}

fn read_ports(value: &Value<'_>, notes: &mut Notes<'_>) -> Vec<u16> {
    let mut ports = Vec::new();
    for item in items(value, "a list of ports", notes) {
        match integer(item)
            .and_then(|port| u16::try_from(port).ok())
            .filter(|port| *port > 0)
        {
            Some(port) => ports.push(port),
            None => notes.add(item.span().start, "a port is a number from 1 to 65535"),
        }
    }
    ports
}

fn read_paths(value: &Value<'_>, notes: &mut Notes<'_>) -> Vec<PathPattern> {
    if value.get_ref().as_array().is_some_and(|paths| paths.is_empty()) {
        notes.add(
            value.span().start,
            "paths names none: write \"/\" for registries without a path",
        );
    }
    many(value, "a list of paths", notes)
}

fn read_addresses(value: &Value<'_>, notes: &mut Notes<'_>) -> AddressSet {
    let mut set = AddressSet {
        public: false,
        private: false,
        ranges: Vec::new(),
        loopback: false,
    };
    for item in items(value, "a list of address ranges", notes) {
        match item.get_ref().as_str() {
            Some("public") => set.public = true,
            Some("private") => set.private = true,
            Some(text) => match text.parse() {
                Ok(range) => set.ranges.push(range),
                Err(why) => notes.add(item.span().start, why),
            },
            None => notes.add(item.span().start, "an address range is a text in quotes"),
        }
    }
    set
}

/// Each pattern is compiled by itself first, so that a broken one is named on its own line.
fn read_patterns(value: &Value<'_>, notes: &mut Notes<'_>) -> RepositoryPatterns {
    let mut texts = Vec::new();
    for item in items(value, "a list of patterns", notes) {
        let Some(text) = item.get_ref().as_str() else {
            notes.add(item.span().start, "a pattern is a text in quotes");
            continue;
        };
        match RepositoryPatterns::new(vec![text.to_owned()]) {
            Ok(_) => texts.push(text.to_owned()),
            Err(why) => notes.add(item.span().start, why.to_string()),
        }
    }
    if texts.is_empty() {
        notes.add(
            value.span().start,
            "repositories names none: leave the key out to allow every repository",
        );
    }
    RepositoryPatterns::new(texts).unwrap_or_else(|why| {
        notes.add(value.span().start, why.to_string());
        RepositoryPatterns::all()
    })
}
