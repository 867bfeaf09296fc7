//! Programs that answer with a login: no shell, a bounded time, a bounded answer, and of the environment only what is named.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use zeroize::Zeroizing;

use crate::auth::credential::{Credential, ProgramProblem};
use portolan_shared::secret::Secret;

/// A program that takes longer is ended: some wait for a person to unlock a key ring.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an answer: an error above.
pub(super) const ANSWER_BYTES: u64 = 64 * 1024;

/// What a program said.
pub(super) struct Said {
    /// On its standard output.
    pub(super) answer: Zeroizing<Vec<u8>>,
    /// How it failed, if it did.
    pub(super) failure: Option<ProgramProblem>,
}

/// Starts a program in a process group of its own, gives it `input`, and returns what it says. What is still running when this ends for
/// another reason than the program's own end is killed, with everything that it started in its group.
pub(super) async fn run<'e>(
    program: &Path,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    environment: impl IntoIterator<Item = (&'e str, &'e str)>,
    input: &[u8],
) -> Result<Said, ProgramProblem> {
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(environment)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| ProgramProblem::NotStarted(error.kind()))?;
    let mut group = Group(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let complaints = AtomicU64::new(0);
    let talk = async {
        if let Some(mut stdin) = stdin {
            // A program that does not read its input has closed it; what it answers tells more than that.
            let _ = stdin.write_all(input).await;
        }
        let mut answer = Zeroizing::new(Vec::new());
        if let Some(stdout) = stdout {
            stdout
                .take(ANSWER_BYTES + 1)
                .read_to_end(&mut answer)
                .await
                .map_err(|error| ProgramProblem::Unreadable(error.kind()))?;
        }
        if answer.len() as u64 > ANSWER_BYTES {
            return Err(ProgramProblem::TooMuch);
        }
        let status = child
            .wait()
            .await
            .map_err(|error| ProgramProblem::Unreadable(error.kind()))?;
        Ok((status, answer))
    };
    let (status, answer) = tokio::select! {
        biased;
        ended = tokio::time::timeout(PATIENCE, talk) => ended.map_err(|_| ProgramProblem::NoAnswer)??,
        () = count(stderr, &complaints) => return Err(ProgramProblem::NoAnswer),
    };
    // It was waited for: its number may be somebody else's now.
    group.0 = None;
    let failure = (!status.success()).then(|| ProgramProblem::Failed {
        code: status.code(),
        complaint_bytes: complaints.load(Ordering::Relaxed),
    });
    Ok(Said { answer, failure })
}

/// Reads what a program complains of, and keeps nothing but its length: there may be secrets in it. Never ends.
async fn count(stderr: Option<impl AsyncRead + Unpin>, bytes: &AtomicU64) {
    if let Some(mut stderr) = stderr {
        let mut buffer = Zeroizing::new([0; 1024]);
        while let Ok(read @ 1..) = stderr.read(&mut *buffer).await {
            bytes.fetch_add(read as u64, Ordering::Relaxed);
        }
    }
    std::future::pending::<()>().await;
}

/// The process group of a program that has not been waited for.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may have ended by itself.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// The login in an answer: `{"Username": "...", "Secret": "..."}`, other members ignored, as docker's credential helpers give it. The user
/// name `<token>` says that the secret is a refresh token. `None` where the secret is empty.
pub(super) fn login(answer: &[u8]) -> Result<Option<Credential>, ProgramProblem> {
    let Answer { username, secret } = serde_json::from_slice(answer).map_err(|_| ProgramProblem::NoLogin)?;
    if secret.is_empty() {
        return Ok(None);
    }
    let secret = Secret::new(secret);
    Ok(Some(if username == "<token>" {
        Credential::IdentityToken(secret)
    } else {
        Credential::Login { username, secret }
    }))
}
