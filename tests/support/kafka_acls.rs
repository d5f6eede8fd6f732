//! Access control lists, made through librdkafka: rdkafka has no safe interface to them.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::ptr;

use rdkafka::bindings as sys;
use rdkafka::config::FromClientConfig;
use rdkafka::producer::{BaseProducer, Producer};

use super::kafka_node::Cluster;

/// One operation on one resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Acl {
    /// As `kafka-acls` spells it.
    pub(crate) operation: String,
    /// `topic`, `group` or `transactional id`.
    pub(crate) kind: String,
    /// With `*` at the end: all names that begin so.
    pub(crate) name: String,
}

/// Allows `user` all of these.
pub(crate) fn allow(cluster: &Cluster, user: &str, acls: &[Acl]) {
    let producer = BaseProducer::from_config(&cluster.client()).expect("a client can be created");
    let client = producer.client().native_ptr();
    let mut bindings: Vec<_> = acls.iter().map(|acl| binding(user, acl)).collect();
    // SAFETY: client and bindings are alive until the answer has come; all objects are destroyed once, in the
    // order in which they point to each other; texts are C strings that live as long as the event.
    unsafe {
        let queue = sys::rd_kafka_queue_new(client);
        let count = bindings.len();
        sys::rd_kafka_CreateAcls(client, bindings.as_mut_ptr(), count, ptr::null(), queue);
        let event = sys::rd_kafka_queue_poll(queue, 30_000);
        assert!(!event.is_null(), "the broker answers CreateAcls");
        let result = sys::rd_kafka_event_CreateAcls_result(event);
        assert!(!result.is_null(), "the event is an answer to CreateAcls");
        let mut answered = 0;
        let results = sys::rd_kafka_CreateAcls_result_acls(result, &raw mut answered);
        assert_eq!(
            answered,
            acls.len(),
            "{}",
            text(sys::rd_kafka_event_error_string(event))
        );
        for (at, acl) in acls.iter().enumerate() {
            let error = sys::rd_kafka_acl_result_error(*results.add(at));
            let refused = !error.is_null();
            assert!(
                !refused,
                "{acl:?}: {}",
                text(sys::rd_kafka_error_string(error))
            );
        }
        sys::rd_kafka_event_destroy(event);
        sys::rd_kafka_queue_destroy(queue);
        for binding in bindings {
            sys::rd_kafka_AclBinding_destroy(binding);
        }
    }
}

fn binding(user: &str, acl: &Acl) -> *mut sys::rd_kafka_AclBinding_t {
    use sys::rd_kafka_AclOperation_t as Operation;
    use sys::rd_kafka_ResourcePatternType_t as Pattern;
    use sys::rd_kafka_ResourceType_t as Kind;
    let operation = match acl.operation.as_str() {
        "Read" => Operation::RD_KAFKA_ACL_OPERATION_READ,
        "Write" => Operation::RD_KAFKA_ACL_OPERATION_WRITE,
        "Create" => Operation::RD_KAFKA_ACL_OPERATION_CREATE,
        "Delete" => Operation::RD_KAFKA_ACL_OPERATION_DELETE,
        "Describe" => Operation::RD_KAFKA_ACL_OPERATION_DESCRIBE,
        "DescribeConfigs" => Operation::RD_KAFKA_ACL_OPERATION_DESCRIBE_CONFIGS,
        other => panic!("no operation {other}"),
    };
    let kind = match acl.kind.as_str() {
        "topic" => Kind::RD_KAFKA_RESOURCE_TOPIC,
        "group" => Kind::RD_KAFKA_RESOURCE_GROUP,
        "transactional id" => Kind::RD_KAFKA_RESOURCE_TRANSACTIONAL_ID,
        other => panic!("no resource {other}"),
    };
    let (name, pattern) = match acl.name.strip_suffix('*') {
        Some(prefix) => (prefix, Pattern::RD_KAFKA_RESOURCE_PATTERN_PREFIXED),
        None => (
            acl.name.as_str(),
            Pattern::RD_KAFKA_RESOURCE_PATTERN_LITERAL,
        ),
    };
    let string = |text: &str| CString::new(text).expect("no name has a zero byte");
    let (name, user, host) = (string(name), string(&format!("User:{user}")), string("*"));
    let mut why = [0; 256];
    // SAFETY: the strings are C strings that librdkafka copies; `why` has room for as many bytes as said.
    unsafe {
        let binding = sys::rd_kafka_AclBinding_new(
            kind,
            name.as_ptr(),
            pattern,
            user.as_ptr(),
            host.as_ptr(),
            operation,
            sys::rd_kafka_AclPermissionType_t::RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW,
            why.as_mut_ptr(),
            why.len(),
        );
        assert!(!binding.is_null(), "{acl:?}: {}", text(why.as_ptr()));
        binding
    }
}

/// # Safety
/// `c` is null or a C string.
unsafe fn text(c: *const std::ffi::c_char) -> String {
    if c.is_null() {
        return "no reason".to_owned();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(c) }.to_string_lossy().into_owned()
}
