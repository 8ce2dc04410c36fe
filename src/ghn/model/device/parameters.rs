//! Where predicted parameters lie on a device, how they are written there, and how they come down.

use std::collections::TryReserveError;

use rayon::prelude::*;

use super::super::super::{GhnError, Parameter};
use super::super::plan::VectorForm;
use super::super::scale::Scaling;
use super::super::writer::{Group, Target, Writer, tokens_outside};
use super::decode::{Blocks, VectorDecoder, WeightDecoder};
use crate::memory;
use crate::nn::arrays::{Array, Arrays, Bounds, View};
use crate::nn::{DeviceError, Tensor};

/// All parameters that are written, one after another in one array.
pub(super) struct Places {
    all: Array,
    /// For each parameter of the network, where it begins.
    first: Vec<Option<usize>>,
}

impl Places {
    pub fn new(writer: &Writer<'_>, arrays: &mut Arrays) -> Result<Self, DeviceError> {
        let mut first = vec![None; writer.parameters.len()];
        let mut total = 0;
        for parameter in writer.written() {
            let place: &mut Option<usize> = &mut first[parameter];
            if place.is_none() {
                *place = Some(total);
                total += writer.parameters[parameter].size();
            }
        }
        let all = arrays.take(total)?;
        Ok(Self { all, first })
    }

    /// Decodes and writes everything; `states` holds those of [`Writer::nodes`].
    pub fn write(
        &self,
        writer: &Writer<'_>,
        weights: &WeightDecoder,
        vectors: &VectorDecoder,
        states: View,
        arrays: &mut Arrays,
    ) -> Result<(), DeviceError> {
        let width = writer.config.hid;
        let mut done = 0;
        for group in &writer.weights {
            for targets in group.targets.chunks(weights.most_nodes(group.shape)) {
                let states = states.part(done * width, targets.len() * width);
                let blocks = if group.classifies {
                    weights.class_block(states, group.shape, arrays)?
                } else {
                    weights.blocks(states, group.shape, arrays)?
                };
                self.write_weights(writer, group, targets, &blocks, arrays)?;
                done += targets.len();
            }
        }
        if writer.vectors.is_empty() {
            return Ok(());
        }
        self.write_vectors(writer, vectors, states.from(done * width), arrays)
    }

    fn write_weights(
        &self,
        writer: &Writer<'_>,
        group: &Group,
        targets: &[Target],
        blocks: &Blocks,
        arrays: &mut Arrays,
    ) -> Result<(), DeviceError> {
        let [height, width] = group.shape.kernel;
        for (node, target) in targets.iter().enumerate() {
            let owner = &writer.parameters[target.parameter];
            let factor = writer.scaling.weight(&owner.shape);
            let place = self.place(target.parameter, owner);
            let (tiling, place) = match *owner.shape {
                [1, _, channels] => {
                    let mut tiling = blocks.tiling([1, channels, height, width]);
                    tiling.channels_last = true;
                    (tiling, place.from(tokens_outside(&owner.shape) * channels))
                }
                [out, input, ..] => (blocks.tiling([out, input, height, width]), place),
                _ => continue,
            };
            arrays.tile(blocks.of(node), &tiling, factor, place)?;
        }
        Ok(())
    }

    fn write_vectors(
        &self,
        writer: &Writer<'_>,
        decoder: &VectorDecoder,
        states: View,
        arrays: &mut Arrays,
    ) -> Result<(), DeviceError> {
        let vectors = decoder.vectors(states, arrays)?;
        let bounds = |bounds| match writer.scaling {
            Scaling::None => Bounds::None,
            Scaling::FanIn => bounds,
        };
        let place = |parameter: usize| self.place(parameter, &writer.parameters[parameter]);
        for (index, (target, form)) in writer.vectors.iter().enumerate() {
            let (weight, bias) = (vectors.weight(index), vectors.bias(index));
            let own = place(target.parameter);
            match form {
                VectorForm::Norm { offset } => {
                    arrays.repeat(weight, bounds(Bounds::AroundOne), own)?;
                    if let Some(offset) = offset {
                        arrays.repeat(bias, bounds(Bounds::AroundZero), place(*offset))?;
                    }
                }
                VectorForm::Bias => arrays.repeat(bias, bounds(Bounds::AroundZero), own)?,
                VectorForm::ClassBias => {
                    let classes = decoder.class_bias(bias, arrays)?;
                    arrays.repeat(classes.view(), bounds(Bounds::AroundZero), own)?;
                }
            }
        }
        Ok(())
    }

    /// Where a parameter lies that is written.
    fn place(&self, parameter: usize, owner: &Parameter) -> View {
        let first = self.first[parameter].expect("every parameter that is written has a place");
        self.all.view().part(first, owner.size())
    }

    /// Brings everything down in one transfer and makes tensors of it.
    pub fn fetch(
        &self,
        writer: &Writer<'_>,
        arrays: &mut Arrays,
    ) -> Result<Vec<Option<Tensor>>, GhnError> {
        let all = arrays.fetch(self.all.view())?;
        let named = writer.parameters.par_iter().zip(&self.first);
        let tensors = named.map(|(owner, first)| {
            let Some(first) = *first else {
                return Ok(None);
            };
            let mut values = memory::with_capacity(owner.size())?;
            // Tokens that no GHN predicts come first.
            writer.random_tokens(owner, &mut values);
            values.extend_from_slice(&all[first..first + owner.size()][values.len()..]);
            Ok(Some(Tensor::new(owner.shape.clone(), values)))
        });
        let no_memory = |_: TryReserveError| GhnError::no_room_for(writer.parameters);
        tensors.collect::<Result<_, _>>().map_err(no_memory)
    }
}
