//! The logins in use: found by the source, chosen by repository, remembered where they were refused.

use std::sync::Arc;
use std::time::Duration;

use portolan_shared::model::RepositoryName;

use super::authenticator::{Authenticator, State, same};
use super::authorization::{Authorization, Kind};
use super::credential::{Credential, Logins};
use super::refused::{Place, Refusal};
use crate::api::ErrorCode;
use crate::error::Fault;
use crate::http::{Reply, Transport};

/// How long logins are used before their source is asked again.
const LOGINS_KEEP: Duration = Duration::from_secs(5);

/// Refusals in a row that a login which was accepted before may meet while each still counts as one of what was asked for: some registries
/// answer so for single repositories. Then it counts as refused itself, for it may have been changed.
const REFUSALS_IN_A_ROW: u32 = 8;
/// Accepted logins that are remembered: as many as one registry can have.
const LOGINS: usize = 65;

/// The entry that a login was chosen from, where its source has names for them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LoginEntry {
    pub(crate) name: String,
    /// Whether it is for the registry as such; else for a part of it.
    pub(crate) is_for_all: bool,
    /// How many logins for this registry there are.
    pub(crate) of: usize,
}

impl State {
    /// Notes that the registry has accepted this login itself. Whether it is news.
    pub(super) fn accept(&mut self, login: &Arc<Credential>) -> bool {
        let known = self.accepted.iter_mut();
        for (accepted, refusals) in known {
            if same(Some(accepted), Some(login)) {
                *refusals = 0;
                return false;
            }
        }
        self.accepted.truncate(LOGINS - 1);
        self.accepted.insert(0, (Arc::clone(login), 0));
        true
    }

    /// Whether what the registry refused just now may be what was asked for, not the login, which it accepted before.
    pub(super) fn refuses_the_rest_of(&mut self, login: &Arc<Credential>) -> bool {
        let mut accepted = self.accepted.iter_mut();
        let known = accepted.find(|(accepted, _)| same(Some(accepted), Some(login)));
        known.is_some_and(|(_, refusals)| {
            *refusals += 1;
            *refusals <= REFUSALS_IN_A_ROW
        })
    }
}

/// How a login was refused by the registry itself.
pub(super) fn refusal_in(transport: &Transport, reply: &Reply) -> Refusal {
    Refusal {
        host: transport.registry().host.clone(),
        status: reply.status,
        code: ErrorCode::of(&reply.body),
        json: reply.is_json(),
    }
}

impl Authenticator {
    /// Whether there is a login.
    pub(crate) async fn has_login(&self, transport: &Transport) -> Result<bool, Fault> {
        Ok(self.login(transport, None).await?.is_some())
    }

    /// Under which name the login for a repository, or for the registry as such, was found; `None` if it has none.
    pub(crate) async fn login_entry(
        &self,
        transport: &Transport,
        repository: Option<&RepositoryName>,
    ) -> Result<Option<LoginEntry>, Fault> {
        let logins = self.logins(transport).await?;
        let chosen = logins.choose(repository.map(RepositoryName::as_str));
        Ok(chosen.and_then(|login| {
            Some(LoginEntry {
                name: login.entry.clone()?,
                is_for_all: login.path.is_empty(),
                of: logins.iter().count(),
            })
        }))
    }

    /// The login that is valid now for a repository, or for the registry as such; an error if it was refused, or is held
    /// back because so many others were.
    pub(super) async fn login(
        &self,
        transport: &Transport,
        repository: Option<&RepositoryName>,
    ) -> Result<Option<Arc<Credential>>, Fault> {
        let login = self.login_to_explain(transport, repository).await?;
        let checked = login.as_ref().map_or(Ok(()), |login| {
            let (program, now) = (self.credentials.program(), transport.clock().uptime());
            let place = Place::Registry;
            self.refused
                .check(&self.registry, place, login, program.as_deref(), now)
        });
        if let Err(fault) = checked {
            // Not kept, so that a better one is noticed at once.
            self.state().logins = None;
            return Err(fault);
        }
        Ok(login)
    }

    /// The same even if it was refused: only to ask why.
    pub(super) async fn login_to_explain(
        &self,
        transport: &Transport,
        repository: Option<&RepositoryName>,
    ) -> Result<Option<Arc<Credential>>, Fault> {
        let logins = self.logins(transport).await?;
        let chosen = logins.choose(repository.map(RepositoryName::as_str));
        Ok(chosen.map(|login| Arc::clone(&login.credential)))
    }

    async fn logins(&self, transport: &Transport) -> Result<Arc<Logins>, Fault> {
        let now = transport.clock().uptime();
        if let Some((at, logins)) = &self.state().logins
            && now.since(*at) < LOGINS_KEEP
        {
            return Ok(Arc::clone(logins));
        }
        let current = self.credentials.logins().await?;
        let mut state = self.state();
        // The same logins keep their identity, so that comparing them stays cheap.
        let logins = match state.logins.take() {
            Some((_, before)) if *before == current => before,
            _ => Arc::new(current),
        };
        state.logins = Some((now, Arc::clone(&logins)));
        Ok(logins)
    }

    /// Remembers that a login was refused, and has its source look for another one.
    pub(super) fn refuse(&self, transport: &Transport, login: &Credential, refusal: Refusal) -> Fault {
        self.state().logins = None;
        self.credentials.refused(login);
        let (program, now) = (self.credentials.program(), transport.clock().uptime());
        let (place, told) = (Place::Registry, refusal.clone());
        self.refused
            .remember(&self.registry, place, login, program.as_deref(), told, now);
        refusal.into()
    }

    /// Remembers that this login was accepted, and tells its source.
    pub(super) fn note_accepted(&self, login: &Credential) {
        let program = self.credentials.program();
        self.refused
            .accept(&self.registry, Place::Registry, login, program.as_deref());
        self.credentials.accepted(login);
    }

    /// Judges `reply`, which refused what was sent last: nothing is sent after it. An error if that was the login, and the login it is that was
    /// refused.
    pub(crate) fn refused_last(
        &self,
        transport: &Transport,
        reply: &Reply,
        sent: Option<&Authorization>,
    ) -> Result<(), Fault> {
        let Some(Kind::Login(login)) = sent.map(|sent| &sent.kind) else {
            return Ok(());
        };
        let is_good = {
            let mut state = self.state();
            state.has_token_for(login) || state.refuses_the_rest_of(login)
        };
        if is_good {
            return Ok(());
        }
        Err(self.refuse(transport, login, refusal_in(transport, reply)))
    }

    /// The login that has taken the place of one that was refused just now, if it was changed meanwhile. Never one that was refused before.
    pub(super) async fn successor(
        &self,
        transport: &Transport,
        repository: Option<&RepositoryName>,
        refused: &Arc<Credential>,
    ) -> Option<Arc<Credential>> {
        let login = self.login(transport, repository).await.ok().flatten()?;
        (!same(Some(&login), Some(refused))).then_some(login)
    }
}
