//! Which operator is whose work, and those that are done in a few lines.

use super::constant::Constant;
use super::dims::{axis, order, shape_of};
use super::import::Importer;
use super::proto::NodeProto;
use super::value::{Form, Made, Value};
use crate::arch::Op;

impl<'g> Importer<'g> {
    /// Whether there is anything to do with data for an operator of this name.
    pub(super) fn takes_data(op: &str) -> bool {
        matches!(
            op,
            "Conv"
                | "Gemm"
                | "MatMul"
                | "BatchNormalization"
                | "LayerNormalization"
                | "MaxPool"
                | "AveragePool"
                | "GlobalAveragePool"
                | "GlobalMaxPool"
                | "ReduceMean"
                | "Softmax"
                | "LogSoftmax"
                | "Add"
                | "Sub"
                | "Mul"
                | "Div"
                | "Pow"
                | "Min"
                | "Max"
                | "Sum"
                | "Relu"
                | "Sigmoid"
                | "Tanh"
                | "Erf"
                | "Exp"
                | "Neg"
                | "Abs"
                | "Reciprocal"
                | "Sqrt"
                | "Softplus"
                | "HardSwish"
                | "HardSigmoid"
                | "LeakyRelu"
                | "Elu"
                | "Gelu"
                | "Clip"
                | "Dropout"
                | "Identity"
                | "Cast"
                | "CastLike"
                | "Shape"
                | "Reshape"
                | "Flatten"
                | "Squeeze"
                | "Unsqueeze"
                | "Transpose"
                | "Slice"
                | "Split"
                | "Gather"
                | "Concat"
                | "Pad"
                | "Expand"
        )
    }

    /// A node with at least one input that depends on the images; `constants` has the others.
    pub(super) fn data_node(
        &mut self,
        at: usize,
        node: &'g NodeProto,
        constants: &[Option<Constant>],
    ) -> Made {
        let first = node.input.first().ok_or("it has no inputs")?;
        match node.op_type.as_str() {
            "Add" | "Sub" | "Mul" | "Div" | "Pow" | "Min" | "Max" if node.input.len() == 2 => {
                self.binary(at, node, constants)
            }
            "Sum" => self.sum_of_all(at, node, constants),
            "Concat" => self.concat(at, node, constants),
            "MatMul" => self.matmul(at, node, constants),
            _ if !self.is_data(first) => {
                Err("its first input does not depend on the images".into())
            }
            "Conv" => self.conv(at, node, constants),
            "Gemm" => self.gemm(at, node, constants),
            "BatchNormalization" => self.batch_norm(at, node, constants),
            "LayerNormalization" => self.layer_normalization(at, node, constants),
            "MaxPool" | "AveragePool" => self.pool(at, node),
            "GlobalAveragePool" | "GlobalMaxPool" => self.global_pool(at, node),
            "ReduceMean" => self.reduce_mean(at, node, constants),
            "Softmax" | "LogSoftmax" => self.softmax(at, node),
            "Dropout" => self.dropout(at, node, constants),
            "Identity" | "Cast" | "CastLike" => self.same(node),
            "Shape" => {
                let dims = self.data(first)?.layout.dims();
                Ok(vec![Value::Constant(shape_of(node, &dims))])
            }
            "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => self.reshape(node, constants),
            "Transpose" => {
                let data = self.loose(first)?;
                let layout = data.layout.transposed(&order(node, data.layout.0.len())?);
                Ok(vec![Self::form_value(data.form, layout, data.at)])
            }
            "Expand" => {
                let data = self.data(first)?;
                let wanted = constants.get(1).and_then(Option::as_ref);
                let wanted = self
                    .folder
                    .dims(wanted.ok_or("its shape depends on the images")?)?;
                let dims = data.layout.dims();
                if super::dims::broadcast(&dims, &wanted)? == dims {
                    return Ok(vec![Value::Data(data)]);
                }
                Err("data that is repeated cannot be taken over".into())
            }
            "Slice" => self.slice(at, node, constants),
            "Split" => self.split(at, node, constants),
            "Gather" => self.gather(at, node, constants),
            "Pad" => self.pad(at, node, constants),
            _ => self.unary(at, node, constants),
        }
    }

    fn same(&mut self, node: &'g NodeProto) -> Made {
        let whole = node
            .int("to")
            .is_some_and(|to| super::constant::is_integer(to as i32));
        if whole {
            return Err("data that is rounded to whole numbers cannot be taken over".into());
        }
        let data = self.data(&node.input[0])?;
        Ok(vec![Value::Data(data)])
    }

    /// Kept, so that training drops, too.
    fn dropout(&mut self, at: usize, node: &'g NodeProto, constants: &[Option<Constant>]) -> Made {
        let given = constants.get(1).cloned().flatten();
        let given = given.and_then(|r| r.single(&self.graph.stored));
        let p = node.float("ratio").or(given).unwrap_or(0.5);
        if !(0.0..1.0).contains(&p) {
            return Err(format!("its ratio {p} is no probability below one"));
        }
        let (input, layout) = self.settle(&node.input[0])?;
        let p = f64::from((p * 1e6).round() as u32) / 1e6;
        let made = self.push(at, Op::Dropout { p }, &[input])?;
        Ok(Self::node_value(made, layout, at))
    }

    /// Attention's softmax, or one behind the logits, which is left out.
    fn softmax(&mut self, at: usize, node: &'g NodeProto) -> Made {
        let data = self.data(&node.input[0])?;
        if let Form::Scores(scores) = &data.form {
            let rank = data.layout.0.len();
            // Before opset 13, the softmax ran over all dimensions from this one on.
            let usual = if self.graph.opset < 13 { 1 } else { -1 };
            let axis = axis(node.int("axis").unwrap_or(usual), rank)?;
            if axis + 1 != rank || scores.softmax || node.op_type != "Softmax" {
                return Err("attention's softmax must run over the last dimension".into());
            }
            let mut scores = scores.clone();
            scores.softmax = true;
            return Ok(vec![Self::form_value(
                Form::Scores(scores),
                data.layout,
                at,
            )]);
        }
        let output = node.output.first().map_or("", String::as_str);
        if self.is_tail(output) {
            return Ok(vec![Value::Data(data)]);
        }
        Err("a softmax is supported in attention and behind the logits".into())
    }
}
