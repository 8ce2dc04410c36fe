//! Batch norms and layer norms.

use super::Recipe;
use super::arrange::Kind;
use super::constant::Constant;
use super::import::Importer;
use super::layers::joined;
use super::layout::Layout;
use super::proto::NodeProto;
use super::value::Made;
use crate::arch::NodeId;

impl<'g> Importer<'g> {
    pub(super) fn batch_norm(
        &mut self,
        at: usize,
        node: &'g NodeProto,
        constants: &[Option<Constant>],
    ) -> Made {
        let (input, layout) = self
            .settle_as(&node.input[0], &[Kind::Image])
            .map_err(|e| format!("only images can be normalised over a batch; {e}"))?;
        let channels = self.b.shape(input).channels();
        let mut tensors = Vec::with_capacity(4);
        for (i, what) in ["scale", "offset", "mean", "variance"].iter().enumerate() {
            let tensor = constants.get(i + 1).cloned().flatten();
            let tensor = tensor.ok_or_else(|| format!("its {what} must be a constant"))?;
            if tensor.shape() != [channels] {
                return Err(format!(
                    "its {what} has the shape {:?} instead of [{channels}]",
                    tensor.shape()
                ));
            }
            tensors.push(tensor);
        }
        let eps = node.float("epsilon").unwrap_or(1e-5);
        let momentum = 1.0 - node.float("momentum").unwrap_or(0.9);
        let momentum = (momentum * 1e6).round() / 1e6;
        let path = self.layer_path(&tensors.iter().collect::<Vec<_>>(), at);
        let module = self.b.batch_norm_with(&path, channels, eps, momentum);
        let names = ["weight", "bias", "running_mean", "running_var"];
        for (name, tensor) in names.into_iter().zip(tensors) {
            self.tensor(Recipe::of(joined(&path, name), tensor));
        }
        let node = self.call(module, input)?;
        Ok(Self::node_value(node, layout, at))
    }

    /// ONNX's own layer norm.
    pub(super) fn layer_normalization(
        &mut self,
        at: usize,
        node: &'g NodeProto,
        constants: &[Option<Constant>],
    ) -> Made {
        let (input, layout) = self.settle(&node.input[0])?;
        let axis = super::dims::axis(node.int("axis").unwrap_or(-1), layout.0.len())?;
        if axis + 1 != layout.0.len() {
            return Err("it normalises over more than the last dimension".into());
        }
        self.expect_last_channels(input, &layout)?;
        let eps = node.float("epsilon").unwrap_or(1e-5);
        let tensor = |i: usize| constants.get(i).cloned().flatten();
        let node = self.layer_norm(at, input, eps, tensor(1), tensor(2))?;
        Ok(Self::node_value(node, layout, at))
    }

    fn expect_last_channels(&self, node: NodeId, layout: &Layout) -> Result<(), String> {
        let channels = self.b.shape(node).channels();
        if layout
            .channel_dim(channels)
            .is_some_and(|d| d + 1 == layout.0.len())
        {
            Ok(())
        } else {
            Err("the last dimension of its input is not that of the channels".into())
        }
    }

    /// Registers a layer norm over the channels of `input` and calls it; ones and zeros stand in for what it
    /// lacks.
    pub(super) fn layer_norm(
        &mut self,
        at: usize,
        input: NodeId,
        eps: f64,
        scale: Option<Constant>,
        offset: Option<Constant>,
    ) -> Result<NodeId, String> {
        let channels = self.b.shape(input).channels();
        let named: Vec<&Constant> = scale.iter().chain(&offset).collect();
        if let Some(wrong) = named.iter().find(|c| c.len() != channels) {
            return Err(format!(
                "it has numbers for {} channels instead of {channels}",
                wrong.len()
            ));
        }
        let path = self.layer_path(&named, at);
        let module = self.b.layer_norm(&path, channels, eps);
        let filled = |value| Constant::filled(vec![channels], value, false);
        for (name, tensor) in [
            ("weight", scale.unwrap_or_else(|| filled(1.0))),
            ("bias", offset.unwrap_or_else(|| filled(0.0))),
        ] {
            let tensor = tensor.reshaped(&[channels], &self.graph.stored)?;
            self.tensor(Recipe::of(joined(&path, name), tensor));
        }
        self.call(module, input)
    }
}
