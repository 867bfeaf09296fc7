//! The two hosts together.

use std::sync::Arc;
use std::time::Duration;

use portolan_shared::process::{Clock, SystemClock, Tasks};

use super::host::GitLabWeb;
use super::instance::Instance;
use super::switches::Switches;
use crate::content::Content;
use crate::registry::{Behaviour, Flavour, RegistryDouble};
use crate::token::{TokenAnswer, TokenService, TokenServiceBuilder};

/// Whether the registry has its metadata database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It has: `/gitlab/v1/` is there, and tags are paged.
    Database,
    /// It works on its file system alone.
    Filesystem,
}

impl Mode {
    fn flavour(self) -> Flavour {
        match self {
            Self::Database => Flavour::GitLabDatabase,
            Self::Filesystem => Flavour::GitLabFilesystem,
        }
    }
}

/// Puts a GitLab together.
pub struct GitLabBuilder {
    content: Content,
    instance: Instance,
    switches: Switches,
    behaviour: Behaviour,
    tokens: TokenServiceBuilder,
    clock: Arc<dyn Clock>,
    web_host: Option<String>,
    registry_host: Option<String>,
    web_tls: Option<Arc<rustls::ServerConfig>>,
}

impl GitLabBuilder {
    /// With the metadata database, unless said otherwise.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.behaviour.flavour = mode.flavour();
        self
    }

    /// With these projects, groups and credentials in place of [`Instance::standard`]; repositories that belong to no project get one.
    #[must_use]
    pub fn instance(mut self, instance: Instance) -> Self {
        self.instance = instance;
        self
    }

    /// With a web host that behaves in this way from the start.
    #[must_use]
    pub fn switches(mut self, switches: Switches) -> Self {
        self.switches = switches;
        self
    }

    /// How long tokens live; 300 s unless said otherwise.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.tokens = self.tokens.lifetime(lifetime);
        self
    }

    /// In which form tokens are handed out; as GitLab's unless said otherwise.
    #[must_use]
    pub fn answer(mut self, answer: TokenAnswer) -> Self {
        self.tokens = self.tokens.answer(answer);
        self
    }

    /// Which clock both hosts read; the machine's unless said otherwise.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// By which names the two hosts speak of each other; by their address unless said otherwise. Ports stay, and a client has to
    /// resolve the names itself.
    #[must_use]
    pub fn names(mut self, web: &str, registry: &str) -> Self {
        self.web_host = Some(web.to_owned());
        self.registry_host = Some(registry.to_owned());
        self
    }

    /// Another TLS configuration for the web host than for the registry.
    #[must_use]
    pub fn web_tls(mut self, tls: Arc<rustls::ServerConfig>) -> Self {
        self.web_tls = Some(tls);
        self
    }

    /// Starts both hosts, over TLS if a configuration is given.
    pub async fn start(
        self,
        tls: Option<Arc<rustls::ServerConfig>>,
        tasks: &Tasks,
    ) -> anyhow::Result<GitLab> {
        let mut instance = self.instance;
        instance.cover(&self.content);
        let mut tokens = self.tokens;
        if let Some(host) = &self.web_host {
            tokens = tokens.host(host);
        }
        let web_tls = self.web_tls.or_else(|| tls.clone());
        let web = GitLabWeb::start(instance, self.switches, self.clock, tokens, web_tls, tasks).await?;
        let registry = RegistryDouble::builder(self.content)
            .tokens(web.tokens())
            .behaviour(self.behaviour)
            .start(tls, tasks)
            .await?;
        let address = registry.address();
        let prefix = match self.registry_host {
            Some(host) => format!("{host}:{}", address.port()),
            None => address.to_string(),
        };
        web.serves(&registry, prefix.clone());
        Ok(GitLab {
            registry,
            web,
            prefix,
        })
    }
}

/// A running GitLab. Dropping it stops it.
///
/// ```no_run
/// use portolan_doubles::web::{GitLab, Mode};
/// use portolan_doubles::Content;
/// # async fn example(tasks: &portolan_shared::process::Tasks) -> anyhow::Result<()> {
/// let gitlab = GitLab::builder(Content::gitlab_fixture()).mode(Mode::Filesystem).start(None, tasks).await?;
/// let (login, secret) = GitLab::FULL;
/// let url = gitlab.registry_url();
/// gitlab.web().switch(|switches| switches.authorization_stripped = true);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct GitLab {
    registry: RegistryDouble,
    web: GitLabWeb,
    prefix: String,
}

impl GitLab {
    /// A current GitLab with its metadata database that holds `content`, and [`Instance::standard`].
    #[must_use]
    pub fn builder(content: Content) -> GitLabBuilder {
        GitLabBuilder {
            content,
            instance: Instance::standard(),
            switches: Switches::default(),
            behaviour: Behaviour::default(),
            tokens: TokenService::builder(),
            clock: Arc::new(SystemClock),
            web_host: None,
            registry_host: None,
            web_tls: None,
        }
    }

    /// The registry host.
    #[must_use]
    pub fn registry(&self) -> &RegistryDouble {
        &self.registry
    }

    /// The web host.
    #[must_use]
    pub fn web(&self) -> &GitLabWeb {
        &self.web
    }

    /// The registry's address as a URL without a path, by the name that images have.
    #[must_use]
    pub fn registry_url(&self) -> String {
        let url = self.registry.url();
        let scheme = url.split_once("://").map_or("https", |(scheme, _)| scheme);
        format!("{scheme}://{}", self.prefix)
    }

    /// Host and port of the registry, with which image names begin.
    #[must_use]
    pub fn image_prefix(&self) -> &str {
        &self.prefix
    }

    /// The web host's address as a URL without a path.
    #[must_use]
    pub fn web_url(&self) -> &str {
        self.web.url()
    }

    /// Adds the metadata database or takes it away; the next request sees it.
    pub fn set_mode(&self, mode: Mode) {
        self.registry
            .behave(|behaviour| behaviour.flavour = mode.flavour());
    }
}
