//! What may be on its way at once.

use std::collections::HashMap;
use std::time::Duration;

use portolan_shared::model::{TenantId, WebhookId, limits};
use portolan_shared::process::Uptime;

/// From then on a delivery is a slow one, whatever the endpoint was before.
const QUICK: Duration = Duration::from_millis(limits::QUICK_DELIVERY_MS);

/// The deliveries that are under way. Endpoints that are slow have slots of their own; one that turns out to be slow while it is delivered to gives
/// the slot of a quick one back, so that those are always free soon.
#[derive(Debug, Default)]
pub(super) struct Slots {
    taken: HashMap<WebhookId, Taken>,
}

#[derive(Debug)]
struct Taken {
    tenant: TenantId,
    slow: bool,
    since: Uptime,
}

/// How many may be begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    /// To endpoints that took their last message quickly, or had none so far.
    pub(super) quick: usize,
    /// To others.
    pub(super) slow: usize,
}

impl Slots {
    /// How many are under way.
    pub(super) fn taken(&self) -> usize {
        self.taken.len()
    }

    /// How many more may be.
    pub(super) fn room(&self, now: Uptime) -> Room {
        let count = |which: &dyn Fn(&&Taken) -> bool| self.taken.values().filter(which).count();
        let quick = count(&|taken| !taken.slow && now.since(taken.since) <= QUICK);
        let slow = count(&|taken| taken.slow);
        let free = limits::DELIVERIES_AT_ONCE.saturating_sub(self.taken.len());
        Room {
            quick: limits::QUICK_DELIVERIES_AT_ONCE.saturating_sub(quick).min(free),
            slow: limits::SLOW_DELIVERIES_AT_ONCE.saturating_sub(slow).min(free),
        }
    }

    /// Takes a slot, if there is one: neither endpoints that are slow nor one tenant ever have all, and a webhook has one.
    pub(super) fn take(&mut self, webhook: WebhookId, tenant: TenantId, slow: bool, now: Uptime) -> bool {
        let room = self.room(now);
        let of_tenant = self.taken.values().filter(|taken| taken.tenant == tenant);
        let slow_of_tenant = of_tenant.clone().filter(|taken| taken.slow);
        let is_room = match slow {
            false => room.quick > 0,
            true => room.slow > 0 && slow_of_tenant.count() < limits::SLOW_DELIVERIES_PER_TENANT,
        };
        if !is_room || of_tenant.count() >= limits::DELIVERIES_PER_TENANT || self.taken.contains_key(&webhook)
        {
            return false;
        }
        let since = now;
        self.taken.insert(webhook, Taken { tenant, slow, since });
        true
    }

    /// Gives the slot back.
    pub(super) fn free(&mut self, webhook: WebhookId) {
        self.taken.remove(&webhook);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::process::SeededRng;

    fn at(millis: u64) -> Uptime {
        Uptime(Duration::from_millis(millis))
    }

    /// Takes as many as may be taken, for this tenant.
    fn take(slots: &mut Slots, rng: &SeededRng, tenant: TenantId, slow: bool, now: Uptime) -> usize {
        let mut taken = 0;
        loop {
            let webhook = WebhookId::random(rng);
            if !slots.take(webhook, tenant, slow, now) {
                return taken;
            }
            assert!(!slots.take(webhook, tenant, slow, now), "one at a time");
            taken += 1;
        }
    }

    #[test]
    fn neither_slow_endpoints_nor_one_tenant_have_all_slots() {
        let rng = SeededRng::new(1);
        let mut slots = Slots::default();
        let tenant = || TenantId::random(&rng);
        let one = tenant();
        let slow_each = limits::SLOW_DELIVERIES_PER_TENANT;
        assert_eq!(take(&mut slots, &rng, one, true, at(0)), slow_each);
        let left = limits::DELIVERIES_PER_TENANT - slow_each;
        assert_eq!(take(&mut slots, &rng, one, false, at(0)), left);
        for _ in 1..limits::SLOW_DELIVERIES_AT_ONCE / slow_each {
            assert_eq!(take(&mut slots, &rng, tenant(), true, at(0)), slow_each);
        }
        assert_eq!(take(&mut slots, &rng, tenant(), true, at(0)), 0, "all are taken");
        let quick = take(&mut slots, &rng, tenant(), false, at(0));
        assert_eq!(
            quick,
            limits::DELIVERIES_PER_TENANT,
            "the slow ones do not matter to it"
        );
    }

    #[test]
    fn whoever_turns_out_to_be_slow_gives_its_slot_back_as_long_as_there_is_memory() {
        let rng = SeededRng::new(2);
        let mut slots = Slots::default();
        let fill = |slots: &mut Slots, now| {
            let mut all = 0;
            loop {
                match take(slots, &rng, TenantId::random(&rng), false, now) {
                    0 => return all,
                    taken => all += taken,
                }
            }
        };
        let most = limits::QUICK_DELIVERIES_AT_ONCE;
        assert_eq!(fill(&mut slots, at(0)), most);
        assert_eq!(fill(&mut slots, at(limits::QUICK_DELIVERY_MS)), 0);
        let later = limits::QUICK_DELIVERY_MS + 1;
        assert_eq!(fill(&mut slots, at(later)), most);
        assert_eq!(slots.taken(), limits::DELIVERIES_AT_ONCE);
        let room = slots.room(at(2 * later));
        assert_eq!(room, Room { quick: 0, slow: 0 }, "each has a message in memory");
    }
}
