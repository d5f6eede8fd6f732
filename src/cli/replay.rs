//! `hotprefix replay`

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use super::{CliError, Output, ReplayArgs};
use crate::alert::line;
use crate::replay::{Records, Replay, Step};

/// Records that are no flows are told one by one up to this many; all are counted.
const SHOWN_REASONS: usize = 5;

/// Reads flow files through both tasks and prints the alerts.
pub fn replay(args: &ReplayArgs) -> Result<(), CliError> {
    let loaded = args.config.load()?;
    for warning in &loaded.warnings {
        eprintln!("warning: {warning}");
    }
    let config = loaded.config;
    let topic = config.input.topics.first().map_or("replay", String::as_str);
    let plan = Arc::new(config.count_plan());
    let mut replay = Replay::new(plan, topic, config.time.max_wait)?;
    let mut show = Show {
        out: Output::stdout(),
        args,
        alerts: 0,
        windows: 0,
        reasons: 0,
    };
    let mut cut = None;
    for path in &args.files {
        // What was read before is shown even if a later file is cut.
        if let Err(error) = read(path, &mut replay, &mut show)? {
            cut = Some(error);
            break;
        }
    }
    let (step, fates) = replay.finish()?;
    show.step(step)?;
    let fates: Vec<_> = fates
        .iter()
        .filter(|(_, n)| *n > 0)
        .map(|(name, n)| format!("{n} {name}"))
        .collect();
    eprintln!(
        "{} alerts in {} windows; records: {}",
        show.alerts,
        show.windows,
        if fates.is_empty() {
            "none".to_owned()
        } else {
            fates.join(", ")
        }
    );
    cut.map_or(Ok(()), |why| Err(CliError::Failed(why)))
}

/// All records of one file; inside, why it could not be read to its end.
fn read(
    path: &Path,
    replay: &mut Replay,
    show: &mut Show<'_>,
) -> Result<Result<(), String>, CliError> {
    let name = path.display();
    let from: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        match File::open(path) {
            Ok(file) => Box::new(BufReader::with_capacity(1 << 20, file)),
            Err(error) => return Ok(Err(format!("{name}: {error}"))),
        }
    };
    let mut records = Records::new(from);
    loop {
        match records.next_record() {
            Ok(Some(record)) => show.step(replay.record(record)?)?,
            Ok(None) => return Ok(Ok(())),
            Err(error) => return Ok(Err(format!("{name}: {error}"))),
        }
    }
}

struct Show<'a> {
    out: Output,
    args: &'a ReplayArgs,
    alerts: usize,
    windows: usize,
    reasons: usize,
}

impl Show<'_> {
    fn step(&mut self, step: Step) -> Result<(), CliError> {
        for letter in step.dead_letters {
            if self.reasons < SHOWN_REASONS {
                eprintln!("record {}: {}", letter.offset, letter.reason);
            }
            self.reasons += 1;
        }
        self.alerts += step.alerts.len();
        self.windows += step.windows.len();
        for alert in &step.alerts {
            if self.args.lines {
                self.out.line(line(alert))?;
            } else {
                self.out.line(alert.to_json())?;
            }
        }
        for window in step.windows.iter().filter(|_| self.args.windows) {
            self.out.line(window.to_json())?;
        }
        Ok(())
    }
}
