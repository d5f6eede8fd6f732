//! The properties that librdkafka 2.12.1 knows, from its `CONFIGURATION.md`: what they apply to and
//! what they accept. A test compares the names with the library that is linked in.

use Accepts::{Api, Bool, Float, Int, OneOf, Text};
use AppliesTo::{Both, Consumer, Producer};

/// Which clients a librdkafka property concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppliesTo {
    /// Consumers only; a producer warns about it.
    Consumer,
    /// Producers only; a consumer warns about it.
    Producer,
    /// All clients.
    Both,
}

/// What a property accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepts {
    /// Any text.
    Text,
    /// `true` or `false`.
    Bool,
    /// A whole number, both bounds included.
    Int(i64, i64),
    /// A number, both bounds included.
    Float(i64, i64),
    /// One of these.
    OneOf(&'static [&'static str]),
    /// It cannot be set as text.
    Api,
}

/// One property.
#[derive(Clone, Copy, Debug)]
pub(super) struct Property {
    pub(super) applies_to: AppliesTo,
    pub(super) accepts: Accepts,
}

/// The property called `name`.
pub(super) fn find(name: &str) -> Option<Property> {
    let at = PROPERTIES.binary_search_by_key(&name, |row| row.0).ok()?;
    let (_, applies_to, accepts) = PROPERTIES[at];
    Some(Property {
        applies_to,
        accepts,
    })
}

/// All names, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    PROPERTIES.iter().map(|row| row.0)
}

/// Which clients the property `name` concerns; `None` if librdkafka does not know it.
pub fn applies_to(name: &str) -> Option<AppliesTo> {
    find(name).map(|p| p.applies_to)
}

/// Sorted by name, for the binary search.
#[rustfmt::skip]
const PROPERTIES: &[(&str, AppliesTo, Accepts)] = &[
    ("acks", Producer, Text),
    ("allow.auto.create.topics", Both, Bool),
    ("api.version.fallback.ms", Both, Int(0, 604_800_000)),
    ("api.version.request", Both, Bool),
    ("api.version.request.timeout.ms", Both, Int(1, 300_000)),
    ("auto.commit.enable", Consumer, Bool),
    ("auto.commit.interval.ms", Consumer, Int(0, 86_400_000)),
    ("auto.offset.reset", Consumer, OneOf(&["smallest", "earliest", "beginning", "largest", "latest", "end", "error"])),
    ("background_event_cb", Both, Api),
    ("batch.num.messages", Producer, Int(1, 1_000_000)),
    ("batch.size", Producer, Int(1, 2_147_483_647)),
    ("bootstrap.servers", Both, Text),
    ("broker.address.family", Both, OneOf(&["any", "v4", "v6"])),
    ("broker.address.ttl", Both, Int(0, 86_400_000)),
    ("broker.version.fallback", Both, Text),
    ("builtin.features", Both, Text),
    ("check.crcs", Consumer, Bool),
    ("client.dns.lookup", Both, OneOf(&["use_all_dns_ips", "resolve_canonical_bootstrap_servers_only"])),
    ("client.id", Both, Text),
    ("client.rack", Both, Text),
    ("closesocket_cb", Both, Api),
    ("compression.codec", Producer, OneOf(&["none", "gzip", "snappy", "lz4", "zstd"])),
    ("compression.level", Producer, Int(-1, 12)),
    ("compression.type", Producer, OneOf(&["none", "gzip", "snappy", "lz4", "zstd"])),
    ("connect_cb", Both, Api),
    ("connections.max.idle.ms", Both, Int(0, 2_147_483_647)),
    ("consume.callback.max.messages", Consumer, Int(0, 1_000_000)),
    ("consume_cb", Consumer, Api),
    ("coordinator.query.interval.ms", Consumer, Int(1, 3_600_000)),
    ("debug", Both, Text),
    ("default_topic_conf", Both, Api),
    ("delivery.report.only.error", Producer, Bool),
    ("delivery.timeout.ms", Producer, Int(0, 2_147_483_647)),
    ("dr_cb", Producer, Api),
    ("dr_msg_cb", Producer, Api),
    ("enable.auto.commit", Consumer, Bool),
    ("enable.auto.offset.store", Consumer, Bool),
    ("enable.gapless.guarantee", Producer, Bool),
    ("enable.idempotence", Producer, Bool),
    ("enable.metrics.push", Both, Bool),
    ("enable.partition.eof", Consumer, Bool),
    ("enable.random.seed", Both, Bool),
    ("enable.sasl.oauthbearer.unsecure.jwt", Both, Bool),
    ("enable.ssl.certificate.verification", Both, Bool),
    ("enabled_events", Both, Int(0, 2_147_483_647)),
    ("error_cb", Both, Api),
    ("fetch.error.backoff.ms", Consumer, Int(0, 300_000)),
    ("fetch.max.bytes", Consumer, Int(0, 2_147_483_135)),
    ("fetch.message.max.bytes", Consumer, Int(1, 1_000_000_000)),
    ("fetch.min.bytes", Consumer, Int(1, 100_000_000)),
    ("fetch.queue.backoff.ms", Consumer, Int(0, 300_000)),
    ("fetch.wait.max.ms", Consumer, Int(0, 300_000)),
    ("group.id", Consumer, Text),
    ("group.instance.id", Consumer, Text),
    ("group.protocol", Consumer, OneOf(&["classic", "consumer"])),
    ("group.protocol.type", Consumer, Text),
    ("group.remote.assignor", Consumer, Text),
    ("heartbeat.interval.ms", Consumer, Int(1, 3_600_000)),
    ("https.ca.location", Both, Text),
    ("https.ca.pem", Both, Text),
    ("interceptors", Both, Api),
    ("internal.termination.signal", Both, Int(0, 128)),
    ("isolation.level", Consumer, OneOf(&["read_uncommitted", "read_committed"])),
    ("linger.ms", Producer, Float(0, 900_000)),
    ("log.connection.close", Both, Bool),
    ("log.queue", Both, Bool),
    ("log.thread.name", Both, Bool),
    ("log_cb", Both, Api),
    ("log_level", Both, Int(0, 7)),
    ("max.in.flight", Both, Int(1, 1_000_000)),
    ("max.in.flight.requests.per.connection", Both, Int(1, 1_000_000)),
    ("max.partition.fetch.bytes", Consumer, Int(1, 1_000_000_000)),
    ("max.poll.interval.ms", Consumer, Int(1, 86_400_000)),
    ("message.copy.max.bytes", Both, Int(0, 1_000_000_000)),
    ("message.max.bytes", Both, Int(1_000, 1_000_000_000)),
    ("message.send.max.retries", Producer, Int(0, 2_147_483_647)),
    ("message.timeout.ms", Producer, Int(0, 2_147_483_647)),
    ("metadata.broker.list", Both, Text),
    ("metadata.max.age.ms", Both, Int(1, 86_400_000)),
    ("metadata.recovery.rebootstrap.trigger.ms", Both, Int(0, 2_147_483_647)),
    ("metadata.recovery.strategy", Both, OneOf(&["none", "rebootstrap"])),
    ("msg_order_cmp", Producer, Api),
    ("oauthbearer_token_refresh_cb", Both, Api),
    ("offset.store.method", Consumer, OneOf(&["none", "file", "broker"])),
    ("offset.store.path", Consumer, Text),
    ("offset.store.sync.interval.ms", Consumer, Int(-1, 86_400_000)),
    ("offset_commit_cb", Consumer, Api),
    ("opaque", Both, Api),
    ("open_cb", Both, Api),
    ("partition.assignment.strategy", Consumer, Text),
    ("partitioner", Producer, Text),
    ("partitioner_cb", Producer, Api),
    ("plugin.library.paths", Both, Text),
    ("produce.offset.report", Producer, Bool),
    ("queue.buffering.backpressure.threshold", Producer, Int(1, 1_000_000)),
    ("queue.buffering.max.kbytes", Producer, Int(1, 2_147_483_647)),
    ("queue.buffering.max.messages", Producer, Int(0, 2_147_483_647)),
    ("queue.buffering.max.ms", Producer, Float(0, 900_000)),
    ("queued.max.messages.kbytes", Consumer, Int(1, 2_097_151)),
    ("queued.min.messages", Consumer, Int(1, 10_000_000)),
    ("queuing.strategy", Producer, OneOf(&["fifo", "lifo"])),
    ("rebalance_cb", Consumer, Api),
    ("receive.message.max.bytes", Both, Int(1_000, 2_147_483_647)),
    ("reconnect.backoff.jitter.ms", Both, Int(0, 3_600_000)),
    ("reconnect.backoff.max.ms", Both, Int(0, 3_600_000)),
    ("reconnect.backoff.ms", Both, Int(0, 3_600_000)),
    ("request.required.acks", Producer, Text),
    ("request.timeout.ms", Producer, Int(1, 900_000)),
    ("resolve_cb", Both, Api),
    ("retries", Producer, Int(0, 2_147_483_647)),
    ("retry.backoff.max.ms", Both, Int(1, 300_000)),
    ("retry.backoff.ms", Both, Int(1, 300_000)),
    ("sasl.kerberos.keytab", Both, Text),
    ("sasl.kerberos.kinit.cmd", Both, Text),
    ("sasl.kerberos.min.time.before.relogin", Both, Int(0, 86_400_000)),
    ("sasl.kerberos.principal", Both, Text),
    ("sasl.kerberos.service.name", Both, Text),
    ("sasl.mechanism", Both, Text),
    ("sasl.mechanisms", Both, Text),
    ("sasl.oauthbearer.assertion.algorithm", Both, OneOf(&["RS256", "ES256"])),
    ("sasl.oauthbearer.assertion.claim.aud", Both, Text),
    ("sasl.oauthbearer.assertion.claim.exp.seconds", Both, Int(1, 2_147_483_647)),
    ("sasl.oauthbearer.assertion.claim.iss", Both, Text),
    ("sasl.oauthbearer.assertion.claim.jti.include", Both, Bool),
    ("sasl.oauthbearer.assertion.claim.nbf.seconds", Both, Int(0, 2_147_483_647)),
    ("sasl.oauthbearer.assertion.claim.sub", Both, Text),
    ("sasl.oauthbearer.assertion.file", Both, Text),
    ("sasl.oauthbearer.assertion.jwt.template.file", Both, Text),
    ("sasl.oauthbearer.assertion.private.key.file", Both, Text),
    ("sasl.oauthbearer.assertion.private.key.passphrase", Both, Text),
    ("sasl.oauthbearer.assertion.private.key.pem", Both, Text),
    ("sasl.oauthbearer.client.credentials.client.id", Both, Text),
    ("sasl.oauthbearer.client.credentials.client.secret", Both, Text),
    ("sasl.oauthbearer.client.id", Both, Text),
    ("sasl.oauthbearer.client.secret", Both, Text),
    ("sasl.oauthbearer.config", Both, Text),
    ("sasl.oauthbearer.extensions", Both, Text),
    ("sasl.oauthbearer.grant.type", Both, OneOf(&["client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer"])),
    ("sasl.oauthbearer.metadata.authentication.type", Both, OneOf(&["none", "azure_imds"])),
    ("sasl.oauthbearer.method", Both, OneOf(&["default", "oidc"])),
    ("sasl.oauthbearer.scope", Both, Text),
    ("sasl.oauthbearer.token.endpoint.url", Both, Text),
    ("sasl.password", Both, Text),
    ("sasl.username", Both, Text),
    ("security.protocol", Both, OneOf(&["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"])),
    ("session.timeout.ms", Consumer, Int(1, 3_600_000)),
    ("socket.blocking.max.ms", Both, Int(1, 60_000)),
    ("socket.connection.setup.timeout.ms", Both, Int(1_000, 2_147_483_647)),
    ("socket.keepalive.enable", Both, Bool),
    ("socket.max.fails", Both, Int(0, 1_000_000)),
    ("socket.nagle.disable", Both, Bool),
    ("socket.receive.buffer.bytes", Both, Int(0, 100_000_000)),
    ("socket.send.buffer.bytes", Both, Int(0, 100_000_000)),
    ("socket.timeout.ms", Both, Int(10, 300_000)),
    ("socket_cb", Both, Api),
    ("ssl.ca.certificate.stores", Both, Text),
    ("ssl.ca.location", Both, Text),
    ("ssl.ca.pem", Both, Text),
    ("ssl.certificate.location", Both, Text),
    ("ssl.certificate.pem", Both, Text),
    ("ssl.certificate.verify_cb", Both, Api),
    ("ssl.cipher.suites", Both, Text),
    ("ssl.crl.location", Both, Text),
    ("ssl.curves.list", Both, Text),
    ("ssl.endpoint.identification.algorithm", Both, OneOf(&["none", "https"])),
    ("ssl.engine.id", Both, Text),
    ("ssl.engine.location", Both, Text),
    ("ssl.key.location", Both, Text),
    ("ssl.key.password", Both, Text),
    ("ssl.key.pem", Both, Text),
    ("ssl.keystore.location", Both, Text),
    ("ssl.keystore.password", Both, Text),
    ("ssl.providers", Both, Text),
    ("ssl.sigalgs.list", Both, Text),
    ("ssl_ca", Both, Api),
    ("ssl_certificate", Both, Api),
    ("ssl_engine_callback_data", Both, Api),
    ("ssl_key", Both, Api),
    ("statistics.interval.ms", Both, Int(0, 86_400_000)),
    ("stats_cb", Both, Api),
    ("sticky.partitioning.linger.ms", Producer, Int(0, 900_000)),
    ("throttle_cb", Both, Api),
    ("topic.blacklist", Both, Text),
    ("topic.metadata.propagation.max.ms", Both, Int(0, 3_600_000)),
    ("topic.metadata.refresh.fast.cnt", Both, Int(0, 1_000)),
    ("topic.metadata.refresh.fast.interval.ms", Both, Int(1, 60_000)),
    ("topic.metadata.refresh.interval.ms", Both, Int(-1, 3_600_000)),
    ("topic.metadata.refresh.sparse", Both, Bool),
    ("transaction.timeout.ms", Producer, Int(1_000, 2_147_483_647)),
    ("transactional.id", Producer, Text),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_sorted_without_repeats() {
        assert!(PROPERTIES.is_sorted_by(|a, b| a.0 < b.0));
    }
}
