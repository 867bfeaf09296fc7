//! Flags, environment and file made into checked settings.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use portolan_shared::model::limits;
use portolan_shared::process::LogFormat;
use url::Url;

use super::file::{self, File};
use super::{DoorLimits, ServerArgs};
use crate::outgoing::{AddressBlock, AddressBlockError};

/// Everything that `portolan server` is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Folder for everything that is kept.
    pub data_dir: PathBuf,
    /// The sensors' listener.
    pub sensors: SensorSettings,
    /// The people's listener.
    pub http: HttpSettings,
    /// Where metrics are served, if anywhere.
    pub metrics: Option<SocketAddr>,
    /// Addresses that webhooks may lead to although they are not of the Internet.
    pub webhook_allow: Vec<AddressBlock>,
    /// Runs of one tenant that work at once.
    pub runs_per_tenant: usize,
    /// Logging.
    pub log: LogSettings,
}

/// The sensors' listener.
#[derive(Debug, Clone)]
pub struct SensorSettings {
    /// Where it listens. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// How sensors reach it, `https://host[:port]`; none means by the address it listens on.
    pub url: Option<String>,
    /// What it lets through.
    pub limits: DoorLimits,
}

/// The people's listener.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Where it listens. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Its certificate; always there unless it listens on loopback.
    pub tls: Option<HttpTls>,
    /// Connections at the same time from one source.
    pub per_source: usize,
}

/// Certificate of the people's listener.
#[derive(Debug, Clone)]
pub struct HttpTls {
    /// Chain, PEM.
    pub certificate: PathBuf,
    /// Key, PEM.
    pub key: PathBuf,
}

/// Logging.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// What lines look like.
    pub format: LogFormat,
    /// What is logged.
    pub filter: String,
}

/// All that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError(pub Vec<String>);

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [one] => write!(f, "the settings have a fault: {one}"),
            many => {
                write!(f, "the settings have {} faults:", many.len())?;
                many.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
            }
        }
    }
}

impl std::error::Error for SettingsError {}

/// Longest sensor URL, in bytes: what fits into an enrolment token.
const SENSOR_URL_BYTES: usize = 255;

impl Settings {
    /// Reads the settings file, if one is named, and checks everything. Reports every fault at once.
    pub fn read(args: ServerArgs) -> Result<Self, SettingsError> {
        let mut faults = Vec::new();
        let file = args
            .config
            .as_deref()
            .map_or_else(File::default, |path| file::read(path, &mut faults));
        let settings = Self::check(args, file, &mut faults);
        match settings {
            Some(settings) if faults.is_empty() => Ok(settings),
            _ => Err(SettingsError(faults)),
        }
    }

    fn check(args: ServerArgs, file: File, faults: &mut Vec<String>) -> Option<Self> {
        let data_dir = args.data_dir.or(file.data_dir);
        if data_dir.is_none() {
            faults.push("--data-dir is missing: name a folder for the database and the CAs".to_owned());
        }
        let sensors = address(
            "--listen-sensors",
            args.listen_sensors.or(file.sensors.listen),
            Some("127.0.0.1:7443"),
            faults,
        );
        let http = address(
            "--listen-http",
            args.listen_http.or(file.http.listen),
            Some("127.0.0.1:7480"),
            faults,
        );
        let metrics = address(
            "--listen-metrics",
            args.listen_metrics.or(file.metrics.listen),
            None,
            faults,
        );
        let url = args.sensor_url.or(file.sensors.url);
        let url = url.and_then(|url| sensor_url(&url, faults));
        if url.is_none() && sensors.is_some_and(|listen| listen.ip().is_unspecified()) {
            faults.push(
                "--sensor-url is missing: it cannot be told from --listen-sensors when that is every address"
                    .to_owned(),
            );
        }
        let tls = match (
            args.http_tls_certificate.or(file.http.tls_certificate),
            args.http_tls_key.or(file.http.tls_key),
        ) {
            (Some(certificate), Some(key)) => Some(HttpTls { certificate, key }),
            (None, None) => None,
            _ => {
                faults.push("--http-tls-certificate and --http-tls-key must be given together".to_owned());
                None
            }
        };
        if tls.is_none() && http.is_some_and(|listen| !listen.ip().is_loopback()) {
            faults.push(
                "--listen-http is not a loopback address, so it needs --http-tls-certificate and --http-tls-key"
                    .to_owned(),
            );
        }
        let format = match args.log_format.or(file.log.format).as_deref() {
            None => LogFormat::default(),
            Some(text) => text.parse().unwrap_or_else(|why| {
                faults.push(format!("--log-format {text}: {why}"));
                LogFormat::default()
            }),
        };
        let allow = match args.webhook_allow.is_empty() {
            true => file.webhooks.allow,
            false => args.webhook_allow,
        };
        let webhook_allow = address_blocks(&allow, faults);
        let runs = args.runs_per_tenant.or(file.runs.per_tenant);
        let runs = ("--runs-per-tenant", runs.as_deref());
        let runs_per_tenant = number(runs, limits::RUNS_PER_TENANT, (1, RUNS), faults);
        let source = args.http_per_source.or(file.http.per_source);
        let source = ("--http-per-source", source.as_deref());
        let per_source = number(source, PER_SOURCE.0, PER_SOURCE, faults);
        Some(Self {
            data_dir: data_dir?,
            sensors: SensorSettings {
                listen: sensors?,
                url,
                limits: DoorLimits::default(),
            },
            http: HttpSettings {
                listen: http?,
                tls,
                per_source,
            },
            metrics,
            webhook_allow,
            runs_per_tenant,
            log: LogSettings {
                format,
                filter: args
                    .log_filter
                    .or(file.log.filter)
                    .unwrap_or_else(|| "info".to_owned()),
            },
        })
    }
}

impl SensorSettings {
    /// How sensors reach the listener, once its port is known.
    #[must_use]
    pub fn url_for(&self, bound: SocketAddr) -> String {
        self.url.clone().unwrap_or_else(|| format!("https://{bound}"))
    }

    /// The names that the listener's certificate must carry: the URL's host, the listen address, and `localhost` for loopback.
    #[must_use]
    pub fn names_for(&self, bound: SocketAddr) -> Vec<String> {
        let mut names = Vec::new();
        let mut add = |name: String| {
            if !names.contains(&name) {
                names.push(name);
            }
        };
        if let Ok(url) = Url::parse(&self.url_for(bound))
            && let Some(host) = url.host_str()
        {
            add(host.trim_matches(['[', ']']).to_owned());
        }
        let ip: IpAddr = bound.ip();
        if !ip.is_unspecified() {
            add(ip.to_string());
        }
        if ip.is_loopback() {
            add("localhost".to_owned());
        }
        names
    }
}

fn address(
    flag: &str,
    text: Option<String>,
    default: Option<&str>,
    faults: &mut Vec<String>,
) -> Option<SocketAddr> {
    let text = text.or(default.map(str::to_owned))?;
    match text.parse() {
        Ok(address) => Some(address),
        Err(_) => {
            faults.push(format!(
                "{flag} {text}: expected an IP address and a port, such as 127.0.0.1:7443"
            ));
            None
        }
    }
}

fn address_blocks(texts: &[String], faults: &mut Vec<String>) -> Vec<AddressBlock> {
    let mut blocks = Vec::new();
    for text in texts {
        match text.parse() {
            Ok(block) => blocks.push(block),
            Err(why) => {
                let why: AddressBlockError = why;
                faults.push(format!("--webhook-allow {text}: {why}"));
            }
        }
    }
    blocks
}

fn sensor_url(text: &str, faults: &mut Vec<String>) -> Option<String> {
    let plain = Url::parse(text).ok().filter(|url| {
        url.scheme() == "https"
            && url.host_str().is_some_and(|host| !host.is_empty())
            && url.username().is_empty()
            && url.password().is_none()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && text.len() <= SENSOR_URL_BYTES
    });
    if plain.is_none() {
        faults.push(format!(
            "--sensor-url {text}: expected https://HOST[:PORT], at most {SENSOR_URL_BYTES} bytes"
        ));
    }
    plain.map(|_| text.trim_end_matches('/').to_owned())
}

/// Most runs of a tenant that can be set.
const RUNS: usize = 10_000;
/// Connections of one source that can be set: fewer could all be streams of changes.
const PER_SOURCE: (usize, usize) = (
    limits::HTTP_CONNECTIONS_PER_SOURCE,
    limits::HTTP_CONNECTIONS_PER_SOURCE_MOST,
);

fn number(
    (flag, text): (&str, Option<&str>),
    default: usize,
    (least, most): (usize, usize),
    faults: &mut Vec<String>,
) -> usize {
    let Some(text) = text else { return default };
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.unwrap_or_else(|| {
        faults.push(format!("{flag} {text}: expected {least} to {most}"));
        default
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> ServerArgs {
        ServerArgs {
            data_dir: Some("data".into()),
            ..ServerArgs::default()
        }
    }

    #[test]
    fn defaults_listen_on_loopback_alone() {
        let settings = Settings::read(args()).unwrap();
        assert!(settings.sensors.listen.ip().is_loopback() && settings.http.listen.ip().is_loopback());
        assert_eq!(
            (settings.metrics, settings.webhook_allow.as_slice()),
            (None, &[][..])
        );
        let bound = "127.0.0.1:9".parse().unwrap();
        assert_eq!(settings.sensors.url_for(bound), "https://127.0.0.1:9");
        assert_eq!(settings.sensors.names_for(bound), ["127.0.0.1", "localhost"]);
    }

    #[test]
    fn every_fault_is_reported_at_once() {
        let bad = ServerArgs {
            listen_sensors: Some("0.0.0.0:7443".into()),
            listen_http: Some("0.0.0.0:80".into()),
            listen_metrics: Some("everywhere".into()),
            log_format: Some("xml".into()),
            http_tls_key: Some("key".into()),
            webhook_allow: vec!["10.0.0.0/8".into(), "10.0.0.1/8".into()],
            runs_per_tenant: Some("0".into()),
            http_per_source: Some("255".into()),
            ..ServerArgs::default()
        };
        let SettingsError(faults) = Settings::read(bad).unwrap_err();
        for word in [
            "--data-dir",
            "--sensor-url",
            "--listen-http",
            "--listen-metrics",
            "--log-format",
            "together",
            "--webhook-allow 10.0.0.1/8",
            "--runs-per-tenant 0: expected 1 to 10000",
            "--http-per-source 255: expected 256 to 960",
        ] {
            assert!(
                faults.iter().any(|fault| fault.contains(word)),
                "{word}: {faults:?}"
            );
        }
    }

    #[test]
    fn flags_win_over_the_file_and_unknown_keys_are_faults() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("portolan.toml");
        std::fs::write(
            &path,
            "data-dir = '/var/lib/portolan'\n[sensors]\nlisten = '0.0.0.0:1'\nurl = 'https://p.example/'\n[log]\nfilter = 'warn'\n",
        )
        .unwrap();
        let settings = Settings::read(ServerArgs {
            config: Some(path.clone()),
            ..args()
        })
        .unwrap();
        assert_eq!(settings.data_dir, PathBuf::from("data"));
        assert_eq!(settings.sensors.url.as_deref(), Some("https://p.example"));
        assert_eq!(settings.log.filter, "warn");
        std::fs::write(&path, "[sensors]\nlissten = '0.0.0.0:1'\n").unwrap();
        let error = Settings::read(ServerArgs {
            config: Some(path),
            ..args()
        });
        assert!(error.unwrap_err().to_string().contains("lissten"));
    }

    #[test]
    fn sensor_urls_are_plain_origins() {
        for bad in ["http://h", "https://h/p", "https://u@h", "h:1"] {
            let read = Settings::read(ServerArgs {
                sensor_url: Some(bad.into()),
                ..args()
            });
            assert!(read.is_err(), "{bad}");
        }
    }
}
