//! Numbers as people read them, with units, three significant digits.

use std::time::Duration;

/// `25.6 M`, `9.41 K`, `128  `: units in one column when aligned right.
#[must_use]
pub fn count(value: u64) -> String {
    const UNITS: [&str; 5] = [" ", "K", "M", "G", "T"];
    let mut scaled = value as f64;
    let mut unit = 0;
    while scaled >= 999.5 && unit + 1 < UNITS.len() {
        scaled /= 1000.0;
        unit += 1;
    }
    if unit == 0 {
        return format!("{value}  ");
    }
    format!("{} {}", three(scaled), UNITS[unit])
}

/// As [`count`] without the padding, for running text.
#[must_use]
pub fn count_inline(value: u64) -> String {
    count(value).trim_end().to_owned()
}

/// Three significant digits, plain: `0.125`, `12.8`, `256`.
#[must_use]
pub fn three(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        return if value.is_nan() { "NaN" } else { "inf" }.to_owned();
    }
    if size >= 99.95 {
        format!("{value:.0}")
    } else if size >= 9.995 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// A share in percent: `75 %`, `0.4 %`, `0 %`.
#[must_use]
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if !percent.is_finite() {
        "NaN".to_owned()
    } else if percent > 0.0 && percent < 0.05 {
        "<0.1 %".to_owned()
    } else if percent > 0.0 && percent < 9.95 {
        format!("{percent:.1} %")
    } else {
        format!("{percent:.0} %")
    }
}

/// `31 ms`, `1.2 s`, `4 min 10 s`, `2 h 5 min`.
#[must_use]
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let whole = time.as_secs();
    if seconds < 0.9995 {
        format!("{:.0} ms", seconds * 1000.0)
    } else if seconds < 9.95 {
        format!("{seconds:.1} s")
    } else if seconds < 59.5 {
        format!("{seconds:.0} s")
    } else if whole < 3600 {
        format!("{} min {} s", whole / 60, whole % 60)
    } else {
        format!("{} h {} min", whole / 3600, whole / 60 % 60)
    }
}

/// `1.5 MB`, powers of a thousand.
#[must_use]
pub fn bytes(value: u64) -> String {
    format!(
        "{}B",
        count(value).trim_end_matches(' ').to_owned() + if value < 1000 { " " } else { "" }
    )
}

/// `64x3x7x7`; a scalar is `scalar`.
#[must_use]
pub fn shape(dims: &[usize]) -> String {
    if dims.is_empty() {
        return "scalar".to_owned();
    }
    let words: Vec<String> = dims.iter().map(usize::to_string).collect();
    words.join("x")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_three_digits_and_a_unit() {
        assert_eq!(count(128), "128  ");
        assert_eq!(count(999), "999  ");
        assert_eq!(count(9_408), "9.41 K");
        assert_eq!(count(999_999), "1.00 M");
        assert_eq!(count(25_557_032), "25.6 M");
        assert_eq!(count(4_089_184_256), "4.09 G");
        assert_eq!(count_inline(7), "7");
    }

    #[test]
    fn times_and_sizes_carry_units() {
        assert_eq!(duration(Duration::from_millis(31)), "31 ms");
        assert_eq!(duration(Duration::from_millis(1200)), "1.2 s");
        assert_eq!(duration(Duration::from_millis(24_300)), "24 s");
        assert_eq!(duration(Duration::from_secs(250)), "4 min 10 s");
        assert_eq!(bytes(1_500_000), "1.50 MB");
        assert_eq!(bytes(12), "12 B");
        assert_eq!(percent(0.75), "75 %");
        assert_eq!(percent(0.004), "0.4 %");
        assert_eq!(percent(0.0), "0 %");
    }
}
