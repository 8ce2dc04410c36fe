//! What shift looks at in one network: the numbers of its graph, and what it is made of.

use serde::{Deserialize, Serialize};

use super::Counts;
use crate::arch::{Arch, Conv2d, Op};
use crate::ghn::graph::Topology;
use crate::ghn::{Graph, Primitive};

/// A number of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Measure {
    Nodes,
    Edges,
    /// Edges at a node, on average.
    Degree,
    /// Mean length of the shortest paths, whatever the direction.
    Path,
    /// Edges on the longest way along their direction.
    Depth,
    Parameters,
}

impl Measure {
    pub const ALL: [Self; 6] = [
        Self::Nodes,
        Self::Edges,
        Self::Degree,
        Self::Path,
        Self::Depth,
        Self::Parameters,
    ];

    /// Its word in tables.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Nodes => "nodes",
            Self::Edges => "edges",
            Self::Degree => "degree",
            Self::Path => "path",
            Self::Depth => "depth",
            Self::Parameters => "parameters",
        }
    }
}

/// The numbers of a network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Measures {
    #[serde(flatten)]
    pub topology: Topology,
    pub params: u64,
}

impl Measures {
    #[must_use]
    pub fn of(&self, measure: Measure) -> f64 {
        match measure {
            Measure::Nodes => self.topology.nodes as f64,
            Measure::Edges => self.topology.edges as f64,
            Measure::Degree => self.topology.degree,
            Measure::Path => self.topology.path,
            Measure::Depth => self.topology.depth as f64,
            Measure::Parameters => self.params as f64,
        }
    }
}

/// What is counted in a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Feature {
    /// Primitive ops of the GHN graph.
    Operators,
    /// Kernels of convolutions, such as `3x3`.
    Kernels,
    /// Strides of convolutions, such as `2x2`.
    Strides,
    /// Groups of convolutions: `1`, `depthwise`, or their number.
    Groups,
    /// Channels into and out of convolutions, and out of linear layers but the classifier: two bins an octave.
    Channels,
    /// Convolutions as a whole, such as `depthwise 7x7/2`.
    Layers,
}

impl Feature {
    pub const ALL: [Self; 6] = [
        Self::Operators,
        Self::Kernels,
        Self::Strides,
        Self::Groups,
        Self::Channels,
        Self::Layers,
    ];

    /// Its word in tables.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Operators => "operators",
            Self::Kernels => "kernels",
            Self::Strides => "strides",
            Self::Groups => "groups",
            Self::Channels => "channels",
            Self::Layers => "layers",
        }
    }

    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

/// Nodes of each primitive op, in the order of their ids.
pub type Operators = [u16; Primitive::ALL.len()];

/// One network as shift sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    pub measures: Measures,
    pub operators: Operators,
    /// Counts of every feature, in the order of [`Feature::ALL`].
    pub(super) counts: [Counts; Feature::ALL.len()],
    /// The most of the channels that [`Feature::Channels`] counts.
    pub widest: usize,
}

impl Profile {
    #[must_use]
    pub fn of(arch: &Arch, graph: &Graph) -> Self {
        let mut profile = Self {
            measures: Measures {
                topology: Topology::of(graph),
                params: arch.parameter_count() as u64,
            },
            operators: [0; Primitive::ALL.len()],
            counts: Default::default(),
            widest: 0,
        };
        for node in &graph.nodes {
            let count = &mut profile.operators[node.primitive.id()];
            *count = count.saturating_add(1);
        }
        for (primitive, count) in Primitive::ALL.iter().zip(profile.operators) {
            if count > 0 {
                profile.count(Feature::Operators, primitive.name(), u64::from(count));
            }
        }
        profile.count_layers(arch);
        profile
    }

    /// How often each label of a feature occurs.
    #[must_use]
    pub const fn counts(&self, feature: Feature) -> &Counts {
        &self.counts[feature.index()]
    }

    /// Counts convolutions and widths again from `arch`, which has the same graph with other widths.
    pub fn count_layers(&mut self, arch: &Arch) {
        for feature in &Feature::ALL[Feature::Kernels.index()..] {
            self.counts[feature.index()] = Counts::default();
        }
        self.widest = 0;
        let classifier = arch.matrix_modules().last();
        for module in arch.modules() {
            match &module.op {
                Op::Conv2d(conv) => {
                    self.count(Feature::Kernels, &sides(conv.kernel), 1);
                    self.count(Feature::Strides, &sides(conv.stride), 1);
                    self.count(Feature::Groups, &groups(conv), 1);
                    self.count(Feature::Layers, &layer(conv), 1);
                    self.count_width(conv.in_channels);
                    self.count_width(conv.out_channels);
                }
                // What goes in may be a whole image in a row.
                Op::Linear(linear) | Op::Projection(_, linear)
                    if classifier.is_none_or(|c| c.path != module.path) =>
                {
                    self.count_width(linear.out_features);
                }
                _ => {}
            }
        }
    }

    fn count_width(&mut self, width: usize) {
        self.count(Feature::Channels, &octave(width), 1);
        self.widest = self.widest.max(width);
    }

    fn count(&mut self, feature: Feature, label: &str, times: u64) {
        self.counts[feature.index()].add(label, times);
    }
}

fn sides([h, w]: [usize; 2]) -> String {
    format!("{h}x{w}")
}

fn groups(conv: &Conv2d) -> String {
    if conv.is_depthwise() {
        "depthwise".to_owned()
    } else {
        conv.groups.to_string()
    }
}

/// A convolution as a whole: `conv 3x3/2`, `depthwise 5x5, dilated`, `grouped 3x3`.
pub(super) fn layer(conv: &Conv2d) -> String {
    let kind = match conv.groups {
        0 | 1 => "conv",
        _ if conv.is_depthwise() => "depthwise",
        _ => "grouped",
    };
    let mut text = format!("{kind} {}", sides(conv.kernel));
    match conv.stride {
        [1, 1] => {}
        [h, w] if h == w => text += &format!("/{h}"),
        stride => text += &format!("/{}", sides(stride)),
    }
    if conv.dilation != [1, 1] {
        text += ", dilated";
    }
    text
}

/// The bin of a width: from a power of two, or one and a half of it, to before the next.
fn octave(width: usize) -> String {
    let Some(octave) = width.checked_ilog2() else {
        return "0".to_owned();
    };
    let low = 1_usize << octave;
    let (first, next) = match low / 2 {
        0 => (1, 2),
        half if width >= low + half => (low + half, low.saturating_mul(2)),
        half => (low, low + half),
    };
    if next - first == 1 {
        first.to_string()
    } else {
        format!("{first}-{}", next - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::zoo::{self, Options};

    #[test]
    fn widths_fall_into_half_octaves() {
        let texts = [1, 2, 3, 4, 5, 6, 64, 95, 96, 127, 4096].map(octave);
        let expected = [
            "1",
            "2",
            "3",
            "4-5",
            "4-5",
            "6-7",
            "64-95",
            "64-95",
            "96-127",
            "96-127",
            "4096-6143",
        ];
        assert_eq!(texts, expected);
    }

    #[test]
    fn convnext_is_made_of_what_its_paper_says() {
        let arch = zoo::build("convnext_base", &Options::default()).unwrap();
        let profile = Profile::of(&arch, &Graph::of(&arch));
        let ops = profile.counts(Feature::Operators);
        assert_eq!((ops.of("ln"), ops.of("bias"), ops.of("bn")), (41, 113, 0));
        let layers = profile.counts(Feature::Layers);
        // 36 blocks, a stem of patches and three strided convolutions.
        assert_eq!(layers.of("depthwise 7x7"), 36);
        assert_eq!((layers.of("conv 4x4/4"), layers.of("conv 2x2/2")), (1, 3));
        assert_eq!(profile.widest, 4096);
    }
}
