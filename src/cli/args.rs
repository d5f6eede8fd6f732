//! The command line, as `--help` shows it.

use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;

use clap::builder::TypedValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::demo::MIN_RATE;

const EXIT_CODES: &str = "\
Exit codes:
  0  done, or stopped by SIGTERM or Ctrl-C with everything committed
  1  stopped by an error; the last line on stderr says which
  2  the command line or the configuration is not valid

Begin with:
  hotprefix demo                          see it work; needs nothing installed
  hotprefix inspect --topic flows         what is in a topic, and a configuration that fits it
  hotprefix check -c hotprefix.yaml       is this configuration valid, and what does it mean?
  hotprefix run -c hotprefix.yaml         the service
  hotprefix tail -c hotprefix.yaml        its alerts, one line each";

const CONFIG_HELP: &str = "\
The file and the environment are described by `hotprefix schema config` and by deploy/config.yaml.
Each key can be set by a variable, `HOTPREFIX__` and the path joined by `__`:
  HOTPREFIX__KAFKA__BOOTSTRAP_SERVERS=kafka:9092  HOTPREFIX__INPUT__TOPICS=flows";

/// Exact prefix alerts out of a Kafka topic of network flows, exactly once.
///
/// hotprefix adds up traffic per IP prefix and interval, and writes the most specific prefixes over a
/// threshold to an alert topic. More instances of the same command share the work.
#[derive(Clone, Debug, Parser)]
#[command(name = "hotprefix", version, after_help = EXIT_CODES, max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run the service until SIGTERM or Ctrl-C
    #[command(after_help = format!("\
Examples:
  hotprefix run -c hotprefix.yaml
  hotprefix run -c hotprefix.yaml --set input.start=earliest
  hotprefix run -c hotprefix.yaml --stage count        # and --stage detect elsewhere

{CONFIG_HELP}

SIGHUP reads the files of named sets again, as happens by itself within seconds of a change.
SIGTERM and Ctrl-C commit what is counted and end with exit code 0. Errors that a restart may mend
end with exit code 1: let a supervisor restart it. A configuration that is not valid ends with 2.
Health: /livez, /readyz (503 with reasons) and /metrics on http.listen."))]
    Run(RunArgs),
    /// Show the whole service at work on synthetic traffic; needs nothing installed
    #[command(after_help = "\
Starts a Kafka cluster inside the process, plays a quiet background with a carpet bombing over a /22
and an attack on one host, runs the real service on it and prints each committed alert as a line on
stdout. The attacks last 20 s and come again after 45 s. A summary goes to stderr.

Examples:
  hotprefix demo
  hotprefix demo --seconds 40 --rate 20000
  hotprefix demo --json | jq .prefix

While it runs, any Kafka client can read the topics at the address it prints.")]
    Demo(DemoArgs),
    /// Look into a topic of flows, and print a configuration that fits it
    #[command(after_help = "\
Reads for a while what arrives, without a group and without writing anything to Kafka. On stdout goes a
configuration that can be run. Its comments say what was found: formats and framing, exporters with
their sampling rates, directions, flows that several exporters see, durations, delays and disorder,
the largest destinations, and the fields that carry something, with examples.

Examples:
  hotprefix inspect --topic flows > hotprefix.yaml
  hotprefix inspect --topic flows --from-beginning --set kafka.bootstrap.servers=kafka:9092
  hotprefix inspect -c hotprefix.yaml --seconds 60     # with its kafka section, and its topic")]
    Inspect(InspectArgs),
    /// Validate the configuration and print what is effective
    #[command(after_help = format!("\
Prints the effective configuration, every default filled in and secrets hidden, on stdout, and
warnings on stderr. With --connect also looks at topics, their settings and permissions; it writes
no record.

Examples:
  hotprefix check -c hotprefix.yaml
  hotprefix check -c hotprefix.yaml --connect --quiet

{CONFIG_HELP}

Exit codes: 0 valid; 2 not valid; 1 the cluster cannot be reached, or `run` would stop there."))]
    Check(CheckArgs),
    /// Print the JSON Schema of alerts, window records or the configuration
    #[command(after_help = "\
Examples:
  hotprefix schema alert > alert.v1.schema.json
  hotprefix schema config > hotprefix.schema.json      # for the editor")]
    Schema(SchemaArgs),
    /// Print alerts as they are committed, one line each
    #[command(after_help = "\
Reads the alert topic as any consumer does, without a group: committed records only, JSON or protobuf.

Examples:
  hotprefix tail -c hotprefix.yaml
  hotprefix tail -c hotprefix.yaml --from-beginning --json | jq 'select(.family == \"ipv6\")'
  hotprefix tail -c hotprefix.yaml --count 1           # wait for the next alert, then end

A line: window, prefix, its bit/s and packets/s, the rule's total, the rule, then what is special.
1 Mbit/s is 10^6 bit/s.")]
    Tail(TailArgs),
    /// Compute the alerts of flow files, without Kafka
    #[command(after_help = "\
Reads flows in any format that `run` reads: a stream of varint-delimited protobuf messages, or JSON
lines, told apart by the first byte. `-` is stdin. The same tasks as in `run` count them, with the
files as one input partition; alerts go to stdout as JSON lines in window order, a summary to stderr.
Event times decide, so the result is the same whenever it runs; at the end all windows close.

Examples:
  hotprefix replay -c hotprefix.yaml flows.pb
  hotprefix replay -c hotprefix.yaml --lines flows.jsonl
  zstdcat flows.pb.zst | hotprefix replay -c hotprefix.yaml -")]
    Replay(ReplayArgs),
    /// Ask a running instance whether it is ready
    #[command(after_help = "\
Asks /readyz, or with --live /livez, where http.listen of the configuration says, on loopback for
0.0.0.0 and [::]. For the health checks of container engines; Kubernetes asks by itself.

Examples:
  hotprefix health -c hotprefix.yaml
  hotprefix health --address hotprefix.flows.svc:9464 --live

Exit codes: 0 ready, or alive; 1 anything else, with the reasons on stderr.")]
    Health(HealthArgs),
    /// Forget the application's progress: its groups' offsets and its private topics
    #[command(after_help = "\
Deletes the consumer groups <app>-count and <app>-detect and the topics <app>-partials and
<app>-state. Alerts, window records and dead letters stay. The next start begins at input.start, so
flows may be counted a second time. Refused while an instance runs.

Example:
  hotprefix reset -c hotprefix.yaml --yes")]
    Reset(ResetArgs),
    /// Print what completes commands and options in a shell
    #[command(after_help = "\
Examples:
  hotprefix completions bash > /etc/bash_completion.d/hotprefix
  hotprefix completions zsh > ~/.zfunc/_hotprefix          # ~/.zfunc in fpath
  hotprefix completions fish > ~/.config/fish/completions/hotprefix.fish")]
    Completions(CompletionsArgs),
    /// Print the man page, or write those of all commands
    #[command(after_help = "\
Examples:
  hotprefix man | man -l -
  hotprefix man --out /usr/local/share/man/man1")]
    Man(ManArgs),
}

/// Where the configuration comes from.
#[derive(Clone, Debug, Default, Args)]
pub struct ConfigArgs {
    /// Configuration file, YAML or TOML; a later one overrides an earlier one
    #[arg(short, long, value_name = "FILE", env = "HOTPREFIX_CONFIG")]
    pub config: Vec<PathBuf>,
    /// Override one key, e.g. `input.start=earliest`
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = KeyValue)]
    pub overrides: Vec<Override>,
}

/// `hotprefix run`
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Run one stage alone; the other must run elsewhere
    #[arg(long, value_enum)]
    pub stage: Option<StageName>,
}

/// One of the two stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StageName {
    /// Flows to partial counts
    Count,
    /// Partial counts to alerts
    Detect,
}

/// `hotprefix demo`
#[derive(Clone, Copy, Debug, Args)]
pub struct DemoArgs {
    /// End after this many seconds, with exit code 0
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: Option<u64>,
    /// Flows per second
    #[arg(long, value_name = "N", default_value_t = 5_000,
          value_parser = clap::value_parser!(u32).range(i64::from(MIN_RATE)..=200_000))]
    pub rate: u32,
    /// The traffic is a function of this number
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Print alerts as JSON instead of one readable line each
    #[arg(long)]
    pub json: bool,
}

/// `hotprefix inspect`
#[derive(Clone, Debug, Args)]
pub struct InspectArgs {
    /// Configuration: how to reach Kafka. No rule is needed.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// The topic; otherwise the first of input.topics
    #[arg(long, value_name = "NAME")]
    pub topic: Option<String>,
    /// Read for so many seconds
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: u64,
    /// Begin with the oldest record that the topic has, and end at its end
    #[arg(long)]
    pub from_beginning: bool,
}

/// `hotprefix check`
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// Configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Ask the cluster too: topics, their settings, permissions
    #[arg(long)]
    pub connect: bool,
    /// Do not print the effective configuration
    #[arg(short, long)]
    pub quiet: bool,
}

/// `hotprefix schema`
#[derive(Clone, Copy, Debug, Args)]
pub struct SchemaArgs {
    /// Whose
    #[arg(value_enum, default_value = "alert")]
    pub name: SchemaName,
}

/// What has a JSON Schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaName {
    /// A record of the alert topic
    Alert,
    /// A record of the window topic
    Window,
    /// The configuration file
    Config,
}

/// `hotprefix tail`
#[derive(Clone, Debug, Args)]
pub struct TailArgs {
    /// Configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Print each alert as one line of JSON, whatever the topic's format
    #[arg(long)]
    pub json: bool,
    /// Begin with the oldest alert that the topic has
    #[arg(long)]
    pub from_beginning: bool,
    /// End after this many alerts
    #[arg(short = 'n', long, value_name = "N")]
    pub count: Option<u64>,
    /// Print the alerts that are open now, and end
    #[arg(long, conflicts_with_all = ["from_beginning", "count"])]
    pub active: bool,
}

/// `hotprefix replay`
#[derive(Clone, Debug, Args)]
pub struct ReplayArgs {
    /// Configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Flow files, read one after the other; `-` is stdin
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Print each alert as a readable line instead of JSON
    #[arg(long)]
    pub lines: bool,
    /// Print window records too, as JSON
    #[arg(long, conflicts_with = "lines")]
    pub windows: bool,
}

/// `hotprefix health`
#[derive(Clone, Debug, Args)]
pub struct HealthArgs {
    /// Configuration of the instance.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Ask here, whatever the configuration says
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "overrides")]
    pub address: Option<String>,
    /// Ask whether it is alive: that it answers is enough
    #[arg(long)]
    pub live: bool,
    /// Give up after this many seconds
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub timeout: u64,
}

/// `hotprefix reset`
#[derive(Clone, Debug, Args)]
pub struct ResetArgs {
    /// Configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Do it; without this, only say what would be deleted
    #[arg(long)]
    pub yes: bool,
}

/// `hotprefix completions`
#[derive(Clone, Copy, Debug, Args)]
pub struct CompletionsArgs {
    /// For which shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// `hotprefix man`
#[derive(Clone, Debug, Args)]
pub struct ManArgs {
    /// Write hotprefix.1 and one page for each command into this folder, which is made if missing
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// One `--set`. The value may be a secret, and is in no `Debug` form.
#[derive(Clone, PartialEq, Eq)]
pub struct Override {
    /// The path of the key.
    pub key: String,
    /// Its value.
    pub value: String,
}

impl fmt::Debug for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=…", self.key)
    }
}

/// Parses [`Override`]s. A function would do, but then clap shows what it was given: a password, if it is
/// `kafka.sasl.password:…`.
#[derive(Clone)]
struct KeyValue;

impl TypedValueParser for KeyValue {
    type Value = Override;

    fn parse_ref(
        &self,
        command: &clap::Command,
        _: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Override, clap::Error> {
        key_value(value.to_str().unwrap_or_default()).ok_or_else(|| {
            let what = "--set is not KEY=VALUE; valid is e.g. `input.start=earliest`\n";
            clap::Error::raw(clap::error::ErrorKind::ValueValidation, what).with_cmd(command)
        })
    }
}

fn key_value(text: &str) -> Option<Override> {
    let (key, value) = text.split_once('=')?;
    (!key.is_empty()).then(|| Override {
        key: key.to_owned(),
        value: value.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_explains_itself_with_an_example() {
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            let help = command.get_after_help().map(ToString::to_string);
            let help = help.unwrap_or_default();
            assert!(
                help.contains(&format!("hotprefix {name}")),
                "{name}: {help}"
            );
            assert!(command.get_about().is_some(), "{name}");
        }
    }

    #[test]
    fn overrides_need_a_key() {
        assert!(key_value("=x").is_none());
        assert!(key_value("x").is_none());
        let set = key_value("kafka.sasl.password=a=b").unwrap();
        assert_eq!(set.key, "kafka.sasl.password");
        assert_eq!(set.value, "a=b");
        assert_eq!(format!("{set:?}"), "kafka.sasl.password=…");
    }

    #[test]
    fn demo_refuses_rates_that_lose_the_shape_of_the_attacks() {
        assert!(Cli::try_parse_from(["hotprefix", "demo", "--rate", "99"]).is_err());
        assert!(Cli::try_parse_from(["hotprefix", "demo", "--rate", "100"]).is_ok());
    }
}
