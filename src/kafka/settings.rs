//! What each client is configured with: the operator's `kafka:` map below, what the design owns on top.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use super::access::{Access, PlainContext};
use super::statistics::INTERVAL_MS;
use super::token::Tokens;
use crate::config::{AppliesTo, Config, KafkaProperties, applies_to};

/// A transaction that is not over by then is aborted by the broker.
pub(crate) const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);

/// How long one blocking request to a broker may take before it is tried again.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Classic group: a killed instance is replaced after this.
pub(super) const SESSION_TIMEOUT_MS: &str = "10000";
/// Classic group: a few heartbeats may be lost within the session timeout.
const HEARTBEAT_INTERVAL_MS: &str = "2000";
/// New partitions of the input are seen this soon.
const METADATA_REFRESH_MS: &str = "2000";
/// Records that a member has ready to be read, in all partitions of its topics together: 20 ms of input at full speed.
/// Each takes some 350 bytes beside its own, so that these are most of an instance's memory when it catches up.
const READY_RECORDS: u32 = 65_536;
/// The same in KiB.
const READY_KBYTES: u32 = 64 * 1024;
/// What one fetch brings at most beyond that, compressed, in bytes.
const FETCHED_BYTES: u32 = 4 * 1024 * 1024;
/// What it brings of one partition. A batch that is larger comes only if its partition is the first in the answer: with less
/// than what producers write at once, a fetch from 256 partitions brings one of them (docs/performance.md). More is memory.
const PARTITION_BYTES: RangeInclusive<u32> = 512 * 1024..=1024 * 1024;
/// How long a broker holds back a fetch that brings nothing. librdkafka has one at a time at each broker, for those
/// partitions of which little is ready: while it waits for one that is at its end, the others run dry. With its default
/// of 500 ms, the last 300,000 of 16 million flows took 3 s where the rest took 5.
const FETCH_WAIT_MS: u32 = 50;
/// A reader may hold what a member may of one of so many partitions.
const READER_SHARE: u32 = 4;

/// `group.protocol`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupProtocol {
    /// Members assign; cooperative-sticky.
    Classic,
    /// The broker assigns (KIP-848).
    Consumer,
}

/// Makes the configuration of every client.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    kafka: KafkaProperties,
    tokens: Option<Arc<Tokens>>,
    application_id: String,
    /// The name of a static member of the groups; `None` is a dynamic one.
    static_member: Option<String>,
}

impl ClientSettings {
    /// From the operator's configuration.
    pub fn new(config: &Config) -> Self {
        let mut kafka = BTreeMap::clone(&config.kafka);
        let tokens = Tokens::take(&mut kafka);
        Self {
            kafka: kafka.into(),
            tokens,
            application_id: config.application_id.clone(),
            static_member: None,
        }
    }

    /// The same for the instance of this name, by which its groups know it if membership is static.
    pub fn of_instance(config: &Config, name: &str) -> Self {
        Self {
            static_member: config.static_membership.then(|| name.to_owned()),
            ..Self::new(config)
        }
    }

    /// What a client needs to be let in.
    pub(crate) fn access(&self) -> Access {
        Access::new(&self.kafka, self.tokens.clone())
    }

    /// The context of a client without callbacks of its own.
    pub(crate) fn plain(&self) -> PlainContext {
        PlainContext {
            access: self.access(),
        }
    }

    /// The application's name.
    pub fn application_id(&self) -> &str {
        &self.application_id
    }

    /// The group of a stage: `<app>-count` or `<app>-detect`.
    pub fn group(&self, stage: &str) -> String {
        format!("{}-{stage}", self.application_id)
    }

    /// The group protocol that the operator chose. Default classic.
    pub fn group_protocol(&self) -> GroupProtocol {
        match self.kafka.get("group.protocol").map(String::as_str) {
            Some(p) if p.eq_ignore_ascii_case("consumer") => GroupProtocol::Consumer,
            _ => GroupProtocol::Classic,
        }
    }

    /// What the operator wrote, without what is of the `other` kind of client only.
    fn operator(&self, other: AppliesTo) -> ClientConfig {
        let mut client = ClientConfig::new();
        // Follows the filter of our log otherwise, and a command without a log would not hear why connections end.
        if (client.log_level as i32) < RDKafkaLogLevel::Info as i32 {
            client.set_log_level(RDKafkaLogLevel::Info);
        }
        for (key, value) in &self.kafka {
            if applies_to(key) != Some(other) {
                client.set(key, value);
            }
        }
        if !self.kafka.contains_key("client.id") {
            client.set("client.id", &self.application_id);
        }
        client
    }

    /// Sets `key` unless the operator did.
    fn default(&self, client: &mut ClientConfig, key: &str, value: &str) {
        if !self.kafka.contains_key(key) {
            client.set(key, value);
        }
    }

    /// A client that only asks: offsets, metadata, administration. Sees uncommitted ends.
    pub(crate) fn admin(&self) -> ClientConfig {
        let mut client = self.operator(AppliesTo::Producer);
        client.remove("group.protocol");
        // Nobody listens.
        client.remove("statistics.interval.ms");
        client.set("isolation.level", "read_uncommitted");
        client.set("topic.metadata.refresh.interval.ms", METADATA_REFRESH_MS);
        client
    }

    /// The same, which may ask for what the group of `stage` has committed without being in it.
    pub(crate) fn onlooker(&self, stage: &str) -> ClientConfig {
        let mut client = self.admin();
        client.set("group.id", self.group(stage));
        client.set("enable.auto.commit", "false");
        client
    }

    /// A consumer that is given its partitions and belongs to no group. librdkafka wants a group name
    /// for that; it is never joined.
    pub(crate) fn reader(&self, group: &str) -> ClientConfig {
        let mut client = self.operator(AppliesTo::Producer);
        client.remove("group.protocol");
        // Nobody listens.
        client.remove("statistics.interval.ms");
        // One partition, for a moment: no need for all that a member may hold.
        self.consume(&mut client, group, READER_SHARE);
        client.set("enable.partition.eof", "true");
        client
    }

    /// The name under which this process is a static member of its groups.
    pub(crate) fn static_member(&self) -> Option<&str> {
        self.static_member.as_deref()
    }

    /// A member of a stage's group, whose topics have so many partitions: any number of them may become its own, and
    /// each has a queue.
    pub(crate) fn member(&self, stage: &str, partitions: u32) -> ClientConfig {
        let mut client = self.operator(AppliesTo::Producer);
        self.consume(&mut client, &self.group(stage), partitions);
        self.default(&mut client, "statistics.interval.ms", INTERVAL_MS);
        client.set("topic.metadata.refresh.interval.ms", METADATA_REFRESH_MS);
        if let Some(name) = &self.static_member {
            client.set("group.instance.id", name);
        }
        // See `group` for why a member must not get this event.
        client.set("enable.partition.eof", "false");
        if self.group_protocol() == GroupProtocol::Classic {
            // Forbidden under `consumer`, where the broker decides.
            self.default(&mut client, "session.timeout.ms", SESSION_TIMEOUT_MS);
            self.default(&mut client, "heartbeat.interval.ms", HEARTBEAT_INTERVAL_MS);
            // Unlike range, it leaves partitions where they are: the others go on counting during a
            // rebalance, and detect does not restore state that it has.
            client.set("partition.assignment.strategy", "cooperative-sticky");
        }
        client
    }

    fn consume(&self, client: &mut ClientConfig, group: &str, partitions: u32) {
        client
            .set("group.id", group)
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // A gap is ours to count, never to be skipped by a default.
            .set("auto.offset.reset", "error")
            // The default of 1000 stalls a consumer that is slower than its fetcher.
            .set("fetch.queue.backoff.ms", "1");
        let share = |all: u32, least: u32| (all / partitions.max(1)).max(least);
        let of_each = share(FETCHED_BYTES, *PARTITION_BYTES.start()).min(*PARTITION_BYTES.end());
        for (key, value) in [
            ("queued.min.messages", share(READY_RECORDS, 1_000)),
            ("queued.max.messages.kbytes", share(READY_KBYTES, 1024)),
            ("fetch.max.bytes", FETCHED_BYTES),
            ("max.partition.fetch.bytes", of_each),
            ("fetch.wait.max.ms", FETCH_WAIT_MS),
        ] {
            self.default(client, key, &value.to_string());
        }
    }

    /// A transactional producer.
    pub(crate) fn producer(
        &self,
        transactional_id: &str,
        max_message_bytes: usize,
    ) -> ClientConfig {
        let mut client = self.operator(AppliesTo::Consumer);
        let timeout = TRANSACTION_TIMEOUT.as_millis().to_string();
        client
            .set("transactional.id", transactional_id)
            .set("transaction.timeout.ms", &timeout)
            // A record that cannot be delivered within the transaction is of no use.
            .set("message.timeout.ms", &timeout)
            .set("socket.timeout.ms", &timeout)
            .set("message.max.bytes", max_message_bytes.to_string());
        self.default(&mut client, "compression.type", "lz4");
        self.default(&mut client, "statistics.interval.ms", INTERVAL_MS);
        // As Java clients place keys, so that a consumer may join our topics with its own.
        client.set("partitioner", "murmur2_random");
        client
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::kafka) fn settings(kafka: &[(&str, &str)]) -> ClientSettings {
        let text = |s: &str| s.to_owned();
        ClientSettings {
            kafka: kafka
                .iter()
                .map(|(k, v)| (text(k), text(v)))
                .collect::<BTreeMap<_, _>>()
                .into(),
            tokens: None,
            application_id: text("app"),
            static_member: None,
        }
    }

    #[test]
    fn only_members_of_a_group_are_static() {
        let mut settings = settings(&[]);
        let id = |client: &ClientConfig| client.get("group.instance.id").map(str::to_owned);
        assert_eq!(id(&settings.member("count", 4)), None);
        settings.static_member = Some("pod-0".to_owned());
        assert_eq!(id(&settings.member("count", 4)).as_deref(), Some("pod-0"));
        assert_eq!(id(&settings.member("detect", 4)).as_deref(), Some("pod-0"));
        assert_eq!(id(&settings.reader("any")), None);
        assert_eq!(id(&settings.admin()), None);
    }

    #[test]
    fn a_member_under_the_consumer_protocol_sets_nothing_that_it_forbids() {
        let member = settings(&[("group.protocol", "consumer")]).member("count", 4);
        for key in [
            "session.timeout.ms",
            "heartbeat.interval.ms",
            "partition.assignment.strategy",
        ] {
            assert_eq!(member.get(key), None, "{key}");
        }
        assert_eq!(member.get("group.id"), Some("app-count"));
    }

    #[test]
    fn a_classic_member_is_replaced_in_ten_seconds_unless_the_operator_says_otherwise() {
        let classic = settings(&[]).member("detect", 4);
        assert_eq!(classic.get("session.timeout.ms"), Some("10000"));
        let other = settings(&[("session.timeout.ms", "3000")]).member("detect", 4);
        assert_eq!(other.get("session.timeout.ms"), Some("3000"));
    }

    #[test]
    fn members_get_no_end_of_partition_and_readers_do() {
        let settings = settings(&[]);
        let eof = |client: &ClientConfig| client.get("enable.partition.eof").map(str::to_owned);
        assert_eq!(eof(&settings.member("count", 4)).as_deref(), Some("false"));
        assert_eq!(eof(&settings.reader("any")).as_deref(), Some("true"));
    }

    #[test]
    fn a_partition_at_its_end_holds_others_up_no_longer_than_an_operator_says() {
        let wait = |client: ClientConfig| client.get("fetch.wait.max.ms").map(str::to_owned);
        assert_eq!(
            wait(settings(&[]).member("count", 4)).as_deref(),
            Some("50")
        );
        let other = settings(&[("fetch.wait.max.ms", "200")]);
        assert_eq!(wait(other.member("count", 4)).as_deref(), Some("200"));
    }

    #[test]
    fn members_and_producers_report_and_others_do_not() {
        let settings = settings(&[]);
        let interval = |client: &ClientConfig| client.get("statistics.interval.ms").is_some();
        assert!(interval(&settings.member("count", 4)));
        assert!(interval(&settings.producer("app-count-x", 1_000_000)));
        let often = self::settings(&[("statistics.interval.ms", "100")]);
        assert_eq!(
            often.member("count", 4).get("statistics.interval.ms"),
            Some("100")
        );
        assert!(!interval(&often.admin()));
        assert!(!interval(&often.reader("any")));
    }

    #[test]
    fn debug_form_hides_secrets() {
        let shown = format!(
            "{:?}",
            settings(&[("sasl.password", "hunter2"), ("a", "b")])
        );
        assert!(
            !shown.contains("hunter2") && shown.contains("\"a\": \"b\""),
            "{shown}"
        );
    }

    #[test]
    fn each_kind_of_client_gets_its_own_properties_only() {
        let settings = settings(&[("session.timeout.ms", "3000"), ("linger.ms", "7")]);
        let producer = settings.producer("app-count-x", 1_000_000);
        assert_eq!(producer.get("session.timeout.ms"), None);
        assert_eq!(producer.get("linger.ms"), Some("7"));
        assert_eq!(settings.member("count", 4).get("linger.ms"), None);
    }
}
