//! The HTTP client, which remembers why a request failed: the exporter says `network error`, be it a refused
//! connection or a certificate.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use reqwest::blocking::Client;

/// Why the last request failed, until somebody asks.
#[derive(Clone, Debug, Default)]
pub(super) struct Cause(Arc<Mutex<Option<String>>>);

impl Cause {
    pub(super) fn take(&self) -> Option<String> {
        self.lock().take()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        // An option, whole after every statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client that leaves its errors in a [`Cause`].
#[derive(Debug)]
pub(super) struct Telling {
    pub(super) client: Client,
    pub(super) cause: Cause,
}

impl HttpClient for Telling {
    fn send_bytes<'s, 'f>(
        &'s self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'f>>
    where
        's: 'f,
        Self: 'f,
    {
        Box::pin(async move {
            let result = self.client.send_bytes(request).await.map_err(without_url);
            *self.cause.lock() = result.as_ref().err().map(|error| reason(error.as_ref()));
            result
        })
    }
}

/// The URL is told by whoever knows what of it may be told: its query may hold a key.
fn without_url(error: HttpError) -> HttpError {
    match error.downcast::<reqwest::Error>() {
        Ok(error) => error.without_url().into(),
        Err(other) => other,
    }
}

/// An error with what is behind it.
pub(super) fn reason(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |e| e.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
