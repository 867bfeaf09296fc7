//! The account, for people.

use std::fmt;

use jiff::Timestamp;

use super::outbound::{Contacted, Outbound};

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

impl fmt::Display for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(from) = self.from {
            writeln!(f, "By the log of this machine, from {} on.", time(from))?;
        }
        if self.hosts.is_empty() {
            writeln!(f, "No host was contacted.")?;
        } else {
            writeln!(f, "Hosts contacted:")?;
        }
        for host in &self.hosts {
            writeln!(f, "  {host}")?;
        }
        let mut to = None;
        for sent in &self.data {
            if to != Some(&sent.to) {
                writeln!(f, "Data sent to {}:", sent.to)?;
                to = Some(&sent.to);
            }
            let (first, last) = (time(sent.first), time(sent.last));
            writeln!(
                f,
                "  {:<21} {} ({} bytes), from {first} to {last}",
                sent.kind, sent.count, sent.bytes
            )?;
        }
        if self.data.is_empty() {
            writeln!(f, "No data left this machine.")?;
        }
        if self.refusals > 0 {
            writeln!(f, "Requests that the policy refused: {}", self.refusals)?;
        }
        if self.unreadable > 0 {
            writeln!(
                f,
                "{} lines of the log cannot be read, and are not in this account: see `portolan-agent audit verify`.",
                self.unreadable
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Contacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<14} {}", self.purpose, self.host)?;
        if let Some(proxy) = &self.by {
            write!(f, " by the proxy {proxy}")?;
        }
        write!(
            f,
            ": {} requests, {} bytes received",
            self.requests, self.bytes_received
        )?;
        if self.bytes_sent > 0 {
            write!(f, ", {} bytes sent", self.bytes_sent)?;
        }
        write!(f, ", from {} to {}", time(self.first), time(self.last))
    }
}
