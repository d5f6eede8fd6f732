//! Names of attributes: a contract with whoever looks at traces, once.
//!
//! Messaging names are those of semantic conventions 1.42; 1.45 renames some of them.

/// Semantic conventions that the names below follow.
pub(super) const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.42.0";

// Resource.
pub(super) const SERVICE_NAME: &str = "service.name";
pub(super) const SERVICE_VERSION: &str = "service.version";
pub(super) const SERVICE_INSTANCE_ID: &str = "service.instance.id";
pub(super) const HOST_NAME: &str = "host.name";
pub(super) const PROCESS_PID: &str = "process.pid";
pub(super) const K8S_POD_NAME: &str = "k8s.pod.name";
pub(super) const K8S_NAMESPACE_NAME: &str = "k8s.namespace.name";
pub(super) const K8S_NODE_NAME: &str = "k8s.node.name";

// Spans: messaging conventions.
pub(super) const SYSTEM: &str = "messaging.system";
pub(super) const OPERATION_NAME: &str = "messaging.operation.name";
pub(super) const OPERATION_TYPE: &str = "messaging.operation.type";
pub(super) const DESTINATION: &str = "messaging.destination.name";
pub(super) const DESTINATION_PARTITION: &str = "messaging.destination.partition.id";
pub(super) const CONSUMER_GROUP: &str = "messaging.consumer.group.name";
pub(super) const BATCH_MESSAGES: &str = "messaging.batch.message_count";
pub(super) const ERROR_TYPE: &str = "error.type";

// Spans: our own.
pub(super) const SOURCES: &str = "hotprefix.sources";
pub(super) const RECORDS: &str = "hotprefix.records";
pub(super) const BYTES: &str = "hotprefix.bytes";
pub(super) const WINDOWS: &str = "hotprefix.windows";
pub(super) const WINDOW_FIRST_END: &str = "hotprefix.window.first_end";
pub(super) const WINDOW_LAST_END: &str = "hotprefix.window.last_end";
pub(super) const LEAVES: &str = "hotprefix.leaves";
pub(super) const ALERTS: &str = "hotprefix.alerts";
pub(super) const LINKS_LEFT_OUT: &str = "hotprefix.links_left_out";
