//! The core of self-attention.
//!
//! Letters: `T` tokens of a sequence, `H` heads, `D` channels of a head, `C = H D`. A value's first
//! dimensions are those of the sequences, written `..`: the batch, and the windows where there are some.

use super::Content;
use super::sketch::{Argument, Axes, Sketch, Value, int, number, whole};
use crate::arch::{Attention, AttentionKind, Node, Partition, Shape, TensorRole};

/// What is added to a score between tokens of different regions, as Swin has it.
const APART: f32 = -100.0;
/// Smallest length of a query or key that a cosine divides by.
const SHORTEST: f32 = 1e-12;
/// Factors of cosines do not grow beyond this.
const LARGEST_FACTOR: f32 = 100.0;
/// Biases from the second input lie between zero and this.
const LARGEST_BIAS: f32 = 16.0;

impl Sketch<'_> {
    /// Queries, keys and values `[.., T, 3 C]` to `[.., T, C]`; `biases` are Swin v2's, for every offset.
    pub fn attention(
        &mut self,
        node: &Node,
        attention: &Attention,
        x: &Value,
        biases: Option<&Value>,
    ) -> Value {
        let heads = Heads::of(attention, node.shape);
        let thirds = whole("split", &[attention.channels; 3]);
        let parts = self.node_of_three("Split", &[x.into(), thirds], vec![int("axis", -1)]);
        let [q, k, v] = parts.map(|part| self.reshape(&part, &heads.apart()));
        let [q, k] = match attention.kind {
            AttentionKind::Cosine(_) => [q, k].map(|x| self.of_unit_length(&x, &heads)),
            _ => [self.scaled(attention, &q), k],
        };
        let q = self.transpose(&q, &heads.order([1, 0, 2]));
        let k = self.transpose(&k, &heads.order([1, 2, 0]));
        let v = self.transpose(&v, &heads.order([1, 0, 2]));
        let scores = self.pair("MatMul", &q, &k);
        let scores = self.biased(node, attention, &scores, biases);
        let weights = self.node("Softmax", &[(&scores).into()], vec![int("axis", -1)]);
        let x = self.pair("MatMul", &weights, &v);
        let x = self.transpose(&x, &heads.order([1, 0, 2]));
        self.reshape(&x, &heads.together())
    }

    fn scaled(&mut self, attention: &Attention, q: &Value) -> Value {
        let factor = 1.0 / (attention.scaling_channels() as f32).sqrt();
        self.node("Mul", &[q.into(), number("factor", factor)], Vec::new())
    }

    /// `[.., T, H, D]` divided by the lengths of its vectors.
    fn of_unit_length(&mut self, x: &Value, heads: &Heads) -> Value {
        let last = heads.lead.len() + 2;
        let lengths = self.reduce("ReduceL2", x, &[last], Axes::Kept);
        let shortest = number("shortest", SHORTEST);
        let lengths = self.node("Max", &[(&lengths).into(), shortest], Vec::new());
        self.pair("Div", x, &lengths)
    }

    /// What makes scores of products or cosines, `[.., H, T, T]`.
    fn biased(
        &mut self,
        node: &Node,
        attention: &Attention,
        scores: &Value,
        biases: Option<&Value>,
    ) -> Value {
        let Some(partition) = attention.partition() else {
            return scores.clone();
        };
        let tokens = partition.tokens();
        let scores = match biases {
            None => {
                let table = self.tensor(node, TensorRole::PositionBias);
                let biases = self.of_pairs(node, attention, tokens, &table);
                self.pair("Add", scores, &biases)
            }
            Some(biases) => {
                let factors = self.factors(node);
                let scores = self.pair("Mul", scores, &factors);
                let table = self.reshape(biases, &[offsets(attention), attention.heads]);
                let biases = self.of_pairs(node, attention, tokens, &table);
                let share = self.single("Sigmoid", &biases);
                let largest = number("largest", LARGEST_BIAS);
                let biases = self.node("Mul", &[(&share).into(), largest], Vec::new());
                self.pair("Add", &scores, &biases)
            }
        };
        if !partition.is_shifted() {
            return scores;
        }
        let mask = self.mask(&partition);
        self.pair("Add", &scores, &mask)
    }

    /// Every head's factor of its cosines, `[H, 1, 1]`.
    fn factors(&mut self, node: &Node) -> Value {
        let exponents = self.tensor(node, TensorRole::LogitScale);
        let factors = self.single("Exp", &exponents);
        let largest = number("largest", LARGEST_FACTOR);
        self.node("Min", &[(&factors).into(), largest], Vec::new())
    }

    /// From a table `[offsets, H]` the entries of all pairs of tokens, `[H, T, T]`.
    fn of_pairs(
        &mut self,
        node: &Node,
        attention: &Attention,
        tokens: usize,
        table: &Value,
    ) -> Value {
        let index = self.tensor(node, TensorRole::OffsetIndex);
        let entries = self.node(
            "Gather",
            &[table.into(), (&index).into()],
            vec![int("axis", 0)],
        );
        let pairs = self.reshape(&entries, &[tokens, tokens, attention.heads]);
        self.transpose(&pairs, &[2, 0, 1])
    }

    /// What keeps tokens of different regions of a window apart, `[windows, 1, T, T]`. Layers with the
    /// same windows share it.
    fn mask(&mut self, partition: &Partition) -> Value {
        if let Some(mask) = self.masks.get(partition) {
            return mask.clone();
        }
        let regions: Vec<i64> = partition.regions().into_iter().map(i64::from).collect();
        let constant = |word, tokens: [usize; 2]| Argument::Constant {
            word,
            shape: vec![partition.windows(), 1, tokens[0], tokens[1]],
            content: Content::Whole(regions.clone()),
        };
        let tokens = partition.tokens();
        let regions = [
            constant("of_query", [tokens, 1]),
            constant("of_key", [1, tokens]),
        ];
        let same = self.node("Equal", &regions, Vec::new());
        let choices = [(&same).into(), number("same", 0.0), number("apart", APART)];
        let mask = self.node("Where", &choices, Vec::new());
        self.masks.insert(*partition, mask.clone());
        mask
    }
}

/// The number of different offsets within a window.
fn offsets(attention: &Attention) -> usize {
    attention.offsets().map_or(0, |o| o.len())
}

/// The dimensions of an attention.
struct Heads {
    /// Lengths of those before the tokens; zero for the batch, whose length is kept.
    lead: Vec<usize>,
    tokens: usize,
    heads: usize,
    /// Channels of a head.
    width: usize,
}

impl Heads {
    fn of(attention: &Attention, shape: Shape) -> Self {
        let [_, tokens] = shape.sequences().unwrap_or([1, 1]);
        let lead = match shape {
            Shape::Windows { windows, .. } => vec![0, windows],
            _ => vec![0],
        };
        Self {
            lead,
            tokens,
            heads: attention.heads,
            width: attention.head_channels(),
        }
    }

    /// `[.., T, H, D]`.
    fn apart(&self) -> Vec<usize> {
        [&self.lead[..], &[self.tokens, self.heads, self.width]].concat()
    }

    /// `[.., T, C]`.
    fn together(&self) -> Vec<usize> {
        [&self.lead[..], &[self.tokens, self.heads * self.width]].concat()
    }

    /// An order of the last three dimensions, those before them left in place.
    fn order(&self, last: [usize; 3]) -> Vec<usize> {
        let lead = self.lead.len();
        (0..lead).chain(last.map(|axis| lead + axis)).collect()
    }
}
