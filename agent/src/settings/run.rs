//! All settings of a running agent.

use std::path::PathBuf;

use portolan_shared::process::ProxyRules;

use super::environment::Environment;
use super::error::SettingsError;
use super::file::File;
use super::health::HealthSettings;
use super::log::LogSettings;
use super::notify::NotifySettings;
use super::proxy::{ProxySettings, to_registries};
use super::source::Source;

/// Where state lies unless said otherwise.
pub const DEFAULT_DATA_DIR: &str = "/var/lib/portolan-agent";

/// Jobs that may run at once unless said otherwise.
const DEFAULT_SLOTS: u32 = 2;
/// Jobs that may run at once at most.
const MAX_SLOTS: u32 = 16;

/// What was given on the command line.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--data-dir`
    pub data_dir: Option<String>,
    /// `--policy`
    pub policy: Option<String>,
    /// `--proxy`
    pub proxy: Option<String>,
    /// `--registry-proxy`
    pub registry_proxy: Option<String>,
    /// `--health-listen`
    pub health_listen: Option<String>,
    /// `--log-filter`
    pub log_filter: Option<String>,
    /// `--log-format`
    pub log_format: Option<String>,
}

/// The settings file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsFile {
    /// Where it lies.
    pub path: PathBuf,
    /// SHA-256 of what was in it.
    pub sha256: Vec<u8>,
}

/// All settings, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The file that some of them are from, if one was named.
    pub file: Option<SettingsFile>,
    /// Where state lies.
    pub data_dir: PathBuf,
    /// The local policy.
    pub policy: PathBuf,
    /// Jobs that may run at once.
    pub job_slots: u32,
    /// The way to the control plane.
    pub proxy: ProxySettings,
    /// The way to registries.
    pub registry_proxy: ProxyRules,
    /// Health and metrics.
    pub health: HealthSettings,
    /// The listener for push events, if there is one.
    pub notify: Option<NotifySettings>,
    /// Logging.
    pub log: LogSettings,
}

impl Settings {
    /// Reads and checks everything.
    ///
    /// # Errors
    /// All faults together.
    pub fn read(flags: &Flags, environment: &Environment) -> Result<Self, SettingsError> {
        let mut source = Source::new(environment);
        let config = flags
            .config
            .clone()
            .or_else(|| environment.get("PORTOLAN_AGENT_CONFIG").map(PathBuf::from));
        let (file, read) = match config.map(|path| (File::load(&path), path)) {
            Some((Ok((file, sha256)), path)) => (file, Some(SettingsFile { path, sha256 })),
            Some((Err(what), path)) => {
                source.fault(format!("settings file {}", path.display()), what);
                (File::default(), None)
            }
            None => (File::default(), None),
        };
        let text = |flag: (&str, &Option<String>), variable: &str, key: (&str, &Option<String>)| {
            source.find((flag.0, flag.1.as_deref()), variable, (key.0, key.1.as_deref()))
        };
        let data_dir = text(
            ("--data-dir", &flags.data_dir),
            "PORTOLAN_AGENT_DATA_DIR",
            ("data_dir", &file.data_dir),
        );
        let policy = text(
            ("--policy", &flags.policy),
            "PORTOLAN_AGENT_POLICY",
            ("policy", &file.policy),
        );
        let proxy = text(
            ("--proxy", &flags.proxy),
            "PORTOLAN_AGENT_PROXY",
            ("control_plane.proxy", &file.control_plane.proxy),
        );
        let registry_proxy = text(
            ("--registry-proxy", &flags.registry_proxy),
            "PORTOLAN_AGENT_REGISTRY_PROXY",
            ("registries.proxy", &file.registries.proxy),
        );
        let listen = text(
            ("--health-listen", &flags.health_listen),
            "PORTOLAN_AGENT_HEALTH_LISTEN",
            ("health.listen", &file.health.listen),
        );
        let filter = text(
            ("--log-filter", &flags.log_filter),
            "PORTOLAN_AGENT_LOG",
            ("log.filter", &file.log.filter),
        );
        let format = text(
            ("--log-format", &flags.log_format),
            "PORTOLAN_AGENT_LOG_FORMAT",
            ("log.format", &file.log.format),
        );
        let data_dir = PathBuf::from(data_dir.map_or(DEFAULT_DATA_DIR.to_owned(), |found| found.text));
        let policy = policy.map_or_else(|| data_dir.join("policy.toml"), |found| found.text.into());
        let job_slots = file.jobs.slots.unwrap_or(DEFAULT_SLOTS);
        if !(1..=MAX_SLOTS).contains(&job_slots) {
            source.fault(
                "settings file, key jobs.slots",
                format!("expected 1 to {MAX_SLOTS}"),
            );
        }
        let settings = Self {
            file: read,
            data_dir,
            policy,
            job_slots,
            proxy: ProxySettings::read(&mut source, proxy),
            registry_proxy: to_registries(&mut source, registry_proxy),
            health: HealthSettings::read(&mut source, listen),
            notify: NotifySettings::read(&mut source, file.notify),
            log: LogSettings::read(&mut source, filter, format),
        };
        source.finish(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn defaults_need_nothing() {
        let settings = Settings::read(&Flags::default(), &Environment::default()).unwrap();
        assert_eq!(settings.data_dir, PathBuf::from(DEFAULT_DATA_DIR));
        assert_eq!(
            settings.policy,
            PathBuf::from("/var/lib/portolan-agent/policy.toml")
        );
        assert!(settings.proxy.proxy.is_none() && settings.health.listen.is_none());
    }

    #[test]
    fn flags_win_over_variables_and_these_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("agent.toml");
        std::fs::write(
            &config,
            "data_dir = \"/file\"\npolicy = \"/file.toml\"\n[health]\nlisten = \"127.0.0.1:1\"\n",
        )
        .unwrap();
        let flags = Flags {
            config: Some(config),
            data_dir: Some("/flag".into()),
            ..Flags::default()
        };
        let environment = environment(&[
            ("PORTOLAN_AGENT_DATA_DIR", "/variable"),
            ("PORTOLAN_AGENT_POLICY", "/variable.toml"),
            ("HTTPS_PROXY", "http://u:p@proxy:3128"),
            ("NO_PROXY", "corp"),
        ]);
        let settings = Settings::read(&flags, &environment).unwrap();
        assert_eq!(settings.data_dir, PathBuf::from("/flag"));
        assert_eq!(settings.policy, PathBuf::from("/variable.toml"));
        assert_eq!(settings.health.listen.unwrap().port(), 1);
        let registries = |host| settings.registry_proxy.proxy_for(true, host, 443);
        let control_plane = |host| settings.proxy.for_host(host, 443);
        assert!(control_plane("h").is_some() && control_plane("a.corp").is_none());
        assert!(registries("h").is_some() && registries("a.corp").is_none());
    }

    #[test]
    fn each_way_has_a_proxy_of_its_own() {
        let environment = environment(&[
            ("HTTPS_PROXY", "http://usual:3128"),
            ("NO_PROXY", "corp"),
            ("PORTOLAN_AGENT_REGISTRY_PROXY", "http://inner:3128"),
        ]);
        let settings = Settings::read(&Flags::default(), &environment).unwrap();
        assert!(settings.proxy.for_host("a.corp", 443).is_none());
        for https in [true, false] {
            let inner = settings.registry_proxy.proxy_for(https, "a.corp", 443);
            assert_eq!(inner.unwrap().to_string(), "inner:3128", "for every host");
        }
        let flags = Flags {
            registry_proxy: Some("none".into()),
            ..Flags::default()
        };
        let settings = Settings::read(&flags, &environment).unwrap();
        assert_eq!(settings.registry_proxy, ProxyRules::default());
        assert!(settings.proxy.for_host("h", 443).is_some());
    }

    #[test]
    fn every_fault_is_reported_and_no_password_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("agent.toml");
        std::fs::write(&config, "[jobs]\nslots = 99\n[log]\nformat = \"xml\"\n").unwrap();
        let flags = Flags {
            config: Some(config),
            health_listen: Some("0.0.0.0:80".into()),
            proxy: Some("https://user:hunter2@proxy".into()),
            ..Flags::default()
        };
        let error = Settings::read(&flags, &Environment::default()).unwrap_err();
        let places: Vec<&str> = error.0.iter().map(|fault| fault.place.as_str()).collect();
        assert_eq!(
            places,
            [
                "settings file, key jobs.slots",
                "--proxy",
                "--health-listen",
                "settings file, key log.format"
            ]
        );
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn a_faulty_variable_that_serves_both_ways_is_named_once() {
        let environment = environment(&[("HTTPS_PROXY", "socks5://u:hunter2@p")]);
        let error = Settings::read(&Flags::default(), &environment).unwrap_err();
        let places: Vec<&str> = error.0.iter().map(|fault| fault.place.as_str()).collect();
        assert_eq!(places, ["environment variable HTTPS_PROXY"]);
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn a_faulty_file_is_named_without_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("agent.toml");
        std::fs::write(&config, "\n[control_plane]\nproxy = \"http://u:hunter2@p\n").unwrap();
        let flags = Flags {
            config: Some(config),
            ..Flags::default()
        };
        let text = Settings::read(&flags, &Environment::default())
            .unwrap_err()
            .to_string();
        assert!(text.contains("line 3") && !text.contains("hunter2"), "{text}");
    }
}
