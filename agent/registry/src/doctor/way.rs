//! The way to the registry: policy, name resolution, route, TCP.

use std::io;
use std::net::{IpAddr, SocketAddr};

use futures::future::join_all;
use tokio::net::TcpStream;

use super::examination::Examination;
use super::notes::Notes;
use crate::error::Fault;
use crate::http::{Pass, Purpose, Refused};

/// Addresses of one name that are tried; further ones are only shown.
const ADDRESSES: usize = 8;

impl Examination {
    /// Asks the gate, before anything is sent.
    pub(super) fn policy(&self, notes: &mut Notes) {
        let known = &self.question.policy;
        for line in &known.seen {
            notes.see(line);
        }
        if let Some(finding) = &known.finding {
            notes.find(finding.clone());
        }
        if notes.has_error() {
            return;
        }
        let hop = self.origin.hop(Purpose::Registry);
        match self.guard.check_host(&hop, hop.literal()) {
            Ok(()) if known.seen.is_empty() => notes.see(format!("{} may be contacted", self.name())),
            Ok(()) => {}
            Err(Refused::Host(refusal)) => notes.find(self.finding(Fault::Policy {
                host: self.origin.host.clone(),
                port: self.origin.port,
                purpose: Purpose::Registry,
                rule: refusal.rule,
            })),
            Err(Refused::Address(address, refusal)) => notes.find(self.finding(Fault::Address {
                address,
                rule: refusal.rule,
            })),
        }
    }

    /// Resolves the name and checks every address.
    pub(super) async fn name_resolution(&mut self, notes: &mut Notes) {
        let hop = self.origin.hop(Purpose::Registry);
        if let Some(address) = hop.literal() {
            self.addresses = vec![address];
            return notes.skip("the host is written as an address");
        }
        if self.proxy().is_some() {
            return notes.skip("the proxy resolves the name");
        }
        let found = match self.access.resolver.resolve(&self.origin.host).await {
            Ok(found) if !found.is_empty() => found,
            Ok(_) | Err(_) => return notes.find(self.finding(Fault::Unresolved)),
        };
        let mut refused = None;
        let mut allowed: Vec<IpAddr> = Vec::new();
        for address in found {
            match self.guard.check_address(&hop, address) {
                Ok(()) if allowed.contains(&address) => {}
                Ok(()) => {
                    notes.see(address.to_string());
                    allowed.push(address);
                }
                Err(refusal) => {
                    notes.see(format!("{address}: never connected to (rule {})", refusal.rule));
                    refused = Some(Fault::Address {
                        address,
                        rule: refusal.rule,
                    });
                }
            }
        }
        if let Some(fault) = refused.filter(|_| allowed.is_empty()) {
            notes.find(self.finding(fault));
        }
        self.addresses = allowed;
    }

    /// Waits as a request does, and has the connection counted as one. What is returned is its place in flight.
    async fn admitted(&self) -> Pass {
        let pass = self.guard.place().await;
        self.guard.ready().await;
        self.guard.contacted(&self.origin.hop(Purpose::Registry));
        pass
    }

    /// Says which way requests take.
    pub(super) fn route(&self, notes: &mut Notes) {
        notes.see(match self.proxy() {
            Some(proxy) => format!("by the proxy {proxy}"),
            None => "direct".to_owned(),
        });
    }

    /// Connects to every address; the first that answers is used for the next stage.
    pub(super) async fn tcp(&mut self, notes: &mut Notes) {
        if let Some(proxy) = self.proxy().cloned() {
            let _pass = self.admitted().await;
            return self.tcp_by_proxy(&proxy, notes).await;
        }
        let port = self.origin.port;
        let this = &*self;
        let tried = self.addresses.iter().take(ADDRESSES).map(|address| {
            let address = SocketAddr::new(*address, port);
            async move { (address, TcpStream::connect(address)) }
        });
        let within = self.access.limits.connect;
        let clock = &*self.access.clock;
        let attempts = tried.map(|attempt| async move {
            let _pass = this.admitted().await;
            let begun = clock.uptime();
            let (address, connecting) = attempt.await;
            let outcome = tokio::time::timeout(within, connecting).await;
            let took = clock.uptime().since(begun).as_millis();
            (
                address,
                outcome.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
                took,
            )
        });
        let mut failures = Vec::new();
        for (address, outcome, took) in join_all(attempts).await {
            match outcome {
                Ok(stream) => {
                    notes.see(format!("{address} connected in {took} ms"));
                    self.connection.get_or_insert(stream);
                }
                Err(error) => {
                    let fault = Fault::of_connection(error.kind());
                    notes.see(format!("{address} {fault}"));
                    failures.push(fault);
                }
            }
        }
        if self.connection.is_none() {
            // One that says no tells more than one that says nothing.
            let fault = failures.into_iter().reduce(Fault::telling);
            let fault = fault.unwrap_or(Fault::Unresolved);
            let is_closed = matches!(fault, Fault::PortClosed);
            notes.find(self.finding(fault));
            if is_closed {
                self.suggest_elsewhere(notes).await;
            }
        }
    }
}
