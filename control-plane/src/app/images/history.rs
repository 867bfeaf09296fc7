//! The ledger: which tag pointed where, when.

use portolan_shared::model::{ImageReference, ReferenceTarget};
use portolan_store::{LedgerRow, Page, PageRequest, Role};

use super::RepositoryFound;
use crate::app::{App, AppError, Caller};

impl App {
    /// The ledger, newest first: of one tag for `PATH:TAG`, of the whole repository for `PATH`.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a tag that was never seen, or of which nothing is kept any more, and as for any reference.
    pub async fn history(
        &self,
        caller: &Caller,
        reference: &str,
        page: &PageRequest,
    ) -> Result<(RepositoryFound, Page<LedgerRow>), AppError> {
        caller.require(Role::Viewer)?;
        let read: ImageReference = reference
            .parse()
            .map_err(|error| AppError::invalid("reference", error))?;
        // A reference without a tag means `latest` where an image is asked for. Here it means all tags.
        let tag = match read.target {
            ReferenceTarget::Tag(_) if read.path == reference => None,
            ReferenceTarget::Tag(tag) => Some(tag),
            ReferenceTarget::Digest(_) => {
                return Err(AppError::invalid(
                    "reference",
                    "content never changes: ask for the history of a tag or of a repository",
                ));
            }
        };
        let found = self.resolve(caller, None, &read.path).await?;
        let rows = self
            .store
            .history(
                caller.tenant,
                found.repository.registry,
                &found.repository.name,
                tag.as_ref(),
                page,
            )
            .await?;
        // Every tag that was ever seen has appeared once; of one that has been gone for longer than is kept, nothing is left.
        if let Some(tag) = tag
            && rows.items.is_empty()
            && page.after.is_none()
        {
            let place = format!("{}:{tag}", found.candidate());
            return Err(AppError::not_found("tag", place));
        }
        Ok((found, rows))
    }
}
