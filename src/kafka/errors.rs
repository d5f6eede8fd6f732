//! Failures, named by what the caller must do about them.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::statistics::StatisticsLog;

/// A failure that trying again cannot mend: the process says why and exits non-zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fatal(pub String);

impl fmt::Display for Fatal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fatal {}

/// Why a request had no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// The same may succeed later.
    Retry(String),
    /// It will not.
    Fatal(Fatal),
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retry(why) => f.write_str(why),
            Self::Fatal(fatal) => fatal.fmt(f),
        }
    }
}

impl std::error::Error for RequestError {}

impl From<Fatal> for RequestError {
    fn from(fatal: Fatal) -> Self {
        Self::Fatal(fatal)
    }
}

impl RequestError {
    /// Classes `error`, which came while doing `what`.
    pub(crate) fn from_kafka(what: &str, error: &KafkaError) -> Self {
        let text = format!("{what}: {error}");
        let fatal = match error {
            KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_) | KafkaError::Nul(_) => {
                true
            }
            KafkaError::Transaction(e) => is_permanent(e.code()),
            other => other.rdkafka_error_code().is_some_and(is_permanent),
        };
        if fatal {
            Self::Fatal(Fatal(text))
        } else {
            Self::Retry(text)
        }
    }

    /// The same where these rights are needed for it.
    pub(crate) fn needing(what: &str, error: &KafkaError, rights: &[Right<'_>]) -> Self {
        let code = match error {
            KafkaError::Transaction(e) => Some(e.code()),
            other => other.rdkafka_error_code(),
        };
        let missing: String = rights.iter().map(|right| right.missing(code)).collect();
        Self::from_kafka(what, error).told(format!("{what}: {error}{missing}"))
    }

    /// The same in other words.
    pub(crate) fn told(self, text: String) -> Self {
        match self {
            Self::Retry(_) => Self::Retry(text),
            Self::Fatal(_) => Self::Fatal(Fatal(text)),
        }
    }

    /// As fatal, whatever it was: for places that do not try again.
    pub(crate) fn into_fatal(self) -> Fatal {
        match self {
            Self::Retry(why) => Fatal(why),
            Self::Fatal(fatal) => fatal,
        }
    }
}

/// What an access control list must allow, in its words: `WRITE on topic hotprefix-alerts`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Right<'n> {
    operation: &'static str,
    kind: &'static str,
    name: &'n str,
}

impl<'n> Right<'n> {
    /// An operation on a topic.
    pub(crate) const fn topic(operation: &'static str, name: &'n str) -> Self {
        let kind = "topic";
        Self {
            operation,
            kind,
            name,
        }
    }

    /// An operation on a consumer group.
    pub(crate) const fn group(operation: &'static str, name: &'n str) -> Self {
        let kind = "group";
        Self {
            operation,
            kind,
            name,
        }
    }

    /// To write under a transactional id.
    pub(crate) const fn transactional_id(name: &'n str) -> Self {
        Self {
            operation: "WRITE",
            kind: "transactional id",
            name,
        }
    }

    /// Appended to an error that comes when it is missing; nothing to any other.
    pub(crate) fn missing(self, code: Option<Code>) -> String {
        let matching = match code {
            Some(Code::TopicAuthorizationFailed) => self.kind == "topic",
            Some(Code::GroupAuthorizationFailed) => self.kind == "group",
            Some(Code::TransactionalIdAuthorizationFailed) => self.kind == "transactional id",
            // Creating topics is a right on the cluster, too.
            Some(Code::ClusterAuthorizationFailed) => true,
            _ => false,
        };
        if matching {
            format!("; {self}")
        } else {
            String::new()
        }
    }
}

impl fmt::Display for Right<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            operation,
            kind,
            name,
        } = self;
        write!(f, "the user needs {operation} on {kind} {name}")
    }
}

/// Errors that only an operator can end: permissions, sizes, unsupported requests.
pub(crate) const fn is_permanent(code: Code) -> bool {
    matches!(
        code,
        Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
            | Code::SaslAuthenticationFailed
            | Code::MessageSizeTooLarge
            | Code::InvalidTimestamp
            | Code::PolicyViolation
            | Code::UnsupportedVersion
            | Code::UnsupportedForMessageFormat
            | Code::InvalidTransactionTimeout
            | Code::SecurityDisabled
            | Code::Authentication
    )
}

/// What clients complained about last, for `/readyz` and the log.
#[derive(Debug, Default)]
pub struct ErrorLog {
    count: AtomicU64,
    last: Mutex<Option<String>>,
}

impl ErrorLog {
    /// Remembers `text`.
    pub fn record(&self, text: impl Into<String>) {
        self.count.fetch_add(1, Ordering::Relaxed);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.into());
    }

    /// Errors so far.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// The last one.
    pub fn last(&self) -> Option<String> {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// What the clients of a process say of themselves.
#[derive(Debug, Default)]
pub struct ClientLog {
    /// Complaints.
    pub errors: ErrorLog,
    /// Regular reports.
    pub statistics: StatisticsLog,
}

/// Hands librdkafka's log lines to `tracing`.
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, line: &str) {
    match level {
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error => tracing::error!(target: "librdkafka", facility, "{line}"),
        RDKafkaLogLevel::Warning => tracing::warn!(target: "librdkafka", facility, "{line}"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
            tracing::info!(target: "librdkafka", facility, "{line}");
        }
        RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{line}"),
    }
}
