//! `hotprefix tail`

use std::collections::BTreeMap;
use std::time::Duration;

use super::{CliError, Output, TailArgs};
use crate::alert::{Alert, line};
use crate::kafka::{ClientSettings, ReadEvent, ReadFrom, ReadRecord, TopicNames, TopicReader};

/// How often the reader looks up when nothing comes.
const PATIENCE: Duration = Duration::from_millis(500);

/// Prints alerts as they are committed, until the count is reached or the process is stopped; or those that are
/// open.
pub fn tail(args: &TailArgs) -> Result<(), CliError> {
    let config = args.config.load_without_rules()?.config;
    let settings = ClientSettings::new(&config);
    let mut out = Output::stdout();
    if args.active {
        let topic = TopicNames::new(&config).active;
        let mut reader = TopicReader::open(&settings, &topic, ReadFrom::Beginning)?;
        for record in latest(&mut reader)?.into_values() {
            print(&mut out, &record, args.json)?;
        }
        return Ok(());
    }
    let from = if args.from_beginning {
        ReadFrom::Beginning
    } else {
        ReadFrom::End
    };
    let mut reader = TopicReader::open(&settings, &config.output.topic, from)?;
    let mut left = args.count.unwrap_or(u64::MAX);
    while left > 0 {
        if let ReadEvent::Record(record) = reader.next(PATIENCE)?
            && print(&mut out, &record, args.json)?
        {
            left -= 1;
        }
    }
    Ok(())
}

/// The last record of each key that is not a tombstone, of what the topic has now.
fn latest(reader: &mut TopicReader) -> Result<BTreeMap<Vec<u8>, ReadRecord>, CliError> {
    let mut latest = BTreeMap::new();
    loop {
        match reader.next(PATIENCE)? {
            ReadEvent::End => return Ok(latest),
            ReadEvent::Quiet => {}
            ReadEvent::Record(record) => {
                let key = record.key.clone().unwrap_or_default();
                if record.payload.is_some() {
                    latest.insert(key, record);
                } else {
                    latest.remove(&key);
                }
            }
        }
    }
}

/// Whether there was an alert to print.
fn print(out: &mut Output, record: &ReadRecord, json: bool) -> Result<bool, CliError> {
    let Some(payload) = &record.payload else {
        return Ok(false);
    };
    match Alert::from_wire(payload) {
        Ok(alert) if json => out.line(alert.to_json())?,
        Ok(alert) => out.line(line(&alert))?,
        Err(error) => {
            let ReadRecord {
                partition, offset, ..
            } = record;
            eprintln!("partition {partition} offset {offset}: {error}");
            return Ok(false);
        }
    }
    Ok(true)
}
