//! Forgets an application: its offsets, its private topics and which alerts are open. Other public topics stay.

use rdkafka::error::RDKafkaErrorCode as Code;

use super::admin::Admin;
use super::errors::{Fatal, RequestError, Right};
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

/// Deletes the groups, the private topics and the topic of open alerts of an application. Refuses while a group has members.
pub fn reset(config: &Config) -> Result<Removed, Fatal> {
    let settings = ClientSettings::new(config);
    let admin = Admin::new(&settings)?;
    let groups = [settings.group("detect"), settings.group("count")];
    for group in &groups {
        // Sees classic members only; a group of the newer protocol is refused by the broker below.
        let members = admin.members(group).map_err(|e| {
            let right = Right::group("DELETE", group);
            RequestError::needing(&format!("group {group}"), &e, &[right]).into_fatal()
        })?;
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
            Err(code) => {
                let missing = Right::group("DELETE", &group).missing(Some(code));
                return Err(Fatal(format!("deleting group {group}: {code}{missing}")));
            }
        }
    }
    let names = TopicNames::new(config);
    removed.topics = admin.delete_topics(&[&names.partials, &names.state, &names.active])?;
    Ok(removed)
}

fn running(group: &str) -> Fatal {
    Fatal(format!(
        "group {group} has members: stop every instance of the application first, and wait for session.timeout.ms if it was killed or its membership is static"
    ))
}
