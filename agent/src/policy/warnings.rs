//! What the file says, and what does not come about all the same.

use portolan_shared::process::ProxyRules;

use super::decide::{Policy, Rule};
use super::host::{HostPattern, literal};

impl Policy {
    /// What its author should know, for `policy check` and `status`: entries that never hold, and hosts whose addresses cannot be judged because
    /// a proxy resolves their names.
    #[must_use]
    pub fn warnings(&self, proxies: &ProxyRules) -> Vec<String> {
        let mut warnings = Vec::new();
        for (index, rule) in self.rules.iter().enumerate() {
            let before = self.rules.iter().take(index).find(|before| before.covers(rule));
            warnings.extend(before.map(|before| {
                format!(
                    "{} ({}) never holds: {} ({}) stands before it and has all its hosts, ports and paths",
                    rule.id, rule.host, before.id, before.host
                )
            }));
            warnings.extend(rule.unresolved(proxies));
        }
        warnings
    }
}

impl Rule {
    /// Whether it holds wherever the other one would.
    fn covers(&self, other: &Self) -> bool {
        self.host.covers(&other.host)
            && other.ports.iter().all(|port| self.ports.contains(port))
            && (self.plaintext || !other.plaintext)
            && other
                .paths
                .iter()
                .all(|path| self.paths.iter().any(|own| own.covers(path)))
    }

    /// What is said of the hosts that a proxy resolves.
    fn unresolved(&self, proxies: &ProxyRules) -> Vec<String> {
        const HTTPS: u16 = 443;
        let own = self.ports.iter().map(|port| (&self.host, *port));
        let elsewhere = self.realms.iter().chain(&self.storage);
        let elsewhere = elsewhere.map(|place| (&place.host, place.port.unwrap_or(HTTPS)));
        let mut said = Vec::new();
        for (host, port) in own.chain(elsewhere) {
            let words = match host {
                HostPattern::Exact(name) if literal(name).is_some() => continue,
                HostPattern::Exact(name) => proxies.proxy_for(true, name, port).map(|proxy| {
                    format!("the addresses of {name} are not judged: the proxy {proxy} resolves the name")
                }),
                HostPattern::Below(_) => proxies.https.as_ref().map(|proxy| {
                    format!(
                        "hosts of {host} that are reached by the proxy {proxy} are refused (policy:proxy), because it resolves their names: write \
                         each exactly"
                    )
                }),
            };
            let words = words.map(|words| format!("{}: {words}", self.id));
            said.extend(words.filter(|words| !said.contains(words)));
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::parse;
    use super::*;

    #[test]
    fn entries_that_never_hold_are_told_of() {
        let direct = ProxyRules::default();
        let warnings = |text: &str| parse(&format!("version = 1\n{text}")).unwrap().warnings(&direct);
        let below = "[[allow]]\nhost = \"*.example.com\"\n";
        for hidden in ["a.example.com", "*.b.example.com", "*.example.com"] {
            let said = warnings(&format!("{below}[[allow]]\nhost = \"{hidden}\"\n"));
            assert_eq!(said.len(), 1, "{hidden}");
            assert!(said[0].starts_with("policy:allow[2]"), "{said:?}");
        }
        let hidden = "host = \"a.example.com\"\npaths = [\"/\", \"/repository/hosted\"]\n";
        assert_eq!(warnings(&format!("{below}[[allow]]\n{hidden}")).len(), 1);
        for seen in [
            "host = \"example.com\"\n",
            "host = \"a.example.com\"\nports = [443, 5050]\n",
            "host = \"a.example.com\"\nplaintext = true\n",
            "host = \"a.example.com\"\npaths = [\"/repository/*\", \"/registry\"]\n",
        ] {
            assert!(
                warnings(&format!("{below}[[allow]]\n{seen}")).is_empty(),
                "{seen}"
            );
        }
        assert!(warnings(&format!("[[allow]]\nhost = \"a.example.com\"\n{below}")).is_empty());
    }

    #[test]
    fn hosts_whose_names_a_proxy_resolves_are_told_of() {
        let policy = parse(
            "version = 1\n[[allow]]\nhost = \"r.example.com\"\nstorage = [\"*.s3.example.com\", \"direct.example.com\"]\n\
             [[allow]]\nhost = \"10.0.0.7\"\n",
        )
        .unwrap();
        let proxies = ProxyRules {
            https: Some("http://proxy.example.com:3128".parse().unwrap()),
            except: portolan_shared::process::ProxyExceptions::read("direct.example.com"),
            ..ProxyRules::default()
        };
        let said = policy.warnings(&proxies);
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(
            said[0].contains("addresses of r.example.com are not judged"),
            "{said:?}"
        );
        assert!(
            said[1].contains("*.s3.example.com") && said[1].contains("policy:proxy"),
            "{said:?}"
        );
        assert!(policy.warnings(&ProxyRules::default()).is_empty());
    }
}
