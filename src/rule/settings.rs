//! What an operator can say about a rule: the serde form.
//!
//! Shapes are checked here, values by [`super::compile`], which names every wrong one by its path.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{
    Deserialize, DeserializeOwned, Deserializer, Error, MapAccess, SeqAccess, Visitor,
};
use serde::{Deserialize as DeriveDeserialize, Serialize};

use super::model::{Attribution, KeySide, LatePolicy, Mode};
use crate::units::Scalar;

/// What a duration may be, for messages.
const DURATION: &str = "a duration with a unit, such as 500ms, 60s, 5m, 1h30m or 2d";

/// One of `rules:`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    /// Unique name: 1 to 100 of letters, digits, `.`, `_`, `-`. Consumers and charts depend on it.
    #[schemars(regex(pattern = r"^[a-zA-Z0-9._-]{1,100}$"))]
    pub name: String,
    /// Which flows: CEL over flow fields, e.g. `direction == "ingress" && dst_port in [53, 123]`.
    /// Empty takes every flow.
    #[serde(default)]
    pub filter: String,
    /// Which address is counted: `dst` (default) or `src`.
    #[serde(default)]
    pub key: KeySide,
    /// Window length, 1s to 24h. Default 60s.
    #[serde(default = "default_interval")]
    #[schemars(title = DURATION)]
    pub interval: Scalar,
    /// How long a window waits for disorder, 0s to 24h. Default 5s.
    #[serde(default = "default_grace")]
    #[schemars(title = DURATION)]
    pub grace: Scalar,
    /// What happens to flows later than that: `oldest_open` (default where event time is
    /// `received`) or `drop` (default otherwise).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<LatePolicy>,
    /// Which windows a flow counts in: `arrival` (default) or `spread` over its duration.
    #[serde(default)]
    pub attribution: Attribution,
    /// Which prefixes over a threshold are reported: `most_specific` (default), `discounted`, `all`.
    #[serde(default)]
    pub mode: Mode,
    /// Prefix lengths looked at, by family: a range `0..32`, a list `[32, 24, 22]` or one length.
    #[serde(default)]
    pub prefix_length: PrefixLengthConfig,
    /// At least one; a prefix over any of them is reported.
    pub thresholds: ThresholdsConfig,
    /// Own prefixes: other key addresses are not counted, and aggregation stops at the entry.
    /// A list of prefixes, each bare or with labels, or a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<ListOrFile<ScopeItem>>,
    /// Copied into alerts.
    #[serde(default)]
    pub labels: BTreeMap<String, Scalar>,
    /// Copied into alerts. 1 to 32 of letters, digits, `.`, `_`, `-`. Default `warning`.
    #[serde(default = "default_severity")]
    #[schemars(regex(pattern = r"^[a-zA-Z0-9._-]{1,32}$"))]
    pub severity: String,
    /// Distinct addresses kept per window and family, 1 to 1G. Default 4M.
    #[serde(default = "default_max_prefixes")]
    pub max_prefixes: Scalar,
    /// Alerts written per window, 1 to 1M. Default 10000.
    #[serde(default = "default_max_alerts")]
    pub max_alerts_per_window: Scalar,
}

fn default_interval() -> Scalar {
    "60s".into()
}

fn default_grace() -> Scalar {
    "5s".into()
}

fn default_severity() -> String {
    "warning".to_owned()
}

fn default_max_prefixes() -> Scalar {
    "4M".into()
}

fn default_max_alerts() -> Scalar {
    "10000".into()
}

/// `prefix_length:`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrefixLengthConfig {
    /// IPv4 lengths. Default `[32, 24, 22]`; `[]` counts no IPv4.
    #[serde(default = "default_lengths_v4")]
    pub ipv4: Lengths,
    /// IPv6 lengths. Default `[128, 64, 48]`; `[]` counts no IPv6.
    #[serde(default = "default_lengths_v6")]
    pub ipv6: Lengths,
}

impl Default for PrefixLengthConfig {
    fn default() -> Self {
        Self {
            ipv4: default_lengths_v4(),
            ipv6: default_lengths_v6(),
        }
    }
}

fn default_lengths_v4() -> Lengths {
    Lengths::List(["32", "24", "22"].map(Scalar::from).into())
}

fn default_lengths_v6() -> Lengths {
    Lengths::List(["128", "64", "48"].map(Scalar::from).into())
}

/// Prefix lengths of one family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Lengths {
    /// `0..32`, both ends included, or one length.
    Range(Scalar),
    /// Exactly these.
    List(Vec<Scalar>),
}

/// `thresholds:`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ThresholdsConfig {
    /// Bytes per interval, e.g. `100MiB`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Threshold>,
    /// Packets per interval, e.g. `1M`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packets: Option<Threshold>,
    /// Flows per interval, e.g. `50k`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flows: Option<Threshold>,
    /// Bits per second, e.g. `1.5Gbps`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits_per_second: Option<Threshold>,
    /// Packets per second, e.g. `200kpps`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packets_per_second: Option<Threshold>,
    /// Flows per second, e.g. `5k`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flows_per_second: Option<Threshold>,
}

/// One metric's thresholds: a value, a table by prefix length, or either by family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Threshold {
    /// For all lengths.
    Value(Scalar),
    /// `{32: 100Mbps, 24: 1Gbps}`, `{ipv4: …, ipv6: …}`, or tables inside families.
    Table(BTreeMap<String, Threshold>),
}

/// A list in place, or a file that the configuration layer reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ListOrFile<T> {
    /// In place.
    List(Vec<T>),
    /// One item per line, comments from `#` on.
    File(FileRef),
}

/// `{file: path}`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileRef {
    /// Path of the file, relative to the configuration file.
    pub file: PathBuf,
}

impl<T> ListOrFile<T> {
    /// The file to read, if it is one.
    pub const fn file(&self) -> Option<&PathBuf> {
        match self {
            Self::List(_) => None,
            Self::File(file) => Some(&file.file),
        }
    }
}

/// One of `scope:`: a prefix, bare or with labels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ScopeItem {
    /// `198.51.100.0/22`
    Prefix(String),
    /// `{prefix: 198.51.100.0/22, labels: {customer: example}}`
    Labelled(LabelledPrefix),
}

/// `{prefix: …, labels: {…}}`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelledPrefix {
    /// The prefix.
    pub prefix: String,
    /// Copied into the target of alerts inside it.
    #[serde(default)]
    pub labels: BTreeMap<String, Scalar>,
}

/// How a type that configuration may write in several shapes is read from each. Written out, since
/// serde's untagged enums say only that nothing matched.
trait Shapes: Sized {
    const EXPECTED: &'static str;

    fn scalar<E: Error>(_: Scalar) -> Result<Self, E> {
        Err(E::custom(format_args!("expected {}", Self::EXPECTED)))
    }

    fn list<'de, A: SeqAccess<'de>>(_: A) -> Result<Self, A::Error> {
        Err(A::Error::custom(format_args!(
            "expected {}",
            Self::EXPECTED
        )))
    }

    fn map<'de, A: MapAccess<'de>>(_: A) -> Result<Self, A::Error> {
        Err(A::Error::custom(format_args!(
            "expected {}",
            Self::EXPECTED
        )))
    }
}

struct ShapeVisitor<T>(PhantomData<T>);

impl<'de, T: Shapes> Visitor<'de> for ShapeVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        T::scalar(text.into())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        T::scalar(Scalar(number.to_string()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        T::scalar(Scalar(number.to_string()))
    }

    fn visit_u128<E: Error>(self, number: u128) -> Result<T, E> {
        T::scalar(Scalar(number.to_string()))
    }

    fn visit_i128<E: Error>(self, number: i128) -> Result<T, E> {
        T::scalar(Scalar(number.to_string()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        Err(E::custom(format_args!(
            "{number} is a fraction: write it as text in quotes, with a unit"
        )))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<T, A::Error> {
        T::list(seq)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::map(map)
    }
}

macro_rules! deserialize_by_shape {
    ($($type:ty),*) => {
        $(impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(ShapeVisitor(PhantomData))
            }
        })*
    };
}
deserialize_by_shape!(Lengths, Threshold, ScopeItem);

impl<'de, T: DeserializeOwned> Deserialize<'de> for ListOrFile<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShapeVisitor(PhantomData))
    }
}

impl Shapes for Lengths {
    const EXPECTED: &'static str =
        "a range such as 0..32, a list such as [32, 24, 22], or one length";

    fn scalar<E: Error>(scalar: Scalar) -> Result<Self, E> {
        Ok(Self::Range(scalar))
    }

    fn list<'de, A: SeqAccess<'de>>(seq: A) -> Result<Self, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Self::List)
    }
}

impl Shapes for Threshold {
    const EXPECTED: &'static str = "a value with a unit, a table by prefix length such as {32: 100Mbps, 24: 1Gbps}, or {ipv4: …, ipv6: …}";

    fn scalar<E: Error>(scalar: Scalar) -> Result<Self, E> {
        Ok(Self::Value(scalar))
    }

    fn map<'de, A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        // A key is a number or a text, by the format; `Scalar` takes both.
        let mut table = BTreeMap::new();
        while let Some((key, value)) = map.next_entry::<Scalar, Self>()? {
            if table.contains_key(&key.0) {
                return Err(A::Error::custom(format_args!("{key} is given twice")));
            }
            table.insert(key.0, value);
        }
        Ok(Self::Table(table))
    }
}

impl Shapes for ScopeItem {
    const EXPECTED: &'static str = "a prefix, or {prefix: …, labels: {…}}";

    fn scalar<E: Error>(scalar: Scalar) -> Result<Self, E> {
        Ok(Self::Prefix(scalar.0))
    }

    fn map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        LabelledPrefix::deserialize(MapAccessDeserializer::new(map)).map(Self::Labelled)
    }
}

impl<T: DeserializeOwned> Shapes for ListOrFile<T> {
    const EXPECTED: &'static str = "a list, or {file: PATH}";

    fn list<'de, A: SeqAccess<'de>>(seq: A) -> Result<Self, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Self::List)
    }

    fn map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        FileRef::deserialize(MapAccessDeserializer::new(map)).map(Self::File)
    }
}

impl JsonSchema for Lengths {
    fn schema_name() -> Cow<'static, str> {
        "Lengths".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "title": Self::EXPECTED,
            "description": "Prefix lengths: a range such as `0..32`, both ends included, a list, or one length.",
            "anyOf": [
                {"type": "string", "pattern": r"^\d+(\.\.\d+)?$"},
                {"type": "integer", "minimum": 0, "maximum": 128},
                {"type": "array", "items": {"type": ["integer", "string"]}},
            ],
        })
    }
}

impl JsonSchema for Threshold {
    fn schema_name() -> Cow<'static, str> {
        "Threshold".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<Scalar>();
        let inner = generator.subschema_for::<Self>();
        json_schema!({
            "title": Self::EXPECTED,
            "description": "A value with a unit for all prefix lengths; a table by length, each entry also for longer lengths up to the next; or either by family.",
            "anyOf": [
                value,
                {
                    "type": "object",
                    "minProperties": 1,
                    "propertyNames": {"pattern": r"^(ipv4|ipv6|\d{1,3})$"},
                    "additionalProperties": inner,
                },
            ],
        })
    }
}

impl JsonSchema for ScopeItem {
    fn schema_name() -> Cow<'static, str> {
        "ScopeItem".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let labelled = generator.subschema_for::<LabelledPrefix>();
        json_schema!({
            "title": Self::EXPECTED,
            "description": "A prefix, bare or with labels.",
            "anyOf": [{"type": "string"}, labelled],
        })
    }
}

impl<T: JsonSchema> JsonSchema for ListOrFile<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}ListOrFile", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let item = generator.subschema_for::<T>();
        let file = generator.subschema_for::<FileRef>();
        json_schema!({
            "description": "A list in place, or a file with one item per line.",
            "anyOf": [{"type": "array", "items": item}, file],
        })
    }
}
