//! Cells: which ops stand between which inputs.

/// An op of a cell. The order is that of the generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Primitive {
    /// Nothing: its output is missing.
    None,
    MaxPool,
    AvgPool,
    Skip,
    /// Twice a depthwise and a pointwise convolution.
    Separable(usize),
    /// One depthwise convolution of dilation two, and a pointwise one.
    Dilated(usize),
    /// A 1x7 and a 7x1 convolution.
    Cross,
    Conv(usize),
    Attention,
    /// Channel squeeze and excitation.
    Gate,
}

impl Primitive {
    /// All ops in the generator's order.
    pub const ALL: [Self; 15] = [
        Self::None,
        Self::MaxPool,
        Self::AvgPool,
        Self::Skip,
        Self::Separable(3),
        Self::Separable(5),
        Self::Dilated(3),
        Self::Dilated(5),
        Self::Conv(1),
        Self::Cross,
        Self::Conv(3),
        Self::Conv(5),
        Self::Conv(7),
        Self::Attention,
        Self::Gate,
    ];

    /// Nothing, pools and skips: all that a reduction cell of pools only may have.
    pub const WITHOUT_WEIGHTS: usize = 4;

    /// The name that genotypes are published with.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::MaxPool => "max_pool_3x3",
            Self::AvgPool => "avg_pool_3x3",
            Self::Skip => "skip_connect",
            Self::Separable(3) => "sep_conv_3x3",
            Self::Separable(_) => "sep_conv_5x5",
            Self::Dilated(3) => "dil_conv_3x3",
            Self::Dilated(_) => "dil_conv_5x5",
            Self::Cross => "conv_7x1_1x7",
            Self::Conv(1) => "conv_1x1",
            Self::Conv(3) => "conv_3x3",
            Self::Conv(5) => "conv_5x5",
            Self::Conv(_) => "conv_7x7",
            Self::Attention => "msa",
            Self::Gate => "cse",
        }
    }

    /// The op of a published name.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.word() == word)
    }

    /// Whether it is a convolution of any kind.
    #[must_use]
    pub const fn is_conv(self) -> bool {
        matches!(
            self,
            Self::Separable(_) | Self::Dilated(_) | Self::Cross | Self::Conv(_)
        )
    }
}

/// An op and the number of its input: 0 and 1 are the outputs of the two cells before, 2 the first
/// step of this cell, and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gene {
    pub op: Primitive,
    pub input: usize,
}

/// What a cell computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Two a step.
    pub genes: Vec<Gene>,
    /// The steps whose outputs are the cell's output, side by side; numbered from 2.
    pub concat: Vec<usize>,
}

/// The two kinds of cell that a network is stacked of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genotype {
    pub normal: Cell,
    /// Halves the image.
    pub reduce: Cell,
}

impl Genotype {
    /// Whether any cell attends, which changes the stem and leaves reductions out.
    #[must_use]
    pub fn attends(&self) -> bool {
        let mut genes = self.normal.genes.iter().chain(&self.reduce.genes);
        genes.any(|g| g.op == Primitive::Attention)
    }

    /// DARTS (Liu et al. 2018), second order.
    #[must_use]
    pub fn darts() -> Self {
        use Primitive::{Dilated, MaxPool, Separable, Skip};
        Self {
            normal: Cell::of([
                (Separable(3), 0),
                (Separable(3), 1),
                (Separable(3), 0),
                (Separable(3), 1),
                (Separable(3), 1),
                (Skip, 0),
                (Skip, 0),
                (Dilated(3), 2),
            ]),
            reduce: Cell::of([
                (MaxPool, 0),
                (MaxPool, 1),
                (Skip, 2),
                (MaxPool, 1),
                (MaxPool, 0),
                (Skip, 2),
                (Skip, 2),
                (MaxPool, 1),
            ]),
        }
    }

    /// P-DARTS (Chen et al. 2019), found on CIFAR-10.
    #[must_use]
    pub fn pdarts() -> Self {
        use Primitive::{AvgPool, Dilated, MaxPool, Separable, Skip};
        Self {
            normal: Cell::of([
                (Skip, 0),
                (Dilated(3), 1),
                (Skip, 0),
                (Separable(3), 1),
                (Separable(3), 1),
                (Separable(3), 3),
                (Separable(3), 0),
                (Dilated(5), 4),
            ]),
            reduce: Cell::of([
                (AvgPool, 0),
                (Separable(5), 1),
                (Separable(3), 0),
                (Dilated(5), 2),
                (MaxPool, 0),
                (Dilated(3), 1),
                (Dilated(3), 1),
                (Dilated(5), 3),
            ]),
        }
    }

    /// The vision transformer of DeepNets-1M's predefined split: attention alone.
    #[must_use]
    pub fn vit() -> Self {
        use Primitive::{Attention, AvgPool, None};
        Self {
            normal: Cell::of([(None, 0), (Attention, 1)]),
            reduce: Cell::of([(None, 0), (AvgPool, 1)]),
        }
    }
}

impl Cell {
    /// A cell whose output is that of all its steps.
    fn of<const N: usize>(genes: [(Primitive, usize); N]) -> Self {
        Self {
            genes: genes.map(Gene::from).to_vec(),
            concat: (2..2 + N / 2).collect(),
        }
    }
}

impl From<(Primitive, usize)> for Gene {
    fn from((op, input): (Primitive, usize)) -> Self {
        Self { op, input }
    }
}
