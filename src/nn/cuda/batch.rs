//! Memory for batches: of the one that is worked on, and of the one that waits for its step.
//!
//! Labels lie behind the pixels, so that both move in one copy.

use super::driver::{Address, Driver};
use crate::arch::Arch;
use crate::nn::device::DeviceError;
use crate::nn::network::{Examples, Images};

/// Memory for the batch at hand; its places stay the same as long as the size does.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    pub size: usize,
    /// In f32.
    pub pixels: Address,
    pub labels: Address,
    /// In f32, for the way to the host.
    pub logits: Address,
}

/// Bytes of a pixel's channel, a label or a logit.
const VALUE: usize = 4;

impl Batch {
    /// # Errors
    /// [`DeviceError::OutOfMemory`]; then nothing is kept.
    pub fn new(size: usize, arch: &Arch, driver: &mut dyn Driver) -> Result<Self, DeviceError> {
        let pixels = size * arch.input().len() * VALUE;
        let address = driver.allocate(pixels + size * VALUE)?;
        let logits = driver.allocate(size * arch.classes() * VALUE);
        Ok(Self {
            size,
            pixels: address,
            labels: address + pixels as Address,
            logits: logits.inspect_err(|_| driver.free(address))?,
        })
    }

    pub fn free(self, driver: &mut dyn Driver) {
        driver.free(self.pixels);
        driver.free(self.logits);
    }

    /// The pixels of as many images.
    pub fn upload(self, images: &Images<'_>, driver: &mut dyn Driver) -> Result<(), DeviceError> {
        driver.upload(bytemuck::cast_slice(images.pixels), self.pixels)
    }

    /// Bytes of pixels and labels together.
    const fn bytes(self) -> usize {
        (self.labels - self.pixels) as usize + self.size * VALUE
    }
}

/// Where the next batch is uploaded to while a step still reads the one at hand.
#[derive(Debug, Default)]
pub struct Staging {
    /// An address, and the bytes that there are.
    memory: Option<(Address, usize)>,
    waiting: Option<Staged>,
}

/// A batch that waits for its step.
#[derive(Clone, Copy, Debug)]
pub struct Staged {
    size: usize,
    address: Address,
}

/// Where a step's batch comes from.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    Host {
        images: &'a Images<'a>,
        labels: &'a [u32],
    },
    Staged(Staged),
}

impl Source<'_> {
    /// Images.
    pub const fn size(self) -> usize {
        match self {
            Self::Host { images, .. } => images.batch,
            Self::Staged(staged) => staged.size,
        }
    }

    /// Puts it where a step of its size reads it.
    pub fn put_into(self, batch: Batch, driver: &mut dyn Driver) -> Result<(), DeviceError> {
        match self {
            Self::Host { images, labels } => {
                batch.upload(images, driver)?;
                driver.upload(bytemuck::cast_slice(labels), batch.labels)
            }
            Self::Staged(staged) => driver.take_staged(staged.address, batch.pixels, batch.bytes()),
        }
    }
}

impl Staging {
    /// Uploads a batch, in place of one that waits.
    ///
    /// # Errors
    /// [`DeviceError::OutOfMemory`], and if the device fails; then no batch waits.
    pub fn stage(
        &mut self,
        examples: &Examples,
        driver: &mut dyn Driver,
    ) -> Result<(), DeviceError> {
        self.waiting = None;
        let pixels: &[u8] = bytemuck::cast_slice(&examples.pixels);
        let labels: &[u8] = bytemuck::cast_slice(&examples.labels);
        let address = self.reserve(pixels.len() + labels.len(), driver)?;
        driver.stage(&[pixels, labels], address)?;
        self.waiting = Some(Staged {
            size: examples.batch,
            address,
        });
        Ok(())
    }

    /// The batch that waited. It is lost when another one is staged.
    pub const fn take(&mut self) -> Option<Staged> {
        self.waiting.take()
    }

    /// Returns the memory to the device unless a batch waits there.
    pub fn release(&mut self, driver: &mut dyn Driver) {
        if self.waiting.is_none()
            && let Some((address, _)) = self.memory.take()
        {
            driver.free(address);
        }
    }

    /// Room for so many bytes. A smaller last batch leaves the room as it is.
    fn reserve(&mut self, bytes: usize, driver: &mut dyn Driver) -> Result<Address, DeviceError> {
        if let Some((address, room)) = self.memory
            && room >= bytes
        {
            return Ok(address);
        }
        self.release(driver);
        let address = driver.allocate(bytes)?;
        self.memory = Some((address, bytes));
        Ok(address)
    }
}
