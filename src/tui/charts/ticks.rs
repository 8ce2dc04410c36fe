//! Where ticks stand, and bounds that move in steps.

use super::format::decimal;
use super::scale::Scale;

/// A place on an axis and its exact label.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    pub value: f64,
    pub label: String,
}

impl Tick {
    fn exact(units: i64, exponent: i32) -> Self {
        Self {
            value: value(units, exponent),
            label: decimal(units, exponent),
        }
    }
}

/// A distance between ticks: 1, 2 or 5 times a power of ten.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Step {
    units: i64,
    exponent: i32,
}

impl Step {
    /// The smallest such step that divides `range` into at most `parts` parts.
    fn for_range(range: f64, parts: usize) -> Self {
        let least = range / parts.max(1) as f64;
        let exponent = least.log10().floor() as i32;
        let fits = |units: i64| value(units, exponent) >= least * (1.0 - 1e-9);
        let units = [1, 2, 5].into_iter().find(|&units| fits(units));
        match units {
            Some(units) => Self { units, exponent },
            None => Self {
                units: 1,
                exponent: exponent + 1,
            },
        }
    }

    fn size(self) -> f64 {
        value(self.units, self.exponent)
    }

    fn tick(self, number: i64) -> Tick {
        Tick::exact(number * self.units, self.exponent)
    }
}

fn value(units: i64, exponent: i32) -> f64 {
    // Division keeps 3e-1 the double nearest to 0.3; multiplication by 0.1 would not.
    if exponent < 0 {
        units as f64 / 10_f64.powi(-exponent)
    } else {
        units as f64 * 10_f64.powi(exponent)
    }
}

/// An axis around data from `min` to `max` that ends on round numbers, with about `parts` parts.
pub(super) fn axis(min: f64, max: f64, log: bool, parts: usize) -> Scale {
    if log {
        return Scale::log(round_down(min), round_up(max));
    }
    let (min, max) = widened(min, max);
    let step = Step::for_range(max - min, parts).size();
    let low = (min / step + 1e-9).floor() * step;
    let high = (max / step - 1e-9).ceil() * step;
    Scale::linear(low, high)
}

/// Room around a constant, which has no range of its own.
fn widened(min: f64, max: f64) -> (f64, f64) {
    // Less than this part of the size is rounding, not range.
    let least = min.abs().max(max.abs()) * 1e-6;
    if max - min > least {
        return (min, max);
    }
    let room = if max == 0.0 { 1.0 } else { max.abs() * 0.1 };
    (min - room, max + room)
}

fn round_down(positive: f64) -> f64 {
    rounded(positive, [5, 2, 1], |candidate| {
        candidate <= positive * (1.0 + 1e-9)
    })
}

fn round_up(positive: f64) -> f64 {
    rounded(positive, [1, 2, 5], |candidate| {
        candidate >= positive * (1.0 - 1e-9)
    })
}

/// The first of the given multiples of the value's power of ten that fits, else ten times that power.
fn rounded(positive: f64, units: [i64; 3], fits: impl Fn(f64) -> bool) -> f64 {
    let exponent = positive.max(f64::MIN_POSITIVE).log10().floor() as i32;
    let exponent = exponent.clamp(-300, 300);
    units
        .into_iter()
        .map(|units| value(units, exponent))
        .find(|&candidate| fits(candidate))
        .unwrap_or_else(|| value(1, exponent + 1))
}

/// At most about `most` ticks inside the bounds of `scale`.
pub(super) fn ticks(scale: &Scale, most: usize) -> Vec<Tick> {
    if scale.is_log() {
        let ticks = log_ticks(scale.low(), scale.high(), most);
        if ticks.len() >= 2 {
            return ticks;
        }
    }
    linear_ticks(scale.low(), scale.high(), most)
}

fn linear_ticks(low: f64, high: f64, most: usize) -> Vec<Tick> {
    let step = Step::for_range(high - low, most.saturating_sub(1));
    let first = (low / step.size() - 1e-9).ceil();
    let last = (high / step.size() + 1e-9).floor();
    // Beyond this, neighbouring numbers are further apart than ticks.
    if first.abs().max(last.abs()) > 1e15 {
        return Vec::new();
    }
    (first as i64..=last as i64)
        .map(|number| step.tick(number))
        .collect()
}

/// Powers of ten, with their double and fivefold where there is room, or each second, third, ... power.
fn log_ticks(low: f64, high: f64, most: usize) -> Vec<Tick> {
    let first = low.log10().floor() as i32;
    let last = high.log10().ceil() as i32;
    let decades = (high / low).log10();
    let inside =
        |tick: &Tick| tick.value >= low * (1.0 - 1e-9) && tick.value <= high * (1.0 + 1e-9);
    let units: &[i64] = if decades * 3.0 <= most as f64 {
        &[1, 2, 5]
    } else {
        &[1]
    };
    let apart = (decades / most.max(1) as f64).ceil().max(1.0) as usize;
    (first..=last)
        .filter(|exponent| exponent.rem_euclid(apart as i32) == 0)
        .flat_map(|exponent| units.iter().map(move |&units| Tick::exact(units, exponent)))
        .filter(inside)
        .collect()
}

/// Steps of a clock, in seconds.
const CLOCK_STEPS: [u32; 18] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400,
];

/// Ticks of a linear time axis in seconds, on round minutes and hours.
pub(super) fn clock_ticks(scale: &Scale, most: usize) -> Vec<Tick> {
    let least = (scale.high() - scale.low()) / most.max(1) as f64;
    let day = f64::from(CLOCK_STEPS[CLOCK_STEPS.len() - 1]);
    let step = CLOCK_STEPS
        .into_iter()
        .map(f64::from)
        .find(|&step| step >= least)
        .unwrap_or_else(|| (least / day).ceil() * day);
    let first = (scale.low() / step - 1e-9).ceil() as i64;
    let last = (scale.high() / step + 1e-9).floor() as i64;
    (first..=last)
        .map(|number| Tick {
            value: number as f64 * step,
            label: super::format::clock(number as f64 * step),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(ticks: &[Tick]) -> Vec<&str> {
        ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn labels_are_exact_decimals() {
        let ticks = ticks(&Scale::linear(0.0, 1.0), 6);
        assert_eq!(labels(&ticks), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(ticks[3].value, 0.6);
    }

    #[test]
    fn log_axes_have_powers_of_ten_and_more_where_there_is_room() {
        let wide = ticks(&Scale::log(1e-6, 1.0), 4);
        assert_eq!(labels(&wide), ["1e-6", "0.0001", "0.01", "1"]);
        let narrow = ticks(&Scale::log(0.2, 5.0), 6);
        assert_eq!(labels(&narrow), ["0.2", "0.5", "1", "2", "5"]);
    }

    #[test]
    fn a_log_axis_within_one_decade_still_has_ticks() {
        assert!(ticks(&Scale::log(2.1, 2.9), 5).len() >= 2);
    }

    #[test]
    fn bounds_hold_the_data_and_stay_while_it_moves_a_little() {
        let before = axis(0.31, 2.2, false, 5);
        assert_eq!(before, axis(0.33, 2.3, false, 5));
        assert!(before.low() <= 0.31 && before.high() >= 2.2);
    }

    #[test]
    fn a_constant_has_room_around_it() {
        for value in [0.0, 3.0, -2.0, 1e-12, 1e30] {
            let scale = axis(value, value, false, 5);
            assert!(scale.low() < value && value < scale.high(), "{value}");
        }
    }

    #[test]
    fn clocks_tick_on_round_minutes() {
        let ticks = clock_ticks(&Scale::linear(0.0, 700.0), 5);
        assert_eq!(labels(&ticks), ["0 s", "5:00", "10:00"]);
    }

    proptest! {
        #[test]
        fn ticks_are_few_and_inside(low in -1e6..1e6_f64, range in 1e-6..1e7_f64, most in 2_usize..12) {
            let scale = Scale::linear(low, low + range);
            let ticks = ticks(&scale, most);
            prop_assert!(ticks.len() <= most);
            for tick in ticks {
                prop_assert!(tick.value >= low - range * 1e-6 && tick.value <= low + range * (1.0 + 1e-6));
            }
        }

        #[test]
        fn axes_hold_their_data(min in 1e-9..1e9_f64, range in 0.0..1e9_f64, log: bool) {
            let scale = axis(min, min + range, log, 5);
            prop_assert!(scale.low() <= min * (1.0 + 1e-6));
            prop_assert!(scale.high() >= (min + range) * (1.0 - 1e-6));
        }
    }
}
