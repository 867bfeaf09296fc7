//! Where somebody begins to follow, and what.

use portolan_store::Role;

use super::{FeedCursor, FeedPlace, FeedScope};
use crate::app::{App, AppError, Caller};

/// Where somebody begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedStart {
    /// With everything that is there.
    Baseline,
    /// With what changes from now on.
    Now,
    /// Where they were.
    After(FeedCursor),
}

impl App {
    /// Where a reader stands who begins there, and follows this registry, by name or id, or all. Takes a viewer.
    ///
    /// Whoever goes on behind a cursor follows what they followed, whatever has become of it; the registry may be left out then.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a registry that nobody has followed yet and that does not exist; [`AppError::Invalid`] if the cursor follows
    /// something else.
    pub async fn feed_cursor(
        &self,
        caller: &Caller,
        start: FeedStart,
        registry: Option<&str>,
    ) -> Result<FeedCursor, AppError> {
        caller.require(Role::Viewer)?;
        match start {
            FeedStart::After(cursor) if cursor.scope != FeedScope::Unsaid => {
                if let Some(registry) = registry {
                    self.must_follow(caller, cursor.scope, registry).await?;
                }
                Ok(cursor)
            }
            FeedStart::After(FeedCursor { place, .. }) => Ok(FeedCursor {
                scope: self.scope(caller, registry).await?,
                place,
            }),
            FeedStart::Now => Ok(FeedCursor {
                scope: self.scope(caller, registry).await?,
                place: FeedPlace::Changes(self.store.feed_end(caller.tenant).await?),
            }),
            FeedStart::Baseline => Ok(FeedCursor {
                scope: self.scope(caller, registry).await?,
                place: FeedPlace::Baseline {
                    changes_from: self.store.feed_end(caller.tenant).await?,
                    after: None,
                },
            }),
        }
    }

    async fn scope(&self, caller: &Caller, registry: Option<&str>) -> Result<FeedScope, AppError> {
        Ok(match registry {
            Some(name) => FeedScope::Registry(self.registry(caller, name).await?.registry.id),
            None => FeedScope::All,
        })
    }

    /// Refuses a registry that is not the one that is followed. One that was removed since is told by its cursor alone: who asks for it by its
    /// name may name another one by now.
    async fn must_follow(&self, caller: &Caller, scope: FeedScope, registry: &str) -> Result<(), AppError> {
        let other = |why: &str| AppError::invalid("registry", why);
        let FeedScope::Registry(followed) = scope else {
            return Err(other(
                "the cursor follows all registries: leave this out, or begin without a cursor",
            ));
        };
        let named = match registry.parse() {
            Ok(id) => Some(id),
            Err(_) => self
                .find_registry(caller, registry)
                .await?
                .map(|named| named.registry.id),
        };
        if named.is_none_or(|named| named == followed)
            || self.store.registry(caller.tenant, followed).await?.is_none()
        {
            return Ok(());
        }
        Err(other(
            "the cursor follows another registry: leave this out, or begin without a cursor",
        ))
    }
}
