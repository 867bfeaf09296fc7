//! Proxies for connections outward, as the usual environment variables name them: `url` one proxy, `exceptions` the hosts that are
//! reached without, `rules` which proxy for which host.

mod exceptions;
mod rules;
mod url;

pub use exceptions::ProxyExceptions;
pub use rules::{ProxyRules, ProxyRulesError};
pub use url::{ProxyUrl, ProxyUrlError};
