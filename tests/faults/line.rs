//! A schedule as one line of text, and back.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use hotprefix::kafka::failpoint::POINTS;

use crate::schedule::{Between, Fault, Led, Schedule};

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "brokers {}", self.brokers)?;
        for (at, fault) in &self.events {
            write!(f, "; {} {fault}", at.as_millis())?;
        }
        Ok(())
    }
}

impl fmt::Display for Between {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(slot) => write!(f, "instance {slot}"),
            Self::Broker(id) => write!(f, "broker {id}"),
        }
    }
}

impl fmt::Display for Led {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Input => "input",
            Self::Partials => "partials",
            Self::State => "state",
            Self::Offsets => "offsets",
            Self::Transactions => "transactions",
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill { slot, away } => write!(f, "kill {slot} away {away}"),
            Self::KillAt {
                slot,
                stage,
                point,
                away,
            } => {
                write!(f, "kill-at {stage}.{point} by {slot} away {away}")
            }
            Self::Freeze { slot, time } => write!(f, "freeze {slot} for {time}"),
            Self::Restart { slot } => write!(f, "restart {slot}"),
            Self::Remove { slot } => write!(f, "remove {slot}"),
            Self::Add { slot } => write!(f, "add {slot}"),
            Self::BrokerKill { broker, time } => write!(f, "kill-broker {broker} for {time}"),
            Self::LeaderKill {
                of,
                partition,
                time,
            } => {
                write!(f, "kill-leader {of} {partition} for {time}")
            }
            Self::MoveLeader { of, partition } => write!(f, "move-leader {of} {partition}"),
            Self::Hold { between, time } => write!(f, "hold {between} for {time}"),
            Self::Cut { between, time } => write!(f, "cut {between} for {time}"),
            Self::Slow {
                between,
                delay,
                time,
            } => {
                write!(f, "slow {between} by {delay} for {time}")
            }
            Self::OpenTransaction { on, time } => write!(f, "open-transaction {on} for {time}"),
            Self::Fence { slot, stage } => write!(f, "fence {stage} {slot}"),
            Self::Clock { slot, by, time } => write!(f, "clock {slot} by {by} for {time}"),
        }
    }
}

/// What is wrong with a line, in words.
type Wrong = String;

impl FromStr for Schedule {
    type Err = Wrong;

    fn from_str(line: &str) -> Result<Self, Wrong> {
        let mut parts = line.trim().split(';');
        let mut head = Words::of(parts.next().unwrap_or_default());
        head.expect("brokers")?;
        let brokers = head.number()?;
        let events = parts.map(|part| {
            let mut words = Words::of(part);
            let at = Duration::from_millis(words.number()?);
            Ok((at, words.fault()?))
        });
        Ok(Self {
            brokers,
            events: events.collect::<Result<_, Wrong>>()?,
        })
    }
}

struct Words<'l> {
    part: &'l str,
    words: std::str::SplitWhitespace<'l>,
}

impl<'l> Words<'l> {
    fn of(part: &'l str) -> Self {
        Self {
            part,
            words: part.split_whitespace(),
        }
    }

    fn next(&mut self) -> Result<&'l str, Wrong> {
        let part = self.part;
        self.words
            .next()
            .ok_or_else(|| format!("`{part}` ends too soon"))
    }

    fn expect(&mut self, word: &str) -> Result<(), Wrong> {
        let found = self.next()?;
        if found == word {
            return Ok(());
        }
        Err(format!("`{}`: `{found}` instead of `{word}`", self.part))
    }

    fn number<N: FromStr>(&mut self) -> Result<N, Wrong> {
        let word = self.next()?;
        let number = word.parse();
        number.map_err(|_| format!("`{}`: `{word}` is not the number expected", self.part))
    }

    fn after<N: FromStr>(&mut self, word: &str) -> Result<N, Wrong> {
        self.expect(word)?;
        self.number()
    }

    fn between(&mut self) -> Result<Between, Wrong> {
        match self.next()? {
            "instance" => Ok(Between::Instance(self.number()?)),
            "broker" => Ok(Between::Broker(self.number()?)),
            other => Err(format!("`{other}` is neither `instance` nor `broker`")),
        }
    }

    fn led(&mut self) -> Result<Led, Wrong> {
        let all = [
            Led::Input,
            Led::Partials,
            Led::State,
            Led::Offsets,
            Led::Transactions,
        ];
        let word = self.next()?;
        let found = all.into_iter().find(|led| led.to_string() == word);
        found.ok_or_else(|| format!("`{word}` is none of {all:?}"))
    }

    fn stage(&mut self) -> Result<&'static str, Wrong> {
        let word = self.next()?;
        let found = ["count", "detect"].into_iter().find(|stage| *stage == word);
        found.ok_or_else(|| format!("`{word}` is neither `count` nor `detect`"))
    }

    fn point(&mut self) -> Result<(&'static str, &'static str), Wrong> {
        let word = self.next()?;
        let (stage, point) = word.split_once('.').unwrap_or((word, ""));
        let stage = Words::of(stage).stage()?;
        let found = POINTS.into_iter().find(|known| *known == point);
        let point = found.ok_or_else(|| format!("`{word}`: `{point}` is none of {POINTS:?}"))?;
        Ok((stage, point))
    }

    fn fault(&mut self) -> Result<Fault, Wrong> {
        Ok(match self.next()? {
            "kill" => Fault::Kill {
                slot: self.number()?,
                away: self.after("away")?,
            },
            "kill-at" => {
                let (stage, point) = self.point()?;
                Fault::KillAt {
                    stage,
                    point,
                    slot: self.after("by")?,
                    away: self.after("away")?,
                }
            }
            "freeze" => Fault::Freeze {
                slot: self.number()?,
                time: self.after("for")?,
            },
            "restart" => Fault::Restart {
                slot: self.number()?,
            },
            "remove" => Fault::Remove {
                slot: self.number()?,
            },
            "add" => Fault::Add {
                slot: self.number()?,
            },
            "kill-broker" => Fault::BrokerKill {
                broker: self.number()?,
                time: self.after("for")?,
            },
            "kill-leader" => Fault::LeaderKill {
                of: self.led()?,
                partition: self.number()?,
                time: self.after("for")?,
            },
            "move-leader" => Fault::MoveLeader {
                of: self.led()?,
                partition: self.number()?,
            },
            "hold" => Fault::Hold {
                between: self.between()?,
                time: self.after("for")?,
            },
            "cut" => Fault::Cut {
                between: self.between()?,
                time: self.after("for")?,
            },
            "slow" => Fault::Slow {
                between: self.between()?,
                delay: self.after("by")?,
                time: self.after("for")?,
            },
            "open-transaction" => Fault::OpenTransaction {
                on: self.led()?,
                time: self.after("for")?,
            },
            "fence" => Fault::Fence {
                stage: self.stage()?,
                slot: self.number()?,
            },
            "clock" => Fault::Clock {
                slot: self.number()?,
                by: self.after("by")?,
                time: self.after("for")?,
            },
            other => return Err(format!("`{}`: `{other}` is no fault", self.part)),
        })
    }
}
