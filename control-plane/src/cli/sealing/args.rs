//! A login, as flags. There is none for a password: other users of the machine can see command lines.

use std::path::PathBuf;

use portolan_shared::secret::sealed::{BoundHost, IdentityFingerprint};

use super::expiry::Expiry;

/// What `registry add` and `registry set` take to seal a login.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("login").args(["password_stdin", "credential_file"])))]
pub(in crate::cli) struct SealArgs {
    /// User name of a login to seal for the sensors
    #[arg(long, value_name = "USER", requires = "password_stdin")]
    pub(super) username: Option<String>,
    /// Read its password from standard input: one line
    #[arg(long, requires = "username")]
    pub(super) password_stdin: bool,
    /// Read the login to seal from a file that nobody but its owner can read, see below
    #[arg(long, value_name = "FILE")]
    pub(super) credential_file: Option<PathBuf>,
    /// Token service that the login may be sent to, besides the registry itself; give several
    #[arg(long, value_name = "HOST[:PORT]", requires = "login")]
    pub(super) accept_realm: Vec<BoundHost>,
    /// Host that downloads may be redirected to; it never gets the login; give several
    #[arg(long, value_name = "HOST[:PORT]", requires = "login")]
    pub(super) accept_storage: Vec<BoundHost>,
    /// Fingerprint that a sensor shows on its own machine; required of each that is new or has changed, once one is given
    #[arg(long, value_name = "FINGERPRINT", requires = "login")]
    pub(super) accept_fingerprint: Vec<IdentityFingerprint>,
    /// When the login ends: a day such as 2027-03-31 (its first second, UTC), or a time such as 2027-03-31T18:00:00Z
    #[arg(long, value_name = "DATE", requires = "login")]
    pub(super) expires: Option<Expiry>,
    /// Do not ask: pin sensors that are seen for the first time; hosts have to be named then
    #[arg(short, long, requires = "login")]
    pub(super) yes: bool,
}

impl SealArgs {
    /// Whether a login is to be entered.
    pub(in crate::cli) fn are_given(&self) -> bool {
        self.password_stdin || self.credential_file.is_some()
    }
}

/// What a sealed login is, for the help of the commands that take one.
macro_rules! sealing_help {
    () => {
        "\
A login is sealed on this machine, so that only the sensors of the registry can open it, and only for this registry:
  1. The key of each sensor is fetched. Compare the fingerprint that is shown with `portolan-agent status` on its
     machine. It is remembered in ~/.config/portolan/pins.json: a sensor that shows another one later is refused,
     unless you say yes on a terminal or name the new one with --accept-fingerprint.
  2. A sensor looks at the registry without the login, to see which token service it names. You accept that, or
     --accept-realm names it.
  3. The login is sealed, a sensor tries it, and it is stored if it works. With --no-test no sensor looks, and the
     login is bound to the hosts that are named.
A file for --credential-file has one line, USER:PASSWORD, or is JSON with \"username\" and \"password\", or with
\"Username\" and \"Secret\" as docker's credential helpers answer. Nobody but its owner may have access to it."
    };
}
pub(in crate::cli) use sealing_help;
