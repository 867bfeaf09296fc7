//! Proxies: on the way to the control plane, and on the way to registries. Each has a setting of its own; without one both heed the usual
//! environment variables.

use portolan_shared::process::{ProxyExceptions, ProxyRules, ProxyUrl};

use super::source::{Found, Source};

/// Which proxy leads to the control plane, and for which hosts none.
#[derive(Debug, Clone, Default)]
pub struct ProxySettings {
    /// The proxy, if there is one.
    pub proxy: Option<ProxyUrl>,
    /// Hosts that are reached without it.
    pub except: ProxyExceptions,
}

impl ProxySettings {
    /// The proxy for a host of the control plane.
    #[must_use]
    pub fn for_host(&self, host: &str, port: u16) -> Option<&ProxyUrl> {
        self.proxy.as_ref().filter(|_| !self.except.cover(host, port))
    }

    /// Our own setting wins and applies to every host; `none` turns proxies off. Without it, `HTTPS_PROXY` and `NO_PROXY` as usual.
    pub(super) fn read(source: &mut Source<'_>, ours: Option<Found>) -> Self {
        match own(source, ours) {
            Own::Is(proxy) => Self {
                proxy,
                except: ProxyExceptions::default(),
            },
            Own::Unset => {
                let usual = usual(source);
                Self {
                    proxy: usual.https,
                    except: usual.except,
                }
            }
        }
    }
}

/// By which proxies registries are reached, and the hosts that they send to. Our own setting wins, applies to every host but this machine
/// itself, and to those that are spoken to in clear too; `none` turns proxies off. Without it, `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`.
pub(super) fn to_registries(source: &mut Source<'_>, ours: Option<Found>) -> ProxyRules {
    match own(source, ours) {
        Own::Is(proxy) => ProxyRules {
            https: proxy.clone(),
            http: proxy,
            except: ProxyExceptions::default(),
        },
        Own::Unset => usual(source),
    }
}

/// What our own setting says.
enum Own {
    Is(Option<ProxyUrl>),
    Unset,
}

fn own(source: &mut Source<'_>, ours: Option<Found>) -> Own {
    match ours {
        None => Own::Unset,
        Some(found) if found.text == "none" => Own::Is(None),
        Some(found) => Own::Is(source.read(Some(found), |text| {
            text.parse::<ProxyUrl>().map_err(|error| error.to_string())
        })),
    }
}

fn usual(source: &mut Source<'_>) -> ProxyRules {
    let rules = ProxyRules::of_variables(|name| source.variable(name).map(|found| found.text));
    rules.unwrap_or_else(|error| {
        let place = format!("environment variable {}", error.variable);
        source.fault_once(place, error.problem.to_string());
        ProxyRules::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_can_be_excepted() {
        let settings = ProxySettings {
            proxy: Some("proxy".parse().unwrap()),
            except: ProxyExceptions::read(".corp,h.example.com"),
        };
        for without in ["a.Corp", "h.example.com"] {
            assert!(settings.for_host(without, 443).is_none(), "{without}");
        }
        for with in ["acorp", "example.com", "127.0.0.1"] {
            assert!(settings.for_host(with, 443).is_some(), "{with}");
        }
    }
}
