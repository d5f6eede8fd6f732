//! `hotprefix reset`

use super::{CliError, Output, ResetArgs};
use crate::kafka::{self, TopicNames};

/// Deletes the application's groups and private topics, if told `--yes`.
pub fn reset(args: &ResetArgs) -> Result<(), CliError> {
    let config = args.config.load_without_rules()?.config;
    let mut out = Output::stdout();
    if !args.yes {
        let names = TopicNames::new(&config);
        let app = &config.application_id;
        for what in [
            format!("group {app}-detect"),
            format!("group {app}-count"),
            format!("topic {}", names.partials),
            format!("topic {}", names.state),
        ] {
            out.line(format!("would delete {what}"))?;
        }
        return Err(CliError::Failed(
            "nothing was deleted; say --yes to do it".to_owned(),
        ));
    }
    let removed = kafka::reset(&config)?;
    let groups = removed.groups.iter().map(|g| format!("deleted group {g}"));
    let topics = removed.topics.iter().map(|t| format!("deleted topic {t}"));
    let mut lines: Vec<_> = groups.chain(topics).collect();
    if lines.is_empty() {
        lines.push("there was nothing to delete".to_owned());
    }
    lines.into_iter().try_for_each(|line| out.line(line))
}
