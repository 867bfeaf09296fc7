//! Asking a registry what refers to a manifest, if it can tell.

use portolan_shared::model::Digest;

use super::place::Place;
use super::source::{Failure, ReferrerList, SourceError};
use super::walk::Run;

impl Run<'_> {
    /// What refers to a manifest; nothing if the registry has no referrers API, which it is asked once. Referrers under the tag schema of
    /// distribution-spec 1.1 are found anyway: they hang on ordinary tags.
    pub(super) async fn referrers(
        &self,
        place: &Place,
        subject: &Digest,
    ) -> Result<ReferrerList, SourceError> {
        let ask = || self.reader.read(|source| source.referrers(&place.name, subject));
        let mut first = None;
        let has_api = self
            .has_referrers
            .get_or_try_init(|| async {
                match ask().await {
                    Ok(answer) => {
                        first = answer;
                        Ok(first.is_some())
                    }
                    // Whoever may read a manifest may read its referrers: so this is how the registry says that it has no such thing.
                    Err(error)
                        if matches!(
                            error.failure,
                            Failure::Missing
                                | Failure::UnknownRepository
                                | Failure::Denied
                                | Failure::Lasting
                        ) =>
                    {
                        tracing::debug!(finding = %error.finding, "the registry has no referrers API");
                        Ok(false)
                    }
                    Err(error) => Err(error),
                }
            })
            .await?;
        if !has_api {
            return Ok(ReferrerList::default());
        }
        match first {
            Some(list) => Ok(list),
            None => Ok(ask().await?.unwrap_or_default()),
        }
    }
}
