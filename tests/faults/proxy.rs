//! The network between instances and brokers: connections that can be held, cut and slowed.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::schedule::Between;
use crate::support::kafka_node::{Cluster, Route};

/// What a link does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Passes on.
    Open,
    /// Keeps connections and what comes on them; passes nothing on until it is open again.
    Held,
    /// Resets connections, and every new one.
    Cut,
    /// Passes each piece on after a while.
    Slow(Duration),
}

/// All links of a cluster. They live as long as the process.
pub(crate) struct Network(Vec<(Route, Arc<Link>)>);

impl Network {
    /// Listens on every route of a cluster.
    pub(crate) fn of(cluster: &Cluster) -> Self {
        let links = cluster.routes().map(|route| {
            let link = Arc::new(Link::default());
            listen(route, Arc::clone(&link));
            (route, link)
        });
        Self(links.collect())
    }

    /// Sets what the links in question do from now on.
    pub(crate) fn set(&self, between: Between, mode: Mode) {
        for (route, link) in &self.0 {
            let is_meant = match between {
                Between::Instance(slot) => route.number == slot,
                Between::Broker(id) => route.node == id,
            };
            if is_meant {
                link.set(mode);
            }
        }
    }

    /// Opens all.
    pub(crate) fn heal(&self) {
        for (_, link) in &self.0 {
            link.set(Mode::Open);
        }
    }
}

/// One instance's way to one broker.
struct Link {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    mode: Mode,
    /// Both ends of every connection.
    ends: Vec<TcpStream>,
}

impl Default for Link {
    fn default() -> Self {
        let state = State {
            mode: Mode::Open,
            ends: Vec::new(),
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }
}

impl Link {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, mode: Mode) {
        let mut state = self.lock();
        state.mode = mode;
        if mode == Mode::Cut {
            for end in state.ends.drain(..) {
                // It may be closed already.
                let _ = end.shutdown(Shutdown::Both);
            }
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until something may pass. False: the connection is cut.
    fn pass(&self) -> bool {
        let mut state = self.lock();
        loop {
            match state.mode {
                Mode::Open => return true,
                Mode::Cut => return false,
                Mode::Held => {
                    let woken = self.changed.wait(state);
                    state = woken.unwrap_or_else(PoisonError::into_inner);
                }
                Mode::Slow(delay) => {
                    drop(state);
                    crate::support::wait::pass(delay);
                    return true;
                }
            }
        }
    }

    /// Remembers both ends of a connection, unless there may be none.
    fn enter(&self, ends: [&TcpStream; 2]) -> bool {
        let mut state = self.lock();
        if state.mode == Mode::Cut {
            return false;
        }
        // Those that are closed have no peer any more.
        state.ends.retain(|end| end.peer_addr().is_ok());
        let copies = ends.map(TcpStream::try_clone);
        state.ends.extend(copies.into_iter().flatten());
        true
    }
}

fn listen(route: Route, link: Arc<Link>) {
    let listener = TcpListener::bind(("127.0.0.1", route.advertised))
        .expect("the port was free when the cluster took it");
    spawn("proxy", move || {
        for client in listener.incoming().flatten() {
            // Nobody listens while the broker is down: the client is refused, as it would be without us.
            let Ok(server) = TcpStream::connect(("127.0.0.1", route.target)) else {
                continue;
            };
            for end in [&client, &server] {
                // Without it, small requests wait for each other.
                let _ = end.set_nodelay(true);
            }
            if link.enter([&client, &server]) {
                join(client, server, &link);
            }
        }
    });
}

/// Passes on what either says until one of them ends.
fn join(client: TcpStream, server: TcpStream, link: &Arc<Link>) {
    let copies = (client.try_clone(), server.try_clone());
    let (Ok(from_client), Ok(from_server)) = copies else {
        return;
    };
    for (from, to) in [(from_client, server), (from_server, client)] {
        let link = Arc::clone(link);
        spawn("proxy-pump", move || pump(from, to, &link));
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, link: &Link) {
    let mut buffer = vec![0; 256 * 1024];
    while let Ok(length) = from.read(&mut buffer) {
        if length == 0 || !link.pass() || to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .expect("a thread can be started");
}
