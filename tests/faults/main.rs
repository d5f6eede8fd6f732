//! The fault harness: real Kafka, instances under a supervisor, things that go wrong by a seeded schedule, and
//! verdicts against an undisturbed run. `cargo test --no-default-features --features failpoints --test faults -- --help`.

mod clock;
mod collector;
mod doctored;
mod line;
mod load;
mod proxy;
#[path = "../broker/run.rs"]
#[allow(dead_code)]
mod run;
mod schedule;
mod soak;
mod strangers;
mod supervisor;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod trial;
mod verdict;

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};

use load::Recorded;
use schedule::{SLOTS, Schedule};
use support::kafka_client::read_all;
use support::kafka_node::{Cluster, Shape};
use verdict::{Expected, Observed};

/// On 4.1.0 a group coordinator that came back after a crash once took offsets of an aborted transaction for pending for
/// ever, although no transaction was open, and nobody could read the group's offsets.
const KAFKA: &str = "4.3.1";
/// Records of the load.
const FLOWS: usize = 120_000;
/// The seeds of all schedules: odd ones have one broker, even ones three.
const ALL: std::ops::RangeInclusive<u64> = 1..=10;
/// Those that every submission goes through.
const CI: [u64; 2] = [1, 2];
/// The short soak beside them: how long, and flows per second.
const BESIDE: Duration = Duration::from_mins(1);
const BESIDE_RATE: u64 = 2_000;

/// Kills, freezes, cuts and moves while a load is counted; whatever happens, the output is that of an
/// undisturbed run.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Two schedules, one with one broker and one with three
    Ci,
    /// All ten schedules
    All,
    /// One schedule again, by its seed or its printed line
    Replay {
        /// The seed that was printed
        #[arg(long, required_unless_present = "line")]
        seed: Option<u64>,
        /// How many brokers: 1 or 3. Unset: as with this seed in `all`
        #[arg(long)]
        brokers: Option<u32>,
        /// The whole line that was printed, instead of a seed
        #[arg(long, conflicts_with_all = ["seed", "brokers"])]
        line: Option<Schedule>,
    },
    /// A steady load at half of what this machine can do: memory must stay flat
    Soak {
        /// For how long
        #[arg(long, default_value_t = 30)]
        minutes: u64,
        /// Flows per second, instead of half of what was measured
        #[arg(long)]
        rate: Option<u64>,
    },
    /// Print a schedule and do nothing
    Print {
        /// Its seed
        #[arg(long)]
        seed: u64,
    },
}

fn brokers_of(seed: u64) -> u32 {
    if seed % 2 == 1 { 1 } else { 3 }
}

fn schedule_of(seed: u64) -> (String, Schedule) {
    let schedule = Schedule::of(seed, brokers_of(seed));
    let line = schedule.to_string();
    assert_eq!(
        line.parse(),
        Ok(schedule.clone()),
        "a printed line is the schedule"
    );
    (format!("seed-{seed}"), schedule)
}

fn main() -> ExitCode {
    support::tools::use_kafka(KAFKA);
    let mut beside = None;
    let schedules = match Args::parse().command {
        Command::Ci => {
            beside = Some(thread::spawn(|| soak::run(BESIDE, Some(BESIDE_RATE))));
            CI.map(schedule_of).to_vec()
        }
        Command::Soak { minutes, rate } => {
            return soaked(&soak::run(Duration::from_mins(minutes), rate));
        }
        Command::All => ALL.map(schedule_of).collect(),
        Command::Replay {
            line: Some(line), ..
        } => vec![("line".to_owned(), line)],
        Command::Replay { seed, brokers, .. } => {
            let seed = seed.unwrap_or_default();
            let brokers = brokers.unwrap_or(brokers_of(seed));
            vec![(format!("seed-{seed}"), Schedule::of(seed, brokers))]
        }
        Command::Print { seed } => {
            println!("{}", schedule_of(seed).1);
            return ExitCode::SUCCESS;
        }
    };
    let code = run_all(&schedules);
    let beside = beside.map(|soak| {
        soak.join()
            .expect("it does not panic; what it said is above")
    });
    match beside {
        Some(wrong) if soaked(&wrong) == ExitCode::FAILURE => ExitCode::FAILURE,
        _ => code,
    }
}

fn soaked(wrong: &[String]) -> ExitCode {
    for line in wrong {
        println!("   WRONG: soak: {line}");
    }
    if wrong.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn run_all(schedules: &[(String, Schedule)]) -> ExitCode {
    let begun = Instant::now();
    let recorded = Recorded::new(FLOWS);
    let mut oracle = None;
    let (mut killed, mut wrong) = (0, 0);
    for (name, schedule) in schedules {
        println!("\n=== {name}, {} kills: {schedule}", schedule.kills());
        let started = Instant::now();
        let cluster = Cluster::of(Shape {
            nodes: schedule.brokers,
            routes: SLOTS,
        });
        println!(
            "   {} brokers started in {:.1?}",
            schedule.brokers,
            started.elapsed()
        );
        let oracle = oracle.get_or_insert_with(|| undisturbed(&cluster, &recorded));
        let began = Instant::now();
        let result = trial::run(name, schedule, &cluster, &recorded, oracle);
        killed += result.killed;
        wrong += usize::from(!result.wrong.is_empty());
        for line in &result.wrong {
            println!("   WRONG: {line}");
        }
        let verdict = if result.wrong.is_empty() {
            "nothing lost, repeated or changed"
        } else {
            "FAILED"
        };
        println!(
            "   {name}: {verdict} in {:.1?} (with the cluster {:.1?})",
            began.elapsed(),
            started.elapsed()
        );
    }
    println!(
        "\n{} schedules, {killed} kills, {wrong} failed, {:.0?}",
        schedules.len(),
        begun.elapsed()
    );
    if wrong == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The oracle: nothing goes wrong, and what comes out is what the model says.
fn undisturbed(cluster: &Cluster, recorded: &Recorded) -> Observed {
    let begun = Instant::now();
    let input = "undisturbed-input";
    let prepared = recorded.prepare(cluster, input);
    let app = trial::app(&prepared, cluster, "undisturbed");
    let instances = app.start_all(2);
    recorded.write(cluster, input, Duration::from_secs(4));
    prepared.finish(&app, instances);
    let observed = Observed::of(&app, input);
    let expected = Expected::new(observed.clone(), recorded, &prepared);
    doctored::check(&expected, &prepared, &read_all(cluster, input));
    println!(
        "   undisturbed: {} alerts, {} windows, {} dead letters, equal to the model, in {:.1?}",
        observed.alerts.len(),
        observed.windows.len(),
        observed.dead_letters.len(),
        begun.elapsed()
    );
    observed
}
