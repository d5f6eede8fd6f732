//! The topics of an application, created before it starts: all on the first broker, where hotprefix would
//! spread them over all.

use super::kafka_client::Topic;
use super::kafka_node::Cluster;

/// With the settings that hotprefix asks for.
pub(crate) fn create_internal(cluster: &Cluster, application: &str) {
    create_internal_of(cluster, application, 4);
}

/// The same of so many partitions.
pub(crate) fn create_internal_of(cluster: &Cluster, application: &str, partitions: usize) {
    let topics: [(&str, &[(&str, &str)]); 6] = [
        // Also of windows of long ago.
        ("alerts", &[("retention.ms", "-1")]),
        ("active", &[("cleanup.policy", "compact")]),
        ("windows", &[("retention.ms", "-1")]),
        (
            "partials",
            &[
                ("message.timestamp.type", "LogAppendTime"),
                ("retention.ms", "86430000"),
            ],
        ),
        (
            "state",
            &[
                ("message.timestamp.type", "LogAppendTime"),
                ("cleanup.policy", "compact"),
                ("max.message.bytes", "8388608"),
            ],
        ),
        (
            "dead-letters",
            &[
                ("message.timestamp.type", "LogAppendTime"),
                ("max.message.bytes", "1114124"),
            ],
        ),
    ];
    for (which, settings) in topics {
        let name = format!("{application}-{which}");
        let topic = Topic::new(&name, partitions);
        let topic = settings
            .iter()
            .fold(topic, |topic, (name, value)| topic.setting(name, value));
        topic.create(cluster);
    }
}
