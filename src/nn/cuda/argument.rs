//! Arguments of a kernel as they lie in memory.

use std::ffi::c_void;

use super::driver::Address;
use crate::nn::kernel::window::Window;

/// One argument. What a kernel takes stands in kernels/README.md.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Argument {
    /// A device pointer, or null.
    Address(Address),
    /// A `size_t` or any other number of 64 bits.
    Wide(u64),
    /// `unsigned` or `int`.
    Count(u32),
    Float(f32),
    Double(f64),
    /// `Window`: input, output, kernel, stride, padding, dilation.
    Window([i32; 12]),
    /// `Sides`: input, output.
    Sides([i32; 4]),
    /// `Tiling`: sides of the block, its strides, sides of the weight, whether channels come last.
    Tiling([u32; 13]),
}

impl Argument {
    /// Null for none.
    pub fn maybe(address: Option<Address>) -> Self {
        Self::Address(address.unwrap_or(0))
    }

    /// A number of values, rows or channels.
    ///
    /// # Panics
    /// Above 2^32: the executor refuses such batches first.
    pub fn count(n: usize) -> Self {
        Self::Count(u32::try_from(n).expect("batches that large are refused"))
    }

    pub fn window(window: &Window) -> Self {
        let pairs = [
            window.input,
            window.output,
            window.kernel,
            window.stride,
            window.padding,
            window.dilation,
        ];
        let mut numbers = [0; 12];
        for (number, size) in numbers.iter_mut().zip(pairs.as_flattened()) {
            *number = i32::try_from(*size).expect("sides of images are small");
        }
        Self::Window(numbers)
    }

    pub fn sides(input: [usize; 2], output: [usize; 2]) -> Self {
        let of = |n: usize| i32::try_from(n).expect("sides of images are small");
        Self::Sides([of(input[0]), of(input[1]), of(output[0]), of(output[1])])
    }

    /// Where its value lies; good as long as the argument stays where it is.
    #[cfg_attr(
        not(any(test, feature = "cuda")),
        expect(dead_code, reason = "only devices launch kernels")
    )]
    pub const fn pointer(&self) -> *const c_void {
        match self {
            Self::Address(v) | Self::Wide(v) => std::ptr::from_ref(v).cast(),
            Self::Count(v) => std::ptr::from_ref(v).cast(),
            Self::Float(v) => std::ptr::from_ref(v).cast(),
            Self::Double(v) => std::ptr::from_ref(v).cast(),
            Self::Window(v) => std::ptr::from_ref(v).cast(),
            Self::Sides(v) => std::ptr::from_ref(v).cast(),
            Self::Tiling(v) => std::ptr::from_ref(v).cast(),
        }
    }

    /// Its size in bytes.
    #[cfg(test)]
    pub const fn bytes(&self) -> usize {
        match self {
            Self::Address(_) | Self::Wide(_) | Self::Double(_) => 8,
            Self::Count(_) | Self::Float(_) => 4,
            Self::Window(_) => 48,
            Self::Sides(_) => 16,
            Self::Tiling(_) => 52,
        }
    }
}

impl From<f32> for Argument {
    fn from(value: f32) -> Self {
        Self::Float(value)
    }
}

impl From<f64> for Argument {
    fn from(value: f64) -> Self {
        Self::Double(value)
    }
}
