//! `GET /v2/NAME/blobs/DIGEST`: configs. Layers are never read.

use ::http::HeaderValue;
use bytes::Bytes;
use portolan_shared::model::{Digest, RepositoryName};

use crate::auth::Scope;
use crate::client::{RegistryClient, Request};
use crate::error::{Fault, RegistryError, Subject};

impl RegistryClient {
    /// Reads a blob of at most `bound` bytes and verifies it. Redirects to storage hosts are followed, without the login.
    ///
    /// Always GET, never HEAD: a storage URL that is signed for one does not do for the other.
    pub async fn get_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        bound: usize,
    ) -> Result<Bytes, RegistryError> {
        self.fetch_blob(repository, digest, bound)
            .await
            .map_err(|fault| self.error(Subject::Blob(repository.clone(), digest.clone()), fault))
    }

    async fn fetch_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        bound: usize,
    ) -> Result<Bytes, Fault> {
        const ANY: HeaderValue = HeaderValue::from_static("*/*");
        let path = format!("{repository}/blobs/{digest}");
        let scope = Scope::Pull(repository.clone());
        let reply = self.fetch(Request::get(&path, ANY, &scope, bound)).await?;
        digest.verify(&reply.body)?;
        Ok(reply.body)
    }
}
