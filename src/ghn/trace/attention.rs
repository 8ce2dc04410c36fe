//! The record of attention, of windows and of what surrounds them.

use super::{Recorder, Value};
use crate::arch::{Arch, AttentionKind, Node, Partition, Projection};

/// What an expanded batch of matrices goes through before it is multiplied: a copy where its
/// memory is not contiguous.
const COPIED: [&str; 3] = ["ExpandBackward0", "CloneBackward0", "UnsafeViewBackward0"];
const VIEWED: [&str; 2] = ["ExpandBackward0", "ReshapeAliasBackward0"];
/// The heads' results side by side.
const HEADS_TOGETHER: [&str; 4] = [
    "UnsafeViewBackward0",
    "TransposeBackward0",
    "CloneBackward0",
    "UnsafeViewBackward0",
];

impl Recorder {
    /// Functions of one input, one after the other.
    fn chain(&mut self, ops: &[&'static str], input: Option<usize>) -> Option<usize> {
        ops.iter().fold(input, |input, op| self.view(op, input))
    }

    pub(super) fn tokens(&mut self, x: Value) -> Option<usize> {
        self.chain(&["ReshapeAliasBackward0", "PermuteBackward0"], x.function)
    }

    pub(super) fn class_token(&mut self, arch: &Arch, node: &Node, x: Value) -> Option<usize> {
        let token = self.parameters(arch, node).first().copied().flatten();
        let token = self.view("ExpandBackward0", token);
        self.push("CatBackward0", vec![token, x.function])
    }

    pub(super) fn position_embedding(
        &mut self,
        arch: &Arch,
        node: &Node,
        x: Value,
    ) -> Option<usize> {
        let places = self.parameters(arch, node).first().copied().flatten();
        self.push("AddBackward0", vec![x.function, places])
    }

    pub(super) fn tokens_to_image(&mut self, x: Value) -> Option<usize> {
        self.chain(&["PermuteBackward0", "ViewBackward0"], x.function)
    }

    pub(super) fn first_token(&mut self, x: Value) -> Option<usize> {
        self.chain(&["SliceBackward0", "SelectBackward0"], x.function)
    }

    /// `nn.MultiheadAttention` puts tokens before samples and back.
    pub(super) fn projection(
        &mut self,
        arch: &Arch,
        node: &Node,
        projection: Projection,
        x: Value,
    ) -> Option<usize> {
        if projection == Projection::Keyless {
            return self.linear(arch, node, x);
        }
        let parameters = self.parameters(arch, node);
        let (weight, bias) = (parameters[0], parameters[1]);
        let weight = self.view("TBackward0", weight);
        if projection == Projection::MultiheadOut {
            let product = self.push("AddmmBackward0", vec![bias, x.function, weight]);
            return self.chain(&["ViewBackward0", "TransposeBackward0"], product);
        }
        let turn = [
            "TransposeBackward0",
            "CloneBackward0",
            "UnsafeViewBackward0",
        ];
        let rows = self.chain(&turn, x.function);
        let product = self.push("MmBackward0", vec![rows, weight]);
        let product = self.view("UnsafeViewBackward0", product);
        let sum = self.push("AddBackward0", vec![product, bias]);
        let thirds = [
            "ViewBackward0",
            "UnsqueezeBackward0",
            "TransposeBackward0",
            "SqueezeBackward1",
            "CloneBackward0",
        ];
        self.chain(&thirds, sum)
    }

    pub(super) fn attention(
        &mut self,
        arch: &Arch,
        node: &Node,
        kind: AttentionKind,
        x: Value,
    ) -> Option<usize> {
        match kind {
            AttentionKind::Multihead => self.multihead(x),
            AttentionKind::Fused => self.fused(x),
            AttentionKind::Windowed(partition) => {
                let table = self.parameters(arch, node).first().copied().flatten();
                self.windowed(partition, table, x)
            }
            // Swin v2's own record leads to no graph, see `graph.rs`: without the factors and the
            // biases' small network it is Swin's.
            AttentionKind::Cosine(partition) => self.windowed(partition, None, x),
            // MaxViT's record has other views than Swin's between the same products and sums; no
            // view becomes a node.
            AttentionKind::MultiAxis(partition) => {
                let table = self.parameters(arch, node).first().copied().flatten();
                self.windowed(partition, table, x)
            }
        }
    }

    fn multihead(&mut self, x: Value) -> Option<usize> {
        let third = [
            "SelectBackward0",
            "ViewBackward0",
            "TransposeBackward0",
            "ViewBackward0",
        ];
        let q = self.chain(&third, x.function);
        let q = self.view("DivBackward1", q);
        let q = self.chain(&VIEWED, q);
        let k = self.chain(&third, x.function);
        let k = self.chain(&["TransposeBackward0", "DivBackward1"], k);
        let k = self.chain(&VIEWED, k);
        let scores = self.push("BmmBackward0", vec![q, k]);
        let weights = self.chain(&["UnsafeViewBackward0", "SoftmaxBackward0"], scores);
        let weights = self.chain(&VIEWED, weights);
        let v = self.chain(&third, x.function);
        let v = self.chain(&VIEWED, v);
        let sum = self.push("BmmBackward0", vec![weights, v]);
        let heads_together = [
            "UnsafeViewBackward0",
            "PermuteBackward0",
            "CloneBackward0",
            "ViewBackward0",
        ];
        self.chain(&heads_together, sum)
    }

    fn fused(&mut self, x: Value) -> Option<usize> {
        let apart = [
            "ReshapeAliasBackward0",
            "PermuteBackward0",
            "UnbindBackward0",
        ];
        let thirds = self.chain(&apart, x.function);
        let q = self.chain(&COPIED, thirds);
        let k = self.view("TransposeBackward0", thirds);
        let k = self.chain(&COPIED, k);
        let scores = self.push("BmmBackward0", vec![q, k]);
        let scores = self.view("UnsafeViewBackward0", scores);
        let scores = self.push("MulBackward0", vec![scores, None]);
        let weights = self.view("SoftmaxBackward0", scores);
        let weights = self.chain(&VIEWED, weights);
        let v = self.chain(&COPIED, thirds);
        let sum = self.push("BmmBackward0", vec![weights, v]);
        self.chain(&HEADS_TOGETHER, sum)
    }

    /// Attention within windows, with the table of biases if there is one.
    fn windowed(&mut self, partition: Partition, table: Option<usize>, x: Value) -> Option<usize> {
        let thirds = self.chain(&["ReshapeAliasBackward0", "PermuteBackward0"], x.function);
        let q = self.view("SelectBackward0", thirds);
        let q = self.push("MulBackward0", vec![q, None]);
        let q = self.chain(&COPIED, q);
        let k = self.chain(&["SelectBackward0", "TransposeBackward0"], thirds);
        let k = self.chain(&COPIED, k);
        let scores = self.push("BmmBackward0", vec![q, k]);
        let mut scores = self.view("UnsafeViewBackward0", scores);
        if table.is_some() {
            let pairs = [
                "IndexBackward0",
                "ViewBackward0",
                "PermuteBackward0",
                "CloneBackward0",
                "UnsqueezeBackward0",
            ];
            let biases = self.chain(&pairs, table);
            scores = self.push("AddBackward0", vec![scores, biases]);
        }
        if partition.is_shifted() {
            // The mask needs no gradient.
            scores = self.view("ViewBackward0", scores);
            scores = self.push("AddBackward0", vec![scores, None]);
            scores = self.view("ViewBackward0", scores);
        }
        let weights = self.view("SoftmaxBackward0", scores);
        let weights = self.chain(&VIEWED, weights);
        let v = self.view("SelectBackward0", thirds);
        let v = self.chain(&COPIED, v);
        let sum = self.push("BmmBackward0", vec![weights, v]);
        self.chain(&HEADS_TOGETHER, sum)
    }

    pub(super) fn partition(&mut self, partition: Partition, x: Value) -> Option<usize> {
        let mut grid = self.view("ConstantPadNdBackward0", x.function);
        if partition.is_shifted() {
            grid = self.view("RollBackward0", grid);
        }
        self.exchange_windows(partition, grid)
    }

    pub(super) fn reassemble(&mut self, partition: Partition, x: Value) -> Option<usize> {
        let mut grid = self.exchange_windows(partition, x.function);
        if partition.is_shifted() {
            grid = self.view("RollBackward0", grid);
        }
        grid = self.chain(&["SliceBackward0", "SliceBackward0"], grid);
        if partition.is_padded() {
            grid = self.view("CloneBackward0", grid);
        }
        grid
    }

    /// Rows within windows and windows across change places: a copy, unless there is but one window
    /// across.
    fn exchange_windows(&mut self, partition: Partition, x: Option<usize>) -> Option<usize> {
        let turned = self.chain(&["ViewBackward0", "PermuteBackward0"], x);
        match partition.counts() {
            [_, 1] => self.view("ReshapeAliasBackward0", turned),
            _ => self.chain(&["CloneBackward0", "UnsafeViewBackward0"], turned),
        }
    }

    /// Four slices of every second row and column.
    pub(super) fn merge_patches(&mut self, x: Value) -> Option<usize> {
        let grid = self.view("ConstantPadNdBackward0", x.function);
        let slices = (0..4).map(|_| self.chain(&["SliceBackward0"; 3], grid));
        let slices = slices.collect();
        self.push("CatBackward0", slices)
    }
}
