//! The two axes of a chart: what they measure, where they end, how they are labelled.

use super::format::{clock, significant};
use super::scale::Scale;
use super::ticks::{Tick, clock_ticks, ticks};

/// What the x axis counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum XUnit {
    /// Optimiser steps.
    Step,
    #[default]
    Epoch,
    /// Seconds since the run began.
    Time,
    /// The number of a value in a list, from 1.
    Index,
}

impl XUnit {
    /// What stands beside the axis.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Epoch => "epoch",
            Self::Time => "time",
            Self::Index => "",
        }
    }

    /// Step, epoch and time in turn.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Step => Self::Epoch,
            Self::Epoch => Self::Time,
            Self::Time | Self::Index => Self::Step,
        }
    }

    /// A place on the axis in words.
    #[must_use]
    pub fn say(self, x: f64) -> String {
        match self {
            Self::Step => format!("step {x:.0}"),
            Self::Epoch => format!("epoch {}", short(x)),
            Self::Time => clock(x),
            Self::Index => format!("{x:.0}"),
        }
    }

    pub(super) fn ticks(self, scale: &Scale, most: usize) -> Vec<Tick> {
        match self {
            Self::Time if !scale.is_log() => clock_ticks(scale, most),
            _ => ticks(scale, most),
        }
    }
}

fn short(x: f64) -> String {
    if x.fract() == 0.0 {
        format!("{x:.0}")
    } else if x >= 100.0 {
        format!("{x:.1}")
    } else {
        significant(x, 3)
    }
}

/// Bounds that an axis grows through, times a power of ten: each is about a quarter above the one before.
const GROWTH: [f64; 10] = [1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0];
/// The same for an axis in seconds, in minutes from one up.
const CLOCK_GROWTH: [f64; 12] = [
    1.0, 2.0, 3.0, 4.0, 5.0, 8.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0,
];

/// The end of an x axis for data up to `max`: a round number that stays the same until the data has grown
/// by about a quarter. It does not pass `limit`, where the data is known to end.
#[must_use]
pub fn grown(max: f64, limit: Option<f64>, unit: XUnit) -> f64 {
    let end = match unit {
        XUnit::Time if max > 60.0 && max <= 3600.0 => CLOCK_GROWTH
            .into_iter()
            .map(|minutes| minutes * 60.0)
            .find(|&end| end >= max)
            .unwrap_or(3600.0),
        XUnit::Time if max > 3600.0 => 3600.0 * grown_decimal(max / 3600.0),
        _ => grown_decimal(max),
    };
    match limit {
        Some(limit) if limit >= max => end.min(limit),
        _ => end,
    }
}

fn grown_decimal(max: f64) -> f64 {
    if !max.is_finite() || max <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(max.log10().floor());
    GROWTH
        .into_iter()
        .chain([10.0])
        .map(|step| step * power)
        .find(|&end| end >= max * (1.0 - 1e-9))
        .unwrap_or(max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_moves_in_steps_of_about_a_quarter() {
        let ends: Vec<f64> = (1..=1000)
            .map(|max| grown(f64::from(max), None, XUnit::Step))
            .collect();
        let mut moves = ends.clone();
        moves.dedup();
        assert!(moves.len() <= 32, "{} moves", moves.len());
        for (max, end) in (1..=1000).zip(ends) {
            assert!(end >= f64::from(max) && end <= 1.4 * f64::from(max) + 1e-9);
        }
    }

    #[test]
    fn the_end_does_not_pass_the_last_epoch() {
        assert_eq!(grown(6.3, Some(7.0), XUnit::Epoch), 7.0);
        assert_eq!(grown(2.1, Some(300.0), XUnit::Epoch), 2.5);
        assert_eq!(grown(9.0, Some(7.0), XUnit::Epoch), 10.0);
    }

    #[test]
    fn clocks_end_on_minutes() {
        assert_eq!(grown(130.0, None, XUnit::Time), 180.0);
        assert_eq!(grown(5000.0, None, XUnit::Time), 5400.0);
    }
}
