//! What a visit of GHN training changes of a network. The networks of the training split are stored with one
//! width; each time training comes to one, it draws the widths anew, so that the GHN sees many. The larger
//! a network is, the fewer widths it has to choose from.

use rand::seq::IndexedRandom as _;
use rand::{Rng as _, RngCore};

use super::network::{Plan, StemKind};
use super::{Gene, Primitive};
use crate::arch::zoo::{Options, Stem};

/// Widths of the first cell that a visit may choose.
const CHANNELS: [usize; 7] = [32, 48, 64, 80, 96, 112, 128];
/// Widths of a hidden layer of the classifier that a visit may choose; most networks have the first half.
const CLASSIFIER_WIDTHS: [usize; 8] = [64, 128, 192, 256, 320, 384, 448, 512];
/// The widest first cell behind which the classifier may have any of its widths.
const NARROW: usize = 64;
/// Parameters and cells beyond which a network has the second fewest widths.
const LARGE: Bound = (400_000, 10);
/// Parameters and cells beyond which a network has fewer widths than all, and keeps its stride.
const MEDIUM: Bound = (200_000, 8);
/// What a stem may stride by instead of four.
const SHORT_STRIDE: usize = 2;

/// Most parameters and most cells.
type Bound = (usize, usize);

/// Whose rule a visit follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VisitRule {
    /// That of GHN-1 and GHN-2 (Knyazev et al. 2021).
    Ghn2,
    /// That of GHN-3 (Knyazev et al. 2023), whose networks are wider, and may see photographs with half the
    /// stride.
    Ghn3,
}

/// Parameters of a network as it is stored: with the generator's widths and ten classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub struct Sizes {
    /// Built for 32x32 images.
    #[serde(rename = "cifar10")]
    pub cifar: usize,
    /// Built for photographs.
    #[serde(rename = "imagenet")]
    pub image_net: usize,
}

/// What one visit has drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Visit {
    /// Width of the first cell.
    pub channels: usize,
    /// Width of the classifier's hidden layer, if it has one.
    pub classifier_width: usize,
    /// Stride of a stem of one convolution, for photographs.
    pub photograph_stride: usize,
}

impl VisitRule {
    pub const ALL: [Self; 2] = [Self::Ghn2, Self::Ghn3];

    /// Its word on the command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ghn2 => "ghn2",
            Self::Ghn3 => "ghn3",
        }
    }

    /// Beyond which a network has one width.
    const fn bound(self) -> Bound {
        match self {
            Self::Ghn2 => (800_000, 12),
            Self::Ghn3 => (2_000_000, 14),
        }
    }

    /// Of how many widths large and medium networks may have one.
    const fn choices(self) -> [usize; 2] {
        match self {
            Self::Ghn2 => [2, 3],
            Self::Ghn3 => [4, 5],
        }
    }

    /// The parameters that it goes by. GHN-3's takes those of small images for photographs, too.
    const fn size(self, sizes: Sizes, stem: Stem) -> usize {
        match (self, stem) {
            (Self::Ghn2, Stem::ImageNet) => sizes.image_net,
            _ => sizes.cifar,
        }
    }
}

impl Sizes {
    /// The sizes of a network; none if nothing leads to its classifier.
    #[must_use]
    pub fn of(plan: &Plan) -> Option<Self> {
        let count = |side| plan.parameter_count(&Options::for_images(10, side));
        Some(Self {
            cifar: count(32)?,
            image_net: count(224)?,
        })
    }
}

impl Visit {
    /// Draws a visit of a network of these sizes by images of the stem's kind.
    pub fn draw(
        plan: &Plan,
        sizes: Sizes,
        rule: VisitRule,
        stem: Stem,
        stream: &mut impl RngCore,
    ) -> Self {
        let parameters = rule.size(sizes, stem);
        let exceeds = |(most, cells): Bound| parameters > most || plan.cells > cells;
        let is_dense = convolves_densely(plan);
        let [large, medium] = rule.choices();
        let choices = if exceeds(rule.bound()) || !plan.averages || is_dense {
            1
        } else if exceeds(LARGE) {
            large
        } else if exceeds(MEDIUM) {
            medium
        } else {
            CHANNELS.len()
        };
        // Only a pool behind the stem and a mean before the classifier keep the cost of more pixels bearable.
        let has_choice_of_stride = rule == VisitRule::Ghn3
            && stem == Stem::ImageNet
            && choices == CHANNELS.len()
            && plan.stem == StemKind::Pooled
            && !plan.genotype.attends();
        let channels = CHANNELS[stream.random_range(0..choices)];
        let classifier_widths = if choices == CHANNELS.len() && channels <= NARROW {
            &CLASSIFIER_WIDTHS[..]
        } else {
            &CLASSIFIER_WIDTHS[..CLASSIFIER_WIDTHS.len() / 2]
        };
        let stored = (plan.classifier_width, plan.photograph_stride);
        Self {
            channels,
            classifier_width: classifier_widths.choose(stream).map_or(stored.0, |w| *w),
            photograph_stride: if has_choice_of_stride && stream.random_bool(0.5) {
                SHORT_STRIDE
            } else {
                stored.1
            },
        }
    }
}

impl Plan {
    /// The network as a visit sees it.
    #[must_use]
    pub fn on(&self, visit: Visit) -> Self {
        Self {
            channels: visit.channels,
            classifier_width: visit.classifier_width,
            photograph_stride: visit.photograph_stride,
            ..self.clone()
        }
    }
}

/// Whether any cell has a large kernel that mixes channels.
fn convolves_densely(plan: &Plan) -> bool {
    let cells = [&plan.genotype.normal.genes, &plan.genotype.reduce.genes];
    let is_dense = |gene: &Gene| matches!(gene.op, Primitive::Conv(5 | 7));
    cells.into_iter().flatten().any(is_dense)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::arch::deepnets::{Genotype, NAMED, plan as plan_of};
    use crate::random::stream;

    /// A network on which no rule has a hold.
    fn small() -> Plan {
        Plan {
            cells: 8,
            classifier_layers: 2,
            stem: StemKind::Pooled,
            ..Plan::of(Genotype::darts())
        }
    }

    const SIZE: Sizes = Sizes {
        cifar: 200_000,
        image_net: 200_000,
    };

    /// Everything that visits draw: channels, and, over all visits, classifier widths and strides.
    fn drawn(plan: &Plan, sizes: Sizes, rule: VisitRule, stem: Stem) -> [BTreeSet<usize>; 3] {
        let mut stream = stream(7, "visits");
        let mut all = [const { BTreeSet::new() }; 3];
        for _ in 0..1000 {
            let visit = Visit::draw(plan, sizes, rule, stem, &mut stream);
            all[0].insert(visit.channels);
            all[1].insert(visit.classifier_width);
            all[2].insert(visit.photograph_stride);
        }
        all
    }

    fn set(of: &[usize]) -> BTreeSet<usize> {
        of.iter().copied().collect()
    }

    fn channels(plan: &Plan, cifar: usize, rule: VisitRule) -> BTreeSet<usize> {
        let sizes = Sizes { cifar, ..SIZE };
        let [channels, classifier, _] = drawn(plan, sizes, rule, Stem::Cifar);
        // Whatever has fewer than all widths has a narrow classifier.
        let narrow = &CLASSIFIER_WIDTHS[..if channels.len() == 7 { 8 } else { 4 }];
        assert_eq!(classifier, set(narrow));
        channels
    }

    #[test]
    fn larger_networks_have_fewer_widths() {
        let of = |size, rule| channels(&small(), size, rule);
        for (rule, [one, large, medium]) in [
            (VisitRule::Ghn2, [800_000, 2, 3]),
            (VisitRule::Ghn3, [2_000_000, 4, 5]),
        ] {
            for (size, widths) in [
                (200_000, 7),
                (200_001, medium),
                (400_000, medium),
                (400_001, large),
                (one, large),
                (one + 1, 1),
            ] {
                assert_eq!(of(size, rule), set(&CHANNELS[..widths]), "{rule:?} {size}");
            }
        }
    }

    #[test]
    fn deeper_networks_have_fewer_widths() {
        for (rule, [one, large, medium]) in
            [(VisitRule::Ghn2, [12, 2, 3]), (VisitRule::Ghn3, [14, 4, 5])]
        {
            for (cells, widths) in [
                (8, 7),
                (9, medium),
                (10, medium),
                (11, large),
                (one, large),
                (one + 1, 1),
            ] {
                let plan = Plan { cells, ..small() };
                let drawn = channels(&plan, 1000, rule);
                assert_eq!(drawn, set(&CHANNELS[..widths]), "{rule:?} {cells}");
            }
        }
    }

    #[test]
    fn what_costs_much_per_width_keeps_it() {
        let mut dense = small();
        dense.genotype.normal.genes[0].op = Primitive::Conv(5);
        let flat = Plan {
            averages: false,
            ..small()
        };
        let mut cross = small();
        cross.genotype.normal.genes[0].op = Primitive::Cross;
        for rule in VisitRule::ALL {
            assert_eq!(channels(&dense, 1000, rule), set(&[32]));
            assert_eq!(channels(&flat, 1000, rule), set(&[32]));
            assert_eq!(channels(&cross, 1000, rule), set(&CHANNELS));
        }
    }

    #[test]
    fn each_rule_has_its_own_count_for_photographs() {
        let sizes = Sizes {
            image_net: 3_000_000,
            ..SIZE
        };
        let of = |rule, stem| drawn(&small(), sizes, rule, stem)[0].len();
        assert_eq!(of(VisitRule::Ghn2, Stem::ImageNet), 1);
        assert_eq!(of(VisitRule::Ghn2, Stem::Cifar), 7);
        assert_eq!(of(VisitRule::Ghn3, Stem::ImageNet), 7);
    }

    #[test]
    fn only_a_wide_first_cell_forbids_wide_classifiers() {
        let mut stream = stream(7, "visits");
        let mut widest = [0; 2];
        for _ in 0..1000 {
            let visit = Visit::draw(&small(), SIZE, VisitRule::Ghn2, Stem::Cifar, &mut stream);
            let kind = usize::from(visit.channels > 64);
            widest[kind] = widest[kind].max(visit.classifier_width);
        }
        assert_eq!(widest, [512, 256]);
    }

    #[test]
    fn only_small_pooled_networks_may_stride_less() {
        let strides = |plan: &Plan, sizes, rule, stem| drawn(plan, sizes, rule, stem)[2].clone();
        let of = |plan: &Plan| strides(plan, SIZE, VisitRule::Ghn3, Stem::ImageNet);
        assert_eq!(of(&small()), set(&[2, 4]));
        let plain = Plan {
            stem: StemKind::Plain,
            ..small()
        };
        let deep = Plan {
            stem: StemKind::Deep,
            ..small()
        };
        let long = Plan {
            cells: 9,
            ..small()
        };
        for other in [plain, deep, long] {
            assert_eq!(of(&other), set(&[4]));
        }
        let large = Sizes {
            cifar: 200_001,
            ..SIZE
        };
        let small = small();
        assert_eq!(
            strides(&small, large, VisitRule::Ghn3, Stem::ImageNet),
            set(&[4])
        );
        assert_eq!(
            strides(&small, SIZE, VisitRule::Ghn3, Stem::Cifar),
            set(&[4])
        );
        assert_eq!(
            strides(&small, SIZE, VisitRule::Ghn2, Stem::ImageNet),
            set(&[4])
        );
    }

    #[test]
    fn a_visited_network_has_the_widths_of_the_visit() {
        let visit = Visit {
            channels: 48,
            classifier_width: 320,
            photograph_stride: 2,
        };
        let options = Options::for_images(10, 224);
        let arch = small().on(visit).build("visited", &options).unwrap();
        let stem = &arch.nodes()[1];
        assert_eq!(stem.shape.dims(), [48, 112, 112]);
        let hidden = arch
            .tensors()
            .iter()
            .find(|t| t.name == "classifier.0.bias");
        assert_eq!(hidden.unwrap().shape, [320]);
        assert_eq!(
            small().on(visit).parameter_count(&options),
            Some(arch.parameter_count())
        );
    }

    #[test]
    fn published_cells_have_sizes() {
        for name in NAMED {
            let options = Options::for_images(10, 32);
            let plan = plan_of(name, &options).unwrap();
            let sizes = Sizes::of(&plan).unwrap();
            assert_eq!(Some(sizes.cifar), plan.parameter_count(&options));
            assert!(sizes.image_net > sizes.cifar / 2, "{name}: {sizes:?}");
        }
    }
}
