//! Where the sensor's own control plane listens. It is no registry, whatever the file says: a job that led there would have the control plane
//! talk to itself from inside the network.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{PoisonError, RwLock};

use portolan_shared::model::meanings_of_address;

use super::decide::PolicyRefusal;
use super::host::literal;

const RULE: &str = "address.control_plane";

/// Addresses that are remembered of all names together: beyond it the one that was found first is forgotten.
const ADDRESSES: usize = 256;

/// The doors of the control plane: hosts and ports of the enrolment, and the addresses that the hosts were found at. Other ports of these hosts
/// are not meant: a registry may be at one.
#[derive(Debug, Default)]
pub struct ControlPlaneDoors {
    /// Hosts in lower case, without brackets and without a dot at the end.
    named: Vec<(String, u16)>,
    /// Where connections went, or could have gone; each once, the newest last.
    found: RwLock<VecDeque<SocketAddr>>,
}

fn plain(host: &str) -> &str {
    host.trim_matches(['[', ']']).trim_end_matches('.')
}

impl ControlPlaneDoors {
    /// At these hosts and ports.
    #[must_use]
    pub fn new(named: impl IntoIterator<Item = (String, u16)>) -> Self {
        let named = named.into_iter();
        Self {
            named: named
                .map(|(host, port)| (plain(&host).to_ascii_lowercase(), port))
                .collect(),
            found: RwLock::default(),
        }
    }

    /// Hosts and ports as they were given.
    pub fn named(&self) -> impl Iterator<Item = (&str, u16)> {
        self.named.iter().map(|(host, port)| (host.as_str(), *port))
    }

    /// One of the names resolved to these: another name may be at the same address.
    pub fn learn(&self, addresses: impl IntoIterator<Item = SocketAddr>) {
        let mut found = self.found.write().unwrap_or_else(PoisonError::into_inner);
        for address in addresses {
            found.retain(|known| *known != address);
            if found.len() == ADDRESSES {
                found.pop_front();
            }
            found.push_back(address);
        }
    }

    /// Refuses the control plane by its name. `host` is in lower case; IPv6 addresses in brackets.
    pub fn check_host(&self, host: &str, port: u16) -> Result<(), PolicyRefusal> {
        if let Some(address) = literal(host) {
            return self.check_address(host, port, address);
        }
        let is_door = self.named().any(|door| door == (plain(host), port));
        if is_door {
            return Err(refusal(format!("{host}:{port} is this sensor's control plane")));
        }
        Ok(())
    }

    /// Refuses it by its address, in whichever form that is written and whatever the host is called.
    pub fn check_address(&self, host: &str, port: u16, address: IpAddr) -> Result<(), PolicyRefusal> {
        let meanings = meanings_of_address(address);
        let is_same = |door: IpAddr| {
            let doors = meanings_of_address(door);
            doors.iter().any(|door| meanings.contains(door))
        };
        let named = self
            .named()
            .filter_map(|(door, at)| (at == port).then(|| literal(door))?);
        let found = self.found.read().unwrap_or_else(PoisonError::into_inner);
        let found = found
            .iter()
            .filter(|door| door.port() == port)
            .map(SocketAddr::ip);
        if named.chain(found).any(is_same) {
            return Err(refusal(format!(
                "{host} is at {address}, where this sensor's control plane listens on port {port}"
            )));
        }
        Ok(())
    }
}

fn refusal(why: String) -> PolicyRefusal {
    PolicyRefusal {
        rule: RULE.to_owned(),
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doors() -> ControlPlaneDoors {
        let doors = [
            ("Portolan.example.com.", 7443),
            ("10.0.0.1", 7443),
            ("fd00::1", 443),
        ];
        ControlPlaneDoors::new(doors.map(|(host, port)| (host.to_owned(), port)))
    }

    fn rule(answer: Result<(), PolicyRefusal>) -> Option<String> {
        answer.err().map(|refused| refused.rule)
    }

    #[test]
    fn a_door_is_known_by_its_name_and_by_its_address_in_every_form() {
        let doors = doors();
        for (host, port) in [
            ("portolan.example.com", 7443),
            ("10.0.0.1", 7443),
            ("[::ffff:10.0.0.1]", 7443),
            ("[fd00::1]", 443),
        ] {
            assert_eq!(
                rule(doors.check_host(host, port)).as_deref(),
                Some(RULE),
                "{host}"
            );
        }
        for (host, port) in [
            ("portolan.example.com", 443),
            ("10.0.0.1", 5000),
            ("10.0.0.2", 7443),
            ("registry.portolan.example.com", 7443),
        ] {
            assert_eq!(rule(doors.check_host(host, port)), None, "{host}:{port}");
        }
    }

    #[test]
    fn a_name_of_its_own_does_not_hide_the_address_that_a_door_was_found_at() {
        let doors = doors();
        let ask = |port| rule(doors.check_address("r.example.com", port, [192, 0, 2, 7].into()));
        assert_eq!(ask(7443), None);
        doors.learn([SocketAddr::from(([192, 0, 2, 7], 7443))]);
        assert_eq!(ask(7443).as_deref(), Some(RULE));
        assert_eq!(ask(5000), None, "another port is another server");
    }

    #[test]
    fn no_more_addresses_are_remembered_than_their_bound() {
        let doors = doors();
        let at = |n: u16| SocketAddr::from(([192, 0, (n >> 8) as u8, n as u8], 7443));
        let known = |n| doors.check_address("h", 7443, at(n).ip()).is_err();
        doors.learn((0..256).map(at));
        assert!(known(0) && known(255));
        doors.learn([at(0), at(256)]);
        assert!(
            known(0) && !known(1) && known(256),
            "the one that was found first"
        );
    }
}
