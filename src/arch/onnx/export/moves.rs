//! What only moves values: channels, pixels and tokens; and what a vision transformer adds to them.

use super::sketch::{Sketch, Value, int, whole};
use crate::arch::{Node, Shape, TensorRole};

impl Sketch<'_> {
    /// A vector of all values, in PyTorch's order.
    pub fn flatten(&mut self, input: Shape, x: &Value) -> Value {
        if matches!(input, Shape::Vector { .. }) {
            return x.clone();
        }
        self.node("Flatten", &[x.into()], vec![int("axis", 1)])
    }

    pub fn concat(&mut self, shape: Shape, inputs: &[Value]) -> Value {
        if let [alone] = inputs {
            return alone.clone();
        }
        self.join(inputs, channel_axis(shape))
    }

    pub fn chunk(&mut self, index: usize, shape: Shape, x: &Value) -> Value {
        let axis = channel_axis(shape);
        let channels = shape.channels();
        self.slice(x, &[[axis, index * channels, (index + 1) * channels, 1]])
    }

    /// Channel `g * n + i` of `groups` groups of `n` comes to place `i * groups + g`.
    pub fn shuffle(&mut self, groups: usize, shape: Shape, x: &Value) -> Value {
        let axis = channel_axis(shape);
        let whole: Vec<usize> = std::iter::once(0).chain(shape.dims()).collect();
        let mut dealt = whole.clone();
        dealt.splice(axis..=axis, [groups, shape.channels() / groups]);
        let mut order: Vec<usize> = (0..dealt.len()).collect();
        order.swap(axis, axis + 1);
        let x = self.reshape(x, &dealt);
        let x = self.transpose(&x, &order);
        self.reshape(&x, &whole)
    }

    /// Every `step`-th row and column from `start` on.
    pub fn pixels(&mut self, start: usize, step: usize, input: Shape, x: &Value) -> Value {
        let [height, width] = input.side().unwrap_or([1, 1]);
        self.slice(x, &[[2, start, height, step], [3, start, width, step]])
    }

    pub fn zeros(&mut self, x: &Value) -> Value {
        let shape = self.single("Shape", x);
        self.single("ConstantOfShape", &shape)
    }

    pub fn tokens(&mut self, output: Shape, x: &Value) -> Value {
        let x = self.reshape(x, &[0, output.channels(), output.positions()]);
        self.transpose(&x, &[0, 2, 1])
    }

    pub fn image_of_tokens(
        &mut self,
        [height, width]: [usize; 2],
        output: Shape,
        x: &Value,
    ) -> Value {
        let x = self.transpose(x, &[0, 2, 1]);
        self.reshape(&x, &[0, output.channels(), height, width])
    }

    /// Puts the learnt token before those of every image.
    pub fn class_token(&mut self, node: &Node, channels: usize, x: &Value) -> Value {
        let token = self.tensor(node, TensorRole::ClassToken);
        let ends = vec![int("start", 0), int("end", 1)];
        let batch = self.node("Shape", &[x.into()], ends);
        let arguments = [(&batch).into(), whole("token", &[1, channels])];
        let shape = self.node("Concat", &arguments, vec![int("axis", 0)]);
        let tokens = self.pair("Expand", &token, &shape);
        self.join(&[tokens, x.clone()], 1)
    }

    /// Adds what is learnt for every place.
    pub fn position(&mut self, node: &Node, x: &Value) -> Value {
        let places = self.tensor(node, TensorRole::PositionEmbedding);
        self.pair("Add", x, &places)
    }

    /// The first token alone, as a vector.
    pub fn first_token(&mut self, x: &Value) -> Value {
        let first = self.slice(x, &[[1, 0, 1, 1]]);
        self.node("Flatten", &[(&first).into()], vec![int("axis", 1)])
    }
}

/// The dimension of a value that holds the channels.
fn channel_axis(shape: Shape) -> usize {
    match shape {
        Shape::Image { .. } => 1,
        _ => shape.dims().len(),
    }
}
