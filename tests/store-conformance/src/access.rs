//! Tenants, API tokens, the audit log.

use portolan_shared::model::{ApiTokenId, TenantId};
use portolan_shared::process::SystemRng;
use portolan_store::{
    AuditEntry, AuditSeverity, NewApiToken, PageRequest, Role, Store, StoreError, Tenant, TokenHash,
};
use serde_json::json;

use crate::site::{at, bytes, entries, note, tenant};

const DAY: i64 = 86_400;

fn token(tenant: TenantId, token_name: &str, seconds: i64) -> NewApiToken {
    NewApiToken {
        id: ApiTokenId::random(&SystemRng),
        tenant,
        name: token_name.to_owned(),
        role: Role::Operator,
        hash: TokenHash(bytes()),
        created_at: at(seconds),
        expires_at: Some(at(9_999)),
    }
}

/// A tenant's name belongs to it alone.
pub async fn tenant_names_are_unique(store: &dyn Store) {
    let first = tenant(store).await;
    let second = Tenant {
        id: TenantId::random(&SystemRng),
        name: first.to_string(),
        created_at: at(1),
    };
    let refused = store.add_tenant(&second).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Taken { what: "tenant", .. }),
        "{refused}"
    );
    let all = store.tenants().await.unwrap();
    assert!(all.iter().any(|tenant| tenant.id == first));
    assert!(!all.iter().any(|tenant| tenant.id == second.id));
}

/// The token's public part is enough to find its tenant.
pub async fn api_tokens_are_found_by_their_id_alone(store: &dyn Store) {
    let tenant = tenant(store).await;
    let new = token(tenant, "ci", 0);
    store.add_api_token(&new, &note()).await.unwrap();
    let found = store.api_token(new.id).await.unwrap().unwrap();
    assert_eq!(
        (found.token.tenant, found.token.hash, found.token.role),
        (tenant, new.hash, Role::Operator)
    );
    assert_eq!(
        (found.token.created_at, found.token.expires_at),
        (new.created_at, new.expires_at)
    );
    assert!(found.revoked_at.is_none());
    assert!(
        store
            .api_token(ApiTokenId::random(&SystemRng))
            .await
            .unwrap()
            .is_none()
    );
    let nowhere = token(TenantId::random(&SystemRng), "ci", 0);
    let refused = store.add_api_token(&nowhere, &note()).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Unknown { what: "tenant", .. }),
        "{refused}"
    );
}

/// Of any number of requests at once one tells of it, and then none for a day, whichever way the clock goes.
pub async fn the_use_of_an_api_token_is_noted_once_a_day(store: &dyn Store) {
    let tenant = tenant(store).await;
    let new = token(tenant, "ci", 0);
    store.add_api_token(&new, &note()).await.unwrap();
    let is_due = async |seconds| {
        let found = store.api_token(new.id).await.unwrap().unwrap();
        found.use_is_due(at(seconds))
    };
    let before = entries(store, tenant).await;
    for (seconds, noted) in [
        (10, 1),
        (11, 1),
        (10 + DAY - 1, 1),
        (10 + DAY, 2),
        (11 + DAY, 2),
        (9, 3),
        (10, 3),
    ] {
        let grown = entries(store, tenant).await - before;
        assert_eq!(is_due(seconds).await, grown < noted, "{seconds}");
        let entry = note();
        let uses = (0..8).map(|_| store.note_api_token_use(tenant, new.id, at(seconds), &entry));
        let done = futures::future::join_all(uses).await;
        let done = done.into_iter().filter(|done| *done.as_ref().unwrap()).count();
        assert_eq!(u64::try_from(done).unwrap(), noted - grown, "{seconds}");
        assert_eq!(entries(store, tenant).await - before, noted, "{seconds}");
    }
    let stranger = crate::site::tenant(store).await;
    let entry = note();
    let theirs = store.note_api_token_use(stranger, new.id, at(5 * DAY), &entry);
    assert!(!theirs.await.unwrap());
}

/// A revoked token's name may be used again; the revoked one stays to be seen.
pub async fn api_token_names_are_free_again_after_revocation(store: &dyn Store) {
    let tenant = tenant(store).await;
    let old = token(tenant, "ci", 0);
    store.add_api_token(&old, &note()).await.unwrap();
    let refused = store
        .add_api_token(&token(tenant, "ci", 1), &note())
        .await
        .unwrap_err();
    assert!(matches!(refused, StoreError::Taken { .. }), "{refused}");
    let stranger = crate::site::tenant(store).await;
    assert!(
        !store
            .revoke_api_token(stranger, old.id, at(2), &note())
            .await
            .unwrap()
    );
    assert!(
        store
            .revoke_api_token(tenant, old.id, at(2), &note())
            .await
            .unwrap()
    );
    assert!(
        !store
            .revoke_api_token(tenant, old.id, at(3), &note())
            .await
            .unwrap()
    );
    assert_eq!(
        store.api_token(old.id).await.unwrap().unwrap().revoked_at,
        Some(at(2))
    );
    store
        .add_api_token(&token(tenant, "ci", 4), &note())
        .await
        .unwrap();
}

/// Pages neither skip nor repeat, even where times are the same.
pub async fn api_tokens_come_in_pages_oldest_first(store: &dyn Store) {
    let tenant = tenant(store).await;
    for i in 0..5 {
        store
            .add_api_token(&token(tenant, &format!("t{i}"), i / 2), &note())
            .await
            .unwrap();
    }
    let mut seen = Vec::new();
    let mut page = PageRequest {
        after: None,
        limit: 2,
    };
    loop {
        let found = store.api_tokens(tenant, &page).await.unwrap();
        assert!(found.items.len() <= 2);
        seen.extend(
            found
                .items
                .into_iter()
                .map(|token| (token.token.created_at, token.token.name)),
        );
        match found.next {
            Some(next) => page.after = Some(next),
            None => break,
        }
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted_by_key(|(at, _)| *at));
    seen.sort_by(|left, right| left.1.cmp(&right.1));
    seen.dedup_by(|left, right| left.1 == right.1);
    assert_eq!(seen.len(), 5);
}

/// Numbers are those of the tenant.
pub async fn audit_numbers_have_no_gaps_and_start_at_one_in_each_tenant(store: &dyn Store) {
    let entry = |action: &str| AuditEntry {
        at: at(5),
        actor: "system".to_owned(),
        action: action.to_owned(),
        object: "sensor:x".to_owned(),
        severity: AuditSeverity::High,
        details: json!({"address": "192.0.2.7"}),
    };
    for tenant in [tenant(store).await, tenant(store).await] {
        let appended = (0..20).map(|i| {
            let entry = entry(&format!("a.{i}"));
            async move { store.append_audit(tenant, &entry).await.unwrap() }
        });
        let mut numbers = futures::future::join_all(appended).await;
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
        let first = store
            .audit(
                tenant,
                &PageRequest {
                    after: None,
                    limit: 15,
                },
            )
            .await
            .unwrap();
        assert_eq!(first.items[0].seq, 20);
        assert_eq!(first.items[0].entry.details, json!({"address": "192.0.2.7"}));
        assert_eq!(first.items[0].entry.severity, AuditSeverity::High);
        let rest = store
            .audit(
                tenant,
                &PageRequest {
                    after: first.next,
                    limit: 15,
                },
            )
            .await
            .unwrap();
        assert_eq!((rest.items.len(), rest.items[4].seq), (5, 1));
        assert!(rest.next.is_none());
    }
}

/// A cursor is only good for the list it came from; a foreign one is refused, never misread.
pub async fn cursors_of_another_list_are_refused(store: &dyn Store) {
    let tenant = tenant(store).await;
    for i in 0..2 {
        store
            .add_api_token(&token(tenant, &format!("t{i}"), i), &note())
            .await
            .unwrap();
    }
    let page = store
        .api_tokens(
            tenant,
            &PageRequest {
                after: None,
                limit: 1,
            },
        )
        .await
        .unwrap();
    let refused = store
        .audit(
            tenant,
            &PageRequest {
                after: page.next,
                limit: 1,
            },
        )
        .await
        .unwrap_err();
    assert!(
        matches!(refused, StoreError::Refused { what: "cursor", .. }),
        "{refused}"
    );
}
