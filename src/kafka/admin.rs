//! Administration requests: settings, topics, groups. From threads that may block.

use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::access::PlainContext;
use super::errors::{Fatal, RequestError, Right};
use super::queue::authorise;
use super::settings::{ClientSettings, REQUEST_TIMEOUT};
use super::topics::Wanted;
use crate::config::Config;

/// Administration requests, from a thread that may block.
pub(crate) struct Admin {
    client: AdminClient<PlainContext>,
    options: AdminOptions,
    runtime: tokio::runtime::Runtime,
}

impl Admin {
    pub(crate) fn new(settings: &ClientSettings) -> Result<Self, Fatal> {
        let client = AdminClient::from_config_and_context(&settings.admin(), settings.plain())
            .map_err(|e| RequestError::from_kafka("kafka settings", &e).into_fatal())?;
        authorise(client.inner(), &client.inner().context().access).map_err(Fatal)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .map_err(|e| Fatal(format!("runtime: {e}")))?;
        let options = AdminOptions::new()
            .request_timeout(Some(REQUEST_TIMEOUT * 2))
            .operation_timeout(Some(REQUEST_TIMEOUT * 2));
        Ok(Self {
            client,
            options,
            runtime,
        })
    }

    /// The settings of topics, in the order asked, or why the cluster does not tell them.
    pub(crate) fn settings(&self, topics: &[&str]) -> Vec<Result<ConfigResource, String>> {
        let asked: Vec<_> = topics.iter().map(|t| ResourceSpecifier::Topic(t)).collect();
        let answer = self
            .runtime
            .block_on(self.client.describe_configs(&asked, &self.options));
        let untold = |topic: &str, why: &str| {
            format!("{topic}: the cluster tells no settings, so they are not verified: {why}")
        };
        match answer {
            Ok(found) => found
                .into_iter()
                .zip(topics)
                .map(|(found, topic)| match found {
                    // Where a topic was refused rdkafka drops the error, and leaves no settings.
                    Ok(found) if found.entries.is_empty() => {
                        let right = Right::topic("DESCRIBE_CONFIGS", topic);
                        Err(untold(topic, &right.to_string()))
                    }
                    found => found.map_err(|code| untold(topic, &code.to_string())),
                })
                .collect(),
            Err(error) => topics
                .iter()
                .map(|topic| Err(untold(topic, &error.to_string())))
                .collect(),
        }
    }

    /// The same where the service goes on without: then the log says why.
    pub(crate) fn settings_if_told(&self, topics: &[&str]) -> Vec<Option<ConfigResource>> {
        let told = self.settings(topics).into_iter();
        told.map(|found| found.map_err(|why| tracing::warn!("{why}")).ok())
            .collect()
    }

    /// Makes topics; says which could not be made, and why.
    pub(super) fn create(&self, config: &Config, missing: &[&Wanted]) -> Result<(), Vec<String>> {
        let replication = config
            .internal
            .replication_factor
            .map_or(-1, |r| i32::try_from(r).unwrap_or(i32::MAX));
        let partitions = i32::try_from(config.internal.partitions).unwrap_or(i32::MAX);
        let new: Vec<_> = missing
            .iter()
            .map(|w| {
                let topic =
                    NewTopic::new(&w.name, partitions, TopicReplication::Fixed(replication));
                w.settings.iter().fold(topic, |t, (k, v)| t.set(k, v))
            })
            .collect();
        let answer = self
            .runtime
            .block_on(self.client.create_topics(&new, &self.options))
            .map_err(|e| vec![e.to_string()])?;
        let failed: Vec<_> = answer
            .into_iter()
            .filter_map(|r| match r {
                Ok(_) | Err((_, Code::TopicAlreadyExists)) => None,
                Err((topic, code)) => {
                    let missing = Right::topic("CREATE", &topic).missing(Some(code));
                    Some(format!("{topic}: {code}{missing}"))
                }
            })
            .collect();
        if failed.is_empty() {
            Ok(())
        } else {
            Err(failed)
        }
    }

    /// Deletes topics; those that do not exist are no error.
    pub(crate) fn delete_topics(&self, topics: &[&str]) -> Result<Vec<String>, Fatal> {
        let answer = self
            .runtime
            .block_on(self.client.delete_topics(topics, &self.options))
            .map_err(|e| RequestError::from_kafka("deleting topics", &e).into_fatal())?;
        let mut deleted = Vec::new();
        for result in answer {
            match result {
                Ok(topic) => deleted.push(topic),
                Err((_, Code::UnknownTopicOrPartition | Code::UnknownTopic)) => {}
                Err((topic, code)) => {
                    let missing = Right::topic("DELETE", &topic).missing(Some(code));
                    return Err(Fatal(format!("deleting topic {topic}: {code}{missing}")));
                }
            }
        }
        Ok(deleted)
    }

    /// Deletes one group with its offsets; `false` if there was none.
    pub(crate) fn delete_group(&self, group: &str) -> Result<bool, Code> {
        let answer = self
            .runtime
            .block_on(self.client.delete_groups(&[group], &self.options))
            .map_err(|e| e.rdkafka_error_code().unwrap_or(Code::Fail))?;
        match answer.into_iter().next() {
            None | Some(Err((_, Code::GroupIdNotFound))) => Ok(false),
            Some(Ok(_)) => Ok(true),
            Some(Err((_, code))) => Err(code),
        }
    }

    /// Members of a classic group.
    pub(crate) fn members(&self, group: &str) -> Result<usize, KafkaError> {
        let list = self
            .client
            .inner()
            .fetch_group_list(Some(group), REQUEST_TIMEOUT)?;
        Ok(list
            .groups()
            .iter()
            .filter(|g| g.name() == group)
            .map(|g| g.members().len())
            .sum())
    }
}
