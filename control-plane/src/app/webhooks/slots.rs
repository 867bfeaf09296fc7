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

/// With so many under way no tenant has more than its share.
const CROWDED: usize = limits::DELIVERIES_AT_ONCE / 2;

/// How many may be begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    /// To endpoints that answered quickly last time, or had nothing to answer so far.
    pub(super) quick: usize,
    /// To others.
    pub(super) slow: usize,
}

impl Taken {
    /// Whether it has the slot of a quick one still.
    fn is_quick(&self, now: Uptime) -> bool {
        !self.slow && now.since(self.since) <= QUICK
    }
}

impl Slots {
    /// How many are under way.
    pub(super) fn taken(&self) -> usize {
        self.taken.len()
    }

    /// How many more may be.
    pub(super) fn room(&self, now: Uptime) -> Room {
        let count = |which: &dyn Fn(&&Taken) -> bool| self.taken.values().filter(which).count();
        let quick = count(&|taken| taken.is_quick(now));
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
        let is_room = match slow {
            false => {
                let quick = of_tenant.clone().filter(|taken| taken.is_quick(now));
                room.quick > 0 && quick.count() < limits::QUICK_DELIVERIES_PER_TENANT
            }
            true => {
                let slow = of_tenant.clone().filter(|taken| taken.slow);
                room.slow > 0 && slow.count() < limits::SLOW_DELIVERIES_PER_TENANT
            }
        };
        // Those that turn out to be slow have no bound of their own, so that they do not hold up what is quick; but they are not to fill everything.
        let has_its_share = self.taken.len() >= CROWDED && of_tenant.count() >= limits::DELIVERIES_PER_TENANT;
        if !is_room || has_its_share || self.taken.contains_key(&webhook) {
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
        let quick_each = limits::QUICK_DELIVERIES_PER_TENANT;
        assert_eq!(take(&mut slots, &rng, one, false, at(0)), quick_each);
        for _ in 1..limits::SLOW_DELIVERIES_AT_ONCE / slow_each {
            assert_eq!(take(&mut slots, &rng, tenant(), true, at(0)), slow_each);
        }
        assert_eq!(take(&mut slots, &rng, tenant(), true, at(0)), 0, "all are taken");
        let quick = take(&mut slots, &rng, tenant(), false, at(0));
        assert_eq!(quick, quick_each, "the slow ones do not matter to it");
    }

    #[test]
    fn what_turns_out_to_be_slow_holds_up_nothing_of_its_tenant() {
        let rng = SeededRng::new(3);
        let mut slots = Slots::default();
        let (one, other) = (TenantId::random(&rng), TenantId::random(&rng));
        let (each, quick) = (limits::QUICK_DELIVERIES_PER_TENANT, limits::QUICK_DELIVERY_MS);
        let mut takes = |tenant, round: u64| take(&mut slots, &rng, tenant, false, at(round * (quick + 1)));
        let mut taken = 0;
        for round in 0.. {
            // None of those of the rounds before has been answered.
            let more = takes(one, round);
            taken += more;
            if more < each {
                assert_eq!((taken, takes(one, round + 1)), (CROWDED, 0), "it has its share");
                assert_eq!(takes(other, round + 1), each);
                let rest = limits::DELIVERIES_PER_TENANT - each;
                assert_eq!((takes(other, round + 2), takes(other, round + 3)), (rest, 0));
                break;
            }
        }
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
