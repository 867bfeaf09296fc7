//! How the answer is shown.

use std::fmt;
use std::net::IpAddr;

use portolan_registry::Purpose;
use portolan_shared::model::RegistryUrl;
use serde::Serialize;

use crate::policy::PolicyRefusal;

/// What a policy says of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Scheme, host, port and path that would be contacted.
    pub url: String,
    /// As `registry`, `token service` or `storage`.
    pub purpose: String,
    /// Whether it would be.
    pub allowed: bool,
    /// The rule that decided.
    pub rule: String,
    /// Why it would not be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What can be done about it, in lines, where it is the path of the registry.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub advice: Vec<String>,
    /// What was given and has no part in the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<&'static str>,
    /// The proxy on the way, which resolves the name itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// The name has no address now.
    pub unresolved: bool,
    /// Each address of the name. Those that are allowed would be connected to, in this order until one answers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<AddressVerdict>,
}

/// What a policy says of an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AddressVerdict {
    /// Which.
    pub address: IpAddr,
    /// Whether it may be connected to.
    pub allowed: bool,
    /// The rule that decided.
    pub rule: String,
    /// Why it may not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Verdict {
    pub(super) fn of(target: &RegistryUrl, purpose: Purpose) -> Self {
        Self {
            url: format!(
                "{}://{}{}",
                if target.is_https() { "https" } else { "http" },
                target.authority(),
                target.prefix()
            ),
            purpose: purpose.to_string(),
            allowed: false,
            rule: String::new(),
            why: None,
            advice: Vec::new(),
            note: (purpose != Purpose::Registry && !target.prefix().is_empty()).then_some(
                "its path is not judged: it is the registry's to say, and not the control plane's",
            ),
            proxy: None,
            unresolved: false,
            addresses: Vec::new(),
        }
    }

    pub(super) fn allowed(self, rule: String) -> Self {
        Self {
            allowed: true,
            rule,
            ..self
        }
    }

    pub(super) fn refused(self, refused: PolicyRefusal) -> Self {
        Self {
            rule: refused.rule,
            why: Some(refused.why),
            ..self
        }
    }

    pub(super) fn advised(self, advice: Vec<String>) -> Self {
        Self { advice, ..self }
    }
}

fn word(allowed: bool) -> &'static str {
    if allowed { "allowed" } else { "refused" }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = word(self.allowed);
        write!(f, "{word} by {}: {} as {}", self.rule, self.url, self.purpose)?;
        if let Some(why) = &self.why {
            write!(f, "\n  {why}")?;
        }
        for line in &self.advice {
            write!(f, "\n  {line}")?;
        }
        if let Some(note) = &self.note {
            write!(f, "\n  {note}")?;
        }
        if let Some(proxy) = &self.proxy {
            write!(
                f,
                "\n  through the proxy {proxy}, which resolves the name: its addresses are not judged here"
            )?;
        }
        if self.unresolved {
            f.write_str("\n  the name does not resolve")?;
        }
        for address in &self.addresses {
            write!(f, "\n  {address}")?;
        }
        Ok(())
    }
}

impl fmt::Display for AddressVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = word(self.allowed);
        write!(f, "{} {word} by {}", self.address, self.rule)?;
        match &self.why {
            Some(why) => write!(f, ": {why}"),
            None => f.write_str(": would be connected to"),
        }
    }
}
