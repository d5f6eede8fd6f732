//! Topics that a transaction was refused.
//!
//! The error of the transaction does not name them; the line that librdkafka logs does. In: log lines, on the polling
//! thread. Out: which rights are missing, waiting a little for the line if need be.

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::errors::Right;

/// The line and the error are made together, but another thread serves the line.
const PATIENCE: Duration = Duration::from_secs(1);

/// What was refused in the life of one producer.
#[derive(Debug, Default)]
pub(super) struct Unwritable {
    topics: Mutex<BTreeSet<String>>,
    more: Condvar,
}

impl Unwritable {
    /// Looks at a log line.
    pub(super) fn logged(&self, facility: &str, line: &str) {
        if let Some(topic) = topic(facility, line) {
            let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
            topics.insert(topic.to_owned());
            self.more.notify_all();
        }
    }

    /// To be appended to the transaction's error.
    pub(super) fn missing(&self) -> String {
        let topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .more
            .wait_timeout_while(topics, PATIENCE, |topics| topics.is_empty());
        let (topics, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let rights = topics.iter().map(|topic| Right::topic("WRITE", topic));
        let missing: Vec<_> = rights.map(|right| format!("; {right}")).collect();
        missing.concat()
    }
}

/// Of `Failed to add partition "hotprefix-alerts" [0] to transaction: Broker: Topic authorization failed`.
fn topic<'l>(facility: &str, line: &'l str) -> Option<&'l str> {
    if facility != "ADDPARTS" || !line.contains("authorization failed") {
        return None;
    }
    let (_, rest) = line.split_once("Failed to add partition \"")?;
    rest.split_once('"').map(|(topic, _)| topic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_topics_are_named_and_others_are_not() {
        let unwritable = Unwritable::default();
        let line = |what: &str| {
            format!(
                "[thrd:main]: TxnCoordinator/1: Failed to add partition \"a-b\" [0] to transaction: {what}"
            )
        };
        unwritable.logged(
            "ADDPARTS",
            &line("Broker: Producer attempted an operation with an old epoch"),
        );
        unwritable.logged("FAIL", &line("Broker: Topic authorization failed"));
        unwritable.logged("ADDPARTS", &line("Broker: Topic authorization failed"));
        assert_eq!(unwritable.missing(), "; the user needs WRITE on topic a-b");
    }
}
