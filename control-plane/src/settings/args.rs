//! Flags and environment.

use std::path::PathBuf;

/// Flags of `portolan server`. Each has an environment variable, and, but for `--config`, a key in the settings file; a flag wins over the
/// environment, which wins over the file.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = "\
The settings file has the same in tables:
  data-dir = \"/var/lib/portolan\"
  [sensors]  listen, url
  [http]     listen, per-source, tls-certificate, tls-key
  [metrics]  listen
  [webhooks] allow (a list)
  [runs]     per-tenant
  [log]      format, filter

Example:
  portolan server --data-dir /var/lib/portolan --listen-sensors 0.0.0.0:7443 \\
      --sensor-url https://portolan.example.com:7443

Exit codes:
   0  stopped, as it was told
   1  it could not start, or failed
   2  the command line or the settings are not acceptable")]
pub struct ServerArgs {
    /// Folder for everything that is kept: the database, the CAs, the admin token. Made on first start
    #[arg(long, env = "PORTOLAN_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Settings file, TOML
    #[arg(long, env = "PORTOLAN_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Where sensors connect to [default: 127.0.0.1:7443]
    #[arg(long, env = "PORTOLAN_LISTEN_SENSORS", value_name = "ADDR:PORT")]
    pub listen_sensors: Option<String>,

    /// Where API and command line connect to [default: 127.0.0.1:7480]
    #[arg(long, env = "PORTOLAN_LISTEN_HTTP", value_name = "ADDR:PORT")]
    pub listen_http: Option<String>,

    /// Connections to --listen-http that one source may have at once: a proxy in front is one source. 256 to 960 [default: 256]
    #[arg(long, env = "PORTOLAN_HTTP_PER_SOURCE", value_name = "N")]
    pub http_per_source: Option<String>,

    /// Where Prometheus reads metrics; none are served without this
    #[arg(long, env = "PORTOLAN_LISTEN_METRICS", value_name = "ADDR:PORT")]
    pub listen_metrics: Option<String>,

    /// How sensors reach the sensors' listener from where they are; written into every enrolment token [default: https:// and the
    /// address of --listen-sensors]
    #[arg(long, env = "PORTOLAN_SENSOR_URL", value_name = "https://HOST[:PORT]")]
    pub sensor_url: Option<String>,

    /// Certificate chain for --listen-http, PEM; needed unless that is a loopback address
    #[arg(long, env = "PORTOLAN_HTTP_TLS_CERTIFICATE", value_name = "FILE")]
    pub http_tls_certificate: Option<PathBuf>,

    /// Key of that certificate, PEM
    #[arg(long, env = "PORTOLAN_HTTP_TLS_KEY", value_name = "FILE")]
    pub http_tls_key: Option<PathBuf>,

    /// Addresses that webhooks may lead to although they are not of the Internet, also without TLS: a network of your own, such as
    /// 10.20.0.0/16. May be repeated [default: none]
    #[arg(
        long,
        env = "PORTOLAN_WEBHOOK_ALLOW",
        value_name = "CIDR",
        value_delimiter = ','
    )]
    pub webhook_allow: Vec<String>,

    /// Runs of one tenant that work at once; further ones wait. 1 to 10000 [default: 100]
    #[arg(long, env = "PORTOLAN_RUNS_PER_TENANT", value_name = "N")]
    pub runs_per_tenant: Option<String>,

    /// What log lines look like: human or json [default: human]
    #[arg(long, env = "PORTOLAN_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<String>,

    /// What is logged: a level, or target=level pairs separated by commas [default: info]
    #[arg(long, env = "PORTOLAN_LOG_FILTER", value_name = "FILTER")]
    pub log_filter: Option<String>,
}
