//! Reading the policy file: every fault in it, each with its line.

use std::path::{Path, PathBuf};

use portolan_shared::process::{FileError, read_bounded};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::address::AddressSet;
use super::credentials::default_credentials;
use super::decide::{Policy, Rule, hash};
use super::faults::{Notes, PolicyFaults};

/// A policy file, in bytes: refused above.
pub const POLICY_BYTES: u64 = 256 * 1024;
/// Entries of a policy file: refused above.
const RULES: usize = 1_000;
/// The format that this build reads.
const VERSION: i64 = 1;

/// The policy could not be read. Nothing is allowed then.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The file cannot be read.
    #[error("the policy cannot be read")]
    File(#[source] FileError),
    /// It is not text.
    #[error("the policy {} is not UTF-8 text", path.display())]
    Text {
        /// Which file.
        path: PathBuf,
    },
    /// It is faulty.
    #[error("the policy {} is faulty:\n{faults}", path.display())]
    Faulty {
        /// Which file.
        path: PathBuf,
        /// In which ways.
        faults: PolicyFaults,
    },
}

impl Policy {
    /// Reads a policy file. One that does not exist allows nothing.
    pub fn load(path: &Path) -> Result<Self, PolicyError> {
        let Some(bytes) = read_bounded(path, POLICY_BYTES).map_err(PolicyError::File)? else {
            return Ok(Self::nothing());
        };
        let text = std::str::from_utf8(&bytes).map_err(|_| PolicyError::Text {
            path: path.to_owned(),
        })?;
        parse(text).map_err(|faults| PolicyError::Faulty {
            path: path.to_owned(),
            faults,
        })
    }
}

/// Reads a policy from its text.
pub(super) fn parse(text: &str) -> Result<Policy, PolicyFaults> {
    let mut notes = Notes::on(text);
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let offset = error.span().map_or(0, |span| span.start);
        notes.add(offset, error.message().to_owned());
    }
    let mut rules = Vec::new();
    let mut version = None;
    for (key, value) in document.get_ref() {
        match key.get_ref().as_ref() {
            "version" => version = Some(value),
            "allow" => rules = read_rules(value, &mut notes),
            other => notes.add(
                key.span().start,
                format!("unknown key {other:?}: expected version or [[allow]]"),
            ),
        }
    }
    match version.map(|value| (value, integer(value))) {
        Some((_, Some(VERSION))) => {}
        Some((value, _)) => notes.add(value.span().start, format!("version must be {VERSION}")),
        None if document.get_ref().is_empty() => {}
        None => notes.add(0, format!("version is missing: begin with version = {VERSION}")),
    }
    notes.finish(Policy {
        rules,
        hash: hash(text.as_bytes()),
    })
}

type Value<'a> = Spanned<DeValue<'a>>;

fn read_rules(value: &Value<'_>, notes: &mut Notes<'_>) -> Vec<Rule> {
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
    let mut addresses = AddressSet {
        public: true,
        private: false,
        ranges: Vec::new(),
        loopback: false,
    };
    let (mut realms, mut storage) = (Vec::new(), Vec::new());
    let mut credentials = default_credentials();
    let mut plaintext = false;
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "host" => host = one(value, notes),
            "ports" => ports = read_ports(value, notes),
            "addresses" => addresses = read_addresses(value, notes),
            "realms" => realms = many(value, "a list of hosts", notes),
            "storage" => storage = many(value, "a list of hosts", notes),
            "credentials" => credentials = many(value, "a list of credential references", notes),
            "plaintext" => match value.get_ref().as_bool() {
                Some(on) => plaintext = on,
                None => notes.add(value.span().start, "plaintext must be true or false"),
            },
            other => notes.add(
                key.span().start,
                format!(
                    "unknown key {other:?}: expected host, ports, addresses, realms, storage, credentials or plaintext"
                ),
            ),
        }
    }
    if host.is_none() && !table.iter().any(|(key, _)| key.get_ref() == "host") {
        notes.add(at, "host is missing");
    }
    let host: super::host::HostPattern = host?;
    addresses.loopback |= host.is_loopback();
    if let Some(address) = match &host {
        super::host::HostPattern::Exact(name) => super::host::literal(name),
        super::host::HostPattern::Below(_) => None,
    } {
        // Whoever writes an address means it, private or not.
        addresses.private |= !address.is_loopback();
    }
    Some(Rule {
        id: format!("policy:allow[{number}]"),
        host,
        ports,
        addresses,
        realms,
        storage,
        credentials,
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

fn many<T: std::str::FromStr<Err = String>>(
    value: &Value<'_>,
    expected: &str,
    notes: &mut Notes<'_>,
) -> Vec<T> {
    items(value, expected, notes)
        .iter()
        .filter_map(|item| one(item, notes))
        .collect()
}

fn one<T: std::str::FromStr<Err = String>>(value: &Value<'_>, notes: &mut Notes<'_>) -> Option<T> {
    match value.get_ref().as_str().map(str::parse) {
        Some(Ok(read)) => return Some(read),
        Some(Err(why)) => notes.add(value.span().start, why),
        None => notes.add(value.span().start, "expected a text in quotes"),
    }
    None
}

fn items<'v, 'i>(value: &'v Value<'i>, expected: &str, notes: &mut Notes<'_>) -> &'v [Value<'i>] {
    match value.get_ref().as_array() {
        Some(items) => items,
        None => {
            notes.add(value.span().start, format!("expected {expected} in brackets"));
            &[]
        }
    }
}

fn integer(value: &Value<'_>) -> Option<i64> {
    let integer = value.get_ref().as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_fault_is_reported_with_its_line() {
        let text = "version = 2\nspeed = 1\n[[allow]]\nhost = \"a b\"\nports = [0, 443]\n[[allow]]\nports = 443\n\
                    addresses = [\"10.0.0.0/99\"]\nplaintext = \"no\"\n";
        let faults = parse(text).unwrap_err();
        let lines: Vec<usize> = faults.0.iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [1, 2, 4, 5, 6, 7, 8, 9], "{faults}");
    }

    #[test]
    fn a_version_is_asked_for_unless_there_is_nothing_at_all() {
        assert!(parse("").unwrap().is_empty());
        assert!(parse("# nothing yet\n").unwrap().is_empty());
        assert_eq!(parse("[[allow]]\nhost = \"h\"\n").unwrap_err().0[0].line, 1);
        assert_eq!(parse("version = 1\nallow = 3\n").unwrap_err().0.len(), 1);
        assert_eq!(parse("version = 1\n\n= 3\n").unwrap_err().0[0].line, 3);
    }

    #[test]
    fn a_missing_file_allows_nothing_and_a_large_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.toml");
        assert!(Policy::load(&path).unwrap().is_empty());
        let bound = usize::try_from(POLICY_BYTES).unwrap();
        std::fs::write(&path, "#".repeat(bound)).unwrap();
        assert!(Policy::load(&path).unwrap().is_empty());
        std::fs::write(&path, "#".repeat(bound + 1)).unwrap();
        assert!(matches!(Policy::load(&path), Err(PolicyError::File(_))));
    }

    #[test]
    fn too_many_entries_are_refused() {
        let text = |n| format!("version = 1\n{}", "[[allow]]\nhost = \"h\"\n".repeat(n));
        assert!(parse(&text(RULES)).is_ok());
        assert!(parse(&text(RULES + 1)).is_err());
    }

    proptest! {
        #[test]
        fn no_input_panics(text in "(version = 1\n)?(\\[\\[allow\\]\\]\n)?\\PC{0,60}\n\\PC{0,60}") {
            let _ = parse(&text);
        }
    }
}
