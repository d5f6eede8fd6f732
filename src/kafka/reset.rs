//! Forgets an application: its offsets and its private topics. Public topics stay.

use rdkafka::error::RDKafkaErrorCode as Code;

use super::admin::Admin;
use super::errors::{Fatal, RequestError};
use super::settings::ClientSettings;
use super::topics::TopicNames;
use crate::config::Config;

/// What a reset removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Consumer groups.
    pub groups: Vec<String>,
    /// Topics.
    pub topics: Vec<String>,
}

/// Deletes the groups and the private topics of an application. Refuses while a group has members.
pub fn reset(config: &Config) -> Result<Removed, Fatal> {
    let settings = ClientSettings::new(config);
    let admin = Admin::new(&settings)?;
    let fatal = |what: String| move |e| RequestError::from_kafka(&what, &e).into_fatal();
    let groups = [settings.group("detect"), settings.group("count")];
    for group in &groups {
        // Sees classic members only; a group of the newer protocol is refused by the broker below.
        let members = admin
            .members(group)
            .map_err(fatal(format!("group {group}")))?;
        if members > 0 {
            return Err(running(group));
        }
    }
    let mut removed = Removed::default();
    for group in groups {
        match admin.delete_group(&group) {
            Ok(true) => removed.groups.push(group),
            Ok(false) => {}
            Err(Code::NonEmptyGroup) => return Err(running(&group)),
            Err(code) => return Err(Fatal(format!("group {group}: {code}"))),
        }
    }
    let names = TopicNames::new(config);
    removed.topics = admin
        .delete_topics(&[&names.partials, &names.state])
        .map_err(fatal("deleting topics".to_owned()))?;
    Ok(removed)
}

fn running(group: &str) -> Fatal {
    Fatal(format!(
        "group {group} has members: stop every instance of the application first, and wait for session.timeout.ms if it was killed or its membership is static"
    ))
}
