//! A network's parameters, gradients, buffers and moments in device memory.
//!
//! Each kind is one block of memory with a tensor at the same offset in all of them: clearing all
//! gradients, or fetching all parameters, is one call.

use super::argument::Argument;
use super::driver::{Address, Driver, Launch};
use super::grid;
use crate::arch::Arch;
use crate::nn::device::{DeviceError, Precision};
use crate::nn::error::NnError;
use crate::nn::network::{TensorIndex, Tensors};
use crate::nn::state::StateDict;

/// Tensors start at multiples of so many values: 256 bytes in either precision, which is what libraries
/// like best.
const GRAIN: usize = 128;
/// Values of a chunk: `CHUNK` in parameters.cuh.
const CHUNK: usize = 1 << 14;

/// See the module.
pub struct DeviceTensors {
    /// Names, shapes, layouts, and room for values on their way.
    host: Tensors,
    /// Per tensor of the architecture, in values.
    offsets: Vec<usize>,
    lengths: Vec<usize>,
    is_parameter: Vec<bool>,
    /// Values of a block.
    total: usize,
    values: Address,
    gradients: Address,
    /// bf16 copies of all values, which products and convolutions read.
    copies: Option<Address>,
    moments: Vec<Address>,
    tables: Option<Tables>,
}

/// What the optimisers' kernels read: `Parameter` and `Chunk` of parameters.cuh.
#[derive(Clone, Copy, Debug)]
pub struct Tables {
    pub parameters: Address,
    pub chunks: Address,
    /// Number of chunks.
    pub count: usize,
}

/// `Parameter` of parameters.cuh.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Parameter {
    value: Address,
    gradient: Address,
    first: Address,
    second: Address,
    copy: Address,
    length: u64,
}

/// `Chunk` of parameters.cuh.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Chunk {
    first: u64,
    parameter: u32,
    padding: u32,
}

impl DeviceTensors {
    /// Parameters and running means zero, running variances one, as [`Tensors::new`] has them.
    pub fn new(
        arch: &Arch,
        precision: Precision,
        driver: &mut dyn Driver,
    ) -> Result<Self, DeviceError> {
        let specs = arch.tensors();
        let (mut offsets, mut total) = (Vec::new(), 0);
        let lengths: Vec<usize> = specs
            .iter()
            .map(|s| if s.role.is_whole() { 0 } else { s.len() })
            .collect();
        for length in &lengths {
            offsets.push(total);
            total += length.next_multiple_of(GRAIN);
        }
        // A network may have no parameters at all.
        let total = total.max(GRAIN);
        let bytes = total * size_of::<f32>();
        let (values, gradients) = (driver.allocate(bytes)?, driver.allocate(bytes)?);
        driver.clear(gradients, bytes)?;
        let copies = match precision {
            Precision::F32 => None,
            Precision::Bf16 => Some(driver.allocate(total * precision.bytes())?),
        };
        let mut tensors = Self {
            host: Tensors::new(arch),
            offsets,
            lengths,
            is_parameter: specs.iter().map(|s| s.role.is_parameter()).collect(),
            total,
            values,
            gradients,
            copies,
            moments: Vec::new(),
            tables: None,
        };
        tensors.send(driver)?;
        Ok(tensors)
    }

    /// A tensor's values, in f32.
    pub fn value(&self, i: TensorIndex) -> Address {
        self.values + (self.offsets[i] * size_of::<f32>()) as u64
    }

    /// A parameter's gradient, in f32.
    pub fn gradient(&self, i: TensorIndex) -> Address {
        self.gradients + (self.offsets[i] * size_of::<f32>()) as u64
    }

    /// A tensor's values in the precision that products and convolutions compute with.
    pub fn computed(&self, i: TensorIndex) -> Address {
        match self.copies {
            Some(copies) => copies + (self.offsets[i] * Precision::Bf16.bytes()) as u64,
            None => self.value(i),
        }
    }

    /// Values of a tensor.
    pub fn length(&self, i: TensorIndex) -> usize {
        self.lengths[i]
    }

    /// Adds one to a batch counter.
    pub fn count(&mut self, i: TensorIndex) {
        self.host.count(i);
    }

    pub fn clear_gradients(&self, driver: &mut dyn Driver) -> Result<(), DeviceError> {
        driver.clear(self.gradients, self.total * size_of::<f32>())
    }

    pub fn load(
        &mut self,
        arch: &Arch,
        state: &StateDict,
        driver: &mut dyn Driver,
    ) -> Result<(), NnError> {
        self.host.load(arch, state)?;
        Ok(self.send(driver)?)
    }

    pub fn state(&mut self, driver: &mut dyn Driver) -> Result<StateDict, DeviceError> {
        let block = self.fetch(self.values, driver)?;
        for i in 0..self.offsets.len() {
            let values = &block[self.range(i)];
            self.host.value_mut(i).copy_from_slice(values);
        }
        Ok(self.host.state())
    }

    pub fn gradients(&self, driver: &mut dyn Driver) -> Result<StateDict, DeviceError> {
        self.of_parameters(self.gradients, driver)
    }

    /// Zeros `slots` times beside every parameter.
    pub fn reset_moments(
        &mut self,
        slots: usize,
        driver: &mut dyn Driver,
    ) -> Result<(), DeviceError> {
        for moments in self.moments.drain(..) {
            driver.free(moments);
        }
        for _ in 0..slots {
            let bytes = self.total * size_of::<f32>();
            let moments = driver.allocate(bytes)?;
            driver.clear(moments, bytes)?;
            self.moments.push(moments);
        }
        self.write_tables(driver)
    }

    pub fn moments(&self, slot: usize, driver: &mut dyn Driver) -> Result<StateDict, DeviceError> {
        self.of_parameters(self.moments[slot], driver)
    }

    pub fn load_moments(
        &self,
        slot: usize,
        state: &StateDict,
        driver: &mut dyn Driver,
    ) -> Result<(), DeviceError> {
        self.send_beside(state, self.moments[slot], driver)
    }

    #[cfg(test)]
    pub fn load_gradients(
        &self,
        state: &StateDict,
        driver: &mut dyn Driver,
    ) -> Result<(), DeviceError> {
        self.send_beside(state, self.gradients, driver)
    }

    /// The tables for the optimisers' kernels.
    pub fn tables(&mut self, driver: &mut dyn Driver) -> Result<Tables, DeviceError> {
        if self.tables.is_none() {
            self.write_tables(driver)?;
        }
        Ok(self.tables.expect("just written"))
    }

    fn write_tables(&mut self, driver: &mut dyn Driver) -> Result<(), DeviceError> {
        let (mut parameters, mut chunks) = (Vec::new(), Vec::new());
        for i in (0..self.offsets.len()).filter(|i| self.is_parameter[*i]) {
            let beside = |slot: usize| {
                let block = self.moments.get(slot);
                block.map_or(0, |b| b + (self.offsets[i] * size_of::<f32>()) as u64)
            };
            for first in (0..self.lengths[i]).step_by(CHUNK) {
                chunks.push(Chunk {
                    first: first as u64,
                    parameter: parameters.len() as u32,
                    padding: 0,
                });
            }
            parameters.push(Parameter {
                value: self.value(i),
                gradient: self.gradient(i),
                first: beside(0),
                second: beside(1),
                copy: self.copies.map_or(0, |_| self.computed(i)),
                length: self.lengths[i] as u64,
            });
        }
        if let Some(old) = self.tables.take() {
            driver.free(old.parameters);
            driver.free(old.chunks);
        }
        self.tables = Some(Tables {
            parameters: stored(&parameters, driver)?,
            chunks: stored(&chunks, driver)?,
            count: chunks.len(),
        });
        Ok(())
    }

    /// Writes all values to the device.
    fn send(&mut self, driver: &mut dyn Driver) -> Result<(), DeviceError> {
        let mut block = vec![0.0; self.total];
        for i in 0..self.offsets.len() {
            block[self.range(i)].copy_from_slice(self.host.value(i));
        }
        driver.upload(bytemuck::cast_slice(&block), self.values)?;
        let Some(copies) = self.copies else {
            return Ok(());
        };
        let arguments = [
            Argument::Address(self.values),
            Argument::Address(copies),
            Argument::Wide(self.total as u64),
        ];
        driver.launch(&Launch {
            kernel: "cast_f32_to_bf16",
            grid: grid::flat(self.total, Precision::F32),
            block: grid::BLOCK,
            arguments: &arguments,
        })
    }

    /// Fills a block beside parameters from tensors in PyTorch's layout; zeros where there is none.
    fn send_beside(
        &self,
        state: &StateDict,
        to: Address,
        driver: &mut dyn Driver,
    ) -> Result<(), DeviceError> {
        let mut block = vec![0.0; self.total];
        for (name, tensor) in state.iter() {
            if let Some((i, values)) = self.host.packed(name, tensor) {
                block[self.range(i)].copy_from_slice(&values);
            }
        }
        driver.upload(bytemuck::cast_slice(&block), to)
    }

    fn fetch(&self, block: Address, driver: &mut dyn Driver) -> Result<Vec<f32>, DeviceError> {
        let mut values = vec![0.0; self.total];
        driver.download(block, bytemuck::cast_slice_mut(&mut values))?;
        Ok(values)
    }

    /// A block's tensors beside parameters, in PyTorch's layout.
    fn of_parameters(
        &self,
        block: Address,
        driver: &mut dyn Driver,
    ) -> Result<StateDict, DeviceError> {
        let block = self.fetch(block, driver)?;
        let parameters = (0..self.offsets.len()).filter(|i| self.is_parameter[*i]);
        Ok(parameters
            .map(|i| self.host.named_unpacked(i, &block[self.range(i)]))
            .collect())
    }

    fn range(&self, i: TensorIndex) -> std::ops::Range<usize> {
        self.offsets[i]..self.offsets[i] + self.lengths[i]
    }
}

/// A table in memory of its own.
pub fn stored<T: bytemuck::Pod>(
    table: &[T],
    driver: &mut dyn Driver,
) -> Result<Address, DeviceError> {
    let bytes: &[u8] = bytemuck::cast_slice(table);
    let address = driver.allocate(bytes.len().max(1))?;
    driver.upload(bytes, address)?;
    Ok(address)
}
