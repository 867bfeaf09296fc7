//! The handle that tests hold, and which part of Artifactory answers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::response::Response;
use portolan_shared::process::Tasks;
use serde_json::{Value, json};

use super::{query, registry};
use crate::content::Content;
use crate::products::stage::{Question, Stage, json, page, text, with};

/// What a repository of Artifactory is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArtifactoryKind {
    /// It holds what was pushed to it.
    Local,
    /// What was pulled through it is held by a repository of its name and `-cache`.
    Remote,
    /// It shows what these hold.
    Virtual(Vec<String>),
}

/// How it asks who is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArtifactoryLogin {
    /// For a token of the repository's own service.
    Bearer,
    /// For user name and password.
    Basic,
}

/// What can be changed while it serves.
#[derive(Debug, Clone)]
pub struct ArtifactoryManners {
    /// How it asks who is there.
    pub login: ArtifactoryLogin,
    /// Whether `/v2/` at the address itself is answered, as behind a proxy for repository paths.
    pub root: bool,
    /// Whether the account may query.
    pub queries: bool,
    /// Keys of which the account may not see the catalog.
    pub closed: Vec<String>,
}

pub(super) struct State {
    pub(super) content: Content,
    pub(super) repositories: Vec<(String, ArtifactoryKind)>,
    pub(super) login: (String, String),
    pub(super) manners: ArtifactoryManners,
    /// Tokens: of which key, for which repository within it; for its catalog if that is none.
    pub(super) tokens: BTreeMap<String, (String, Option<String>)>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

/// A running Artifactory. Dropping it stops it.
#[derive(Debug)]
pub struct ArtifactoryDouble {
    state: Arc<Mutex<State>>,
    stage: Stage,
    ports: Vec<(String, Stage)>,
}

impl ArtifactoryDouble {
    /// Starts it with one account. The first component of a name in `content` is the key that holds it, which is a remote repository's
    /// name and `-cache`; each of `repositories` gets a port of its own beside its path.
    pub async fn start(
        content: Content,
        repositories: &[(&str, ArtifactoryKind)],
        login: (&str, &str),
        tls: Option<Arc<rustls::ServerConfig>>,
        tasks: &Tasks,
    ) -> anyhow::Result<Self> {
        let state = Arc::new(Mutex::new(State {
            content,
            repositories: repositories
                .iter()
                .map(|(key, kind)| ((*key).to_owned(), kind.clone()))
                .collect(),
            login: (login.0.to_owned(), login.1.to_owned()),
            manners: ArtifactoryManners {
                login: ArtifactoryLogin::Bearer,
                root: false,
                queries: true,
                closed: Vec::new(),
            },
            tokens: BTreeMap::new(),
        }));
        let shared = Arc::clone(&state);
        let main = move |question: &Question| marked(answer(&mut lock(&shared), question));
        let stage = Stage::start("Artifactory", tls.clone(), tasks, main).await?;
        let mut ports = Vec::new();
        for (key, _) in repositories {
            let (shared, of) = (Arc::clone(&state), (*key).to_owned());
            let port = move |question: &Question| {
                // Its token service is not behind another address.
                let below = format!("/artifactory/api/docker/{of}/v2/");
                let path = question.path.as_str();
                let behind = path
                    .strip_prefix("/v2/")
                    .or_else(|| path.strip_prefix(&below).filter(|behind| *behind == "token"));
                let answer = |behind| registry::answer(&mut lock(&shared), &of, behind, question);
                marked(behind.map_or_else(|| page(404), answer))
            };
            let stage = Stage::start("Artifactory's port", tls.clone(), tasks, port).await?;
            ports.push(((*key).to_owned(), stage));
        }
        Ok(Self { state, stage, ports })
    }

    /// The address of the instance.
    #[must_use]
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// The port of one repository.
    ///
    /// # Panics
    /// If there is none of this name.
    #[must_use]
    pub fn port(&self, key: &str) -> &Stage {
        let found = self.ports.iter().find(|(of, _)| of == key);
        &found.expect("the test names a repository that it made").1
    }

    /// Changes what it does; the next request sees it.
    pub fn behave(&self, change: impl FnOnce(&mut ArtifactoryManners)) {
        change(&mut lock(&self.state).manners);
    }

    /// Changes what it holds; the next request sees it.
    pub fn change<T>(&self, change: impl FnOnce(&mut Content) -> T) -> T {
        change(&mut lock(&self.state).content)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    pub(super) fn knows(&self, question: &Question) -> bool {
        question.basic().as_ref() == Some(&self.login)
    }

    /// The keys whose content is seen under this one.
    pub(super) fn keys(&self, key: &str) -> Option<Vec<String>> {
        let cache = |of: &str| format!("{of}-cache");
        let found = self.repositories.iter().find_map(|(of, kind)| match kind {
            ArtifactoryKind::Local if of == key => Some(vec![key.to_owned()]),
            // Without a right to ask upstream it shows what it has.
            ArtifactoryKind::Remote if of == key || cache(of) == key => Some(vec![cache(of)]),
            ArtifactoryKind::Virtual(members) if of == key => Some(members.clone()),
            _ => None,
        })?;
        let resolved = found.into_iter().map(|member| {
            let remote = self
                .repositories
                .iter()
                .any(|(of, kind)| *of == member && *kind == ArtifactoryKind::Remote);
            if remote { cache(&member) } else { member }
        });
        Some(resolved.collect())
    }
}

fn marked(response: Response) -> Response {
    let response = with(response, "x-jfrog-version", "Artifactory/7.90.9 79009900");
    let response = with(response, "x-artifactory-id", "a1b2c3d4e5f6:-5f1c:18e0a:-8000");
    with(response, "x-artifactory-node-id", "art-0")
}

fn answer(state: &mut State, question: &Question) -> Response {
    let path = question.path.as_str();
    if let Some((key, behind)) = path
        .strip_prefix("/artifactory/api/docker/")
        .and_then(|rest| rest.split_once("/v2/"))
    {
        return registry::answer(state, key, behind, question);
    }
    if let Some(behind) = path.strip_prefix("/v2/") {
        return if state.manners.root {
            registry::at_root(state, behind, question)
        } else {
            page(404)
        };
    }
    match path {
        "/artifactory/api/system/ping" => text(200, "text/plain", "OK"),
        "/artifactory/api/repositories" if question.parameter("packageType").as_deref() == Some("docker") => {
            repositories(state, question)
        }
        "/artifactory/api/search/aql" => query::answer(state, question),
        _ => json(
            404,
            &json!({"errors": [{"status": 404, "message": "File not found."}]}),
        ),
    }
}

fn repositories(state: &State, question: &Question) -> Response {
    if !state.knows(question) {
        return json(
            401,
            &json!({"errors": [{"status": 401, "message": "Bad credentials"}]}),
        );
    }
    let rows = state.repositories.iter().map(|(key, kind)| {
        let kind = match kind {
            ArtifactoryKind::Local => "LOCAL",
            ArtifactoryKind::Remote => "REMOTE",
            ArtifactoryKind::Virtual(_) => "VIRTUAL",
        };
        let url = format!("{}/artifactory/{key}", question.here);
        json!({"key": key, "description": "", "type": kind, "url": url, "packageType": "Docker"})
    });
    json(200, &rows.collect::<Value>())
}
