//! Outgoing webhooks: what is known of them.

use portolan_shared::model::{RegistryId, TenantId, WebhookId, limits};
use portolan_shared::process::SystemRng;
use portolan_store::{
    FeedPosition, NewWebhook, PageRequest, Store, StoreError, WebhookAttempt, WebhookChange, WebhookState,
};

use crate::site::entries;
use crate::{Site, at, note, noted};

pub(crate) async fn add(
    store: &dyn Store,
    tenant: TenantId,
    name: &str,
    registry: Option<RegistryId>,
) -> WebhookId {
    let webhook = NewWebhook {
        id: WebhookId::random(&SystemRng),
        tenant,
        name: name.parse().unwrap(),
        url: "https://hooks.example.com/hunter2".parse().unwrap(),
        registry,
        position: store.feed_end(tenant).await.unwrap(),
        created_by: "token:admin".to_owned(),
        now: at(5),
    };
    store.add_webhook(&webhook, &note()).await.unwrap();
    webhook.id
}

pub(crate) fn attempt(message: &str, seconds: i64) -> WebhookAttempt {
    WebhookAttempt {
        message: message.to_owned(),
        at: at(seconds),
        attempt: 1,
        changes: 1,
        status: Some(503),
        failure: Some("status".to_owned()),
        detail: None,
        took_ms: 12,
        test: false,
    }
}

/// What was said of a webhook is what is read of it, in its tenant alone; names are unique.
pub async fn webhooks_come_back_as_they_were_given(store: &dyn Store) {
    let site = Site::new(store).await;
    let one = add(store, site.tenant, "one", Some(site.registry)).await;
    let shown = store.webhook(site.tenant, one).await.unwrap().unwrap();
    assert_eq!(
        (
            shown.name.as_str(),
            shown.url.expose().as_str(),
            shown.registry,
            shown.state
        ),
        (
            "one",
            "https://hooks.example.com/hunter2",
            Some(site.registry),
            WebhookState::Active
        )
    );
    assert_eq!(
        (shown.behind, shown.tries, shown.secret_no, shown.secret_since),
        (0, None, 1, at(5))
    );
    assert!(shown.registry_name.is_some());
    add(store, site.tenant, "another", None).await;
    let first = PageRequest {
        after: None,
        limit: 1,
    };
    let page = store.webhooks(site.tenant, &first).await.unwrap();
    assert_eq!(page.items[0].name.as_str(), "another");
    let rest = PageRequest {
        after: page.next,
        limit: 10,
    };
    let rest = store.webhooks(site.tenant, &rest).await.unwrap();
    assert!(rest.items.len() == 1 && rest.items[0] == shown && rest.next.is_none());
    let by_name = store
        .webhook_by_name(site.tenant, &"one".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(by_name, Some(shown.clone()));
    // A name that is taken, and another tenant.
    let taken = NewWebhook {
        id: WebhookId::random(&SystemRng),
        tenant: site.tenant,
        name: shown.name.clone(),
        url: shown.url.clone(),
        registry: None,
        position: FeedPosition::behind(0),
        created_by: "token:admin".to_owned(),
        now: at(6),
    };
    let refused = store.add_webhook(&taken, &note()).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Taken { what: "webhook", .. }),
        "{refused:?}"
    );
    let rename = WebhookChange {
        name: Some("another".parse().unwrap()),
        ..WebhookChange::default()
    };
    let refused = store
        .change_webhook(site.tenant, one, &rename, at(6), &noted)
        .await;
    assert!(matches!(refused, Err(StoreError::Taken { .. })));
    let elsewhere = Site::new(store).await.tenant;
    assert!(store.webhook(elsewhere, one).await.unwrap().is_none());
    assert!(!store.remove_webhook(elsewhere, one, &note()).await.unwrap());
    assert!(
        store
            .change_webhook(elsewhere, one, &rename, at(6), &noted)
            .await
            .unwrap()
            .is_none()
    );
    let before = entries(store, site.tenant).await;
    assert!(store.remove_webhook(site.tenant, one, &note()).await.unwrap());
    assert!(!store.remove_webhook(site.tenant, one, &note()).await.unwrap());
    assert_eq!(entries(store, site.tenant).await, before + 1);
}

/// The bound of a tenant is its own.
pub async fn a_tenant_has_so_many_webhooks_and_no_more(store: &dyn Store) {
    let site = Site::new(store).await;
    for number in 0..limits::WEBHOOKS_PER_TENANT {
        add(store, site.tenant, &format!("w{number}"), None).await;
    }
    let more = NewWebhook {
        id: WebhookId::random(&SystemRng),
        tenant: site.tenant,
        name: "more".parse().unwrap(),
        url: "https://h/".parse().unwrap(),
        registry: None,
        position: FeedPosition::behind(0),
        created_by: "token:admin".to_owned(),
        now: at(6),
    };
    let refused = store.add_webhook(&more, &note()).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Refused { what: "webhook", .. }),
        "{refused:?}"
    );
    let elsewhere = Site::new(store).await.tenant;
    add(store, elsewhere, "more", None).await;
}

/// The log keeps the newest, newest first.
pub async fn so_many_deliveries_are_kept_of_a_webhook(store: &dyn Store) {
    let site = Site::new(store).await;
    let (id, other) = (
        add(store, site.tenant, "one", None).await,
        add(store, site.tenant, "other", None).await,
    );
    let test = |number: u32| WebhookAttempt {
        attempt: number,
        test: true,
        detail: Some("so it is".to_owned()),
        ..attempt("test", 30)
    };
    store
        .note_webhook_test(site.tenant, other, &test(1), &note())
        .await
        .unwrap();
    let most = limits::KEPT_DELIVERIES;
    for number in 1..=most + 3 {
        store
            .note_webhook_test(site.tenant, id, &test(number), &note())
            .await
            .unwrap();
    }
    let mut seen = Vec::new();
    let mut page = PageRequest {
        after: None,
        limit: 90,
    };
    loop {
        let kept = store.webhook_deliveries(site.tenant, id, &page).await.unwrap();
        seen.extend(kept.items);
        page.after = kept.next;
        if page.after.is_none() {
            break;
        }
    }
    let expected: Vec<_> = (4..=most + 3).rev().map(test).collect();
    assert_eq!(seen, expected);
    let others = store
        .webhook_deliveries(site.tenant, other, &PageRequest::first())
        .await
        .unwrap();
    assert_eq!(others.items, [test(1)]);
    // One that is gone keeps nothing.
    let gone = WebhookId::random(&SystemRng);
    store
        .note_webhook_test(site.tenant, gone, &test(1), &note())
        .await
        .unwrap();
}
