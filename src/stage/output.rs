//! Alerts, the open ones of them, window records and state changes as Kafka records.

use std::sync::Arc;

use crate::alert::{ALERT_SCHEMA, Alert, EncodeError, Status, WINDOW_SCHEMA, WindowRecord};
use crate::config::OutputFormat;
use crate::detect::Emission;
use crate::kafka::TopicNames;
use crate::kafka::producer::OutRecord;
use crate::telemetry::otel::TRACEPARENT;
use crate::time::Timestamp;

/// Bodies hold nothing that differs between replays; headers may.
const CONTENT_TYPE: &str = "content-type";
const SCHEMA: &str = "hotprefix.schema";
const INSTANCE: &str = "hotprefix.instance";
const WRITTEN_AT: &str = "hotprefix.written_at";

/// Turns emissions into records.
pub(super) struct Output {
    pub(super) names: TopicNames,
    pub(super) format: OutputFormat,
    pub(super) instance: String,
}

impl Output {
    /// All records of one emission. State goes to `partition`; the others lead back to the emission's
    /// span, if it has one.
    pub(super) fn records(
        &self,
        emission: &Emission,
        partition: i32,
        now: Timestamp,
        traceparent: Option<&[u8]>,
    ) -> Result<Vec<OutRecord>, EncodeError> {
        let mut records = Vec::with_capacity(
            2 * emission.alerts.len() + emission.windows.len() + emission.state.len(),
        );
        for (alert, end) in emission.alerts.iter().zip(&emission.alert_times) {
            let record = self.alert(alert, *end, now)?;
            let active = self.active(alert, record.clone());
            records.extend([record, active]);
        }
        for (window, end) in emission.windows.iter().zip(&emission.window_times) {
            records.push(self.window(window, *end, now)?);
        }
        for record in &mut records {
            let header = traceparent.map(|value| (TRACEPARENT, value.to_vec()));
            record.headers.extend(header);
        }
        records.extend(emission.state.iter().map(|change| OutRecord {
            topic: Arc::clone(&self.names.state),
            partition: Some(partition),
            key: Some(change.key.clone()),
            payload: change.value.clone(),
            ..OutRecord::default()
        }));
        Ok(records)
    }

    fn alert(
        &self,
        alert: &Alert,
        end: Timestamp,
        now: Timestamp,
    ) -> Result<OutRecord, EncodeError> {
        let payload = match self.format {
            OutputFormat::Json => alert.to_json(),
            OutputFormat::Protobuf => alert.to_protobuf()?,
        };
        let key = format!("{}|{}", alert.rule.name, alert.prefix);
        Ok(self.public(&self.names.alerts, key, payload, ALERT_SCHEMA, end, now))
    }

    /// What an alert's record means for the topic of open alerts: the same, or a tombstone when it has ended or is
    /// silenced.
    fn active(&self, alert: &Alert, record: OutRecord) -> OutRecord {
        let is_active = alert.status != Status::Ended && alert.silenced_by.is_none();
        OutRecord {
            topic: Arc::clone(&self.names.active),
            payload: record.payload.filter(|_| is_active),
            ..record
        }
    }

    fn window(
        &self,
        window: &WindowRecord,
        end: Timestamp,
        now: Timestamp,
    ) -> Result<OutRecord, EncodeError> {
        let payload = match self.format {
            OutputFormat::Json => window.to_json(),
            OutputFormat::Protobuf => window.to_protobuf()?,
        };
        let key = window.rule.name.clone();
        Ok(self.public(&self.names.windows, key, payload, WINDOW_SCHEMA, end, now))
    }

    fn public(
        &self,
        topic: &Arc<str>,
        key: String,
        payload: Vec<u8>,
        schema: &str,
        end: Timestamp,
        now: Timestamp,
    ) -> OutRecord {
        let content_type = match self.format {
            OutputFormat::Json => "application/json",
            OutputFormat::Protobuf => "application/x-protobuf",
        };
        OutRecord {
            topic: Arc::clone(topic),
            partition: None,
            key: Some(key.into_bytes()),
            payload: Some(payload),
            // Brokers refuse records from the future, and retention goes by timestamps.
            timestamp: Some(end.min(now).as_millis().max(0)),
            headers: vec![
                (CONTENT_TYPE, content_type.as_bytes().to_vec()),
                (SCHEMA, schema.as_bytes().to_vec()),
                (INSTANCE, self.instance.as_bytes().to_vec()),
                (WRITTEN_AT, now.to_string().into_bytes()),
            ],
        }
    }
}
