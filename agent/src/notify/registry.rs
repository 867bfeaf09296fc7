//! Who may notify, and how it is recognised.

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, Method};
use jiff::Timestamp;
use portolan_shared::events::{
    Headers, NotAuthentic, Sender, Shown, WebhookSecret, authenticate, shows_secret,
};
use portolan_shared::process::Rng;

use super::counts::Refused;
use super::path::NotifyPath;
use super::secret_file::{FileFault, SecretFile};
use crate::settings::NotifyRegistry;

/// A registry that may notify.
#[derive(Debug)]
struct Notifier {
    settings: NotifyRegistry,
    secret: SecretFile,
}

/// All registries that may notify.
#[derive(Debug)]
pub(super) struct Notifiers {
    registries: Vec<Notifier>,
    /// What requests for registries that are not known are compared with: nobody knows it.
    decoy: WebhookSecret,
}

/// A request that is not believed. What is not said to its sender.
#[derive(Debug)]
pub(super) struct Disbelief {
    /// The registry that it names, if that is known.
    pub(super) registry: Option<usize>,
    pub(super) refused: Refused,
    /// For the log.
    pub(super) why: String,
}

/// What a request shows, beside its address.
pub(super) struct Request<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) headers: &'a dyn Headers,
    /// None if it is judged by the secret alone, before its body comes.
    pub(super) body: Option<&'a [u8]>,
}

impl Notifiers {
    /// Reads every secret.
    ///
    /// # Errors
    /// The first file that cannot be used: an agent does not start to listen for whom it could not recognise.
    pub(super) fn open(settings: &[NotifyRegistry], rng: &dyn Rng) -> Result<Arc<Self>, FileFault> {
        let open = |settings: &NotifyRegistry| {
            Ok(Notifier {
                secret: SecretFile::open(&settings.secret_file)?,
                settings: settings.clone(),
            })
        };
        Ok(Arc::new(Self {
            registries: settings.iter().map(open).collect::<Result<_, _>>()?,
            decoy: WebhookSecret::generate(rng),
        }))
    }

    /// Which registry a path names, if any. Says nothing of who asks.
    pub(super) fn named(&self, path: &str) -> Option<usize> {
        let path = NotifyPath::of(path)?;
        self.registries
            .iter()
            .position(|notifier| notifier.settings.name.as_str() == path.registry)
    }

    /// Whether any registry may notify from this address.
    pub(super) fn expect(&self, source: IpAddr) -> bool {
        self.registries.iter().any(|notifier| notifier.allows(source))
    }

    /// Which registry a request comes from, and in whose format. Whatever is wrong with it, the same is computed.
    pub(super) fn judge(
        &self,
        request: &Request<'_>,
        source: IpAddr,
        now: Timestamp,
    ) -> Result<(usize, Sender), Disbelief> {
        let path = NotifyPath::of(request.path);
        let registry = self.named(request.path);
        let notifier = registry.map(|at| &self.registries[at]);
        let secret = notifier.and_then(|notifier| notifier.secret.current());
        let sender = notifier.map_or(Sender::Distribution, |notifier| notifier.settings.sender);
        let path_secret = path.as_ref().and_then(|path| path.secret.as_ref());
        let path_secret = path_secret.map(portolan_shared::secret::Secret::expose);
        let expected = secret.as_ref().unwrap_or(&self.decoy);
        let authentic = match request.body {
            Some(body) => {
                let headers = request.headers;
                let shown = Shown {
                    path_secret,
                    headers,
                    body,
                    now,
                };
                authenticate(sender, expected, &shown)
            }
            None => shows_secret(sender, expected, path_secret, request.headers),
        };
        let refused = match (registry, notifier, &secret, authentic) {
            (None, ..) | (_, None, ..) => (Refused::Unknown, "no registry of that name".to_owned()),
            _ if request.method != Method::POST => {
                (Refused::Malformed, "another method than POST".to_owned())
            }
            (_, Some(notifier), ..) if !notifier.allows(source) => {
                (Refused::Source, "its address is not in `from`".to_owned())
            }
            (_, _, None, _) => (Refused::NoSecret, "the secret's file is gone".to_owned()),
            (_, _, _, Err(why @ NotAuthentic::Stale { .. })) => (Refused::Stale, why.to_string()),
            (_, _, _, Err(why)) => (Refused::Secret, why.to_string()),
            (Some(registry), _, _, Ok(())) => return Ok((registry, sender)),
        };
        Err(Disbelief {
            registry,
            refused: refused.0,
            why: refused.1,
        })
    }

    /// Reads secrets again that have changed.
    pub(super) fn look(&self) {
        for notifier in &self.registries {
            notifier.secret.look();
        }
    }

    /// What somebody should look at.
    pub(super) fn warnings(&self) -> Vec<String> {
        let faults = self.registries.iter().filter_map(|notifier| {
            let name = &notifier.settings.name;
            let fault = notifier.secret.fault()?;
            let consequence = match notifier.secret.current() {
                Some(_) => "the former secret stays in force",
                None => "its notifications are refused",
            };
            Some(format!(
                "the notification secret of {name}: {fault}; {consequence}"
            ))
        });
        faults.collect()
    }
}

impl Notifier {
    /// Whether it may notify from this address.
    fn allows(&self, source: IpAddr) -> bool {
        let from = &self.settings.from;
        from.is_empty() || from.iter().any(|range| range.contains(source))
    }
}

/// The headers of a request.
pub(super) struct HeadersOf<'a>(pub(super) &'a HeaderMap);

impl Headers for HeadersOf<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(|value| value.to_str().ok())
    }
}
