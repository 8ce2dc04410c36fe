//! The curves of several runs as their mean and the spread around it.

use super::{Curves, Place, Table};
use crate::tui::charts::Series;

/// Most points of a mean: more than a chart has dots.
const MOST_POINTS: usize = 2000;

/// Runs that differ in nothing but their seed, taken together.
#[derive(Clone, Debug)]
pub struct Spread {
    pub mean: Curves,
    /// The mean less, and plus, one sample standard deviation (squares are divided by the number of runs
    /// less one). Of a single run they are the mean.
    pub low: Curves,
    pub high: Curves,
    /// How many runs have points.
    pub runs: usize,
}

impl Spread {
    /// Values that are smoothed are taken smoothed. Curves reach as far as every run has got that has
    /// points: a mean over ever fewer runs would jump where one of them ends.
    #[must_use]
    pub fn of(runs: &[&Curves]) -> Self {
        let begun = |run: &&Curves| !run.train.is_empty() || !run.val.is_empty();
        let runs: Vec<&Curves> = runs.iter().copied().filter(begun).collect();
        let tables = |part: fn(&Curves) -> &Table| {
            let all: Vec<&Table> = runs.iter().map(|run| part(run)).collect();
            spread(&all)
        };
        let [train, val, test] = [
            tables(|c| &c.train),
            tables(|c| &c.val),
            tables(|c| &c.test),
        ];
        let complete = runs.iter().all(|run| run.complete);
        let curves = |which: usize| Curves {
            train: train[which].clone(),
            val: val[which].clone(),
            test: test[which].clone(),
            complete,
            ..Curves::default()
        };
        Self {
            mean: curves(0),
            low: curves(1),
            high: curves(2),
            runs: runs.len(),
        }
    }
}

/// Mean, lower and upper edge of some tables with the same columns; empty ones do not count.
fn spread(tables: &[&Table]) -> [Table; 3] {
    let values: Vec<_> = tables
        .iter()
        .flat_map(|t| &t.columns)
        .map(|c| c.0)
        .collect();
    let columns = values.len() / tables.len().max(1);
    let empty = Table::new(&values[..columns]);
    let mut out = [empty.clone(), empty.clone(), empty];
    let tables: Vec<&Table> = tables.iter().copied().filter(|t| !t.is_empty()).collect();
    let end = tables.iter().filter_map(|t| t.step.last()).copied();
    let begin = tables.iter().filter_map(|t| t.step.first()).copied();
    let (Some(begin), Some(end)) = (begin.reduce(f64::max), end.reduce(f64::min)) else {
        return out;
    };
    let Some(grid) = tables.iter().max_by_key(|t| t.step.len()) else {
        return out;
    };
    let fronts: Vec<Vec<&Series>> = tables.iter().map(|t| fronts(t)).collect();
    let mut places = vec![0; tables.len()];
    for point in points(&grid.step, begin, end) {
        let step = grid.step[point];
        let at: Vec<(usize, f64)> = tables
            .iter()
            .zip(&mut places)
            .map(|(table, place)| locate(&table.step, step, place))
            .collect();
        let seconds = tables
            .iter()
            .zip(&at)
            .map(|(t, at)| between(&t.seconds, *at));
        let place = Place {
            step: step as u64,
            epoch: grid.epoch[point],
            seconds: seconds.sum::<f64>() / tables.len() as f64,
        };
        let moments: Vec<(f64, f64)> = (0..columns)
            .map(|column| {
                let values = fronts.iter().zip(&at);
                moments(values.map(|(fronts, at)| between(fronts[column].values(), *at)))
            })
            .collect();
        for (table, way) in out.iter_mut().zip([0.0, -1.0, 1.0]) {
            let row: Vec<f64> = moments.iter().map(|(m, d)| m + way * d).collect();
            table.push(place, &row);
        }
    }
    out
}

/// What is drawn of each column.
fn fronts(table: &Table) -> Vec<&Series> {
    let front = |(value, raw)| table.smoothed(value).unwrap_or(raw);
    table
        .columns
        .iter()
        .map(|(v, raw)| front((*v, raw)))
        .collect()
}

/// Points of `steps` from `begin` to `end`, thinned evenly if there are very many, with the last one.
fn points(steps: &[f64], begin: f64, end: f64) -> impl Iterator<Item = usize> {
    let from = steps.partition_point(|&step| step < begin);
    let to = steps.partition_point(|&step| step <= end).max(from);
    let apart = (to - from).div_ceil(MOST_POINTS).max(1);
    let last = (to > from).then(|| to - 1);
    (from..to)
        .step_by(apart)
        .filter(move |&point| Some(point) != last)
        .chain(last)
}

/// Where `step` lies in rising `steps` that reach around it: the point at or before it, and the part of the
/// way to the next. `place` remembers where the last search ended; steps are asked for in rising order.
fn locate(steps: &[f64], step: f64, place: &mut usize) -> (usize, f64) {
    *place += steps[*place + 1..].partition_point(|&at| at <= step);
    let part = match steps.get(*place + 1) {
        Some(next) => (step - steps[*place]) / (next - steps[*place]),
        None => 0.0,
    };
    (*place, part.clamp(0.0, 1.0))
}

/// The value at a place, in a straight line between two points.
fn between<T: Copy + Into<f64>>(values: &[T], (point, part): (usize, f64)) -> f64 {
    let at = |point: usize| values.get(point).map_or(f64::NAN, |&v| v.into());
    if part == 0.0 {
        return at(point);
    }
    at(point) + (at(point + 1) - at(point)) * part
}

/// Mean and sample standard deviation.
fn moments(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / count;
    let squares: f64 = values.map(|v| (v - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0).max(1.0)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::super::Value;
    use super::*;
    use crate::run::{Event, Line, Split};
    use crate::tui::charts::XUnit;

    /// Validation accuracies by step.
    fn run(points: &[(u64, f64)]) -> Curves {
        let line = |&(step, top1): &(u64, f64)| Line {
            t_ms: 1000 * step,
            seq: step,
            event: Event::Eval {
                step,
                epoch: step as f64 / 10.0,
                split: Split::Val,
                loss: 1.0,
                top1,
                top5: None,
                images: 10,
                seconds: 1.0,
            },
        };
        let lines: Vec<Line> = points.iter().map(line).collect();
        let mut curves = Curves::default();
        curves.extend(&lines, 0.0);
        curves
    }

    fn top1(curves: &Curves) -> Vec<f32> {
        curves.val.column(Value::Top1).unwrap().values().to_vec()
    }

    #[test]
    fn a_spread_by_hand() {
        let a = run(&[(10, 40.0), (20, 50.0), (30, 60.0)]);
        let b = run(&[(10, 42.0), (20, 56.0), (30, 60.0)]);
        let spread = Spread::of(&[&a, &b]);
        assert_eq!(top1(&spread.mean), [41.0, 53.0, 60.0]);
        // The deviation of two values is their distance over the root of two.
        let low: Vec<f32> = [2.0_f64, 6.0, 0.0]
            .iter()
            .zip([41.0, 53.0, 60.0])
            .map(|(apart, mean)| (mean - apart / 2_f64.sqrt()) as f32)
            .collect();
        assert_eq!(top1(&spread.low), low);
        assert_eq!(spread.mean.val.x(XUnit::Epoch), [1.0, 2.0, 3.0]);
        assert!(spread.mean.test.is_empty());
    }

    #[test]
    fn the_mean_goes_as_far_as_all_runs_and_between_their_points() {
        let a = run(&[(10, 10.0), (20, 20.0), (30, 30.0), (40, 40.0)]);
        let b = run(&[(10, 10.0), (30, 50.0)]);
        let none = Curves::default();
        let spread = Spread::of(&[&a, &b, &none]);
        assert_eq!(spread.mean.val.x(XUnit::Step), [10.0, 20.0, 30.0]);
        assert_eq!(top1(&spread.mean), [10.0, 25.0, 40.0]);
    }

    #[test]
    fn one_run_is_its_own_mean() {
        let a = run(&[(10, 40.0), (20, f64::NAN)]);
        let spread = Spread::of(&[&a]);
        assert_eq!(top1(&spread.high)[0], 40.0);
        assert!(top1(&spread.mean)[1].is_nan());
        assert!(Spread::of(&[]).mean.train.is_empty());
    }

    #[test]
    fn very_many_points_are_thinned_and_end_where_they_end() {
        let steps: Vec<f64> = (0..50_001).map(f64::from).collect();
        let kept: Vec<usize> = points(&steps, 5.0, 50_000.0).collect();
        assert!(kept.len() <= MOST_POINTS + 1 && kept.is_sorted());
        assert_eq!((kept.first(), kept.last()), (Some(&5), Some(&50_000)));
    }
}
