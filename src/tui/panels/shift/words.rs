//! Numbers of this panel as people read them.

use crate::engine::protocol::Measure;
use crate::tui::widgets::number;

/// A value of a measure.
#[must_use]
pub fn value(of: Measure, value: f64) -> String {
    match of {
        Measure::Degree => format!("{value:.2}"),
        Measure::Path => format!("{value:.1}"),
        Measure::Nodes | Measure::Edges | Measure::Depth => format!("{value:.0}"),
        Measure::Parameters => number::count_inline(value.max(0.0).round() as u64),
    }
}

/// How many of the training networks something exceeds: `all`, `62 %`.
#[must_use]
pub fn those(percentile: f64) -> String {
    if percentile >= 100.0 {
        "all".to_owned()
    } else {
        percent(percentile)
    }
}

/// A percentile: never rounded up to all, nor down to none.
#[must_use]
fn percent(percent: f64) -> String {
    if percent > 99.0 && percent < 100.0 {
        let tenths = (percent * 10.0).floor() / 10.0;
        return format!("{tenths:.1} %");
    }
    number::percent(percent / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearly_all_is_not_all() {
        assert_eq!(those(99.97), "99.9 %");
        assert_eq!(those(100.0), "all");
        assert_eq!(those(29.985), "30 %");
        assert_eq!(those(0.01), "<0.1 %");
        assert_eq!(value(Measure::Parameters, 25_557_032.0), "25.6 M");
    }
}
