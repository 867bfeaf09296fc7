//! Tenants.

use async_trait::async_trait;
use portolan_shared::model::TenantId;

use super::SqliteStore;
use super::columns::{Columns, millis};
use super::failure::{During as _, is_taken};
use crate::{StoreError, Tenant, Tenants};

#[async_trait]
impl Tenants for SqliteStore {
    async fn add_tenant(&self, tenant: &Tenant) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let inserted = sqlx::query("INSERT INTO tenant (tenant_id, name, created_at) VALUES (?1, ?2, ?3)")
            .bind(tenant.id.as_bytes().as_slice())
            .bind(&tenant.name)
            .bind(millis(tenant.created_at))
            .execute(&mut *tx)
            .await;
        match inserted {
            Err(error) if is_taken(&error) => Err(StoreError::Taken {
                what: "tenant",
                name: tenant.name.clone(),
            }),
            other => {
                other.during("add a tenant")?;
                tx.commit().await.during("add a tenant")
            }
        }
    }

    async fn tenants(&self) -> Result<Vec<Tenant>, StoreError> {
        let rows = sqlx::query(
            "SELECT tenant_id, name, created_at FROM tenant ORDER BY created_at, tenant_id LIMIT 1000",
        )
        .fetch_all(self.reader())
        .await
        .during("list tenants")?;
        rows.iter()
            .map(|row| {
                let row = Columns::of("tenant", row);
                Ok(Tenant {
                    id: row.bytes("tenant_id", TenantId::from_slice)?,
                    name: row.get("name")?,
                    created_at: row.time("created_at")?,
                })
            })
            .collect()
    }
}
