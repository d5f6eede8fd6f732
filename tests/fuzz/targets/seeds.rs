//! Writes seeds for all targets below the folder that is its first argument: the vectors, what the tasks make of them, and
//! the configuration and rules that are shipped. No target, but the instrumented code links with libFuzzer only.
#![no_main]

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hotprefix_fuzz::count::{CountTask, Record, Resume};
use hotprefix_fuzz::detect::DetectTask;
use hotprefix_fuzz::inputs::{self, Event, Input, Log, Saved, StateRecord, ms};
use hotprefix_fuzz::partial;
use prost::Message as _;

/// When the vectors were received.
const RECEIVED: i64 = 1_568_127_847_913;

libfuzzer_sys::fuzz_target!(
    init: write().expect("seeds can be written"),
    |_input: &[u8]| {}
);

fn write() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: seeds FOLDER")?;
    let write = |target: &str, name: &str, seed: &[u8]| {
        let folder = Path::new(&folder).join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(name), seed)
    };
    for (name, record) in inputs::vectors() {
        let target = if record[0] == b'{' {
            "json"
        } else {
            "protobuf"
        };
        write(target, name, &record)?;
    }
    write(
        "protobuf",
        "text",
        b"type=NETFLOW_V9 src_addr=192.0.2.1 dst_addr=192.0.2.2 bytes=1500",
    )?;
    let events = events();
    write(
        "count",
        "vectors",
        &Input {
            events: events.clone(),
        }
        .encode_to_vec(),
    )?;
    for event in &events {
        let events = vec![event.clone()];
        write(
            "count",
            &event.wall.to_string(),
            &Input { events }.encode_to_vec(),
        )?;
    }
    let (metadata, log) = counted(&events)?;
    write(
        "partials",
        "vectors",
        &Log {
            records: log.clone(),
        }
        .encode_to_vec(),
    )?;
    let saved = detected(&log)?;
    let seed = Saved {
        metadata: Some(URL_SAFE_NO_PAD.decode(metadata)?),
        log,
        ..saved
    };
    write("state", "vectors", &seed.encode_to_vec())?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for entry in fs::read_dir(root.join("deploy/rules"))? {
        let path = entry?.path();
        let rule = fs::read_to_string(&path)?;
        let name = path.file_stem().and_then(|n| n.to_str()).unwrap_or("rule");
        write(
            "config",
            name,
            format!("rules:\n- {}", rule.replace('\n', "\n  ")).as_bytes(),
        )?;
    }
    write(
        "config",
        "whole",
        &fs::read(root.join("deploy/config.yaml"))?,
    )?;
    for (i, filter) in FILTERS.iter().enumerate() {
        write("filter", &i.to_string(), filter.as_bytes())?;
    }
    Ok(())
}

/// Every vector as a record, later and later, so that windows close.
fn events() -> Vec<Event> {
    let vectors = inputs::vectors().into_iter().enumerate();
    vectors
        .map(|(i, (_, record))| Event {
            value: Some(record),
            timestamp: Some(RECEIVED + i as i64 * 20_000),
            log_append_time: i % 2 == 0,
            wall: RECEIVED + i as i64 * 20_000,
            lost: u32::from(i == 5),
            idle: (i == 7).then_some(RECEIVED + 300_000),
            flush: (i % 3) as u32,
        })
        .collect()
}

fn counted(events: &[Event]) -> Result<(String, Vec<Vec<u8>>), Box<dyn std::error::Error>> {
    let resume = Resume::Fresh {
        next_offset: 0,
        from_log_start: true,
    };
    let mut task = CountTask::new(inputs::source(), inputs::count_plan(), resume)?;
    let mut log = Vec::new();
    let mut metadata = String::new();
    for (i, event) in events.iter().enumerate() {
        let record = Record {
            offset: i as i64,
            timestamp: event.timestamp.map(ms),
            log_append_time: true,
            payload: event.value.as_deref(),
            key: None,
        };
        task.record(&record, ms(event.wall));
        if i % 4 == 3 {
            let flush = task.flush();
            metadata.clone_from(&flush.metadata);
            log.extend(flush.encode(1, 4).records.into_iter().map(|r| r.payload));
        }
    }
    Ok((metadata, log))
}

fn detected(log: &[Vec<u8>]) -> Result<Saved, Box<dyn std::error::Error>> {
    let mut task = DetectTask::new(0, &inputs::detect_plan(), Vec::new(), None, 1)?;
    let mut saved = Saved::default();
    for (i, record) in log.iter().enumerate() {
        task.apply(i as i64, partial::decode(record)?, ms(RECEIVED));
    }
    for emission in [task.overdue(ms(RECEIVED + 60_000)), task.progress()] {
        for change in emission.iter().flat_map(|e| &e.state) {
            saved.records.push(StateRecord {
                key: change.key.clone(),
                value: change.value.clone().unwrap_or_default(),
            });
        }
        if let Some(emission) = emission {
            saved.committed = Some(emission.offset);
            task.committed(emission);
        }
    }
    Ok(saved)
}

const FILTERS: [&str; 8] = [
    "direction == \"ingress\" && src_if_desc.contains(\"DFN\")",
    "direction != \"egress\" && proto == \"udp\" && src_port in [17, 19, 53, 69, 111, 123, 137, 161, 389]",
    "exporter in sets.borders || src_as in sets.peers",
    "tcp_flags.has(\"SYN\") && !tcp_flags.has_any(\"ACK\", \"RST\")",
    "src_addr in [\"10.0.0.0/8\", \"2001:db8::/32\"] && dst_port < 1024",
    "normalized || !(note == \"a\" && src_if_desc.startsWith(\"é\"))",
    "src_port == dst_port && src_as != 64496 // both",
    "note.endsWith('x') ? true : false",
];
