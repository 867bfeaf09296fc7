//! The unix socket that `portolan-agent status` asks.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use portolan_shared::process::Shutdown;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use super::report::{StatusReport, StatusSource};

/// Name of the socket in the data directory.
pub const SOCKET: &str = "status.sock";
/// A report, in bytes: refused above.
const REPORT_BYTES: u64 = 1024 * 1024;
const WITHIN: Duration = Duration::from_secs(5);

/// Answers each connection with one report, as JSON. Whoever can open the directory, which is its owner alone, can ask.
pub struct StatusSocket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and number of the file, by which it is known from one that another agent put in its place.
    file: (u64, u64),
    source: Arc<dyn StatusSource>,
}

impl StatusSocket {
    /// Binds the socket; one that a former agent left behind is replaced. The directory's lock makes that safe, and where there is none, because a revoked
    /// sensor waits for another to be enrolled, that one's agent comes later and is right to replace it.
    pub fn bind(data_dir: &Path, source: Arc<dyn StatusSource>) -> io::Result<Self> {
        let path = data_dir.join(SOCKET);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(&path)?;
        Ok(Self {
            listener,
            file: identity(&path)?,
            path,
            source,
        })
    }

    /// Serves until the shutdown's cut, one connection at a time.
    pub async fn serve(self, shutdown: Shutdown) {
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = shutdown.cutting() => break,
            };
            let Ok((mut stream, _)) = accepted else {
                continue;
            };
            let report = serde_json::to_vec(&self.source.report()).unwrap_or_default();
            // Whoever asks and does not read is hung up on.
            let _ = timeout(WITHIN, async {
                stream.write_all(&report).await?;
                stream.shutdown().await
            })
            .await;
        }
        if identity(&self.path).is_ok_and(|file| file == self.file) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let file = std::fs::symlink_metadata(path)?;
    Ok((file.dev(), file.ino()))
}

/// Asks the agent that runs on this data directory; `None` if none runs.
pub async fn ask(data_dir: &Path) -> io::Result<Option<StatusReport>> {
    let connected = UnixStream::connect(data_dir.join(SOCKET)).await;
    let stream = match connected {
        Ok(stream) => stream,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    timeout(WITHIN, stream.take(REPORT_BYTES).read_to_end(&mut bytes))
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::sample;
    use super::*;
    use portolan_shared::process::Tasks;

    struct Fixed;
    impl StatusSource for Fixed {
        fn report(&self) -> StatusReport {
            sample()
        }
    }

    #[tokio::test]
    async fn a_running_agent_answers_and_a_stopped_one_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        assert!(ask(folder.path()).await.unwrap().is_none());
        // What a killed agent leaves behind.
        drop(UnixListener::bind(folder.path().join(SOCKET)).unwrap());
        assert!(ask(folder.path()).await.unwrap().is_none());
        let tasks = Tasks::new(Shutdown::new());
        let socket = StatusSocket::bind(folder.path(), Arc::new(Fixed)).unwrap();
        tasks.spawn("status", socket.serve(tasks.shutdown().clone()));
        assert_eq!(ask(folder.path()).await.unwrap().unwrap(), sample());
        tasks.shutdown().start_cut();
        tasks.ended().await;
        assert!(!folder.path().join(SOCKET).exists());
    }
    #[tokio::test]
    async fn a_socket_that_another_agent_put_in_its_place_is_left_there() {
        let folder = tempfile::tempdir().unwrap();
        let [former, later] = [(); 2].map(|()| Tasks::new(Shutdown::new()));
        for tasks in [&former, &later] {
            let socket = StatusSocket::bind(folder.path(), Arc::new(Fixed)).unwrap();
            tasks.spawn("status", socket.serve(tasks.shutdown().clone()));
        }
        former.shutdown().start_cut();
        former.ended().await;
        assert_eq!(ask(folder.path()).await.unwrap().unwrap(), sample());
        later.shutdown().start_cut();
        later.ended().await;
        assert!(!folder.path().join(SOCKET).exists());
    }
}
