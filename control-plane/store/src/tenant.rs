//! Tenants.

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::TenantId;

use crate::StoreError;

/// A customer organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Its name, unique.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Storage of tenants.
#[async_trait]
pub trait Tenants {
    /// Adds a tenant. [`StoreError::Taken`] if the name is.
    async fn add_tenant(&self, tenant: &Tenant) -> Result<(), StoreError>;

    /// All tenants, oldest first, at most 1,000.
    async fn tenants(&self) -> Result<Vec<Tenant>, StoreError>;
}
