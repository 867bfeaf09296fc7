//! What the file says, and what does not come about all the same.

use portolan_shared::process::ProxyRules;

use super::decide::{Policy, Rule};
use super::host::{HostPattern, literal};
use super::path::PathPattern;

impl Policy {
    /// What its author should know, for `policy check` and `status`: entries that never hold, hosts that have more paths than their own entries say because
    /// a later one has them too, and hosts whose addresses cannot be judged because a proxy resolves their names.
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
            warnings.extend(self.widened(index, rule));
            warnings.extend(rule.unresolved(proxies));
        }
        warnings
    }

    /// What is said of the later entries that have the hosts of the one at `index` too, with paths that no entry before them has: what it keeps out, they
    /// let in. Of several entries for the same hosts, the first is told of.
    fn widened(&self, index: usize, narrow: &Rule) -> Vec<String> {
        let is_like = |rule: &Rule| rule.host == narrow.host && rule.names_paths();
        if !is_like(narrow) || self.rules[..index].iter().any(is_like) {
            return Vec::new();
        }
        let alike = self.rules.iter().filter(|rule| is_like(rule));
        let ports: Vec<u16> = alike.flat_map(|rule| rule.ports.iter().copied()).collect();
        // In the order in which they are asked: what one of them has does not come to those behind it.
        let holders: Vec<&Rule> = self
            .rules
            .iter()
            .filter(|rule| rule.host.covers(&narrow.host))
            .collect();
        // What stands in front is for wider hosts, and is asked first. Whoever names the same hosts again, and paths, means them.
        let is_own = |holder: &&Rule| std::ptr::eq(*holder, narrow);
        let behind = holders
            .iter()
            .enumerate()
            .skip_while(|(_, holder)| !is_own(holder))
            .skip(1);
        let mut said = Vec::new();
        for (at, later) in behind.filter(|(_, later)| !is_like(later)) {
            let let_in = later.adds(&holders[..at], &ports);
            if !let_in.is_empty() {
                said.push(format!(
                    "{} ({}) allows some paths only, and {} ({}) behind it has its hosts too: it allows {} there, with its own credentials. Write its hosts \
                     one by one, or its `paths`, unless that is meant",
                    narrow.id,
                    narrow.host,
                    later.id,
                    later.host,
                    let_in.join(", ")
                ));
            }
        }
        said
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

    /// Its paths that none of the entries `before` it has at one of these `ports`.
    fn adds(&self, before: &[&Rule], ports: &[u16]) -> Vec<String> {
        let has = |holder: &Rule, port: u16, path: &PathPattern| {
            holder.ports.contains(&port) && holder.paths.iter().any(|own| own.covers(path))
        };
        let is_new = |path: &&PathPattern| {
            let mut shared = ports.iter().filter(|port| self.ports.contains(port));
            shared.any(|port| !before.iter().any(|holder| has(holder, *port, path)))
        };
        self.paths
            .iter()
            .filter(is_new)
            .map(ToString::to_string)
            .collect()
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
    fn a_narrow_entry_that_a_later_one_widens_is_told_of() {
        let direct = ProxyRules::default();
        let warnings = |entries: &[&str]| {
            let entries: String = entries
                .iter()
                .map(|entry| format!("[[allow]]\nhost = {entry}\n"))
                .collect();
            parse(&format!("version = 1\n{entries}"))
                .unwrap()
                .warnings(&direct)
        };
        let cloud = "\"artifacts.example.com\"\npaths = [\"/artifactory/api/docker/cloud\"]";
        let edge = "\"artifacts.example.com\"\npaths = [\"/artifactory/api/docker/edge\"]";
        let below = "\"*.example.com\"";
        let said = warnings(&[cloud, below]);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said[0].starts_with("policy:allow[1] (artifacts.example.com) allows some paths only, and policy:allow[2] (*.example.com)")
                && said[0].contains("it allows /, /artifactory, /artifactory/api/docker/*, "),
            "{said:?}"
        );
        assert_eq!(warnings(&[cloud, edge, below]).len(), 1, "once for a host");
        assert_eq!(
            warnings(&[cloud, "\"artifacts.example.com\""]).len(),
            1,
            "the usual paths were not written"
        );
        let partly = warnings(&[
            cloud,
            "\"*.example.com\"\npaths = [\"/registry\", \"/artifactory/api/docker/cloud\"]",
        ]);
        assert!(partly[0].contains("it allows /registry there"), "{partly:?}");
        let below_below = "\"*.b.example.com\"\npaths = [\"/registry\"]";
        assert_eq!(warnings(&[below_below, below]).len(), 1);
        let [one, other] = [443, 5050].map(|port| format!("{cloud}\nports = [{port}]"));
        let both = "\"*.example.com\"\nports = [443, 5050]";
        assert_eq!(warnings(&[&one, &other, both]).len(), 1);
        let anywhere = "\"artifacts.example.com\"\nports = [8443]";
        assert_eq!(
            warnings(&[anywhere, cloud, below]).len(),
            1,
            "another port is another registry"
        );
        let rest = "\"artifacts.example.com\"\npaths = [\"/\", \"/artifactory\", \"/artifactory/api/docker/*\", \"/repository/*\", \"/nexus\", \
                    \"/nexus/repository/*\", \"/more\"]";
        for meant in [
            vec![cloud, edge],
            vec![cloud, rest],
            // Nothing is left of the host for the wider one.
            vec![cloud, rest, below],
            vec![below, edge],
            vec![cloud, "\"*.example.com\"\nports = [5050]"],
            vec![cloud, "\"*.example.net\""],
            vec![
                "\"artifacts.example.com\"",
                "\"*.example.com\"\npaths = [\"/registry\"]",
            ],
        ] {
            let said = warnings(&meant);
            let widened: Vec<&String> = said
                .iter()
                .filter(|words| words.contains("some paths only"))
                .collect();
            assert!(widened.is_empty(), "{meant:?}: {widened:?}");
        }
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
