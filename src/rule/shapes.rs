//! Settings that may be written in several shapes: how each is read, and its JSON Schema.
//!
//! Written out rather than as serde's untagged enums, whose errors say only that nothing matched.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{
    Deserialize, DeserializeOwned, Deserializer, Error, MapAccess, SeqAccess, Visitor,
};

use super::settings::{
    ClearConfig, FileRef, LabelledPrefix, Lengths, ListOrFile, ScopeItem, Threshold,
    ThresholdsConfig,
};
use crate::units::Scalar;

/// How a type is read from each shape; a shape that it does not have is an error.
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
deserialize_by_shape!(Lengths, Threshold, ScopeItem, ClearConfig);

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

impl Shapes for ClearConfig {
    const EXPECTED: &'static str = "a share such as 80%, or thresholds such as {bytes: 100MiB}";

    fn scalar<E: Error>(scalar: Scalar) -> Result<Self, E> {
        Ok(Self::Share(scalar))
    }

    fn map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        let thresholds = ThresholdsConfig::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Self::Thresholds(Box::new(thresholds)))
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

impl JsonSchema for ClearConfig {
    fn schema_name() -> Cow<'static, str> {
        "ClearConfig".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let thresholds = generator.subschema_for::<ThresholdsConfig>();
        json_schema!({
            "title": Self::EXPECTED,
            "description": "A share of the threshold, or thresholds of their own.",
            "anyOf": [{"type": "string", "pattern": r"^\d+(\.\d)? ?%$"}, thresholds],
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
