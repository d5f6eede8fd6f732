//! How some amounts of time are spread, to two digits.

use std::collections::BTreeMap;

/// Milliseconds, each rounded to two digits, so that there are few different ones.
#[derive(Debug, Default)]
pub(super) struct Spread {
    counts: BTreeMap<i64, u64>,
    total: u64,
}

impl Spread {
    pub(super) fn add(&mut self, milliseconds: i64) {
        let digits = milliseconds.unsigned_abs().checked_ilog10().unwrap_or(0);
        let step = 10i64.pow(digits.saturating_sub(1));
        *self.counts.entry(milliseconds / step * step).or_default() += 1;
        self.total += 1;
    }

    /// The amount that so many of a thousand do not exceed. `None` when there is none.
    pub(super) fn permille(&self, permille: u64) -> Option<i64> {
        let rank = (u128::from(self.total) * u128::from(permille)).div_ceil(1000);
        let mut below = 0;
        let found = self.counts.iter().find(|(_, count)| {
            below += u128::from(**count);
            below >= rank.max(1)
        });
        found.map(|(amount, _)| *amount)
    }
}

/// `1.5s`, `-3m20s`, `1d4h`: the two largest units.
pub(super) fn text(milliseconds: i64) -> String {
    let sign = if milliseconds < 0 { "-" } else { "" };
    let ms = milliseconds.unsigned_abs();
    let (s, m, h, d) = (ms / 1000, ms / 60_000, ms / 3_600_000, ms / 86_400_000);
    let two = |large: u64, unit: &str, small: u64, smaller: &str| match small {
        0 => format!("{sign}{large}{unit}"),
        _ => format!("{sign}{large}{unit}{small}{smaller}"),
    };
    match (d, h, m, s) {
        (1.., ..) => two(d, "d", h % 24, "h"),
        (0, 1.., ..) => two(h, "h", m % 60, "m"),
        (0, 0, 1.., _) => two(m, "m", s % 60, "s"),
        (0, 0, 0, 1..=9) if ms % 1000 >= 100 => format!("{sign}{s}.{}s", ms % 1000 / 100),
        (0, 0, 0, 1..) => format!("{sign}{s}s"),
        _ => format!("{sign}{ms}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_ranked_and_rounded_towards_zero() {
        let mut spread = Spread::default();
        assert_eq!(spread.permille(500), None);
        for amount in [-1234, 0, 7, 1999] {
            spread.add(amount);
        }
        let of = |permille| spread.permille(permille);
        assert_eq!(
            (of(0), of(250), of(251), of(500), of(751), of(1000)),
            (
                Some(-1200),
                Some(-1200),
                Some(0),
                Some(0),
                Some(1900),
                Some(1900)
            )
        );
        spread.add(i64::MIN);
        spread.add(i64::MAX);
        assert_eq!(spread.permille(1000), Some(9_200_000_000_000_000_000));
    }

    #[test]
    fn text_has_the_two_largest_units() {
        for (milliseconds, expected) in [
            (0, "0ms"),
            (-999, "-999ms"),
            (1000, "1s"),
            (1540, "1.5s"),
            (59_999, "59s"),
            (60_000, "1m"),
            (-200_000, "-3m20s"),
            (3_660_000, "1h1m"),
            (100_800_000, "1d4h"),
        ] {
            assert_eq!(text(milliseconds), expected);
        }
    }
}
