import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.processor.TimestampExtractor;
import org.apache.kafka.streams.processor.api.ContextualFixedKeyProcessor;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorContext;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.WindowStore;

/**
 * What Kafka Streams does of hotprefix's work: bytes, packets and flows per destination address and minute, exactly
 * once. There are no prefixes and no alerts, and nobody reads the sums.
 *
 * <p>{@code Sum BOOTSTRAP TOPIC APPLICATION RULE RECORDS} takes the first RECORDS records of a topic, adds up those
 * that the rule selects, and writes a line of JSON. With fewer records it waits for more. {@code state.dir} and
 * {@code cache.mb}, the size of the cache before the store, are system properties.
 */
public final class Sum {
    /** Tasks read partitions at different speeds, and a flow that comes late must be added up too. */
    private static final Duration GRACE = Duration.ofHours(1);

    private Sum() {}

    public static void main(String[] args) throws InterruptedException {
        if (args.length != 5) {
            System.err.println("usage: Sum BOOTSTRAP TOPIC APPLICATION all|ancestor RECORDS");
            System.exit(2);
        }
        boolean all =
                switch (args[3]) {
                    case "all" -> true;
                    case "ancestor" -> false;
                    default -> throw new IllegalArgumentException("no rule " + args[3]);
                };
        Progress progress = new Progress(Long.parseLong(args[4]));
        KafkaStreams streams = new KafkaStreams(topology(args[1], all, progress), settings(args[0], args[2]));
        streams.setUncaughtExceptionHandler(
                error -> {
                    error.printStackTrace();
                    progress.failed = true;
                    progress.done.countDown();
                    return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
                });
        streams.start();
        progress.done.await();
        double dropped = dropped(streams);
        // The last commit is in it.
        boolean closed = streams.close(Duration.ofSeconds(60));
        if (progress.failed || !closed || dropped > 0) {
            System.err.printf("failed: %b, closed: %b, dropped: %.0f%n", progress.failed, closed, dropped);
            System.exit(1);
        }
        System.out.println(progress.json());
        System.exit(0);
    }

    private static Topology topology(String topic, boolean all, Progress progress) {
        StreamsBuilder builder = new StreamsBuilder();
        Serde<byte[]> address = Serdes.ByteArray();
        Serde<long[]> numbers = Serdes.serdeFrom((t, longs) -> toBytes(longs), (t, bytes) -> toLongs(bytes));
        Serde<Flow> flow =
                Serdes.serdeFrom(
                        (t, value) -> {
                            throw new UnsupportedOperationException("flows are read only");
                        },
                        (t, bytes) -> Flow.read(bytes));
        builder.stream(topic, Consumed.with(Serdes.ByteArray(), flow).withTimestampExtractor(new Received()))
                .process(() -> new Select(all, progress))
                .repartition(Repartitioned.with(address, numbers).withName("address"))
                .processValues(() -> new Watch(progress))
                .groupByKey(Grouped.with(address, numbers))
                .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofMinutes(1), GRACE))
                .aggregate(
                        () -> new long[3],
                        (key, value, sum) -> {
                            sum[0] += value[0];
                            sum[1] += value[1];
                            sum[2] += 1;
                            return sum;
                        },
                        Materialized.<byte[], long[], WindowStore<Bytes, byte[]>>as("sums")
                                .withKeySerde(address)
                                .withValueSerde(numbers)
                                .withCachingEnabled());
        return builder.build();
    }

    private static Properties settings(String bootstrap, String application) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, application);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1000);
        // A commit empties the cache, and within a second few flows have one address: with 600,000 addresses
        // 256 MiB of it took half as much CPU time again, and with 20,000 it made no difference.
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, Long.getLong("cache.mb", 0) << 20);
        settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        String folder = System.getProperty("state.dir");
        if (folder != null) {
            settings.put(StreamsConfig.STATE_DIR_CONFIG, folder);
        }
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 5000);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 256 << 10);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.BUFFER_MEMORY_CONFIG), 64L << 20);
        return settings;
    }

    /** How many records Streams did not process, which none should be. */
    private static double dropped(KafkaStreams streams) {
        return streams.metrics().values().stream()
                .filter(metric -> metric.metricName().name().equals("dropped-records-total"))
                .mapToDouble(metric -> (double) metric.metricValue())
                .sum();
    }

    private static byte[] toBytes(long[] longs) {
        if (longs == null) {
            return null;
        }
        ByteBuffer buffer = ByteBuffer.allocate(longs.length * Long.BYTES);
        for (long number : longs) {
            buffer.putLong(number);
        }
        return buffer.array();
    }

    private static long[] toLongs(byte[] bytes) {
        if (bytes == null) {
            return null;
        }
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        long[] longs = new long[bytes.length / Long.BYTES];
        for (int i = 0; i < longs.length; i++) {
            longs[i] = buffer.getLong();
        }
        return longs;
    }

    /**
     * How far it is. Threads rebalance at the start, and a transaction that is aborted is done again, so that a record
     * may be processed twice: only offsets above the newest one of their partition count.
     */
    private static final class Progress {
        final CountDownLatch done = new CountDownLatch(1);
        volatile boolean failed;
        private final long records;
        private final AtomicLong begin = new AtomicLong();
        private final AtomicLong seen = new AtomicLong();
        private final AtomicLong selected = new AtomicLong();
        private final AtomicLong processed = new AtomicLong();
        private final AtomicLong summed = new AtomicLong();
        private final AtomicLong bytes = new AtomicLong();
        private final AtomicLong end = new AtomicLong();
        private final Map<Integer, AtomicLong> read = new ConcurrentHashMap<>();
        private final Map<Integer, AtomicLong> added = new ConcurrentHashMap<>();

        Progress(long records) {
            this.records = records;
        }

        /** The newest offset of a partition of the flows that was taken. */
        AtomicLong read(int partition) {
            return read.computeIfAbsent(partition, p -> new AtomicLong(-1));
        }

        /** The newest offset of a partition of the addresses that was added. */
        AtomicLong added(int partition) {
            return added.computeIfAbsent(partition, p -> new AtomicLong(-1));
        }

        /** Whether one more record is among the first. */
        boolean take() {
            if (seen.get() == 0) {
                begin.compareAndSet(0, System.nanoTime());
            }
            return seen.incrementAndGet() <= records;
        }

        void processed(boolean isSelected) {
            // In this order: when all are processed, the selected ones are known.
            if (isSelected) {
                selected.incrementAndGet();
            }
            processed.incrementAndGet();
            look();
        }

        void summed(long more) {
            bytes.addAndGet(more);
            summed.incrementAndGet();
            look();
        }

        private void look() {
            if (processed.get() >= records && summed.get() >= selected.get()) {
                end.compareAndSet(0, System.nanoTime());
                done.countDown();
            }
        }

        String json() {
            return String.format(
                    Locale.ROOT,
                    "{\"records\":%d,\"selected\":%d,\"seconds\":%.3f,\"bytes\":%d}",
                    processed.get(),
                    selected.get(),
                    (end.get() - begin.get()) / 1e9,
                    bytes.get());
        }
    }

    /** Lets flows of the rule through, by their destination. */
    private static final class Select extends ContextualProcessor<byte[], Flow, byte[], long[]> {
        private final boolean all;
        private final Progress progress;
        private AtomicLong newest;

        Select(boolean all, Progress progress) {
            this.all = all;
            this.progress = progress;
        }

        @Override
        public void init(ProcessorContext<byte[], long[]> context) {
            super.init(context);
            newest = progress.read(context.taskId().partition());
        }

        @Override
        public void process(Record<byte[], Flow> record) {
            long offset = context().recordMetadata().orElseThrow().offset();
            boolean again = offset <= newest.get();
            if (!again && !progress.take()) {
                return;
            }
            Flow flow = record.value();
            boolean selected = flow != null && flow.destination != null && (all || flow.ingress && flow.dfn);
            if (selected) {
                long[] volume = {flow.bytes, flow.packets};
                context().forward(new Record<>(flow.destination, volume, record.timestamp()));
            }
            if (!again) {
                newest.set(offset);
                progress.processed(selected);
            }
        }
    }

    /** Counts what the processors behind it have added. */
    private static final class Watch extends ContextualFixedKeyProcessor<byte[], long[], long[]> {
        private final Progress progress;
        private AtomicLong newest;

        Watch(Progress progress) {
            this.progress = progress;
        }

        @Override
        public void init(FixedKeyProcessorContext<byte[], long[]> context) {
            super.init(context);
            newest = progress.added(context.taskId().partition());
        }

        @Override
        public void process(FixedKeyRecord<byte[], long[]> record) {
            long offset = context().recordMetadata().orElseThrow().offset();
            context().forward(record);
            if (offset > newest.get()) {
                newest.set(offset);
                progress.summed(record.value()[0]);
            }
        }
    }

    /** Event time: when the collector received the flow. What is no flow moves no time. */
    private static final class Received implements TimestampExtractor {
        @Override
        public long extract(ConsumerRecord<Object, Object> record, long partitionTime) {
            if (record.value() instanceof Flow flow && flow.received > 0) {
                return flow.received;
            }
            return partitionTime >= 0 ? partitionTime : record.timestamp();
        }
    }

    /** What is needed of a flow of bwNetFlow or flowpipeline, bare or behind its length. */
    private static final class Flow {
        private static final byte[] DFN = {'D', 'F', 'N'};

        /** Milliseconds since the epoch. */
        long received;
        byte[] destination;
        long bytes;
        long packets;
        boolean ingress = true;
        boolean dfn;

        /** Null where the bytes are no flow. */
        static Flow read(byte[] data) {
            if (data == null) {
                return null;
            }
            try {
                Wire wire = new Wire(data);
                long length = wire.varint();
                if (length != data.length - wire.at) {
                    wire.at = 0;
                }
                Flow flow = new Flow();
                while (wire.at < data.length) {
                    flow.field(wire);
                }
                return flow;
            } catch (IndexOutOfBoundsException | IllegalArgumentException malformed) {
                return null;
            }
        }

        private void field(Wire wire) {
            int tag = (int) wire.varint();
            switch (tag) {
                case 2 << 3 -> received = wire.varint() * 1000;
                // It comes later than the seconds, which flowpipeline rounds.
                case 110 << 3 -> received = wire.varint() / 1_000_000;
                case 9 << 3 -> bytes = wire.varint();
                case 10 << 3 -> packets = wire.varint();
                case 42 << 3 -> ingress = wire.varint() == 0;
                case 7 << 3 | 2 -> destination = wire.bytes();
                case 1004 << 3 | 2, 2004 << 3 | 2 -> dfn |= wire.contains(DFN);
                default -> wire.skip(tag & 7);
            }
        }
    }

    /** Protobuf's wire format. What is cut off is an {@code IndexOutOfBoundsException}. */
    private static final class Wire {
        private final byte[] data;
        private int at;

        Wire(byte[] data) {
            this.data = data;
        }

        long varint() {
            long value = 0;
            for (int shift = 0; shift < 64; shift += 7) {
                byte next = data[at++];
                value |= (long) (next & 0x7f) << shift;
                if (next >= 0) {
                    return value;
                }
            }
            throw new IllegalArgumentException("a varint of more than 10 bytes");
        }

        /** Where the bytes that begin here end. */
        private int end() {
            long length = varint();
            if (length < 0 || length > data.length - at) {
                throw new IllegalArgumentException("bytes that are cut off");
            }
            return at + (int) length;
        }

        byte[] bytes() {
            int end = end();
            byte[] copy = Arrays.copyOfRange(data, at, end);
            at = end;
            return copy;
        }

        boolean contains(byte[] text) {
            int end = end();
            boolean found = false;
            for (int from = at; from + text.length <= end && !found; from++) {
                found = Arrays.equals(data, from, from + text.length, text, 0, text.length);
            }
            at = end;
            return found;
        }

        void skip(int type) {
            switch (type) {
                case 0 -> varint();
                case 1 -> at += 8;
                case 2 -> at = end();
                case 5 -> at += 4;
                default -> throw new IllegalArgumentException("no wire type " + type);
            }
        }
    }
}
