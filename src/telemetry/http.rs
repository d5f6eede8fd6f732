//! `/metrics`, `/livez` and `/readyz`.
//!
//! In: connections from whoever can reach the address. Out: answers to GET and HEAD; nothing here changes anything.
//! Guarantees against a peer that means harm: a connection carries one request and lives for at most
//! [`LIFE`]; a head that is slow or too large is refused; there are at most [`CONNECTIONS`] connections, and one more
//! ends the oldest, so that a probe, which is answered as soon as it has come, is never kept out by idle ones. On
//! failure to listen nothing is served; a connection that fails costs a connection.
//!
//! The loop is our own since `axum::serve` has no timer, and therefore neither a timeout nor a limit; hyper, on which
//! it stands, has both.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinHandle};

use super::{Metrics, Readiness, Watch, readiness};

/// What Prometheus 3 accepts without a hint in its configuration.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Connections at a time: probes, a few scrapers, and a person.
const CONNECTIONS: usize = 64;
/// For a request's line and headers to arrive.
const HEAD: Duration = Duration::from_secs(5);
/// For all of a connection, so that a reader who takes nothing does not stay either. Prometheus gives up after 10 s.
const LIFE: Duration = Duration::from_secs(15);
/// Largest request line with headers, in bytes; ours are below 1 KiB. hyper takes no less than 8 KiB.
const HEAD_BYTES: usize = 16 * 1024;
/// After an accept that failed: no file descriptor is free, and one may be soon.
const PAUSE: Duration = Duration::from_millis(100);

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address is taken or not ours.
    #[error("http.listen {address}: {source}; another address, or `off`, would be valid")]
    Listen {
        /// As configured.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
}

/// A running server. It ends with the runtime, or when it is dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it listens; tells the port when 0 was asked for.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Shared {
    watch: Watch,
    metrics: Arc<Metrics>,
}

/// Listens on `address` and answers from `metrics` and from what `watch` says.
pub async fn serve(
    address: SocketAddr,
    metrics: Arc<Metrics>,
    watch: Watch,
) -> Result<Server, HttpError> {
    let refused = |source| HttpError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let router = Router::new()
        .route("/metrics", get(scrape))
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .with_state(Shared { watch, metrics });
    let task = tokio::spawn(accept(listener, router));
    Ok(Server { address, task })
}

/// Takes connections until it is aborted, and the connections with it.
async fn accept(listener: TcpListener, router: Router) {
    let mut open = Open::default();
    let mut told = false;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                told = false;
                open.begin(stream, router.clone());
            }
            Err(error) => {
                if !told {
                    tracing::warn!(%error, "http takes no connections");
                }
                told = true;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// The connections that may still be open, the oldest first. Dropped: ended.
#[derive(Default)]
struct Open(VecDeque<AbortHandle>);

impl Open {
    fn begin(&mut self, stream: TcpStream, router: Router) {
        self.0.retain(|connection| !connection.is_finished());
        if self.0.len() >= CONNECTIONS
            && let Some(oldest) = self.0.pop_front()
        {
            oldest.abort();
        }
        let connection = tokio::spawn(async move {
            // What goes wrong on a connection is its peer's business.
            let _ = tokio::time::timeout(LIFE, answer(stream, router)).await;
        });
        self.0.push_back(connection.abort_handle());
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

/// One request.
async fn answer(stream: TcpStream, router: Router) -> Result<(), hyper::Error> {
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .await
}

async fn scrape(State(shared): State<Shared>) -> Response {
    match shared.metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn ready(State(shared): State<Shared>) -> (StatusCode, String) {
    match readiness(&(shared.watch)()) {
        Readiness::Ready => (StatusCode::OK, "ready\n".to_owned()),
        Readiness::NotReady(reasons) => {
            (StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n") + "\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::sync::Mutex;

    use opentelemetry_sdk::Resource;

    use super::*;
    use crate::telemetry::{CountStatus, Snapshot};

    fn metrics() -> Arc<Metrics> {
        let resource = Resource::builder_empty().build();
        Arc::new(Metrics::new(resource, |_| None).unwrap())
    }

    fn fetch(address: SocketAddr, path: &str) -> String {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn endpoints_follow_the_state() {
        let state = Arc::new(Mutex::new(Snapshot::default()));
        let watched = Arc::clone(&state);
        let watch: Watch = Arc::new(move || watched.lock().unwrap().clone());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let metrics = metrics();
        metrics.observe(&watch);
        let server = runtime.block_on(serve(any, metrics, watch)).unwrap();

        let answer = fetch(server.address, "/readyz");
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(answer.ends_with("starting\n"), "{answer}");
        assert!(fetch(server.address, "/livez").contains("200 OK"));

        state.lock().unwrap().count = Some(CountStatus {
            assigned: true,
            ..CountStatus::default()
        });
        let answer = fetch(server.address, "/readyz");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let answer = fetch(server.address, "/metrics");
        assert!(answer.contains("text/plain; version=0.0.4"), "{answer}");
        assert!(answer.contains("\nhotprefix_build_info{"), "{answer}");
    }

    #[test]
    fn taken_address_is_named() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = taken.local_addr().unwrap();
            let refused = serve(address, metrics(), Arc::new(Snapshot::default)).await;
            let message = refused.unwrap_err().to_string();
            assert!(
                message.starts_with(&format!("http.listen {address}: ")),
                "{message}"
            );
        });
    }
}
