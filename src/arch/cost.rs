//! What a node costs.

use super::{Arch, Node, Op};

/// Cost of one node for one image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Multiply-accumulates of convolutions, linear layers and attention; norms, activations, pools and sums
    /// count nothing, as in the figures that torchvision publishes.
    pub macs: u64,
    /// Parameter values that the node owns.
    pub params: u64,
}

impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.macs += other.macs;
        self.params += other.params;
    }
}

/// The cost of `node`, which belongs to `arch`.
#[must_use]
pub fn node_cost(arch: &Arch, node: &Node) -> Cost {
    let per_position = match node.op {
        Op::Conv2d(c) => c.weight_shape().iter().product(),
        Op::Linear(l) | Op::Projection(_, l) => l.in_features * l.out_features,
        // Every token's query with every key, and every weight with every value.
        Op::Attention(a) => {
            let [_, tokens] = node.shape.sequences().unwrap_or_default();
            2 * tokens * a.channels
        }
        _ => 0,
    };
    Cost {
        macs: (per_position * node.shape.positions()) as u64,
        params: arch
            .tensors_of(node)
            .iter()
            .filter(|t| t.role.is_parameter())
            .map(|t| t.len() as u64)
            .sum(),
    }
}
