//! The answer.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use portolan_registry::{Guard, Hop, Purpose, Refused, Resolver, SystemResolver};
use portolan_shared::model::RegistryUrl;
use portolan_shared::process::ProxyRules;

use super::request::{AskedCredential, Request};
use super::verdict::{AddressVerdict, Verdict};
use crate::doctor::PolicyGate;
use crate::jobs::Passage;
use crate::policy::{ControlPlaneDoors, Policy, PolicyRefusal};

/// Judges a request as it would be judged within a job on this machine: by the same guard, with the policy behind it, at
/// this moment. `doors` are those of the control plane that this machine is enrolled with.
pub async fn judge(
    policy: &Policy,
    request: &Request,
    proxies: &ProxyRules,
    doors: ControlPlaneDoors,
    now: Timestamp,
) -> Verdict {
    judge_with(policy, request, &SystemResolver, proxies, doors, now).await
}

/// The same, with other names.
pub(super) async fn judge_with(
    policy: &Policy,
    request: &Request,
    resolver: &dyn Resolver,
    proxies: &ProxyRules,
    doors: ControlPlaneDoors,
    now: Timestamp,
) -> Verdict {
    let hop = request.hop();
    let registry = &request.registry;
    let doors = Arc::new(doors);
    let passage = Passage::new(registry.clone(), proxies.clone()).never_to(Arc::clone(&doors));
    let guard = Guard::new(
        Arc::new(PolicyGate {
            policy: policy.clone(),
            passage: passage.clone(),
        }),
        &as_hop(registry),
    );
    let mut verdict = Verdict::of(&request.target, request.purpose);
    let rule = match before_sending(policy, request, &passage, &guard, &hop, now) {
        Ok(rule) => rule,
        Err(refused) => return verdict.refused(refused).advised(policy.advice(registry)),
    };
    if hop.literal().is_none() {
        if let Some(proxy) = proxies.proxy_for(hop.https, hop.host, hop.port) {
            verdict.proxy = Some(proxy.to_string());
            return verdict.allowed(rule);
        }
        let found = resolver.resolve(hop.host).await.unwrap_or_default();
        find(&doors, hop.port, resolver).await;
        verdict.addresses = found
            .into_iter()
            .map(|address| address_verdict(policy, &passage, &guard, &hop, address))
            .collect();
        verdict.unresolved = verdict.addresses.is_empty();
        if let Some(none) = verdict.addresses.iter().find(|address| !address.allowed)
            && !verdict.addresses.iter().any(|address| address.allowed)
        {
            let refused = PolicyRefusal {
                rule: none.rule.clone(),
                why: none.why.clone().unwrap_or_default(),
            };
            return verdict.refused(refused);
        }
    }
    verdict.allowed(rule)
}

/// Looks where the control plane is, as an agent that runs knows from its connections.
async fn find(doors: &ControlPlaneDoors, port: u16, resolver: &dyn Resolver) {
    let names = doors.named().filter(|(host, _)| host.parse::<IpAddr>().is_err());
    for (host, at) in names.filter(|(_, at)| *at == port) {
        let found = resolver.resolve(host).await.unwrap_or_default();
        doors.learn(found.into_iter().map(|address| (address, at).into()));
    }
}

fn as_hop(registry: &RegistryUrl) -> Hop<'_> {
    Hop {
        https: registry.is_https(),
        host: registry.host(),
        port: registry.port(),
        purpose: Purpose::Registry,
    }
}

/// Everything that is judged before a name is resolved, in the order of a job.
fn before_sending(
    policy: &Policy,
    request: &Request,
    passage: &Passage,
    guard: &Guard,
    hop: &Hop<'_>,
    now: Timestamp,
) -> Result<String, PolicyRefusal> {
    let registry = &request.registry;
    let mut rule = policy.allows_registry(registry)?;
    if let Some(credential) = &request.credential {
        rule = match credential {
            AskedCredential::Local(reference) => policy.allows_credential(registry, reference)?,
            AskedCredential::Sealed => policy.allows_sealed_credential(registry)?,
        };
    }
    policy.allows_now(now)?;
    if let Some(repository) = &request.repository {
        rule = policy.allows_repository(registry, repository)?;
    }
    let rule = rule.to_owned();
    // For the words; the guard has rules of its own beside these.
    passage.check_host(policy, hop)?;
    match guard.check_host(hop, hop.literal()) {
        Ok(()) => Ok(rule),
        Err(Refused::Host(refusal) | Refused::Address(_, refusal)) => Err(PolicyRefusal {
            why: format!("{}:{} is never contacted", hop.host, hop.port),
            rule: refusal.rule.into_owned(),
        }),
    }
}

fn address_verdict(
    policy: &Policy,
    passage: &Passage,
    guard: &Guard,
    hop: &Hop<'_>,
    address: IpAddr,
) -> AddressVerdict {
    let by_policy = passage.check_address(policy, hop, address);
    let (allowed, rule, why) = match (by_policy, guard.check_address(hop, address)) {
        (Ok(rule), Ok(())) => (true, rule.to_owned(), None),
        (Err(refused), _) => (false, refused.rule, Some(refused.why)),
        (Ok(_), Err(refusal)) => {
            let why = format!("{} is at {address}, which is not connected to", hop.host);
            (false, refusal.rule.into_owned(), Some(why))
        }
    };
    AddressVerdict {
        address,
        allowed,
        rule,
        why,
    }
}
