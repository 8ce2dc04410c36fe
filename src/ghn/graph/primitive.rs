//! The primitive ops that a GHN knows, and which parameters and backward functions become one.

use super::super::Parameter;

/// A node's type; its id is the row of the embedding table. The order is part of every checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Primitive {
    MaxPool,
    AvgPool,
    /// A grouped convolution without dilation, ResNeXt's included.
    SepConv,
    DilConv,
    /// Every other weight: convolutions, linear layers, attention projections.
    Conv,
    /// A softmax: the heart of self-attention.
    Attention,
    /// The product of a channel gate (squeeze and excitation).
    Gate,
    Sum,
    Concat,
    Input,
    Bias,
    BatchNorm,
    LayerNorm,
    PositionEncoding,
    GlobalAverage,
}

impl Primitive {
    /// All types in the order of their ids.
    pub const ALL: [Self; 15] = [
        Self::MaxPool,
        Self::AvgPool,
        Self::SepConv,
        Self::DilConv,
        Self::Conv,
        Self::Attention,
        Self::Gate,
        Self::Sum,
        Self::Concat,
        Self::Input,
        Self::Bias,
        Self::BatchNorm,
        Self::LayerNorm,
        Self::PositionEncoding,
        Self::GlobalAverage,
    ];

    /// Row of the embedding table.
    #[must_use]
    pub const fn id(self) -> usize {
        self as usize
    }

    /// The name that the DeepNets-1M literature uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MaxPool => "max_pool",
            Self::AvgPool => "avg_pool",
            Self::SepConv => "sep_conv",
            Self::DilConv => "dil_conv",
            Self::Conv => "conv",
            Self::Attention => "msa",
            Self::Gate => "cse",
            Self::Sum => "sum",
            Self::Concat => "concat",
            Self::Input => "input",
            Self::Bias => "bias",
            Self::BatchNorm => "bn",
            Self::LayerNorm => "ln",
            Self::PositionEncoding => "pos_enc",
            Self::GlobalAverage => "glob_avg",
        }
    }

    /// Whether it is a pool with a window.
    #[must_use]
    pub const fn is_pool(self) -> bool {
        matches!(self, Self::MaxPool | Self::AvgPool)
    }

    /// The type of a backward function, if a GHN knows it.
    #[must_use]
    pub fn of_function(name: &str) -> Option<Self> {
        let op = name.split_once("Backward").map_or(name, |(op, _)| op);
        Some(match op {
            "Mean" | "AdaptiveAvgPool2D" => Self::GlobalAverage,
            "MaxPool2DWithIndices" => Self::MaxPool,
            "AvgPool2D" => Self::AvgPool,
            "Softmax" => Self::Attention,
            "Mul" => Self::Gate,
            "Add" => Self::Sum,
            "Cat" => Self::Concat,
            "input" => Self::Input,
            _ => return None,
        })
    }

    /// The type of a parameter, if a GHN knows its module.
    #[must_use]
    pub fn of_parameter(parameter: &Parameter) -> Option<Self> {
        match parameter.class.as_str() {
            "BatchNorm2d" => return Some(Self::BatchNorm),
            "LayerNorm" | "LayerNorm2d" => return Some(Self::LayerNorm),
            "PosEnc" | "Embedding" | "Encoder" => return Some(Self::PositionEncoding),
            "Conv2d" | "Linear" | "NonDynamicallyQuantizableLinear" | "MultiheadAttention" => {}
            _ => return None,
        }
        if parameter.name.contains("bias") {
            return Some(Self::Bias);
        }
        Some(match (parameter.groups, parameter.dilation) {
            (0 | 1, _) => Self::Conv,
            (_, [h, w]) if h.min(w) > 1 => Self::DilConv,
            _ => Self::SepConv,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_the_rows_of_the_published_table() {
        for (id, primitive) in Primitive::ALL.iter().enumerate() {
            assert_eq!(primitive.id(), id);
        }
        assert_eq!(Primitive::Conv.id(), 4);
        assert_eq!(Primitive::GlobalAverage.id(), 14);
    }
}
