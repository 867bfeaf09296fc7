//! Other addresses where a registry may be instead: GitLab's usual ports, and a host of its own.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, stream};

use super::examination::Examination;
use super::notes::Notes;
use crate::auth::Anonymous;
use crate::client::RegistryClient;
use crate::error::Fault;
use crate::flavour::Registry;
use crate::http::{Origin, Purpose};

/// Where GitLab's registry often listens beside the web interface: its packages' choice, and that of older guides.
const PORTS: [u16; 2] = [5050, 4567];
/// The name of a host of its own begins so.
const OWN_HOST: &str = "registry.";
const HTTPS: u16 = 443;
/// Time for one request to one of them.
const ANSWER: Duration = Duration::from_secs(4);

impl Examination {
    /// Names the places that are worth a try, and says which of them answer. Only those are contacted that the gate allows as registries, and
    /// within the registry's budget: as many at once, at its rate, and counted with what is left of it.
    pub(super) async fn suggest_elsewhere(&self, notes: &mut Notes) {
        let places = candidates(&self.origin);
        let at_once = usize::from(self.access.budget.concurrency.max(1));
        let tried: Vec<_> = places.iter().map(|place| self.try_place(place)).collect();
        let mut answers = stream::iter(tried).buffered(at_once);
        // Each as it comes: if there is no time for all of them, those that were asked are told of.
        while let Some(line) = answers.next().await {
            notes.see(line);
        }
    }

    /// What another place says, if it may be asked.
    async fn try_place(&self, place: &Origin) -> String {
        let hop = place.hop(Purpose::Registry);
        let says = match self.guard.check_host(&hop, hop.literal()) {
            Err(_) => "worth a try, but not contacted: the policy does not allow it",
            Ok(()) => self.ask(place).await,
        };
        format!("https://{}:{} {says}", place.host, place.port)
    }

    /// Asks another place as a stranger.
    async fn ask(&self, place: &Origin) -> &'static str {
        const NOTHING: &str = "does not answer as a registry";
        let Ok(url) = format!("https://{}:{}", place.host, place.port).parse() else {
            return NOTHING;
        };
        let mut access = self.access.clone();
        access.url = url;
        access.credentials = Arc::new(Anonymous);
        access.limits.retry.retries = 0;
        access.limits.connect = access.limits.connect.min(ANSWER);
        access.limits.total = access.limits.total.min(ANSWER);
        // One at a time, so that as many are in flight as places are asked.
        access.budget.concurrency = 1;
        let Ok(client) = RegistryClient::within(access, Arc::clone(&self.allowance)) else {
            return NOTHING;
        };
        match Registry::recognise(client).await {
            Ok(_) => "answers as a registry: give this URL",
            Err(error) if error.fault().chain().is_some() => {
                "answers, with a certificate that is not trusted: examine this URL"
            }
            Err(error) if matches!(error.fault(), Fault::BudgetSpent) => {
                "worth a try, but not asked: the budget of requests is spent"
            }
            Err(_) => NOTHING,
        }
    }
}

/// The places worth a try for somebody who gave `origin`.
fn candidates(origin: &Origin) -> Vec<Origin> {
    let place = |host: String, port| Origin {
        https: true,
        host,
        port,
    };
    let mut places: Vec<Origin> = PORTS
        .iter()
        .map(|port| place(origin.host.clone(), *port))
        .collect();
    let is_address = origin.hop(Purpose::Registry).literal().is_some();
    if !is_address && origin.host.contains('.') && !origin.host.starts_with(OWN_HOST) {
        places.push(place(format!("{OWN_HOST}{}", origin.host), HTTPS));
        // Beside the web interface as often as below it.
        if let Some((_, domain)) = origin
            .host
            .split_once('.')
            .filter(|(_, domain)| domain.contains('.'))
        {
            places.push(place(format!("{OWN_HOST}{domain}"), HTTPS));
        }
    }
    places.retain(|place| (&place.host, place.port) != (&origin.host, origin.port));
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_the_usual_ports_and_hosts_and_never_the_given_one() {
        let of = |host: &str, port| {
            let origin = Origin {
                https: true,
                host: host.to_owned(),
                port,
            };
            let places = candidates(&origin);
            places
                .iter()
                .map(|place| format!("{}:{}", place.host, place.port))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            of("gitlab.example.com", 443),
            [
                "gitlab.example.com:5050",
                "gitlab.example.com:4567",
                "registry.gitlab.example.com:443",
                "registry.example.com:443"
            ]
        );
        assert_eq!(of("registry.example.com", 5050), ["registry.example.com:4567"]);
        assert_eq!(of("10.0.0.7", 4567), ["10.0.0.7:5050"]);
        assert_eq!(of("gitlab", 443), ["gitlab:5050", "gitlab:4567"]);
        assert_eq!(of("example.com", 443)[2], "registry.example.com:443");
        assert_eq!(
            of("example.com", 443).len(),
            3,
            "nobody's registry.com is contacted"
        );
    }
}
