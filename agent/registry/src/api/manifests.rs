//! `HEAD` and `GET /v2/NAME/manifests/REFERENCE`.
//!
//! HEAD resolves tags: GET counts as a pull in several products, which would keep images alive that nobody uses. Only where HEAD does not
//! work, a manifest is read to learn its digest.

use std::sync::LazyLock;

use ::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use ::http::{HeaderMap, HeaderValue, Method, StatusCode};
use bytes::Bytes;
use portolan_shared::model::manifest::signed_payload;
use portolan_shared::model::{Digest, DigestMismatch, MediaType, ReferenceTarget, RepositoryName};

use super::problem::{fault_of, unexpected};
use crate::auth::Scope;
use crate::client::{RegistryClient, Request};
use crate::error::{Fault, RegistryError, Subject};
use crate::http::Reply;

/// What a tag or digest stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The manifest's digest. Of a tag, the server's word for it until the content is fetched and verified.
    pub digest: Digest,
    /// Its media type as served.
    pub media_type: Option<MediaType>,
    /// Its size in bytes as served.
    pub size: Option<u64>,
    /// The manifest itself, verified, where it had to be read to learn its digest.
    pub content: Option<Bytes>,
}

/// The answer to a HEAD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Head {
    /// It stands for this.
    Found(Resolved),
    /// It still stands for the digest that was passed as known.
    NotModified,
    /// There is no such tag or manifest, or it is hidden from this login.
    Missing,
}

/// A manifest, verified against its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Its digest.
    pub digest: Digest,
    /// Its media type as served; may contradict what the manifest says of itself.
    pub media_type: Option<MediaType>,
    /// Its bytes as they came; of a signed manifest of schema 1 the payload, without the signatures: that is what the digest is of.
    pub bytes: Bytes,
}

/// Every manifest type there is, in one header: a server that is not offered the type it stores converts it, and then answers with the
/// digest of something else.
static ACCEPT: LazyLock<HeaderValue> = LazyLock::new(|| {
    let all = MediaType::MANIFESTS
        .iter()
        .map(MediaType::as_str)
        .collect::<Vec<_>>();
    HeaderValue::try_from(all.join(", ")).expect("media types are made of visible ASCII")
});

fn text(target: &ReferenceTarget) -> String {
    match target {
        ReferenceTarget::Tag(tag) => tag.to_string(),
        ReferenceTarget::Digest(digest) => digest.to_string(),
    }
}

impl RegistryClient {
    /// Resolves a tag, or asks whether a digest is there, without reading the manifest.
    ///
    /// With `known`, the answer is [`Head::NotModified`] if it is still the same and the server can tell; that spares it the look-up.
    pub async fn head_manifest(
        &self,
        repository: &RepositoryName,
        target: &ReferenceTarget,
        known: Option<&Digest>,
    ) -> Result<Head, RegistryError> {
        self.resolve(repository, target, known)
            .await
            .map_err(|fault| self.error(Subject::Manifest(repository.clone(), text(target)), fault))
    }

    /// Reads a manifest by its digest and verifies it.
    pub async fn get_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Fetched, RegistryError> {
        let target = ReferenceTarget::Digest(digest.clone());
        self.get_manifest_of(repository, &target).await
    }

    /// Reads whatever the tag stands for now (or the manifest of a digest), and verifies it against the digest that the server names; sha256
    /// if it names none. Counts as a pull in several products: prefer [`RegistryClient::head_manifest`], then
    /// [`RegistryClient::get_manifest`].
    pub async fn get_manifest_of(
        &self,
        repository: &RepositoryName,
        target: &ReferenceTarget,
    ) -> Result<Fetched, RegistryError> {
        self.fetch_manifest(repository, target)
            .await
            .map_err(|fault| self.error(Subject::Manifest(repository.clone(), text(target)), fault))
    }

    async fn resolve(
        &self,
        repository: &RepositoryName,
        target: &ReferenceTarget,
        known: Option<&Digest>,
    ) -> Result<Head, Fault> {
        let support = &self.learnt().head;
        if support.is_given_up() {
            return self.resolve_by_get(repository, target).await;
        }
        let scope = Scope::Pull(repository.clone());
        let path = format!("{repository}/manifests/{}", text(target));
        let request = Request {
            method: Method::HEAD,
            if_none_match: known.and_then(|known| HeaderValue::try_from(format!("\"{known}\"")).ok()),
            ..Request::get(&path, ACCEPT.clone(), &scope, 0)
        };
        let reply = self.send(request).await?;
        match reply.status {
            StatusCode::NOT_MODIFIED if known.is_some() => {
                support.worked();
                Ok(Head::NotModified)
            }
            StatusCode::OK => match found(&reply, target) {
                Some(resolved) => {
                    support.worked();
                    agree(&resolved.digest, target)?;
                    Ok(Head::Found(resolved))
                }
                None => self.second_opinion(repository, target).await,
            },
            // An error of a HEAD has no body, so its reason cannot be told. Until a HEAD has once worked, it may be the method.
            StatusCode::NOT_FOUND if support.works() => Ok(Head::Missing),
            StatusCode::FORBIDDEN if support.works() => Err(fault_of(&reply)),
            // 400 may mean that the registry no longer serves what is stored, which only a body tells.
            StatusCode::BAD_REQUEST
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED => self.second_opinion(repository, target).await,
            _ => match fault_of(&reply) {
                Fault::Missing { .. } => Ok(Head::Missing),
                fault => Err(fault),
            },
        }
    }

    /// Asks by GET what HEAD did not tell, and remembers if that made the difference.
    async fn second_opinion(
        &self,
        repository: &RepositoryName,
        target: &ReferenceTarget,
    ) -> Result<Head, Fault> {
        let head = self.resolve_by_get(repository, target).await?;
        if matches!(head, Head::Found(_)) {
            self.learnt().head.failed();
        }
        Ok(head)
    }

    async fn resolve_by_get(
        &self,
        repository: &RepositoryName,
        target: &ReferenceTarget,
    ) -> Result<Head, Fault> {
        match self.fetch_manifest(repository, target).await {
            Ok(fetched) => Ok(Head::Found(Resolved {
                digest: fetched.digest,
                media_type: fetched.media_type,
                size: Some(fetched.bytes.len() as u64),
                content: Some(fetched.bytes),
            })),
            Err(Fault::Missing { .. }) => Ok(Head::Missing),
            Err(fault) => Err(fault),
        }
    }

    pub(super) async fn fetch_manifest(
        &self,
        repository: &RepositoryName,
        target: &ReferenceTarget,
    ) -> Result<Fetched, Fault> {
        let scope = Scope::Pull(repository.clone());
        let path = format!("{repository}/manifests/{}", text(target));
        let request = Request::get(&path, ACCEPT.clone(), &scope, self.limits().manifest_bytes);
        let reply = self.fetch(request).await?;
        let media_type = media_type(&reply.headers);
        let expected = match target {
            ReferenceTarget::Digest(digest) => Some(digest.clone()),
            ReferenceTarget::Tag(_) => named(&reply.headers),
        };
        let (digest, bytes) = match expected {
            Some(digest) => {
                let bytes = verified(&digest, reply.body)?;
                (digest, bytes)
            }
            // Nothing vouches for these bytes but their form.
            None if !reply.body.trim_ascii_start().starts_with(b"{") => {
                return Err(unexpected(&reply, "the answer is not a manifest"));
            }
            None => {
                let is_signed = media_type.as_ref() == Some(&MediaType::DOCKER_SCHEMA1_SIGNED);
                let payload = is_signed.then(|| signed_payload(&reply.body)).flatten();
                let bytes = payload.map_or(reply.body, Bytes::from);
                (Digest::sha256_of(&bytes), bytes)
            }
        };
        Ok(Fetched {
            digest,
            media_type,
            bytes,
        })
    }
}

/// The bytes that have this digest: what was served, or its payload if it is a signed manifest of schema 1.
fn verified(digest: &Digest, served: Bytes) -> Result<Bytes, DigestMismatch> {
    let Err(mismatch) = digest.verify(&served) else {
        return Ok(served);
    };
    match signed_payload(&served) {
        Some(payload) if digest.verify(&payload).is_ok() => Ok(payload.into()),
        Some(_) | None => Err(mismatch),
    }
}

/// What a good HEAD tells; `None` if it names no digest that can be used.
fn found(reply: &Reply, target: &ReferenceTarget) -> Option<Resolved> {
    let digest = match (named(&reply.headers), target) {
        (Some(digest), _) => digest,
        // Asked for by digest, it needs no name; that the content is right shows when it is fetched.
        (None, ReferenceTarget::Digest(digest)) => digest.clone(),
        (None, ReferenceTarget::Tag(_)) => return None,
    };
    let size = reply.headers.get(CONTENT_LENGTH);
    Some(Resolved {
        digest,
        media_type: media_type(&reply.headers),
        size: size
            .and_then(|size| size.to_str().ok()?.parse().ok())
            .filter(|size| *size > 0),
        content: None,
    })
}

/// Whoever asks for a digest and is told of another one of the same algorithm is being lied to.
fn agree(found: &Digest, target: &ReferenceTarget) -> Result<(), DigestMismatch> {
    match (found, target) {
        (Digest::Sha256(_), ReferenceTarget::Digest(expected @ Digest::Sha256(_)))
        | (Digest::Sha512(_), ReferenceTarget::Digest(expected @ Digest::Sha512(_)))
            if found != expected =>
        {
            Err(DigestMismatch::Differs {
                expected: expected.clone(),
                found: found.clone(),
            })
        }
        _ => Ok(()),
    }
}

/// The digest that an answer names, if we could verify it.
fn named(headers: &HeaderMap) -> Option<Digest> {
    let digest: Digest = headers
        .get("docker-content-digest")?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    (!matches!(digest, Digest::Other(_))).then_some(digest)
}

pub(super) fn media_type(headers: &HeaderMap) -> Option<MediaType> {
    headers.get(CONTENT_TYPE)?.to_str().ok()?.parse().ok()
}
