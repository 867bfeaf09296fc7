//! Gitea and Forgejo: packages of owners, whose names are in lower case.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::response::Response;
use portolan_shared::process::Tasks;
use serde_json::{Value, json};

use super::stage::{Question, Stage, json, page, with};
use super::v2::{self, Asked, Linked, Lists, View};
use crate::content::Content;

/// Rows on a page of the API.
const ROWS: usize = 50;

/// Which generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GiteaAge {
    /// Names its service, and the scope `*`; links from the last page of tags to an empty one.
    Newer,
    /// Names no service, adds a bare `Basic`, and gives no links.
    Older,
}

#[derive(Debug)]
struct State {
    content: Content,
    age: GiteaAge,
    login: (String, String),
    /// Owners whose packages the account may read.
    reads: Vec<String>,
}

/// A running Gitea. Dropping it stops it.
#[derive(Debug)]
pub struct GiteaDouble {
    state: Arc<Mutex<State>>,
    stage: Stage,
}

impl GiteaDouble {
    /// Starts it with one account, which may read the packages of these owners.
    pub async fn start(
        content: Content,
        age: GiteaAge,
        login: (&str, &str),
        reads: &[&str],
        tls: Option<Arc<rustls::ServerConfig>>,
        tasks: &Tasks,
    ) -> anyhow::Result<Self> {
        let state = Arc::new(Mutex::new(State {
            content,
            age,
            login: (login.0.to_owned(), login.1.to_owned()),
            reads: reads.iter().map(|&owner| owner.to_owned()).collect(),
        }));
        let shared = Arc::clone(&state);
        let stage = Stage::start("Gitea", tls, tasks, move |question| {
            answer(&lock(&shared), question)
        })
        .await?;
        Ok(Self { state, stage })
    }

    /// Where it listens, and what it was asked.
    #[must_use]
    pub fn stage(&self) -> &Stage {
        &self.stage
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
    fn reads(&self, repository: &str) -> bool {
        let owner = repository.split('/').next().unwrap_or_default();
        self.reads.iter().any(|read| read == owner)
    }

    /// Its tokens say whose they are, and nothing of what they are for.
    fn token(&self) -> String {
        format!("gitea-token-of-{}", self.login.0)
    }

    fn knows(&self, question: &Question) -> bool {
        question.basic().as_ref() == Some(&self.login) || question.bearer() == Some(&self.token())
    }
}

fn answer(state: &State, question: &Question) -> Response {
    match question.path.as_str() {
        "/api/v1/version" => json(200, &json!({"version": "1.22.3"})),
        "/v2/token" if question.basic().as_ref() == Some(&state.login) => {
            json(200, &json!({"token": state.token()}))
        }
        "/v2/token" => v2::error(401, "UNAUTHORIZED"),
        path => match (
            path.strip_prefix("/api/v1/packages/"),
            path.strip_prefix("/v2/").and_then(Asked::of),
        ) {
            (Some(owner), _) => packages(state, owner, question),
            (_, Some(asked)) => registry(state, &asked, question),
            _ => page(404),
        },
    }
}

fn registry(state: &State, asked: &Asked<'_>, question: &Question) -> Response {
    if !state.knows(question) {
        let realm = format!("Bearer realm=\"{}/v2/token\"", question.here);
        return match state.age {
            GiteaAge::Newer => {
                v2::challenged(&[format!("{realm},service=\"container_registry\",scope=\"*\"")])
            }
            GiteaAge::Older => v2::challenged(&[realm, "Basic".to_owned()]),
        };
    }
    let linked = match (state.age, asked) {
        (GiteaAge::Older, _) => Linked::Never,
        (GiteaAge::Newer, Asked::Tags(_)) => Linked::BeyondTheEnd,
        (GiteaAge::Newer, _) => Linked::Path,
    };
    let lists = Lists {
        linked,
        // The catalog comes in hundreds, tags all at once.
        usual: matches!(asked, Asked::Catalog).then_some(100),
        most: if matches!(asked, Asked::Catalog) {
            100
        } else {
            usize::MAX
        },
        holes: false,
    };
    let view = View::all(&state.content);
    match asked.repository() {
        Some(name) if !state.reads(name) => v2::error(404, "NAME_UNKNOWN"),
        Some(_) => v2::answer(view, asked, question, lists),
        None if *asked == Asked::Catalog => {
            let names = view.names().into_iter().filter(|name| state.reads(name));
            v2::catalog(&names.map(str::to_owned).collect::<Vec<_>>(), question, lists)
        }
        None => v2::answer(view, asked, question, lists),
    }
}

/// `GET /api/v1/packages/OWNER`: one row for every version of every package.
fn packages(state: &State, owner: &str, question: &Question) -> Response {
    if !state.knows(question) {
        return json(401, &json!({"message": "token is required"}));
    }
    if !state.reads(owner) {
        return json(404, &json!({"message": "user redirect does not exist"}));
    }
    let mut rows = Vec::new();
    for (name, repository) in state.content.repositories() {
        let Some(name) = name.as_str().strip_prefix(&format!("{owner}/")) else {
            continue;
        };
        let tagged: BTreeSet<_> = repository.tags().values().collect();
        let versions = repository.tags().keys().map(ToString::to_string);
        // What has no tag is a version too, by its digest.
        let untagged = repository
            .manifests()
            .iter()
            .filter(|digest| !tagged.contains(digest));
        for version in versions.chain(untagged.map(ToString::to_string)) {
            let created = repository.pushed(&version).created;
            rows.push(
                json!({"id": rows.len() + 1, "owner": {"login": owner}, "type": "container", "name": name,
                "version": version, "created_at": created}),
            );
        }
    }
    let size = question.number("limit").unwrap_or(ROWS).clamp(1, ROWS);
    let start = (question.number("page").unwrap_or(1).max(1) - 1)
        .saturating_mul(size)
        .min(rows.len());
    let end = (start + size).min(rows.len());
    let response = json(200, &Value::from(rows[start..end].to_vec()));
    with(response, "x-total-count", &rows.len().to_string())
}
