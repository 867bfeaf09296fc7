//! The operators' commands, with paper in place of a terminal, against the real listener.

use std::io::{self, Cursor, Write};
use std::sync::{Arc, Mutex};

use clap::Parser as _;
use portolan::cli::{Cli, Command, Environment, Exit, Terminal, operate};
use portolan::web;
use portolan_shared::process::{ManualClock, Shutdown};
use portolan_shared::secret::Secret;
use tokio::net::TcpListener;

use crate::world::World;

#[derive(Clone, Default)]
pub(crate) struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Paper {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

pub(crate) struct Said {
    pub(crate) exit: Exit,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) struct Desk {
    pub(crate) environment: Environment,
    pub(crate) shutdown: Shutdown,
    clock: Arc<ManualClock>,
}

impl Desk {
    #[expect(
        clippy::disallowed_methods,
        reason = "the test's server ends with its runtime"
    )]
    pub(crate) async fn open_with(world: &World, tls: Option<rustls::ServerConfig>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let shutdown = Shutdown::new();
        tokio::spawn(web::serve(listener, tls, world.router.clone(), shutdown.clone()));
        let environment = Environment {
            url: Some(url),
            token: Some(Secret::new(world.admin.clone())),
            ..Environment::default()
        };
        Self {
            environment,
            shutdown,
            clock: Arc::clone(&world.clock),
        }
    }

    pub(crate) async fn open(world: &World) -> Self {
        Self::open_with(world, None).await
    }

    pub(crate) async fn say(&self, line: &str) -> Said {
        self.say_with(line, "", &self.environment).await
    }

    pub(crate) async fn say_with(&self, line: &str, input: &str, environment: &Environment) -> Said {
        self.run(line, input, environment, false, Paper::default()).await
    }

    /// As a person at a terminal.
    pub(crate) async fn say_at_terminal(&self, line: &str, input: &str) -> Said {
        self.run(line, input, &self.environment, true, Paper::default())
            .await
    }

    /// While somebody reads standard error.
    pub(crate) async fn say_onto(&self, line: &str, err: &Paper) -> Said {
        self.run(line, "", &self.environment, false, err.clone()).await
    }

    async fn run(
        &self,
        line: &str,
        input: &str,
        environment: &Environment,
        terminal: bool,
        err: Paper,
    ) -> Said {
        let cli = Cli::try_parse_from(std::iter::once("portolan").chain(line.split(' '))).unwrap();
        let out = Paper::default();
        let mut terminal = Terminal {
            out: Box::new(out.clone()),
            err: Box::new(err.clone()),
            input: Box::new(Cursor::new(input.to_owned())),
            width: Some(160),
            marks: false,
            progress: terminal,
            asks: terminal,
        };
        let Command::Operator(command) = cli.command else {
            panic!("not a command of an operator: {line}");
        };
        let exit = operate(command, environment, &mut terminal, &*self.clock).await;
        Said {
            exit,
            out: out.text(),
            err: err.text(),
        }
    }
}

/// Ids that differ from run to run, made equal.
pub(crate) fn settled(text: &str) -> String {
    let ids = regex::Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").unwrap();
    ids.replace_all(text, "00000000-0000-0000-0000-000000000000")
        .into_owned()
}
