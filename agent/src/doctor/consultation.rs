//! The examination put together: policy, trust, credential.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portolan_registry::doctor::{LocalPolicy, Question};
use portolan_registry::{Access, AnyHost, Credential, CredentialSource, Environment as RegistryEnvironment};
use portolan_shared::model::{
    CaTrust, CredentialReference, Finding, FindingCode, RegistryUrl, RegistryUrlError, RepositoryPatterns,
    limits,
};
use portolan_shared::process::{Clock, FileError, Rng, read_bounded};
use portolan_shared::secret::Secret;
use portolan_shared::tls::{RegistryTrust, SystemRoots, TrustError};

use super::arguments::DoctorArguments;
use super::gate::PolicyGate;
use crate::jobs::Passage;
use crate::policy::{ControlPlaneDoors, Policy, PolicyError};
use crate::settings::{Environment, Settings};

/// A password on standard input, in bytes: refused above.
const PASSWORD_BYTES: u64 = 4 * 1024;

/// The examination cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum ConsultationError {
    /// The URL is none.
    #[error("the registry's URL: {0}")]
    Url(RegistryUrlError),
    /// A login in the URL.
    #[error(
        "the registry's URL holds a user name or password, which others on this machine can read: use --username and --password-stdin, or --credential-ref"
    )]
    LoginInUrl,
    /// The CA file cannot be read.
    #[error("--ca-file")]
    CaFile(#[source] FileError),
    /// The CA file is not there.
    #[error("--ca-file {}: there is no such file", .0.display())]
    NoCaFile(PathBuf),
    /// The CA file is not what it should be.
    #[error("--ca-file {}: {problem}", path.display())]
    CaForm {
        /// Which file.
        path: PathBuf,
        /// What is wrong, and what to do about it.
        problem: &'static str,
    },
    /// A certificate in the CA file, or a folder of certificates, is of no use.
    #[error("certificates to trust")]
    Trust(#[source] TrustError),
    /// No password came.
    #[error("standard input holds no password{0}")]
    Password(&'static str),
    /// The policy is faulty: a sensor would not start with it.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

/// What the doctor works with.
pub(super) struct Tools<'a> {
    pub(super) settings: &'a Settings,
    pub(super) environment: &'a Environment,
    pub(super) roots: SystemRoots,
    pub(super) certs_dir: Option<PathBuf>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) rng: Arc<dyn Rng>,
    pub(super) control_plane: Arc<ControlPlaneDoors>,
}

/// Everything that an examination needs. Nothing has been contacted.
pub(super) fn prepare(
    arguments: &DoctorArguments,
    input: impl Read,
    tools: Tools<'_>,
) -> Result<(Access, Question), ConsultationError> {
    let url = read_url(&arguments.url)?;
    let ca = CaTrust {
        bundle_pem: arguments.ca_file.as_deref().map(read_ca).transpose()?,
        only_bundle: arguments.only_ca_file,
    };
    let trust = RegistryTrust::new(tools.roots, &ca, tools.certs_dir).map_err(ConsultationError::Trust)?;
    let mut access = Access::new(url.clone(), trust);
    access.clock = Arc::clone(&tools.clock);
    access.rng = tools.rng;
    access.proxy = tools.settings.registry_proxy.clone();
    if let Some(reference) = &arguments.credential_ref {
        let source = CredentialSource::new(
            reference.clone(),
            url.clone(),
            RegistryEnvironment::new(tools.environment.to_map()),
            tools.clock,
        );
        access.credentials = Arc::new(match reference {
            // The policy says what is run even where it is not asked whether it may be.
            CredentialReference::Command(_) => {
                let policy = Policy::load(&tools.settings.policy)?;
                source.with_commands(policy.commands().clone())
            }
            _ => source,
        });
    }
    if let Some(username) = &arguments.username {
        access.credentials = Arc::new(Credential::Login {
            username: username.clone(),
            secret: read_password(input)?,
        });
    }
    let file = &tools.settings.policy;
    let mut allowed = RepositoryPatterns::all();
    let policy = if arguments.no_policy {
        access.gate = Arc::new(AnyHost);
        LocalPolicy {
            seen: vec!["not asked: --no-policy".to_owned()],
            finding: None,
        }
    } else {
        let policy = Policy::load(file)?;
        let mut known = judged(&policy, file, &url, arguments);
        if let Err(closed) = policy.allows_now(access.clock.now()) {
            known
                .seen
                .push(format!("a sensor would refuse jobs now: {closed}"));
        }
        if !policy.is_empty() {
            allowed = policy.repositories(&url).cloned().unwrap_or_default();
            access.gate = Arc::new(PolicyGate {
                policy,
                passage: Passage::new(url, access.proxy.clone()).never_to(tools.control_plane),
            });
        }
        known
    };
    let question = Question {
        repository: arguments.repository.clone(),
        allowed,
        policy,
        time: std::time::Duration::from_secs(arguments.timeout),
        ..Question::default()
    };
    Ok((access, question))
}

fn read_url(text: &str) -> Result<RegistryUrl, ConsultationError> {
    text.parse().map_err(|error| match error {
        RegistryUrlError::UserInformation => ConsultationError::LoginInUrl,
        error => ConsultationError::Url(error),
    })
}

fn read_ca(path: &Path) -> Result<String, ConsultationError> {
    let form = |problem| ConsultationError::CaForm {
        path: path.to_owned(),
        problem,
    };
    let bytes = read_bounded(path, limits::CA_BUNDLE_BYTES as u64)
        .map_err(ConsultationError::CaFile)?
        .ok_or_else(|| ConsultationError::NoCaFile(path.to_owned()))?;
    const DER: u8 = 0x30;
    if bytes.first() == Some(&DER) {
        return Err(form(
            "this is DER, and PEM is expected: openssl x509 -inform der -in FILE -out ca.pem",
        ));
    }
    let text = String::from_utf8(bytes).map_err(|_| form("not text: certificates in PEM are expected"))?;
    if !text.contains("-----BEGIN CERTIFICATE-----") {
        return Err(form(if text.contains("PRIVATE KEY-----") {
            "it holds a private key and no certificate: give the authority's certificate, never its key"
        } else {
            "it holds no certificate: -----BEGIN CERTIFICATE----- is expected"
        }));
    }
    Ok(text)
}

fn read_password(input: impl Read) -> Result<Secret, ConsultationError> {
    let mut text = zeroize::Zeroizing::new(String::new());
    input
        .take(PASSWORD_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|_| ConsultationError::Password(" in UTF-8"))?;
    if text.len() as u64 > PASSWORD_BYTES {
        return Err(ConsultationError::Password(", but more than 4096 bytes"));
    }
    let password = text.trim_end_matches(['\n', '\r']);
    if password.is_empty() {
        return Err(ConsultationError::Password(""));
    }
    Ok(Secret::new(password.to_owned()))
}

/// What the policy says before anything is sent.
fn judged(policy: &Policy, file: &Path, url: &RegistryUrl, arguments: &DoctorArguments) -> LocalPolicy {
    let file = file.display();
    if policy.is_empty() {
        let seen = format!("{file} is missing or empty: a sensor would refuse this registry");
        return LocalPolicy {
            seen: vec!["gone on with all the same".to_owned()],
            finding: Some(Finding::new(FindingCode::PolicyMissing, &seen)),
        };
    }
    let credential = arguments.credential_ref.as_ref();
    let allowed = match credential {
        Some(reference) => policy.allows_credential(url, reference),
        None => policy.allows_registry(url),
    };
    let allowed = allowed.and_then(|rule| match &arguments.repository {
        Some(repository) => policy.allows_repository(url, repository),
        None => Ok(rule),
    });
    match allowed {
        Ok(rule) => LocalPolicy {
            seen: vec![format!("{rule} in {file}")],
            finding: None,
        },
        Err(refused) => {
            let advice = policy.advice(url);
            let finding = Finding::new(
                FindingCode::PolicyRefused,
                &format!("{}: {refused}", url.authority()),
            )
            .with_detail(&advice.join("\n"));
            let mut seen = vec![format!("read from {file}")];
            if !advice.is_empty() {
                seen.extend(advice);
                seen.push("--no-policy has this machine look what is there all the same".to_owned());
            }
            LocalPolicy {
                seen,
                finding: Some(finding),
            }
        }
    }
}
