//! A TCP proxy for failure tests: it cuts, stalls or delays what goes through it.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

use esoz_testkit::wait::wait_for_blocking;

use super::ReservedPort;

const EFFECT_WITHIN: Duration = Duration::from_secs(10);

/// What the proxy does to its connections, old and new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Pass,
    Delay(Duration),
    Stall,
    HalfOpen,
    Cut,
    Ended,
}

/// Where bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    ToTarget,
    ToClient,
}

impl Mode {
    /// Whether it holds back what goes that way.
    fn holds(self, way: Way) -> bool {
        self == Self::Stall || (self == Self::HalfOpen && way == Way::ToClient)
    }
}

/// What went through a proxy so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// Connections that clients opened.
    pub accepted: u64,
    /// Connections that are open now.
    pub open: u64,
    /// Bytes handed on to the target.
    pub bytes_to_target: u64,
    /// Bytes handed on to clients.
    pub bytes_to_client: u64,
}

#[derive(Debug, Default)]
struct Counters {
    accepted: AtomicU64,
    open: AtomicU64,
    to_target: AtomicU64,
    to_client: AtomicU64,
}

/// A TCP proxy on a port of 127.0.0.1 of its own, which stays the same through cuts. It runs on a thread of its own,
/// so that it works whatever the test's threads do, and each change is in effect when the call returns. Ends, with its
/// connections, when dropped.
#[derive(Debug)]
pub struct Proxy {
    port: ReservedPort,
    mode: watch::Sender<Mode>,
    listening: watch::Receiver<bool>,
    counters: Arc<Counters>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Proxy {
    /// Starts a proxy to this target, which need not listen yet.
    pub fn start(target: SocketAddr) -> io::Result<Self> {
        Self::start_at(ReservedPort::new().map_err(io::Error::other)?, target)
    }

    /// Starts a proxy on a port that was found before: for a target that tells its clients the proxy's address, such
    /// as a Kafka broker.
    pub fn start_at(port: ReservedPort, target: SocketAddr) -> io::Result<Self> {
        let (mode, mode_seen) = watch::channel(Mode::Pass);
        let (listening_set, listening) = watch::channel(false);
        let counters = Arc::new(Counters::default());
        let worker =
            Worker { address: port.address(), target, mode: mode_seen, counters: Arc::clone(&counters) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new()
            .name(String::from("test-proxy"))
            .spawn(move || runtime.block_on(worker.run(listening_set)))?;
        let proxy = Self { port, mode, listening, counters, thread: Some(thread) };
        proxy.set(Mode::Pass);
        Ok(proxy)
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The port of [`address`](Self::address).
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Closes every connection and refuses new ones, as a host whose server is down.
    pub fn cut(&self) {
        self.set(Mode::Cut);
        wait_for_blocking("the proxy to close its connections", EFFECT_WITHIN, || {
            match self.traffic().open {
                0 => Ok(()),
                open => Err(format!("{open} open")),
            }
        });
    }

    /// Takes connections and bytes and hands nothing on, as a host that hangs. What was held back goes on with
    /// [`heal`](Self::heal).
    pub fn stall(&self) {
        self.set(Mode::Stall);
    }

    /// Hands on what clients send and holds back what they are answered, as a network whose way back is broken. What was held back goes on
    /// with [`heal`](Self::heal).
    pub fn half_open(&self) {
        self.set(Mode::HalfOpen);
    }

    /// Hands everything on, each piece this much later, in both directions.
    pub fn delay(&self, by: Duration) {
        self.set(Mode::Delay(by));
    }

    /// Takes and hands on everything at once again.
    pub fn heal(&self) {
        self.set(Mode::Pass);
    }

    /// What went through so far.
    pub fn traffic(&self) -> Traffic {
        let counters = &self.counters;
        Traffic {
            accepted: counters.accepted.load(Ordering::SeqCst),
            open: counters.open.load(Ordering::SeqCst),
            bytes_to_target: counters.to_target.load(Ordering::SeqCst),
            bytes_to_client: counters.to_client.load(Ordering::SeqCst),
        }
    }

    fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
        wait_for_blocking("the proxy to follow", EFFECT_WITHIN, || {
            let follows = *self.listening.borrow() == (mode != Mode::Cut);
            follows.then_some(()).ok_or_else(|| format!("not yet {mode:?} at {}", self.address()))
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.mode.send_replace(Mode::Ended);
        if let Some(thread) = self.thread.take() {
            // An error in it was told by `set`, which waited in vain.
            drop(thread.join());
        }
    }
}

/// The proxy's own side.
struct Worker {
    address: SocketAddr,
    target: SocketAddr,
    mode: watch::Receiver<Mode>,
    counters: Arc<Counters>,
}

impl Worker {
    async fn run(mut self, listening: watch::Sender<bool>) -> io::Result<()> {
        loop {
            let listener = TcpListener::bind(self.address).await?;
            listening.send_replace(true);
            let mode = loop {
                let mut watched = self.mode.clone();
                tokio::select! {
                    // A cut first: a connection that came with it is not taken.
                    biased;
                    mode = closed(&mut watched) => break mode,
                    accepted = listener.accept() => self.serve(accepted?.0),
                }
            };
            drop(listener);
            listening.send_replace(false);
            if mode == Mode::Ended || self.mode.wait_for(|mode| *mode != Mode::Cut).await.is_err() {
                return Ok(());
            }
            if *self.mode.borrow() == Mode::Ended {
                return Ok(());
            }
        }
    }

    fn serve(&self, client: TcpStream) {
        let target = self.target;
        let mut mode = self.mode.clone();
        let counters = Arc::clone(&self.counters);
        counters.accepted.fetch_add(1, Ordering::SeqCst);
        counters.open.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            let (up, down) = (mode.clone(), mode.clone());
            let pass = async {
                let server = TcpStream::connect(target).await?;
                client.set_nodelay(true)?;
                server.set_nodelay(true)?;
                let (client_read, client_write) = client.into_split();
                let (server_read, server_write) = server.into_split();
                tokio::try_join!(
                    hand_on(client_read, server_write, up, Way::ToTarget, &counters.to_target),
                    hand_on(server_read, client_write, down, Way::ToClient, &counters.to_client),
                )
            };
            // However it ends, both streams are dropped and so closed.
            tokio::select! {
                _ = closed(&mut mode) => {}
                _ = pass => {}
            }
            counters.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

/// Waits until the proxy takes no connections any more.
async fn closed(mode: &mut watch::Receiver<Mode>) -> Mode {
    match mode.wait_for(|mode| matches!(mode, Mode::Cut | Mode::Ended)).await {
        Ok(mode) => *mode,
        Err(_) => Mode::Ended,
    }
}

async fn hand_on(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut mode: watch::Receiver<Mode>,
    way: Way,
    counter: &AtomicU64,
) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = from.read(&mut buffer).await?;
        let now = match mode.wait_for(|mode| !mode.holds(way)).await {
            Ok(now) => *now,
            Err(_) => return Ok(()),
        };
        if let Mode::Delay(by) = now {
            tokio::time::sleep(by).await;
        }
        if count == 0 {
            return to.shutdown().await;
        }
        to.write_all(buffer.get(..count).unwrap_or_default()).await?;
        counter.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::SeqCst);
    }
}
