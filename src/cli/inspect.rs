//! `hotprefix inspect`

use std::time::{Duration, Instant};

use super::{CliError, InspectArgs, Output};
use crate::inspect::{Inspection, Place};
use crate::kafka::{ClientSettings, ReadEvent, ReadFrom, TopicReader};

/// How often the reader looks up when nothing comes.
const PATIENCE: Duration = Duration::from_millis(200);

/// Reads the topic for a while and prints what is in it.
pub fn inspect(args: &InspectArgs) -> Result<(), CliError> {
    let loaded = args.config.load_without_rules()?;
    let config = &loaded.config;
    let topic = args.topic.as_ref().unwrap_or(&config.input.topics[0]);
    let from = if args.from_beginning {
        ReadFrom::Beginning
    } else {
        ReadFrom::End
    };
    let mut reader = TopicReader::open(&ClientSettings::new(config), topic, from)?;
    eprintln!("reading {topic} for up to {} s", args.seconds);
    let begun = Instant::now();
    let found = read(&mut reader, args, begun)?;
    if found.records() == 0 {
        let why = if args.from_beginning {
            "it holds none".to_owned()
        } else {
            format!(
                "none came in {} s; --from-beginning reads those that it holds",
                args.seconds
            )
        };
        return Err(CliError::Failed(format!("{topic}: no record: {why}")));
    }
    let seconds = begun.elapsed().as_secs().max(1);
    let report = found.report(topic, seconds);
    Output::stdout().text(report.to_yaml(&config.application_id, &loaded.kafka_yaml()))
}

/// Reads until the time is over or, from the beginning, until the end.
fn read(
    reader: &mut TopicReader,
    args: &InspectArgs,
    begun: Instant,
) -> Result<Inspection, CliError> {
    let mut found = Inspection::default();
    let until = begun + Duration::from_secs(args.seconds);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(found);
        }
        match reader.next(left.min(PATIENCE))? {
            ReadEvent::Record(record) => {
                let place = Place {
                    partition: record.partition,
                    offset: record.offset,
                    timestamp: record.timestamp,
                };
                found.record(place, record.payload.as_deref().unwrap_or_default());
            }
            ReadEvent::End if args.from_beginning => return Ok(found),
            ReadEvent::End | ReadEvent::Quiet => {}
        }
    }
}
