//! Changes and their audit entries: both or neither.

use portolan_shared::model::{ApiTokenId, EventSubject, RegistryId, SensorId};
use portolan_shared::process::SystemRng;
use portolan_store::{
    AuditEntry, NewApiToken, PageRequest, RegistryChange, RegistryNews, Role, StandingChange, Store,
    TokenHash,
};
use serde_json::json;

use crate::heard;
use crate::site::{Site, at, bytes, certificate, claim, entries, invitation, note, noted, registry, tenant};

/// Counts entries by the changes that should have brought them.
struct Log<'a> {
    store: &'a dyn Store,
    site: &'a Site,
    seen: u64,
}

impl Log<'_> {
    async fn grew(&mut self, by: u64, what: &str) {
        let now = entries(self.store, self.site.tenant).await;
        assert_eq!(now - self.seen, by, "{what}");
        self.seen = now;
    }
}

/// Tokens, registries, invitations, sensors.
pub async fn a_change_brings_its_entry_and_what_changes_nothing_brings_none(store: &dyn Store) {
    let site = Site::new(store).await;
    let mut log = Log {
        store,
        site: &site,
        seen: entries(store, site.tenant).await,
    };
    let token = NewApiToken {
        id: ApiTokenId::random(&SystemRng),
        tenant: site.tenant,
        name: "ci".to_owned(),
        role: Role::Viewer,
        hash: TokenHash(bytes()),
        created_at: at(1),
        expires_at: None,
    };
    store.add_api_token(&token, &note()).await.unwrap();
    log.grew(1, "a token is added").await;
    let taken = NewApiToken {
        id: ApiTokenId::random(&SystemRng),
        ..token.clone()
    };
    store.add_api_token(&taken, &note()).await.unwrap_err();
    log.grew(0, "the name of the token is taken").await;
    for (grown, what) in [(1, "revoked"), (0, "revoked before")] {
        let now = at(2);
        store
            .revoke_api_token(site.tenant, token.id, now, &note())
            .await
            .unwrap();
        log.grew(grown, what).await;
    }

    let new = registry(site.tenant, "other", &[site.sensor]);
    store.add_registry(&new, at(3), &note()).await.unwrap();
    log.grew(1, "a registry is added").await;
    store.add_registry(&new, at(3), &note()).await.unwrap_err();
    let strange = registry(site.tenant, "strange", &[SensorId::random(&SystemRng)]);
    store.add_registry(&strange, at(3), &note()).await.unwrap_err();
    log.grew(0, "neither a taken name nor an unknown sensor").await;
    let change = RegistryChange {
        name: Some("renamed".parse().unwrap()),
        ..RegistryChange::default()
    };
    let named = |news: &RegistryNews| {
        let RegistryNews::Changed { before, after } = news else {
            return None;
        };
        let mut entry = note();
        entry.object = format!("{} is {} now", before.name, after.registry.name);
        Some(entry)
    };
    for (version, grown) in [(Some(1), 1), (Some(1), 0)] {
        store
            .change_registry(site.tenant, new.id, &change, version, at(4), &named)
            .await
            .unwrap();
        log.grew(grown, "changed from this version").await;
    }
    let newest = store.audit(site.tenant, &PageRequest::first()).await.unwrap();
    assert_eq!(
        newest.items[0].entry.object, "other is renamed now",
        "the entry is of what was stored"
    );
    store
        .change_registry(
            site.tenant,
            RegistryId::random(&SystemRng),
            &change,
            None,
            at(4),
            &named,
        )
        .await
        .unwrap();
    log.grew(0, "no such registry").await;
    for (grown, what) in [(1, "removed"), (0, "removed before")] {
        store
            .remove_registry(site.tenant, new.id, &note(), &|_| None)
            .await
            .unwrap();
        log.grew(grown, what).await;
    }

    let open = invitation(site.tenant, "next");
    store.add_invitation(&open, &note()).await.unwrap();
    log.grew(1, "an invitation is added").await;
    let again = invitation(site.tenant, "next");
    store.add_invitation(&again, &note()).await.unwrap_err();
    log.grew(0, "the name of the sensor is taken").await;
    for (grown, what) in [(1, "withdrawn"), (0, "withdrawn before")] {
        let now = at(5);
        store
            .revoke_invitation(site.tenant, open.id, now, &note())
            .await
            .unwrap();
        log.grew(grown, what).await;
    }
    for (grown, what) in [(1, "shut out"), (0, "shut out before")] {
        let now = at(6);
        store
            .change_standing(site.tenant, site.sensor, StandingChange::Revoke, now, &note())
            .await
            .unwrap();
        log.grew(grown, what).await;
    }
}

/// An enrolment's entry depends on what came of it, and may be none.
pub async fn enrolment_and_renewal_bring_their_entries(store: &dyn Store) {
    let tenant = tenant(store).await;
    let open = invitation(tenant, "edge");
    store.add_invitation(&open, &note()).await.unwrap();
    let before = entries(store, tenant).await;
    let claim = claim(&open);
    let wrong = portolan_store::EnrolmentClaim {
        hash: TokenHash(bytes()),
        ..claim.clone()
    };
    store.enrol(&wrong, &|_| None).await.unwrap();
    assert_eq!(entries(store, tenant).await, before, "none was wanted");
    store.enrol(&wrong, &noted).await.unwrap();
    store.enrol(&claim, &noted).await.unwrap();
    assert_eq!(entries(store, tenant).await, before + 2);
    for i in 0..7 {
        store
            .store_renewal(
                tenant,
                claim.new_sensor,
                claim.certificate.serial,
                &certificate(),
                at(10 + i),
                &note(),
            )
            .await
            .unwrap();
    }
    assert_eq!(entries(store, tenant).await, before + 8, "six of seven renewals");
}

/// Runs.
pub async fn queueing_and_cancelling_bring_their_entries(store: &dyn Store) {
    let site = Site::new(store).await;
    let before = entries(store, site.tenant).await;
    let run = site.queue(store, 10).await;
    assert_eq!(entries(store, site.tenant).await, before + 1);
    store.queue_run(&site.new_run(&[], 11), &note()).await.unwrap();
    assert_eq!(entries(store, site.tenant).await, before + 1, "it was joined");
    for _ in 0..2 {
        store.cancel_run(site.tenant, run, at(12), &note()).await.unwrap();
    }
    assert_eq!(
        entries(store, site.tenant).await,
        before + 2,
        "it was cancelled once"
    );
}

/// What events have caused, oldest first.
async fn by_events(store: &dyn Store, site: &Site) -> Vec<AuditEntry> {
    let log = store.audit(site.tenant, &PageRequest::first()).await.unwrap();
    let entries = log.items.into_iter().rev().map(|record| record.entry);
    entries.filter(|entry| entry.actor == "events").collect()
}

/// Those of single repositories by their number of each day, once it is over; one of the whole registry by itself.
pub async fn runs_that_events_queue_are_all_told_of(store: &dyn Store) {
    const DAY: i64 = 24 * 60 * 60;
    let site = heard::site(store).await;
    let look = async |tag: &str, seconds: i64| {
        heard::note(store, &site, &[heard::tag("a", tag)], at(seconds)).await;
        let run = heard::take(store, &site, at(seconds + 5)).await.unwrap();
        heard::end(store, &site, &run, seconds + 6).await;
    };
    let midnight = DAY - at(0).as_second().rem_euclid(DAY);
    for (tag, seconds) in [("1", 10), ("2", 100), ("3", midnight - 6), ("4", midnight + 60)] {
        look(tag, seconds).await;
    }
    assert!(by_events(store, &site).await.is_empty(), "they are counted");
    store.sum_up_looks(at(midnight - 1)).await.unwrap();
    assert!(by_events(store, &site).await.is_empty(), "the day is not over");
    assert_eq!(store.sum_up_looks(at(midnight)).await.unwrap(), 1);
    assert_eq!(store.sum_up_looks(at(midnight + 1)).await.unwrap(), 0);
    let [told] = &by_events(store, &site).await[..] else {
        panic!("it is told once")
    };
    let day = at(midnight - 1).strftime("%Y-%m-%d").to_string();
    assert_eq!(told.action, "run.looks");
    assert_eq!(told.object, format!("registry:{}", site.registry));
    let name = site.record(store).await.registry.name;
    assert_eq!(told.details, json!({"registry": name, "day": day, "runs": 3}));

    heard::note(store, &site, &[EventSubject::Registry], at(midnight + 100)).await;
    let whole = heard::take(store, &site, at(midnight + 105)).await.unwrap();
    let told = by_events(store, &site).await.remove(1);
    assert_eq!(told.action, "run.queue");
    assert_eq!(told.object, format!("run:{}", whole.id));
    assert_eq!(told.details["trigger"], json!("event"));

    store
        .remove_registry(site.tenant, site.registry, &note(), &|_| None)
        .await
        .unwrap();
    assert_eq!(store.sum_up_looks(at(midnight + DAY)).await.unwrap(), 1);
    let told = by_events(store, &site).await.remove(2);
    assert_eq!(
        (told.action.as_str(), &told.details["runs"]),
        ("run.looks", &json!(1)),
        "also of what is gone"
    );
}

/// Not when its time has come, which may be in a year. A clock elsewhere that is a moment ahead at midnight is not ahead.
pub async fn days_that_a_clock_counted_that_was_ahead_are_told_of(store: &dyn Store) {
    const DAY: i64 = 24 * 60 * 60;
    let site = heard::site(store).await;
    let look = async |seconds: i64| {
        heard::note(store, &site, &[heard::tag("a", "1")], at(seconds)).await;
        let run = heard::take(store, &site, at(seconds + 5)).await.unwrap();
        heard::end(store, &site, &run, seconds + 6).await;
    };
    look(300 * DAY).await;
    store.sum_up_looks(at(299 * DAY)).await.unwrap();
    assert!(by_events(store, &site).await.is_empty(), "it is tomorrow");
    store.sum_up_looks(at(298 * DAY)).await.unwrap();
    let [told] = &by_events(store, &site).await[..] else {
        panic!("it is told once")
    };
    let day = at(300 * DAY).strftime("%Y-%m-%d").to_string();
    assert_eq!(
        (&told.details["day"], &told.details["runs"]),
        (&json!(day), &json!(1))
    );
}
