//! A TCP proxy whose wire can be cut, held or deafened at any moment.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use portolan_shared::process::Tasks;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

/// What happens to bytes that travel in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// They pass.
    Pass,
    /// They pass after a wait, as over a long way.
    Delay(Duration),
    /// They are read and thrown away; the sender notices nothing and no end of stream is passed on.
    BlackHole,
    /// They are not read, so that the sender's buffers fill; they pass once the flow changes.
    Stall,
}

/// A direction of travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From client to server.
    ToServer,
    /// From server to client.
    ToClient,
}

#[derive(Debug, Clone, Copy)]
struct Plan {
    accepting: bool,
    upstream: SocketAddr,
    to_server: Flow,
    to_client: Flow,
    /// Counts the calls of `cut`: connections of an earlier number end.
    generation: u64,
}

#[derive(Debug, Default)]
struct Counters {
    connections: AtomicU64,
    open: AtomicU64,
    to_server: AtomicU64,
    to_client: AtomicU64,
    /// Totals at which everything is cut; 0 for none.
    cut_to_server: AtomicU64,
    cut_to_client: AtomicU64,
}

impl Counters {
    fn of(&self, direction: Direction) -> (&AtomicU64, &AtomicU64) {
        match direction {
            Direction::ToServer => (&self.to_server, &self.cut_to_server),
            Direction::ToClient => (&self.to_client, &self.cut_to_client),
        }
    }
}

/// A proxy in front of one server. Every control acts at once, on open connections too.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    plan: watch::Sender<Plan>,
    counters: Arc<Counters>,
    _stop: DropGuard,
}

impl FaultProxy {
    /// Starts a proxy in front of `upstream` that passes everything.
    pub async fn start(upstream: SocketAddr, tasks: &Tasks) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("bind a loopback port")?;
        let address = listener.local_addr().context("read the bound address")?;
        let (plan, _) = watch::channel(Plan {
            accepting: true,
            upstream,
            to_server: Flow::Pass,
            to_client: Flow::Pass,
            generation: 0,
        });
        let counters = Arc::new(Counters::default());
        let stop = CancellationToken::new();
        let wire = Wire {
            plan: plan.clone(),
            counters: Arc::clone(&counters),
            stop: stop.clone(),
            tasks: tasks.clone(),
        };
        tasks.spawn("fault proxy", wire.run(listener));
        Ok(Self {
            address,
            plan,
            counters,
            _stop: stop.drop_guard(),
        })
    }

    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets what happens to bytes in `direction`.
    pub fn set(&self, direction: Direction, flow: Flow) {
        self.plan.send_modify(|plan| match direction {
            Direction::ToServer => plan.to_server = flow,
            Direction::ToClient => plan.to_client = flow,
        });
    }

    /// Sets what happens to bytes in both directions.
    pub fn set_both(&self, flow: Flow) {
        self.plan
            .send_modify(|plan| (plan.to_server, plan.to_client) = (flow, flow));
    }

    /// Resets every open connection. New ones are accepted.
    pub fn cut(&self) {
        self.plan.send_modify(|plan| plan.generation += 1);
    }

    /// Resets every connection once this many more bytes have passed in `direction`; the byte after them does not arrive.
    /// Happens once, and ends at the first of both directions.
    pub fn cut_after(&self, direction: Direction, bytes: u64) {
        let (passed, limit) = self.counters.of(direction);
        limit.store(passed.load(Ordering::SeqCst) + bytes.max(1), Ordering::SeqCst);
    }

    /// From now on resets new connections at once, as a host without the service; open ones stay.
    pub fn refuse(&self) {
        self.plan.send_modify(|plan| plan.accepting = false);
    }

    /// Accepts new connections again.
    pub fn accept(&self) {
        self.plan.send_modify(|plan| plan.accepting = true);
    }

    /// Sends new connections to another server: the old one was restarted elsewhere.
    pub fn redirect_to(&self, upstream: SocketAddr) {
        self.plan.send_modify(|plan| plan.upstream = upstream);
    }

    /// Connections that were asked for, refused ones included.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.counters.connections.load(Ordering::SeqCst)
    }

    /// Connections that are open now.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.counters.open.load(Ordering::SeqCst)
    }

    /// Bytes that have passed in `direction`.
    #[must_use]
    pub fn bytes(&self, direction: Direction) -> u64 {
        self.counters.of(direction).0.load(Ordering::SeqCst)
    }
}

#[derive(Clone)]
struct Wire {
    plan: watch::Sender<Plan>,
    counters: Arc<Counters>,
    stop: CancellationToken,
    tasks: Tasks,
}

impl Wire {
    async fn run(self, listener: TcpListener) {
        loop {
            let client = tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.tasks.shutdown().draining() => return,
                accepted = listener.accept() => match accepted {
                    Ok((client, _)) => client,
                    Err(_) => { tokio::task::yield_now().await; continue }
                },
            };
            self.counters.connections.fetch_add(1, Ordering::SeqCst);
            if !self.plan.borrow().accepting {
                let _ = client.set_zero_linger();
                continue;
            }
            self.counters.open.fetch_add(1, Ordering::SeqCst);
            let this = self.clone();
            self.tasks.spawn("fault proxy's connection", async move {
                tokio::select! {
                    () = this.stop.cancelled() => {}
                    () = this.tasks.shutdown().draining() => {}
                    () = this.connection(client) => {}
                }
                this.counters.open.fetch_sub(1, Ordering::SeqCst);
            });
        }
    }

    async fn connection(&self, client: TcpStream) {
        let Plan {
            upstream, generation, ..
        } = *self.plan.borrow();
        let mut plan = self.plan.subscribe();
        let Ok(server) = TcpStream::connect(upstream).await else {
            let _ = client.set_zero_linger();
            return;
        };
        for stream in [&client, &server] {
            let _ = stream.set_nodelay(true);
        }
        let (client_read, client_write) = client.into_split();
        let (server_read, server_write) = server.into_split();
        let mut to_server = Pump::new(self, Direction::ToServer, client_read, server_write);
        let mut to_client = Pump::new(self, Direction::ToClient, server_read, client_write);
        let orderly = tokio::select! {
            _ = plan.wait_for(|plan| plan.generation != generation) => false,
            ends = async { tokio::try_join!(to_server.run(), to_client.run()) } => ends.is_ok(),
        };
        if !orderly {
            for half in [to_server.write, to_client.write] {
                let _ = half.as_ref().set_zero_linger();
                // Dropping a half says goodbye in an orderly way first, which is not what a cut wire does.
                half.forget();
            }
        }
    }
}

/// Carries one direction of one connection.
struct Pump<'a> {
    wire: &'a Wire,
    direction: Direction,
    read: OwnedReadHalf,
    write: OwnedWriteHalf,
}

impl<'a> Pump<'a> {
    fn new(wire: &'a Wire, direction: Direction, read: OwnedReadHalf, write: OwnedWriteHalf) -> Self {
        Self {
            wire,
            direction,
            read,
            write,
        }
    }

    fn flow(&self, plan: &Plan) -> Flow {
        match self.direction {
            Direction::ToServer => plan.to_server,
            Direction::ToClient => plan.to_client,
        }
    }

    async fn run(&mut self) -> std::io::Result<()> {
        let mut plan = self.wire.plan.subscribe();
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let _ = plan.wait_for(|plan| self.flow(plan) != Flow::Stall).await;
            let read = self.read.read(&mut buffer).await;
            if let Flow::Delay(wait) = { self.flow(&plan.borrow()) } {
                tokio::time::sleep(wait).await;
            }
            // Asked after the read: what was under way when the wire went dead is lost, or held, too.
            let _ = plan.wait_for(|plan| self.flow(plan) != Flow::Stall).await;
            if { self.flow(&plan.borrow()) } == Flow::BlackHole {
                if matches!(read, Ok(1..)) {
                    continue;
                }
                // The end of a stream is lost on a dead wire like everything else.
                let _ = plan.wait_for(|plan| self.flow(plan) != Flow::BlackHole).await;
            }
            let count = read?;
            if count == 0 {
                return self.write.shutdown().await;
            }
            let (passed, limit) = self.wire.counters.of(self.direction);
            let (sent, bound) = (passed.load(Ordering::SeqCst), limit.load(Ordering::SeqCst));
            let room = if bound == 0 {
                u64::MAX
            } else {
                bound.saturating_sub(sent)
            };
            let count = count.min(usize::try_from(room).unwrap_or(usize::MAX));
            self.write.write_all(&buffer[..count]).await?;
            let total = passed.fetch_add(count as u64, Ordering::SeqCst) + count as u64;
            if bound != 0 && total >= bound {
                limit.store(0, Ordering::SeqCst);
                self.wire.plan.send_modify(|plan| plan.generation += 1);
            }
        }
    }
}
