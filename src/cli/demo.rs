//! `hotprefix demo`

use std::io::{IsTerminal as _, stderr};
use std::time::Duration;

use super::{CliError, DemoArgs, Output, environment};
use crate::alert::line;
use crate::demo::{self, Event, Options, Scenario};

/// Off a terminal, numbers come this often.
const NUMBERS_EVERY: u32 = 5;

/// Plays the demo: alerts on stdout, everything else on stderr.
pub fn demo(args: DemoArgs) -> Result<(), CliError> {
    let options = Options {
        seed: args.seed,
        rate: args.rate,
        length: args.seconds.map(Duration::from_secs),
    };
    let mut show = Show {
        out: Output::stdout(),
        json: args.json,
        terminal: stderr().is_terminal(),
        ticks: 0,
        alerts: 0,
        failed: None,
    };
    let played = demo::run(options, environment(), |event| show.event(&event));
    if let Some(error) = show.failed {
        return Err(error);
    }
    played.map_err(|e| CliError::Failed(e.to_string()))?;
    eprintln!("{}{} alerts shown", show.clear(), show.alerts);
    Ok(())
}

struct Show {
    out: Output,
    json: bool,
    terminal: bool,
    ticks: u32,
    alerts: u64,
    failed: Option<CliError>,
}

impl Show {
    /// Whether to go on.
    fn event(&mut self, event: &Event<'_>) -> bool {
        match event {
            Event::Started {
                broker,
                configuration,
                http,
            } => {
                eprintln!("broker         {broker}");
                eprintln!("configuration  {}", configuration.display());
                if let Some(http) = http {
                    eprintln!("metrics        http://{http}/metrics");
                }
                for attack in Scenario::attacks() {
                    eprintln!("attack         {}, {}", attack.prefix, attack.name);
                }
            }
            Event::Alert(alert) => {
                self.alerts += 1;
                eprint!("{}", self.clear());
                let text = if self.json {
                    alert.to_json()
                } else {
                    line(alert).into_bytes()
                };
                self.failed = self.out.line(text).err();
            }
            Event::Numbers(text) => {
                self.ticks += 1;
                if self.terminal {
                    eprint!("{}{text}", self.clear());
                } else if self.ticks.is_multiple_of(NUMBERS_EVERY) {
                    eprintln!("{text}");
                }
            }
        }
        self.failed.is_none()
    }

    /// Takes the numbers off the terminal's last line.
    const fn clear(&self) -> &'static str {
        if self.terminal { "\r\x1b[K" } else { "" }
    }
}
