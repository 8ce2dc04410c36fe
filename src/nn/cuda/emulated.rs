//! A driver for tests: the kernels' own sources on the processor, plain loops for matrix products and
//! convolutions.
//!
//! It is stricter than a GPU: memory starts as NaN, writing beyond its end is found, arguments are
//! checked by number and size, and nothing runs while a recording is made. Work runs as late as a GPU might run it,
//! when somebody waits for it; what is staged overwrites its place at once, and arrives as late as it may.

mod library;
mod plain;

use std::collections::BTreeMap;

use super::argument::Argument;
use super::driver::{Address, Convolution, Driver, Launch, Product, Recording};
use crate::nn::device::DeviceError;
use library::Library;

/// See the module.
pub struct Emulated {
    library: &'static Library,
    /// Memory by its address, with a guard behind what was asked for.
    memory: BTreeMap<Address, (Box<[u128]>, usize)>,
    /// Work that nobody has waited for yet.
    queue: Vec<Work>,
    /// How much of it comes before the next thing that is staged.
    before_staging: usize,
    /// What was staged, and where to.
    staged: Option<(Address, Vec<u8>)>,
    /// What has been noted down, while a recording is made.
    noted: Option<Vec<Work>>,
    /// Bytes that there are.
    room: usize,
    /// What was fetched last.
    fetched: Vec<u128>,
}

/// One call, to be done now or again and again.
#[derive(Clone, Debug)]
enum Work {
    Write(Vec<u8>, Address),
    Clear(Address, usize),
    Copy(Address, Address, usize),
    Launch {
        kernel: String,
        grid: [u32; 3],
        block: u32,
        arguments: Vec<Argument>,
    },
    Multiply(Product),
    Convolve(Convolution),
}

/// Bytes of a guard.
const GUARD: usize = 64;
/// What memory holds before anything is written: no numbers.
const FRESH: u128 = u128::MAX;

impl Emulated {
    /// A device with any amount of memory. None if there is no compiler to build the kernels with.
    pub fn new() -> Option<Self> {
        Self::with_room(usize::MAX)
    }

    pub fn with_room(room: usize) -> Option<Self> {
        Some(Self {
            library: Library::get()?,
            memory: BTreeMap::new(),
            queue: Vec::new(),
            before_staging: 0,
            staged: None,
            noted: None,
            room,
            fetched: Vec::new(),
        })
    }

    fn work(&mut self, work: Work) {
        self.noted.as_mut().unwrap_or(&mut self.queue).push(work);
    }

    /// Does so much of the work that waits.
    fn catch_up(&mut self, count: usize) -> Result<(), DeviceError> {
        self.before_staging = self.before_staging.saturating_sub(count);
        let due: Vec<Work> = self.queue.drain(..count).collect();
        due.iter().try_for_each(|work| self.run(work))
    }

    fn run(&self, work: &Work) -> Result<(), DeviceError> {
        match work {
            Work::Write(from, to) => self.bytes(*to, from.len()).copy_from_slice(from),
            Work::Clear(to, bytes) => self.bytes(*to, *bytes).fill(0),
            Work::Copy(from, to, bytes) => {
                let from = self.bytes(*from, *bytes).to_vec();
                self.bytes(*to, *bytes).copy_from_slice(&from);
            }
            Work::Launch {
                kernel,
                grid,
                block,
                arguments,
            } => self.library.launch(kernel, *grid, *block, arguments)?,
            Work::Multiply(product) => plain::multiply(product),
            Work::Convolve(convolution) => plain::convolve(convolution),
        }
        Ok(())
    }

    /// Memory that the executor allocated.
    #[expect(clippy::mut_from_ref, reason = "device memory is shared by its nature")]
    fn bytes(&self, at: Address, bytes: usize) -> &mut [u8] {
        let (start, (block, size)) = self
            .memory
            .range(..=at)
            .next_back()
            .expect("an address of this device");
        let offset = (at - start) as usize;
        assert!(
            offset + bytes <= *size,
            "beyond the end of what was allocated"
        );
        let first = block.as_ptr().cast::<u8>().cast_mut();
        // SAFETY: within the block, as just checked. Work runs on one thread, and no other slice of this
        // memory is alive: every caller's ends with its statement.
        unsafe { std::slice::from_raw_parts_mut(first.add(offset), bytes) }
    }

    fn check_guards(&self) {
        for (block, size) in self.memory.values() {
            let bytes: &[u8] = bytemuck::cast_slice(block);
            assert!(
                bytes[*size..].iter().all(|b| *b == 0xff),
                "a kernel wrote beyond the end of {size} bytes"
            );
        }
    }
}

impl Driver for Emulated {
    fn allocate(&mut self, bytes: usize) -> Result<Address, DeviceError> {
        assert!(self.noted.is_none(), "allocated while recording");
        assert!(bytes > 0);
        let held: usize = self.memory.values().map(|(_, size)| size).sum();
        if held.saturating_add(bytes) > self.room {
            return Err(DeviceError::OutOfMemory { bytes });
        }
        let block = vec![FRESH; (bytes + GUARD).div_ceil(size_of::<u128>())].into_boxed_slice();
        let address = block.as_ptr() as Address;
        self.memory.insert(address, (block, bytes));
        Ok(address)
    }

    fn free(&mut self, address: Address) {
        self.wait().expect("all work can be done");
        self.staged.take_if(|(to, _)| *to == address);
        self.check_guards();
        assert!(self.memory.remove(&address).is_some(), "freed twice");
    }

    fn clear(&mut self, to: Address, bytes: usize) -> Result<(), DeviceError> {
        self.work(Work::Clear(to, bytes));
        Ok(())
    }

    fn copy(&mut self, from: Address, to: Address, bytes: usize) -> Result<(), DeviceError> {
        self.work(Work::Copy(from, to, bytes));
        Ok(())
    }

    fn upload(&mut self, from: &[u8], to: Address) -> Result<(), DeviceError> {
        assert!(self.noted.is_none(), "uploaded while recording");
        self.work(Work::Write(from.to_vec(), to));
        Ok(())
    }

    fn stage(&mut self, parts: &[&[u8]], to: Address) -> Result<(), DeviceError> {
        assert!(self.noted.is_none(), "staged while recording");
        self.catch_up(self.before_staging)?;
        let values = parts.concat();
        self.bytes(to, values.len()).fill(0xff);
        self.staged = Some((to, values));
        Ok(())
    }

    fn take_staged(&mut self, from: Address, to: Address, bytes: usize) -> Result<(), DeviceError> {
        assert!(self.noted.is_none(), "took what was staged while recording");
        let (place, values) = self.staged.take().expect("something was staged");
        assert_eq!((place, values.len()), (from, bytes));
        self.work(Work::Write(values, from));
        self.work(Work::Copy(from, to, bytes));
        self.before_staging = self.queue.len();
        Ok(())
    }

    fn wait(&mut self) -> Result<(), DeviceError> {
        self.catch_up(self.queue.len())
    }

    fn download(&mut self, from: Address, to: &mut [u8]) -> Result<(), DeviceError> {
        assert!(self.noted.is_none(), "downloaded while recording");
        self.wait()?;
        self.check_guards();
        to.copy_from_slice(self.bytes(from, to.len()));
        Ok(())
    }

    fn fetch(&mut self, from: Address, bytes: usize) -> Result<&[u8], DeviceError> {
        let mut fetched = vec![FRESH; bytes.div_ceil(size_of::<u128>())];
        let to: &mut [u8] = bytemuck::cast_slice_mut(&mut fetched);
        self.download(from, &mut to[..bytes])?;
        self.fetched = fetched;
        Ok(&bytemuck::cast_slice(&self.fetched)[..bytes])
    }

    fn launch(&mut self, launch: &Launch<'_>) -> Result<(), DeviceError> {
        self.work(Work::Launch {
            kernel: launch.kernel.to_owned(),
            grid: launch.grid,
            block: launch.block,
            arguments: launch.arguments.to_vec(),
        });
        Ok(())
    }

    fn multiply(&mut self, product: &Product) -> Result<(), DeviceError> {
        self.work(Work::Multiply(*product));
        Ok(())
    }

    fn convolve(&mut self, convolution: &Convolution) -> Result<(), DeviceError> {
        self.work(Work::Convolve(*convolution));
        Ok(())
    }

    fn record(&mut self) -> Result<(), DeviceError> {
        self.noted = Some(Vec::new());
        Ok(())
    }

    fn recorded(&mut self) -> Result<Box<dyn Recording>, DeviceError> {
        let noted = self.noted.take().expect("a recording was begun");
        Ok(Box::new(Noted(noted)))
    }
}

struct Noted(Vec<Work>);

impl Recording for Noted {
    fn replay(&self, driver: &mut dyn Driver) -> Result<(), DeviceError> {
        for work in &self.0 {
            match work {
                Work::Write(from, to) => driver.upload(from, *to)?,
                Work::Clear(to, bytes) => driver.clear(*to, *bytes)?,
                Work::Copy(from, to, bytes) => driver.copy(*from, *to, *bytes)?,
                Work::Launch {
                    kernel,
                    grid,
                    block,
                    arguments,
                } => driver.launch(&Launch {
                    kernel,
                    grid: *grid,
                    block: *block,
                    arguments,
                })?,
                Work::Multiply(product) => driver.multiply(product)?,
                Work::Convolve(convolution) => driver.convolve(convolution)?,
            }
        }
        Ok(())
    }
}
