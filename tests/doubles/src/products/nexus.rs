//! Sonatype Nexus Repository: several Docker repositories of three kinds, below paths of one address or each behind a port of its own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::response::Response;
use portolan_shared::process::Tasks;
use serde_json::{Value, json};

use super::stage::{Question, Stage, json, page, text, with};
use super::v2::{self, Asked, Linked, Lists, View};
use crate::content::Content;

/// What a repository of Nexus is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NexusKind {
    /// It holds what was pushed to it.
    Hosted,
    /// It holds what was pulled through it.
    Proxy,
    /// It shows what its members hold.
    Group(Vec<String>),
}

/// What can be changed while it serves.
#[derive(Debug, Clone)]
pub struct NexusManners {
    /// Rows on a page of the API.
    pub page: usize,
    /// Whether lists of tags have holes, as in 3.58.
    pub holes: bool,
    /// Whether the continuation token is the same on every page.
    pub circle: bool,
    /// Repositories of Nexus whose content the account may not browse.
    pub closed: Vec<String>,
}

#[derive(Debug)]
struct State {
    content: Content,
    repositories: Vec<(String, NexusKind)>,
    login: (String, String),
    manners: NexusManners,
}

/// A running Nexus. Dropping it stops it.
#[derive(Debug)]
pub struct NexusDouble {
    state: Arc<Mutex<State>>,
    stage: Stage,
    connectors: Vec<(String, Stage)>,
}

impl NexusDouble {
    /// Starts it with one account. The first component of a name in `content` is the repository of Nexus that holds it; each of
    /// `repositories` gets a port of its own beside its path.
    pub async fn start(
        content: Content,
        repositories: &[(&str, NexusKind)],
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
            manners: NexusManners {
                page: 50,
                holes: false,
                circle: false,
                closed: Vec::new(),
            },
        }));
        let shared = Arc::clone(&state);
        let main = move |question: &Question| answer(&lock(&shared), question);
        let stage = Stage::start("Nexus", tls.clone(), tasks, main).await?;
        let mut connectors = Vec::new();
        for (key, _) in repositories {
            let (shared, of) = (Arc::clone(&state), (*key).to_owned());
            let connector = move |question: &Question| {
                let state = lock(&shared);
                let asked = question.path.strip_prefix("/v2/").and_then(Asked::of);
                let response =
                    asked.map_or_else(|| page(404), |asked| registry(&state, &of, &asked, question));
                with(response, "server", SERVER)
            };
            let stage = Stage::start("Nexus's connector", tls.clone(), tasks, connector).await?;
            connectors.push(((*key).to_owned(), stage));
        }
        Ok(Self {
            state,
            stage,
            connectors,
        })
    }

    /// The address with the API and every repository below `/repository/`.
    #[must_use]
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// The port of one repository.
    ///
    /// # Panics
    /// If there is none of this name.
    #[must_use]
    pub fn connector(&self, key: &str) -> &Stage {
        let found = self.connectors.iter().find(|(of, _)| of == key);
        &found.expect("the test names a repository that it made").1
    }

    /// Changes what it does; the next request sees it.
    pub fn behave(&self, change: impl FnOnce(&mut NexusManners)) {
        change(&mut lock(&self.state).manners);
    }

    /// Changes what it holds; the next request sees it.
    pub fn change<T>(&self, change: impl FnOnce(&mut Content) -> T) -> T {
        change(&mut lock(&self.state).content)
    }
}

const SERVER: &str = "Nexus/3.68.1-02 (OSS)";

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn kind(&self, key: &str) -> Option<&NexusKind> {
        let found = self.repositories.iter().find(|(of, _)| of == key);
        found.map(|(_, kind)| kind)
    }

    fn knows(&self, question: &Question) -> bool {
        question.basic().as_ref() == Some(&self.login)
    }
}

fn answer(state: &State, question: &Question) -> Response {
    let path = question.path.as_str();
    let response = if let Some((key, behind)) = path
        .strip_prefix("/repository/")
        .and_then(|rest| rest.split_once("/v2/"))
    {
        match Asked::of(behind) {
            Some(asked) => registry(state, key, &asked, question),
            None => page(404),
        }
    } else {
        match path {
            "/service/rest/v1/status" => text(200, "application/json", ""),
            "/service/rest/v1/repositories" => repositories(state, question),
            "/service/rest/v1/components" => components(state, question, false),
            "/service/rest/v1/search" => components(state, question, true),
            _ => page(404),
        }
    };
    with(response, "server", SERVER)
}

fn refused() -> Response {
    v2::challenged(&["BASIC realm=\"Sonatype Nexus Repository Manager\"".to_owned()])
}

fn registry(state: &State, key: &str, asked: &Asked<'_>, question: &Question) -> Response {
    if !state.knows(question) {
        return refused();
    }
    let own = [key.to_owned()];
    let (keys, linked) = match state.kind(key) {
        None => return page(404),
        Some(NexusKind::Group(members)) => (members.as_slice(), Linked::Never),
        Some(NexusKind::Hosted | NexusKind::Proxy) => (&own[..], Linked::Path),
    };
    let view = View {
        content: &state.content,
        keys: Some(keys),
    };
    let lists = Lists {
        linked,
        usual: None,
        most: usize::MAX,
        holes: state.manners.holes,
    };
    v2::answer(view, asked, question, lists)
}

fn repositories(state: &State, question: &Question) -> Response {
    let mut rows = vec![json!({"name": "maven-central", "format": "maven2", "type": "proxy"})];
    for (key, kind) in &state.repositories {
        let kind = match kind {
            NexusKind::Hosted => "hosted",
            NexusKind::Proxy => "proxy",
            NexusKind::Group(_) => "group",
        };
        let url = format!("{}/repository/{key}", question.here);
        rows.push(json!({"name": key, "format": "docker", "type": kind, "url": url, "attributes": {}}));
    }
    // Who may see nothing is told of nothing.
    json(
        200,
        &Value::from(if state.knows(question) { rows } else { Vec::new() }),
    )
}

fn components(state: &State, question: &Question, search: bool) -> Response {
    if !state.knows(question) {
        return refused();
    }
    let wanted = question.parameter("repository");
    match &wanted {
        None if !search => return json(400, &json!({"message": "repository is required"})),
        Some(key) if state.kind(key).is_none() => return page(404),
        Some(key) if state.manners.closed.contains(key) => return page(403),
        Some(_) | None => {}
    }
    let mut rows = Vec::new();
    for (name, repository) in state.content.repositories() {
        let Some((key, image)) = name.as_str().split_once('/') else {
            continue;
        };
        if wanted.as_deref().is_some_and(|wanted| wanted != key) {
            continue;
        }
        for (tag, digest) in repository.tags() {
            let stored = state.content.manifests().get(digest);
            let hex = digest.to_string().split(':').nth(1).map(str::to_owned);
            let modified = repository.pushed(tag.as_str()).published();
            // As Java writes times: with the offset in numbers.
            let modified = modified.strftime("%Y-%m-%dT%H:%M:%S.000+00:00").to_string();
            let path = format!("v2/{image}/manifests/{tag}");
            rows.push(json!({"id": format!("{key}-{}", rows.len()), "repository": key, "format": "docker", "group": null,
                "name": image, "version": tag, "assets": [{
                    "downloadUrl": format!("{}/repository/{key}/{path}", question.here), "path": path, "repository": key,
                    "format": "docker", "checksum": {"sha1": "0".repeat(40), "sha256": hex},
                    "contentType": stored.map(|stored| &stored.media_type), "lastModified": modified,
                    "lastDownloaded": null, "fileSize": stored.map(|stored| stored.bytes.len())}]}));
        }
    }
    let token = question.parameter("continuationToken");
    let start = token
        .and_then(|token| token.strip_prefix("at-")?.parse().ok())
        .unwrap_or(0)
        .min(rows.len());
    let end = (start + state.manners.page).min(rows.len());
    let next = match state.manners.circle {
        true => Some("at-0".to_owned()),
        false => (end < rows.len()).then(|| format!("at-{end}")),
    };
    json(
        200,
        &json!({"items": &rows[start..end], "continuationToken": next}),
    )
}
