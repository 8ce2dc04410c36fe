//! The norm of all gradients, and the optimiser's step, each over all tensors in one launch.

use super::argument::Argument;
use super::driver::{Address, Driver, Launch};
use super::grid;
use super::tensors::{DeviceTensors, Tables};
use crate::nn::device::DeviceError;
use crate::nn::update::Update;

/// `GradientNorm` of gradient_norm.cuh.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct GradientNorm {
    norm: f64,
    factor: f32,
    finite: i32,
}

/// Numbers of the optimisers in device memory.
pub struct Optimisers {
    /// `SgdNumbers` or `AdamWNumbers` of the last step.
    numbers: Address,
    norm: Address,
    /// A sum per chunk.
    partials: Option<Address>,
    /// Whether `norm` is that of the gradients at hand.
    clips: bool,
}

/// Bytes of the larger of the two kinds of numbers.
const NUMBERS: usize = 32;

impl Optimisers {
    pub fn new(driver: &mut dyn Driver) -> Result<Self, DeviceError> {
        Ok(Self {
            numbers: driver.allocate(NUMBERS)?,
            norm: driver.allocate(size_of::<GradientNorm>())?,
            partials: None,
            clips: false,
        })
    }

    /// Forgets the norm: there are other gradients now.
    pub const fn new_gradients(&mut self) {
        self.clips = false;
    }

    /// The norm of all gradients; the next step multiplies them by what keeps it at `max_norm`.
    pub fn clip(
        &mut self,
        tensors: &mut DeviceTensors,
        max_norm: f64,
        loss: Address,
        driver: &mut dyn Driver,
    ) -> Result<f64, DeviceError> {
        let tables = tensors.tables(driver)?;
        let partials = match self.partials {
            Some(partials) => partials,
            None => *self
                .partials
                .insert(driver.allocate((tables.count * size_of::<f64>()).max(1))?),
        };
        over_chunks(driver, "gradient_norm_sums", tables, &[partials])?;
        driver.launch(&Launch {
            kernel: "gradient_norm_finalise",
            grid: grid::line(1),
            block: grid::WIDE_BLOCK,
            arguments: &[
                Argument::Address(partials),
                Argument::count(tables.count),
                max_norm.into(),
                Argument::Address(loss),
                Argument::Address(self.norm),
            ],
        })?;
        self.clips = true;
        let mut found = [GradientNorm {
            norm: 0.0,
            factor: 0.0,
            finite: 0,
        }];
        driver.download(self.norm, bytemuck::cast_slice_mut(&mut found))?;
        Ok(found[0].norm)
    }

    /// Changes all parameters by their gradients.
    pub fn step(
        &self,
        tensors: &mut DeviceTensors,
        update: &Update,
        driver: &mut dyn Driver,
    ) -> Result<(), DeviceError> {
        let tables = tensors.tables(driver)?;
        let (kernel, numbers) = match update {
            Update::Sgd(numbers) => ("sgd_step", bytemuck::bytes_of(numbers)),
            Update::AdamW(numbers) => ("adamw_step", bytemuck::bytes_of(numbers)),
        };
        driver.upload(numbers, self.numbers)?;
        let norm = if self.clips { self.norm } else { 0 };
        over_chunks(driver, kernel, tables, &[self.numbers, norm])
    }
}

/// Launches a kernel with a block for every chunk of the parameters.
fn over_chunks(
    driver: &mut dyn Driver,
    kernel: &str,
    tables: Tables,
    rest: &[Address],
) -> Result<(), DeviceError> {
    if tables.count == 0 {
        return Ok(());
    }
    let addresses = [tables.parameters, tables.chunks];
    let arguments: Vec<Argument> = addresses
        .iter()
        .chain(rest)
        .map(|a| Argument::Address(*a))
        .collect();
    driver.launch(&Launch {
        kernel,
        grid: [tables.count as u32, 1, 1],
        block: grid::BLOCK,
        arguments: &arguments,
    })
}
