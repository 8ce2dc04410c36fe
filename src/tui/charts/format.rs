//! Numbers in few characters.

/// Largest power of ten that a tick label writes out in zeros, and smallest that it writes as decimals.
const PLAIN_POWERS: std::ops::RangeInclusive<i32> = -4..=4;

/// `units` times ten to the power of `exponent`, written exactly.
pub(super) fn decimal(units: i64, exponent: i32) -> String {
    if units == 0 {
        return "0".to_owned();
    }
    if exponent < *PLAIN_POWERS.start() {
        return scientific(units, exponent);
    }
    if exponent >= 0 {
        let Some(value) = 10_i64.checked_pow(exponent.unsigned_abs()) else {
            return scientific(units, exponent);
        };
        return match units.checked_mul(value) {
            Some(value) => grouped(value),
            None => scientific(units, exponent),
        };
    }
    let places = exponent.unsigned_abs() as usize;
    let digits = format!("{:0>width$}", units.abs(), width = places + 1);
    let (whole, part) = digits.split_at(digits.len() - places);
    format!("{}{whole}.{part}", sign(units))
}

fn sign(units: i64) -> &'static str {
    if units < 0 { "-" } else { "" }
}

/// Thousands and millions by letter where that is exact and shorter.
fn grouped(value: i64) -> String {
    let exact = |unit: i64, letter: char| {
        (value.abs() >= 10 * unit && value % (unit / 10) == 0).then(|| {
            let tenths = value / (unit / 10);
            match tenths % 10 {
                0 => format!("{} {letter}", tenths / 10),
                tenth => format!("{}.{} {letter}", tenths / 10, tenth.abs()),
            }
        })
    };
    exact(1_000_000_000, 'G')
        .or_else(|| exact(1_000_000, 'M'))
        .or_else(|| exact(1000, 'k'))
        .unwrap_or_else(|| value.to_string())
}

fn scientific(mut units: i64, mut exponent: i32) -> String {
    while units % 10 == 0 {
        units /= 10;
        exponent += 1;
    }
    let digits = units.abs().to_string();
    let (first, rest) = digits.split_at(1);
    exponent += rest.len() as i32;
    let dot = if rest.is_empty() { "" } else { "." };
    format!("{}{first}{dot}{rest}e{exponent}", sign(units))
}

/// A value with `digits` significant digits: decimals where those are short, powers of ten elsewhere.
#[must_use]
pub fn significant(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return if value.is_nan() {
            "NaN".to_owned()
        } else {
            format!("{value}")
        };
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let digits = digits.max(1);
    let written = format!("{value:.*e}", digits - 1);
    // The power of ten after rounding: 0.0099996 is 0.01000, not 0.010000.
    let power = written
        .split_once('e')
        .and_then(|(_, power)| power.parse().ok());
    match power {
        Some(power @ -4..=6) => {
            let places = (digits as i32 - 1 - power).max(0) as usize;
            format!("{value:.places$}")
        }
        _ => written,
    }
}

/// A duration in seconds as a clock shows it: `45 s`, `3:20`, `1:05:00`.
#[must_use]
pub fn clock(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    let (h, m, s) = (whole / 3600, whole / 60 % 60, whole % 60);
    match (h, m) {
        (0, 0) if seconds < 10.0 && seconds.fract() != 0.0 => format!("{seconds:.1} s"),
        (0, 0) => format!("{s} s"),
        (0, m) => format!("{m}:{s:02}"),
        (h, m) => format!("{h}:{m:02}:{s:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        assert_eq!(decimal(3, -1), "0.3");
        assert_eq!(decimal(-25, -2), "-0.25");
        assert_eq!(decimal(120, 0), "120");
        assert_eq!(decimal(5, 3), "5000");
        assert_eq!(decimal(25, 3), "25 k");
        assert_eq!(decimal(2, 6), "2000 k");
        assert_eq!(decimal(25, 6), "25 M");
        assert_eq!(decimal(12, -6), "1.2e-5");
        assert_eq!(decimal(0, -7), "0");
        assert_eq!(decimal(1, 40), "1e40");
    }

    #[test]
    fn values_keep_their_significant_digits() {
        assert_eq!(significant(60.123, 4), "60.12");
        assert_eq!(significant(2.304_585, 4), "2.305");
        assert_eq!(significant(0.000_1, 3), "0.000100");
        assert_eq!(significant(1.5e-9, 3), "1.50e-9");
        assert_eq!(significant(12_345.6, 4), "12346");
        assert_eq!(significant(0.009_999_99, 4), "0.01000");
        assert_eq!(significant(f64::NAN, 4), "NaN");
        assert_eq!(significant(0.0, 4), "0");
    }

    #[test]
    fn clocks_show_the_units_that_matter() {
        assert_eq!(clock(2.5), "2.5 s");
        assert_eq!(clock(45.0), "45 s");
        assert_eq!(clock(200.0), "3:20");
        assert_eq!(clock(3900.0), "1:05:00");
    }
}
