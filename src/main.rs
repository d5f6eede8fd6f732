//! The `hotprefix` command.

use std::process::ExitCode;

use clap::Parser as _;
use hotprefix::cli::{self, Cli, CliError, Command};

/// jemalloc for the whole process, librdkafka included: it allocates each record on one thread and frees it on another, which
/// glibc does under a lock. docs/performance.md has the figures.
#[cfg(all(feature = "jemalloc", target_os = "linux"))]
mod allocator {
    use tikv_jemallocator::Jemalloc;

    #[global_allocator]
    static ALLOCATOR: Jemalloc = Jemalloc;

    /// Two arenas, and not four for each processor: what one thread frees the next one takes, warm, and less is held free.
    /// The variable `MALLOC_CONF` of the environment overrides it.
    // SAFETY: jemalloc reads this symbol once, as a pointer to a string that ends with a zero byte. Nothing else has its name.
    #[allow(unsafe_code, reason = "jemalloc finds its settings by their symbol")]
    #[unsafe(export_name = "malloc_conf")]
    static SETTINGS: &[u8; 10] = b"narenas:2\0";
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(args) => cli::run(&args),
        Command::Demo(args) => cli::demo(args),
        Command::Inspect(args) => cli::inspect(&args),
        Command::Check(args) => cli::check(&args),
        Command::Schema(args) => cli::print_schema(args),
        Command::Tail(args) => cli::tail(&args),
        Command::Replay(args) => cli::replay(&args),
        Command::Health(args) => cli::health(&args),
        Command::Reset(args) => cli::reset(&args),
        Command::Completions(args) => cli::completions(args),
        Command::Man(args) => cli::man(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !matches!(error, CliError::Closed) {
                eprintln!("hotprefix: {error}");
            }
            ExitCode::from(error.exit_code())
        }
    }
}
