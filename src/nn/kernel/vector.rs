//! Vectors of a processor's instruction sets, for the loop whose registers the compiler must not spill.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64 as x86;

/// As many numbers as an instruction works on.
///
/// # Safety
/// All of it is for processors that have the instructions; the methods must end up in a function that is
/// compiled for them.
pub trait Vector: Copy {
    /// Numbers in a vector.
    const LEN: usize;

    unsafe fn splat(value: f32) -> Self;

    /// # Safety
    /// `LEN` values from `at` on can be read.
    unsafe fn load(at: *const f32) -> Self;

    /// # Safety
    /// `LEN` values from `at` on can be written.
    unsafe fn store(self, at: *mut f32);

    unsafe fn add(self, other: Self) -> Self;

    /// `self * b + c`.
    unsafe fn mul_add(self, b: Self, c: Self) -> Self;
}

/// Implements [`Vector`] by five instructions.
#[cfg(target_arch = "x86_64")]
macro_rules! vector {
    ($vector:ty, $len:literal, $splat:ident, $load:ident, $store:ident, $add:ident, $mul_add:ident) => {
        // SAFETY (all methods): the trait's promise.
        impl Vector for $vector {
            const LEN: usize = $len;

            #[inline(always)]
            unsafe fn splat(value: f32) -> Self {
                unsafe { x86::$splat(value) }
            }

            #[inline(always)]
            unsafe fn load(at: *const f32) -> Self {
                unsafe { x86::$load(at) }
            }

            #[inline(always)]
            unsafe fn store(self, at: *mut f32) {
                unsafe { x86::$store(at, self) }
            }

            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                unsafe { x86::$add(self, other) }
            }

            #[inline(always)]
            unsafe fn mul_add(self, b: Self, c: Self) -> Self {
                unsafe { x86::$mul_add(self, b, c) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
vector!(
    x86::__m512,
    16,
    _mm512_set1_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_add_ps,
    _mm512_fmadd_ps
);
#[cfg(target_arch = "x86_64")]
vector!(
    x86::__m256,
    8,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_add_ps,
    _mm256_fmadd_ps
);

/// Any processor: the compiler finds the instructions.
// SAFETY (all methods): the trait's promise.
impl Vector for [f32; 4] {
    const LEN: usize = 4;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        [value; 4]
    }

    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        unsafe { at.cast::<Self>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        unsafe { at.cast::<Self>().write_unaligned(self) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] + other[i])
    }

    #[inline(always)]
    unsafe fn mul_add(self, b: Self, c: Self) -> Self {
        const FUSED: bool = cfg!(target_arch = "aarch64");
        std::array::from_fn(|i| super::simd::fma::<FUSED>(self[i], b[i], c[i]))
    }
}
