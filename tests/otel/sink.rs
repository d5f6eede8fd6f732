//! What a Collector sends on, kept as the JSON that it is.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// Bodies by signal: `traces`, `metrics`, `logs`.
type Bodies = Arc<Mutex<HashMap<String, Vec<Value>>>>;

/// Takes OTLP over HTTP with JSON on a port of its own.
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    bodies: Bodies,
    _runtime: Runtime,
}

impl Sink {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime can be started");
        let listener = runtime
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let bodies = Bodies::default();
        let router = Router::new()
            .route("/v1/{signal}", axum::routing::post(take))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&bodies));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self {
            address,
            bodies,
            _runtime: runtime,
        }
    }

    /// Everything of one signal so far, in the order in which it came.
    pub(crate) fn all(&self, signal: &str) -> Vec<Value> {
        let bodies = self.bodies.lock().expect("no test panicked in here");
        bodies.get(signal).cloned().unwrap_or_default()
    }
}

async fn take(
    State(bodies): State<Bodies>,
    Path(signal): Path<String>,
    body: Bytes,
) -> &'static str {
    let body = serde_json::from_slice(&body).expect("the Collector sends JSON");
    let mut bodies = bodies.lock().expect("no test panicked in here");
    bodies.entry(signal).or_default().push(body);
    "{}"
}
