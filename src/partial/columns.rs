//! LEB128 varints in columns: small numbers take one byte, and equal neighbours compress well.

use crate::net::AddrBits;

/// Why a column cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ColumnError {
    /// A value runs past the column's end, or there are fewer values than leaves.
    #[error("ends after {0} values")]
    Short(usize),
    /// Bytes are left after the last value.
    #[error("has {0} bytes left over")]
    Trailing(usize),
    /// A value does not fit its type, or is written longer than it needs to be.
    #[error("value {0} is out of range or written too long")]
    Value(usize),
}

/// Appends `value`, 7 bits a byte, lowest first.
pub(super) fn put(column: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        column.push(value as u8 | 0x80);
        value >>= 7;
    }
    column.push(value as u8);
}

/// [`put`] for addresses and their gaps, up to 19 bytes.
pub(super) fn put_wide(column: &mut Vec<u8>, mut value: u128) {
    loop {
        if let Ok(narrow) = u64::try_from(value) {
            return put(column, narrow);
        }
        column.push(value as u8 | 0x80);
        value >>= 7;
    }
}

/// Why one value cannot be read.
enum Unread {
    /// It runs past the column's end.
    Cut,
    /// It is too large or overlong.
    Value,
}

macro_rules! reader {
    ($take:ident, $read:ident, $int:ty) => {
        /// Reads one value of at most `bits` bits.
        fn $take(column: &mut &[u8], bits: u32) -> Result<$int, Unread> {
            let (&first, rest) = column.split_first().ok_or(Unread::Cut)?;
            *column = rest;
            let mut value = <$int>::from(first & 0x7f);
            let mut more = first >= 0x80;
            let mut shift = 7;
            while more {
                let (&byte, rest) = column.split_first().ok_or(Unread::Cut)?;
                *column = rest;
                let part = byte & 0x7f;
                if shift >= bits || part >> (bits - shift).min(7) != 0 || byte == 0 {
                    return Err(Unread::Value);
                }
                value |= <$int>::from(part) << shift;
                more = byte >= 0x80;
                shift += 7;
            }
            Ok(value)
        }

        /// Reads exactly `leaves` values of at most `bits` bits each, which `each` must accept.
        fn $read(
            mut column: &[u8],
            leaves: usize,
            bits: u32,
            mut each: impl FnMut($int) -> bool,
        ) -> Result<(), ColumnError> {
            for index in 0..leaves {
                match $take(&mut column, bits) {
                    Ok(value) if each(value) => {}
                    Ok(_) | Err(Unread::Value) => return Err(ColumnError::Value(index)),
                    Err(Unread::Cut) => return Err(ColumnError::Short(index)),
                }
            }
            match column.len() {
                0 => Ok(()),
                left => Err(ColumnError::Trailing(left)),
            }
        }
    };
}
reader!(take, read, u64);
// 128-bit arithmetic is for addresses alone: counts are most of what is read.
reader!(take_wide, read_wide, u128);

/// What may be reserved for `leaves` values of `column`: a value takes at least a byte, so that a
/// corrupt count cannot make us reserve more than the record's own size allows.
fn room<T>(column: &[u8], leaves: usize) -> Vec<T> {
    Vec::with_capacity(leaves.min(column.len()))
}

/// Reads a column of counts, each multiplied by `factor`.
pub(super) fn counts(column: &[u8], leaves: usize, factor: u32) -> Result<Vec<u64>, ColumnError> {
    let mut out = room(column, leaves);
    read(column, leaves, 64, |value| {
        let scaled = value.checked_mul(u64::from(factor));
        out.extend(scaled);
        scaled.is_some()
    })?;
    Ok(out)
}

/// Reads a column of sampling rates.
pub(super) fn rates(column: &[u8], leaves: usize) -> Result<Vec<u32>, ColumnError> {
    let mut out = room(column, leaves);
    read(column, leaves, 32, |value| {
        out.push(value as u32);
        true
    })?;
    Ok(out)
}

/// Reads addresses: strictly ascending by construction, as a gap of 0 means the very next address;
/// only running past the last address remains to be refused.
pub(super) fn addresses<A: AddrBits>(column: &[u8], leaves: usize) -> Result<Vec<A>, ColumnError> {
    let last = A::from_u128(0).last_of(0).to_u128();
    let mut out = room(column, leaves);
    let mut next: Option<u128> = Some(0);
    read_wide(column, leaves, u32::from(A::BITS), |gap| {
        let Some(addr) = next.and_then(|n| n.checked_add(gap)).filter(|a| *a <= last) else {
            return false;
        };
        out.push(A::from_u128(addr));
        next = addr.checked_add(1);
        true
    })?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_number_reads_back(values in prop::collection::vec(any::<u64>(), 0..50), wide: u128) {
            let mut column = Vec::new();
            for v in &values {
                put(&mut column, *v);
            }
            prop_assert_eq!(counts(&column, values.len(), 1), Ok(values));
            column.clear();
            put_wide(&mut column, wide);
            prop_assert_eq!(addresses::<u128>(&column, 1), Ok(vec![wide]));
        }
    }

    #[test]
    fn both_ends_of_the_address_space_fit() {
        let mut column = Vec::new();
        put(&mut column, 0);
        put(&mut column, u64::from(u32::MAX) - 1);
        assert_eq!(addresses::<u32>(&column, 2), Ok(vec![0, u32::MAX]));
        put(&mut column, 0);
        assert_eq!(addresses::<u32>(&column, 3), Err(ColumnError::Value(2)));
        column.clear();
        put_wide(&mut column, u128::MAX);
        put(&mut column, 0);
        assert_eq!(addresses::<u128>(&column, 2), Err(ColumnError::Value(1)));
    }

    #[test]
    fn wrong_columns_are_refused() {
        assert_eq!(counts(&[1], 2, 1), Err(ColumnError::Short(1)));
        assert_eq!(counts(&[1, 0x80], 2, 1), Err(ColumnError::Short(1)));
        assert_eq!(counts(&[1, 2, 3], 2, 1), Err(ColumnError::Trailing(1)));
        // 0x80 0x00 is an overlong zero.
        assert_eq!(counts(&[0x80, 0], 1, 1), Err(ColumnError::Value(0)));
        assert_eq!(
            rates(&[0xff, 0xff, 0xff, 0xff, 0x0f], 1),
            Ok(vec![u32::MAX])
        );
        assert_eq!(
            rates(&[0xff, 0xff, 0xff, 0xff, 0x1f], 1),
            Err(ColumnError::Value(0))
        );
        let mut column = Vec::new();
        put(&mut column, u64::MAX / 2);
        assert_eq!(counts(&column, 1, 3), Err(ColumnError::Value(0)));
    }

    #[test]
    fn a_huge_claimed_count_reserves_little() {
        assert_eq!(counts(&[1, 2], usize::MAX, 1), Err(ColumnError::Short(2)));
    }
}
