//! Random architectures with the published distribution: ops and inputs uniform, ranges per split,
//! drawn again until none of the rules rejects them.

use rand::Rng as _;
use rand::seq::SliceRandom as _;

use super::network::{Norm, Plan, Preparation, StemKind};
use super::{Cell, Gene, Genotype, Primitive};
use crate::arch::zoo::{Options, Stem};
use crate::random::{Stream, stream};

/// A part of DeepNets-1M.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Split {
    Train,
    Val,
    Test,
    /// Wider than in training.
    Wide,
    /// More cells than in training.
    Deep,
    /// More steps in a cell than in training.
    Dense,
    /// Without batch norm.
    BnFree,
    Search,
}

/// What may be drawn.
struct Ranges {
    /// Steps of a cell: least, most of networks with many cells, most.
    steps: [usize; 3],
    cells: [usize; 2],
    /// Networks with more cells than a number drawn from here count as having many.
    many_cells: [usize; 2],
    most_parameters: u64,
}

impl Split {
    pub const ALL: [Self; 8] = [
        Self::Train,
        Self::Val,
        Self::Test,
        Self::Wide,
        Self::Deep,
        Self::Dense,
        Self::BnFree,
        Self::Search,
    ];

    /// Its word in names.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
            Self::Wide => "wide",
            Self::Deep => "deep",
            Self::Dense => "dense",
            Self::BnFree => "bnfree",
            Self::Search => "search",
        }
    }

    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|split| split.word() == word)
    }

    const fn ranges(self) -> Ranges {
        let usual = Ranges {
            steps: [1, 2, 4],
            cells: [4, 18],
            many_cells: [7, 10],
            most_parameters: 10_000_000,
        };
        match self {
            Self::Deep => Ranges {
                cells: [10, 36],
                many_cells: [18, 18],
                most_parameters: 100_000_000,
                ..usual
            },
            Self::Dense => Ranges {
                steps: [2, 6, 10],
                most_parameters: 100_000_000,
                ..usual
            },
            Self::Search => Ranges {
                steps: [1, 3, 6],
                cells: [6, 20],
                many_cells: [10, 10],
                ..usual
            },
            _ => usual,
        }
    }
}

/// Width of the first cell before a split widens it.
const CHANNELS: usize = 32;

/// The network `seed` of a split, for CIFAR images or for ImageNet's.
pub fn draw(split: Split, seed: u64, stem: Stem) -> Plan {
    let mut stream = stream(seed, &format!("deepnets/{}", split.word()));
    loop {
        let drawn = attempt(split, &mut stream).filter(|plan| is_acceptable(split, plan));
        if let Some(mut plan) = drawn {
            if split == Split::Wide {
                plan.channels *= match stem {
                    Stem::Cifar => 4,
                    Stem::ImageNet => 2,
                };
            }
            return plan;
        }
    }
}

/// A network, unless its cells are of a kind that is never taken.
fn attempt(split: Split, stream: &mut Stream) -> Option<Plan> {
    let ranges = split.ranges();
    let between = |stream: &mut Stream, [low, high]: [usize; 2]| stream.random_range(low..=high);
    let coin = |stream: &mut Stream| stream.random_bool(0.5);

    let cells = between(stream, ranges.cells);
    let many = between(stream, ranges.many_cells);
    let [least, medium, most] = ranges.steps;
    let steps = between(stream, [least, if cells <= many { most } else { medium }]);
    let reduces_by_pools = coin(stream);
    let drops_concat = steps > 1 && coin(stream);
    let genotype = genotype(stream, steps, reduces_by_pools, drops_concat);
    let stem_kernel = [3, 5, 7][stream.random_range(0..3)];
    if is_refused(&genotype) {
        return None;
    }

    let attends = genotype.attends();
    let widening = if coin(stream) { 2 } else { 1 };
    let is_prepared = steps > 1
        || widening > 1
        || match (attends, split) {
            (true, _) => stream.random_bool(0.2),
            (false, Split::Search) => stream.random_bool(0.8),
            (false, _) => true,
        };
    let averages = attends || cells > many || stream.random_bool(0.9);
    let norm = match split {
        Split::BnFree => Norm::None,
        Split::Search => Norm::Batch,
        _ if cells <= ranges.cells[0] + 1 && steps <= medium && coin(stream) => Norm::None,
        _ => Norm::Batch,
    };
    let stem = match (coin(stream), coin(stream)) {
        (true, _) => StemKind::Deep,
        (false, true) => StemKind::Pooled,
        (false, false) => StemKind::Plain,
    };
    let classifier_layers = if coin(stream) { 2 } else { 1 };
    Some(Plan {
        channels: CHANNELS,
        cells,
        stem_kernel,
        stem,
        norm,
        preparation: if is_prepared {
            Preparation::Pointwise
        } else {
            Preparation::None
        },
        widening,
        classifier_layers,
        averages,
        ..Plan::of(genotype)
    })
}

fn genotype(
    stream: &mut Stream,
    steps: usize,
    reduces_by_pools: bool,
    drops_concat: bool,
) -> Genotype {
    let all = Primitive::ALL.len();
    let normal = genes(stream, steps, all);
    let reduce = genes(
        stream,
        steps,
        if reduces_by_pools {
            Primitive::WITHOUT_WEIGHTS
        } else {
            all
        },
    );
    let last = steps + 1;
    let concat: Vec<usize> = (2..=last)
        .filter(|step| !drops_concat || *step == last || stream.random_bool(0.5))
        .collect();
    Genotype {
        normal: Cell {
            genes: normal,
            concat: concat.clone(),
        },
        reduce: Cell {
            genes: reduce,
            concat,
        },
    }
}

/// Two ops a step, each of the first `ops`, from two different inputs. Only cells of several steps may
/// have an input that is missing.
fn genes(stream: &mut Stream, steps: usize, ops: usize) -> Vec<Gene> {
    let first = usize::from(steps == 1);
    let mut genes = Vec::with_capacity(2 * steps);
    for step in 0..steps {
        let mut inputs: Vec<usize> = (0..2 + step).collect();
        let (two, _) = inputs.partial_shuffle(stream, 2);
        for input in two {
            let op = Primitive::ALL[stream.random_range(first..ops)];
            genes.push(Gene { op, input: *input });
        }
    }
    genes
}

/// Cells that gate what no convolution made, gate or convolve with a large kernel twice, or learn nothing.
fn is_refused(genotype: &Genotype) -> bool {
    let cells = [&genotype.normal.genes, &genotype.reduce.genes];
    let any = |is: fn(Primitive) -> bool| cells.iter().any(|c| c.iter().any(|g| is(g.op)));
    let twice = |is: fn(Primitive) -> bool| {
        let more_than_one = |c: &&Vec<Gene>| c.iter().filter(|g| is(g.op)).count() > 1;
        cells.iter().any(more_than_one)
    };
    let is_gate = |op| op == Primitive::Gate;
    let is_large = |op| matches!(op, Primitive::Conv(5 | 7));
    let convolves = any(Primitive::is_conv);
    any(is_gate) && !convolves
        || twice(is_gate)
        || twice(is_large)
        || !(convolves || any(is_gate) || genotype.attends())
}

/// Whether the network leads from images to classes, and is not too large for either kind of image.
fn is_acceptable(split: Split, plan: &Plan) -> bool {
    [Options::for_images(10, 32), Options::for_images(10, 224)]
        .iter()
        .all(|options| {
            let count = plan.parameter_count(options);
            count.is_some_and(|count| count as u64 <= split.ranges().most_parameters)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever is drawn, taken or not.
    #[test]
    fn parameters_are_counted_as_they_are_built() {
        let (mut counted, mut disconnected) = (0, 0);
        for split in Split::ALL {
            let mut stream = stream(1, split.word());
            for plan in (0..300).filter_map(|_| attempt(split, &mut stream)) {
                for side in [32, 224] {
                    let options = Options::for_images(7, side);
                    let built = plan.build("deepnets", &options);
                    let built = built.ok().map(|arch| arch.parameter_count());
                    assert_eq!(plan.parameter_count(&options), built, "{side}: {plan:?}");
                    counted += usize::from(built.is_some());
                    disconnected += usize::from(built.is_none());
                }
            }
        }
        assert!(
            counted > 1000 && disconnected > 0,
            "{counted}, {disconnected}"
        );
    }
}
