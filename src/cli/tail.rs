//! `hotprefix tail`

use std::time::Duration;

use super::{CliError, Output, TailArgs};
use crate::alert::{Alert, line};
use crate::kafka::{ClientSettings, ReadEvent, ReadFrom, TopicReader};

/// How often the reader looks up when nothing comes.
const PATIENCE: Duration = Duration::from_millis(500);

/// Prints alerts as they are committed, until the count is reached or the process is stopped.
pub fn tail(args: &TailArgs) -> Result<(), CliError> {
    let config = args.config.load_without_rules()?.config;
    let from = if args.from_beginning {
        ReadFrom::Beginning
    } else {
        ReadFrom::End
    };
    let settings = ClientSettings::new(&config);
    let mut reader = TopicReader::open(&settings, &config.output.topic, from)?;
    let mut out = Output::stdout();
    let mut left = args.count.unwrap_or(u64::MAX);
    while left > 0 {
        let ReadEvent::Record(record) = reader.next(PATIENCE)? else {
            continue;
        };
        let Some(payload) = record.payload else {
            continue;
        };
        match Alert::from_wire(&payload) {
            Ok(alert) if args.json => out.line(alert.to_json())?,
            Ok(alert) => out.line(line(&alert))?,
            Err(error) => {
                eprintln!(
                    "partition {} offset {}: {error}",
                    record.partition, record.offset
                );
                continue;
            }
        }
        left -= 1;
    }
    Ok(())
}
