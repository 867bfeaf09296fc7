//! What a policy says, in plain words.

use std::fmt::{self, Display, Write as _};

use portolan_shared::model::printable;

use super::decide::{Policy, Rule};
use super::host::HostPort;
use super::limits::{size, time};
use super::path::default_paths;

/// Bytes of a summary: the rest is cut off.
const SUMMARY: usize = 256;

fn list<T: Display>(items: &[T], between: &str) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    items.join(between)
}

impl Policy {
    /// One line for people, at most 256 bytes: how many entries, what narrows them, which hosts.
    #[must_use]
    pub fn summary(&self) -> String {
        if self.rules.is_empty() {
            return "allows nothing".to_owned();
        }
        let mut text = format!("allows {}", self.rules.len());
        let narrows = [
            (!self.windows.is_empty(), "within windows"),
            (self.rules.iter().any(Rule::names_paths), "some paths only"),
            (
                self.rules.iter().any(|rule| !rule.repositories.names().is_all()),
                "some repositories only",
            ),
            (
                self.rules
                    .iter()
                    .any(|rule| self.limits.with(&rule.limits).rate.is_some()),
                "rate limited",
            ),
            (!self.withhold.is_empty(), "withholds image facts"),
        ];
        let narrows: Vec<&str> = narrows
            .iter()
            .filter(|(on, _)| *on)
            .map(|(_, word)| *word)
            .collect();
        if !narrows.is_empty() {
            let _ = write!(text, " ({})", narrows.join(", "));
        }
        let hosts: Vec<String> = self.rules.iter().map(Rule::hosts).collect();
        let _ = write!(text, ": {}", hosts.join(", "));
        printable(&text, SUMMARY)
    }

    /// One line per entry, for people.
    #[must_use]
    pub fn describe(&self) -> Vec<String> {
        self.rules.iter().map(ToString::to_string).collect()
    }

    /// Everything that it says, for people: a paragraph per entry, what holds for all, what is never done.
    #[must_use]
    pub fn explain(&self) -> String {
        let mut text = String::new();
        for rule in &self.rules {
            // Writing into a String cannot fail.
            let _ = self.explain_rule(&mut text, rule);
        }
        let _ = self.explain_sharing(&mut text);
        let _ = self.explain_commands(&mut text);
        let _ = self.explain_totals(&mut text);
        text.push_str(NEVER);
        text
    }

    fn explain_rule(&self, text: &mut String, rule: &Rule) -> fmt::Result {
        let scheme = if rule.plaintext {
            "over https, or over http in clear"
        } else {
            "over https only"
        };
        writeln!(text, "{}: {}", rule.id, rule.host)?;
        writeln!(
            text,
            "  Registries on {} {}, {scheme}.",
            ports(&rule.ports),
            rule.host
        )?;
        writeln!(
            text,
            "  Paths of their URLs: {} (\"/\" is none); others are refused.",
            list(&rule.paths, ", ")
        )?;
        match rule.addresses.to_string().as_str() {
            "" => writeln!(text, "  No address is allowed, so nothing is contacted.")?,
            addresses => writeln!(
                text,
                "  The name may resolve to addresses that are {addresses}; others are not connected to."
            )?,
        }
        writeln!(
            text,
            "  Credentials go to the registry's own host{}.",
            others(&rule.realms)
        )?;
        writeln!(
            text,
            "  Downloads come from the registry's own host{}; credentials never go along.",
            others(&rule.storage)
        )?;
        match (rule.modes.local, rule.modes.sealed) {
            (false, false) => writeln!(text, "  No credential may be used: it is read as a stranger.")?,
            (false, true) => writeln!(
                text,
                "  Credentials of this machine may not be named; sealed ones may be used."
            )?,
            (true, sealed) => writeln!(
                text,
                "  Of this machine's credentials, the control plane may name: {}. Sealed ones {}.",
                if rule.credentials.is_empty() {
                    "none".to_owned()
                } else {
                    list(&rule.credentials, ", ")
                },
                if sealed { "may be used" } else { "may not be used" }
            )?,
        }
        match rule.repositories.as_slice() {
            [] => writeln!(text, "  Every repository may be read.")?,
            patterns => writeln!(
                text,
                "  Repositories: {}. Others are reported as refused.",
                patterns.join(", ")
            )?,
        }
        writeln!(text, "  At most {}.\n", self.limits.with(&rule.limits))
    }

    fn explain_totals(&self, text: &mut String) -> fmt::Result {
        if self.rules.is_empty() {
            writeln!(text, "Nothing is allowed: every job is refused.\n")?;
        }
        let limits = &self.limits;
        writeln!(
            text,
            "All registries together: {} requests at once, {} per day (UTC); a job ends after {}.",
            limits.concurrency,
            size(limits.bytes_per_day),
            time(limits.job_duration)
        )?;
        match self.windows.as_slice() {
            [] => writeln!(text, "Jobs are taken at any time.")?,
            windows => writeln!(
                text,
                "Jobs are taken only at these times, and end with them: {}.",
                list(windows, "; ")
            )?,
        }
        match self.withhold.as_slice() {
            [] => writeln!(
                text,
                "Of image configs, facts are sent; never the values of environment variables, never build commands."
            ),
            fields => writeln!(
                text,
                "Of image configs, facts are sent without: {}; never the values of environment variables, never build commands.",
                list(fields, ", ")
            ),
        }
    }
}

const NEVER: &str = "\nNever contacted, whatever the file says: link-local addresses, cloud metadata services, multicast and unspecified addresses, \
                     in whichever form they are written; the control plane of this sensor. Loopback only where the file names it literally.\n\
                     Never done: writing to a registry, running what the control plane sends, changing this file.";

fn ports(ports: &[u16]) -> String {
    match ports {
        [] => "no port of".to_owned(),
        [one] => format!("port {one} of"),
        several => format!("ports {} of", list(several, ", ")),
    }
}

fn others(hosts: &[HostPort]) -> String {
    if hosts.is_empty() {
        return " alone".to_owned();
    }
    format!(" and {}", list(hosts, ", "))
}

impl Rule {
    /// Whether the file says which paths.
    pub(super) fn names_paths(&self) -> bool {
        self.paths != default_paths()
    }

    fn hosts(&self) -> String {
        format!("{}:{}", self.host, list(&self.ports, "|"))
    }
}

impl Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.plaintext { "https or http" } else { "https" };
        write!(
            f,
            "{}: {} over {scheme}, at {} addresses",
            self.id,
            self.hosts(),
            self.addresses
        )?;
        if self.names_paths() {
            write!(f, ", paths {}", list(&self.paths, " "))?;
        }
        for (word, hosts) in [("realms", &self.realms), ("storage", &self.storage)] {
            if !hosts.is_empty() {
                write!(f, ", {word} {}", list(hosts, " "))?;
            }
        }
        if !self.repositories.names().is_all() {
            write!(f, ", repositories {}", self.repositories.as_slice().join(" "))?;
        }
        if self.modes != Default::default() {
            write!(f, ", credentials {}", self.modes)?;
        }
        if let Some(concurrency) = self.limits.concurrency {
            write!(f, ", {concurrency} requests at once")?;
        }
        if let Some(per_second) = self.limits.per_second {
            write!(f, ", {per_second} per second")?;
        }
        if let Some(bytes) = self.limits.bytes_per_job {
            write!(f, ", {} per job", size(bytes))?;
        }
        Ok(())
    }
}
