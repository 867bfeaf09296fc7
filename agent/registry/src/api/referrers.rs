//! What refers to a manifest: signatures, SBOMs, attestations. The API where there is one, else the tag that stands in for it.
//!
//! Distribution-spec 1.1, "Listing Referrers" and "Referrers Tag Schema".

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use ::http::HeaderValue;
use portolan_shared::model::{Digest, MediaType, ReferenceTarget, RepositoryName, TagName};

use super::link::next_query;
use super::manifests::media_type;
use super::problem::unexpected;
use super::referrers_page::{Found, PageRead};
use crate::auth::Scope;
use crate::client::{RegistryClient, Request};
use crate::error::{Fault, RegistryError, Subject};

/// Pages of one subject's referrers: the list ends beyond and says so.
const PAGES: usize = 100;

/// One manifest that refers to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referrer {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: Option<MediaType>,
    /// What it is for, as the registry says.
    pub artifact_type: Option<MediaType>,
    /// Its size in bytes.
    pub size: u64,
}

/// How referrers were learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReferrersSource {
    /// From the registry's API.
    Api,
    /// From the tag that stands in for the API.
    Tag,
    /// The registry has no API, and there is no such tag.
    Nowhere,
}

/// The referrers of one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referrers {
    /// Each once.
    pub referrers: Vec<Referrer>,
    /// How they were learnt.
    pub source: ReferrersSource,
    /// Whether these are all.
    pub complete: bool,
}

/// The tag that stands in for the referrers API: `ALGORITHM-ENCODED`, cut to 32 and 64 characters.
#[must_use]
pub(super) fn fallback_tag(subject: &Digest) -> Option<TagName> {
    let text = subject.to_string();
    let (algorithm, encoded) = text.split_once(':')?;
    let plain = |part: &str, most: usize| -> String {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        part.chars()
            .take(most)
            .map(|c| if fits(c) { c } else { '-' })
            .collect()
    };
    format!("{}-{}", plain(algorithm, 32), plain(encoded, 64))
        .parse()
        .ok()
}

impl RegistryClient {
    /// The tag that stands in for the referrers API, for registries without one; `None` if the digest makes no tag.
    #[must_use]
    pub fn referrers_tag(subject: &Digest) -> Option<TagName> {
        fallback_tag(subject)
    }

    /// What refers to `subject`.
    ///
    /// Where the registry has no API, the fallback tag is read, unless `tag_listed` is `Some(false)`: whoever has listed the repository's tags knows
    /// without asking that it is not there. At most [`Limits::referrers`](crate::Limits::referrers).
    pub async fn referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        tag_listed: Option<bool>,
    ) -> Result<Referrers, RegistryError> {
        let failed = |fault| self.error(Subject::Referrers(repository.clone(), subject.clone()), fault);
        let api = &self.learnt().referrers;
        if !api.is_given_up() {
            if let Some(found) = self.ask_api(repository, subject).await.map_err(failed)? {
                api.worked();
                return Ok(found);
            }
            api.failed();
        }
        if tag_listed == Some(false) {
            return Ok(nowhere());
        }
        self.read_tag(repository, subject).await.map_err(failed)
    }

    /// `None` if the registry has no such API.
    async fn ask_api(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
    ) -> Result<Option<Referrers>, Fault> {
        const INDEX: HeaderValue = HeaderValue::from_static("application/vnd.oci.image.index.v1+json");
        let scope = Scope::Pull(repository.clone());
        let path = format!("{repository}/referrers/{subject}");
        let bound = self.limits().manifest_bytes;
        let mut found = Found::new(self.limits().referrers);
        let mut query = None;
        let (hasher, mut asked) = (RandomState::new(), HashSet::new());
        for page in 0..PAGES {
            let request = Request {
                query: query.as_deref(),
                listing: true,
                // GHCR redirects to a web page; what is elsewhere is no answer of this API.
                follow: false,
                ..Request::get(&path, INDEX, &scope, bound)
            };
            let reply = self.send(request).await?;
            if !reply.status.is_success() {
                return match reply.status.as_u16() {
                    _ if page > 0 => Ok(Some(found.finish(ReferrersSource::Api, false))),
                    // Unknown path, unknown method, unknown digest (Quay), refused for want of a better answer (Harbor before 2.8).
                    300..=399 | 400 | 401 | 404 | 405 | 406 | 410 | 501 => Ok(None),
                    _ => Err(super::fault_of(&reply)),
                };
            }
            let Some(read) = found.read(&reply.body, subject) else {
                // A front end that answers everything with its own page.
                return if page > 0 {
                    Ok(Some(found.finish(ReferrersSource::Api, false)))
                } else if media_type(&reply.headers).is_some_and(|media_type| media_type.is_index()) {
                    Err(unexpected(&reply, "the answer is not an index"))
                } else {
                    Ok(None)
                };
            };
            if read == PageRead::Over {
                return Ok(Some(found.finish(ReferrersSource::Api, false)));
            }
            match next_query(&reply.headers) {
                Some(next) if read != PageRead::Empty => {
                    if !asked.insert(hasher.hash_one(&next)) {
                        return Ok(Some(found.finish(ReferrersSource::Api, false)));
                    }
                    query = Some(next);
                }
                _ => return Ok(Some(found.finish(ReferrersSource::Api, true))),
            }
        }
        Ok(Some(found.finish(ReferrersSource::Api, false)))
    }

    async fn read_tag(&self, repository: &RepositoryName, subject: &Digest) -> Result<Referrers, Fault> {
        let Some(tag) = fallback_tag(subject) else {
            return Ok(nowhere());
        };
        let fetched = match self.fetch_manifest(repository, &ReferenceTarget::Tag(tag)).await {
            Ok(fetched) => fetched,
            Err(Fault::Missing { .. }) => return Ok(nowhere()),
            Err(fault) => return Err(fault),
        };
        // GitLab resolves such a tag to the subject itself, which may well be an index.
        let is_subject = fetched.digest == *subject || subject.verify(&fetched.bytes).is_ok();
        let other_kind =
            |media_type: &MediaType| MediaType::MANIFESTS.contains(media_type) && !media_type.is_index();
        let is_index = !fetched.media_type.as_ref().is_some_and(other_kind);
        if is_subject || !is_index {
            return Ok(nowhere());
        }
        let mut found = Found::new(self.limits().referrers);
        Ok(match found.read(&fetched.bytes, subject) {
            Some(read) => found.finish(ReferrersSource::Tag, read != PageRead::Over),
            None => nowhere(),
        })
    }
}

fn nowhere() -> Referrers {
    Referrers {
        referrers: Vec::new(),
        source: ReferrersSource::Nowhere,
        complete: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_follows_the_schema() {
        let tag = |text: &str| fallback_tag(&text.parse().unwrap()).unwrap().to_string();
        let hex = "a".repeat(64);
        assert_eq!(tag(&format!("sha256:{hex}")), format!("sha256-{hex}"));
        assert_eq!(
            tag(&format!("sha512:{}", "b".repeat(128))),
            format!("sha512-{}", "b".repeat(64))
        );
        assert_eq!(tag("a+b:x=y"), "a-b-x-y");
        assert_eq!(
            tag(&format!("{}:z", "c".repeat(40))),
            format!("{}-z", "c".repeat(32))
        );
    }
}
