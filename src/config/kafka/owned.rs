//! Properties of librdkafka that the design decides, each with the reason, and other names of properties.

/// A property that the configuration must not set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owned {
    pub(super) name: &'static str,
    pub(super) reason: &'static str,
}

const IN_TRANSACTION: &str = "offsets are committed in the transaction that carries their results, never by the client on its own";
const START: &str = "where reading begins is `input.start`, and what a gap does is `input.on_gap`; the client must report, not jump";
const FLIGHT: &str = "the timeout of a transaction (10 s) and of its records are decided together, so that a dead instance stalls readers no longer than that";
const EVENTS: &str = "hotprefix reads the client's events and delivery reports itself";

const fn owned(name: &'static str, reason: &'static str) -> Owned {
    Owned { name, reason }
}

/// Everything that is refused, in the order of the documentation: groups, offsets, reading, writing, events.
pub(super) const OWNED: &[Owned] = &[
    owned(
        "group.id",
        "the groups are `<application_id>-count` and `<application_id>-detect`; set `application_id`",
    ),
    owned(
        "group.instance.id",
        "one id for two processes would fence one of them; set `membership: static`, which uses each process's instance id",
    ),
    owned(
        "group.protocol.type",
        "the group coordinates consumers; nothing else works",
    ),
    owned(
        "partition.assignment.strategy",
        "the stages stop, abort and start whole tasks at a rebalance, which is written for the strategy they choose",
    ),
    owned(
        "max.poll.interval.ms",
        "a stage that has not finished a batch for 60 s ends its process by itself; a shorter limit would take partitions from one that is working",
    ),
    owned("enable.auto.commit", IN_TRANSACTION),
    owned("auto.commit.enable", IN_TRANSACTION),
    owned("auto.commit.interval.ms", IN_TRANSACTION),
    owned("enable.auto.offset.store", IN_TRANSACTION),
    owned("offset.store.method", IN_TRANSACTION),
    owned("offset.store.path", IN_TRANSACTION),
    owned("offset.store.sync.interval.ms", IN_TRANSACTION),
    owned("auto.offset.reset", START),
    owned(
        "isolation.level",
        "reading is `read_committed`: anything else counts records of aborted transactions",
    ),
    owned(
        "enable.partition.eof",
        "recovery needs the end-of-partition event, other readers must not get it; each consumer sets it for itself",
    ),
    owned(
        "allow.auto.create.topics",
        "a topic that a broker creates by itself has the wrong partitions and retention; hotprefix creates its own topics and reports a missing input",
    ),
    owned(
        "topic.metadata.refresh.interval.ms",
        "it is 2000, so that records of a new input partition are not late before it is seen",
    ),
    owned(
        "fetch.queue.backoff.ms",
        "it is 1: at more, a consumer that is slower than its fetcher stalls",
    ),
    owned(
        "transactional.id",
        "the ids are `<application_id>-<stage>-<instance>`; set `application_id` or `instance_id`",
    ),
    owned("transaction.timeout.ms", FLIGHT),
    owned("message.timeout.ms", FLIGHT),
    owned("delivery.timeout.ms", FLIGHT),
    owned(
        "enable.idempotence",
        "exactly once needs it; it is always on",
    ),
    owned(
        "enable.gapless.guarantee",
        "a transaction with a gap is aborted as a whole, which is what exactly once needs",
    ),
    owned(
        "acks",
        "exactly once needs every in-sync replica's acknowledgement; it is always `all`",
    ),
    owned(
        "request.required.acks",
        "exactly once needs every in-sync replica's acknowledgement; it is always `all`",
    ),
    owned(
        "message.max.bytes",
        "a dead letter must hold the input's largest message, so it follows from that; raise the topics' `max.message.bytes`",
    ),
    owned(
        "partitioner",
        "it is `murmur2_random`, which Java clients use too, so that alerts of one key stay in one partition",
    ),
    owned(
        "queuing.strategy",
        "the order of records must be kept; it is always `fifo`",
    ),
    owned("enabled_events", EVENTS),
    owned("log.queue", EVENTS),
    owned("delivery.report.only.error", EVENTS),
];

/// The entry of `name`, if the design owns it.
pub(super) fn find(name: &str) -> Option<Owned> {
    OWNED.iter().copied().find(|o| o.name == name)
}

/// Two names of one property: librdkafka's other name, and the one we use.
const ALIASES: &[(&str, &str)] = &[
    ("metadata.broker.list", "bootstrap.servers"),
    ("sasl.mechanisms", "sasl.mechanism"),
    ("max.in.flight.requests.per.connection", "max.in.flight"),
    ("message.send.max.retries", "retries"),
    ("queue.buffering.max.ms", "linger.ms"),
    ("compression.codec", "compression.type"),
    ("fetch.message.max.bytes", "max.partition.fetch.bytes"),
    (
        "sasl.oauthbearer.client.credentials.client.id",
        "sasl.oauthbearer.client.id",
    ),
    (
        "sasl.oauthbearer.client.credentials.client.secret",
        "sasl.oauthbearer.client.secret",
    ),
];

/// The name that the checked configuration has for this property.
pub(super) fn canonical(name: &str) -> &str {
    ALIASES
        .iter()
        .find(|(other, _)| *other == name)
        .map_or(name, |(_, ours)| ours)
}

/// For a property of the Java client that librdkafka has not: what to write instead.
pub(super) fn java_hint(name: &str) -> Option<&'static str> {
    Some(match name {
        "sasl.jaas.config" => "write `sasl.username` and `sasl.password`",
        "ssl.truststore.location" | "ssl.truststore.certificates" => {
            "write `ssl.ca.location` with a PEM file"
        }
        "ssl.truststore.password" | "ssl.truststore.type" => {
            "a PEM file in `ssl.ca.location` needs none"
        }
        "ssl.keystore.type" => "`ssl.keystore.location` is PKCS#12, `ssl.key.location` is PEM",
        "ssl.keystore.key" => "write `ssl.key.pem` or `ssl.key.location`",
        "ssl.keystore.certificate.chain" => {
            "write `ssl.certificate.pem` or `ssl.certificate.location`"
        }
        "sasl.login.callback.handler.class" | "sasl.oauthbearer.token.endpoint" => {
            "write `sasl.oauthbearer.method: oidc` and `sasl.oauthbearer.token.endpoint.url`"
        }
        "max.poll.records" => "batches are sized by hotprefix",
        "key.deserializer" | "value.deserializer" | "key.serializer" | "value.serializer" => {
            "the formats are `input.format` and `output.format`"
        }
        _ => return None,
    })
}
