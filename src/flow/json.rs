//! JSON records, in all four dialects at once: an object with field names in any case.
//!
//! One streaming pass. Text without escapes is borrowed from the record, other text is unescaped into
//! scratch space. A value of an unexpected type is skipped, as it is in protobuf.

use std::fmt;
use std::mem;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::named::{Draft, Key};

/// Reads one record. `scratch` is overwritten.
pub(super) fn read<'a>(
    record: &'a [u8],
    draft: &mut Draft<'a>,
    scratch: &'a mut Vec<u8>,
) -> Result<(), serde_json::Error> {
    if scratch.len() < record.len() {
        scratch.resize(record.len(), 0);
    }
    let mut json = serde_json::Deserializer::from_slice(record);
    json.deserialize_map(FlowVisitor {
        draft,
        scratch: Scratch(scratch),
    })?;
    json.end()
}

/// Whether the record can only be JSON: it begins with an object, after white space.
pub(super) fn begins_object(record: &[u8]) -> bool {
    record.trim_ascii_start().first() == Some(&b'{')
}

struct FlowVisitor<'d, 'a> {
    draft: &'d mut Draft<'a>,
    scratch: Scratch<'a>,
}

/// Scratch space that is left. It is as long as the record, and unescaping never makes text longer.
struct Scratch<'a>(&'a mut [u8]);

impl<'a> Scratch<'a> {
    fn keep(&mut self, text: &[u8]) -> Option<&'a [u8]> {
        let (kept, free) = mem::take(&mut self.0).split_at_mut_checked(text.len())?;
        kept.copy_from_slice(text);
        self.0 = free;
        Some(kept)
    }
}

impl<'a> Visitor<'a> for FlowVisitor<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the fields of a flow")
    }

    fn visit_map<M: MapAccess<'a>>(mut self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key_seed(KeySeed)? {
            match key {
                Some(key) => map.next_value_seed(ValueSeed {
                    key,
                    draft: self.draft,
                    scratch: &mut self.scratch,
                })?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

struct KeySeed;

impl<'a> DeserializeSeed<'a> for KeySeed {
    type Value = Option<Key>;

    fn deserialize<D: Deserializer<'a>>(self, key: D) -> Result<Self::Value, D::Error> {
        key.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed {
    type Value = Option<Key>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Key::of(key.as_bytes()))
    }
}

struct ValueSeed<'d, 'a> {
    key: Key,
    draft: &'d mut Draft<'a>,
    scratch: &'d mut Scratch<'a>,
}

impl<'a> DeserializeSeed<'a> for ValueSeed<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for ValueSeed<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's value")
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.draft.named_number(self.key, value);
        Ok(())
    }

    /// Negative: no field of a flow is.
    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    /// An integer in floating point, or one of more than 64 bits, which saturates.
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        if value >= 0.0 && value.fract() == 0.0 {
            self.draft.named_number(self.key, value as u64);
        }
        Ok(())
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        self.draft.named_number(self.key, u64::from(value));
        Ok(())
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'a str) -> Result<(), E> {
        self.draft.named_text(self.key, text.as_bytes());
        Ok(())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        if let Some(text) = self.scratch.keep(text.as_bytes()) {
            self.draft.named_text(self.key, text);
        }
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'a>>(self, mut list: S) -> Result<(), S::Error> {
        // One more than an address has, so that a longer list is none.
        let mut bytes = [0; 17];
        let mut length = 0;
        while let Some(item) = list.next_element::<Item>()? {
            match (item, bytes.get_mut(length)) {
                (Item(Some(byte)), Some(slot)) => {
                    *slot = byte;
                    length += 1;
                }
                _ => length = bytes.len(),
            }
        }
        self.draft.named_bytes(self.key, &bytes[..length]);
        Ok(())
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<(), M::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

/// One item of a list: a byte of an address, or something else.
struct Item(Option<u8>);

impl<'a> serde::Deserialize<'a> for Item {
    fn deserialize<D: Deserializer<'a>>(item: D) -> Result<Self, D::Error> {
        item.deserialize_any(ItemVisitor)
    }
}

struct ItemVisitor;

impl<'a> Visitor<'a> for ItemVisitor {
    type Value = Item;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a byte")
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Item, E> {
        Ok(Item(u8::try_from(value).ok()))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Item, E> {
        Ok(Item(None))
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Item, E> {
        Ok(Item(None))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Item, E> {
        Ok(Item(None))
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Item, E> {
        Ok(Item(None))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Item, E> {
        Ok(Item(None))
    }

    fn visit_seq<S: SeqAccess<'a>>(self, mut list: S) -> Result<Item, S::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Item(None))
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<Item, M::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Item(None))
    }
}
