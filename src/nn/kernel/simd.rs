//! One loop, compiled for several instruction sets and chosen while running.

#[cfg(target_arch = "x86_64")]
use std::sync::LazyLock;

/// Defines a function whose body is compiled three times: for AVX-512, for AVX2 with FMA, and for any
/// processor. The const parameter says whether `mul_add` is one instruction; [`fma`] asks for it.
macro_rules! multiversion {
    ($(#[$meta:meta])* $vis:vis fn $name:ident<$fma:ident>($($arg:ident: $type:ty),* $(,)?) $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name($($arg: $type),*) {
            #[inline(always)]
            #[allow(clippy::too_many_arguments)]
            fn plain<const $fma: bool>($($arg: $type),*) $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn avx512($($arg: $type),*) {
                    plain::<true>($($arg),*);
                }
                #[target_feature(enable = "avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn avx2($($arg: $type),*) {
                    plain::<true>($($arg),*);
                }
                match $crate::nn::kernel::simd::level() {
                    // SAFETY: `level` saw these features on this processor.
                    $crate::nn::kernel::simd::Level::Avx512 => return unsafe { avx512($($arg),*) },
                    // SAFETY: as above.
                    $crate::nn::kernel::simd::Level::Avx2 => return unsafe { avx2($($arg),*) },
                    $crate::nn::kernel::simd::Level::Any => {}
                }
            }
            plain::<{ cfg!(target_arch = "aarch64") }>($($arg),*);
        }
    };
}

/// Instruction sets that kernels are compiled for, the poorest first.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Any,
    Avx2,
    Avx512,
}

/// Names the best instruction set that may be used: `avx512`, `avx2` or `any`. Others are as if unset.
#[cfg(target_arch = "x86_64")]
const VARIABLE: &str = "HYPERSCOPE_SIMD";

/// The best instruction set of this processor that may be used.
#[cfg(target_arch = "x86_64")]
#[inline]
pub fn level() -> Level {
    static LEVEL: LazyLock<Level> = LazyLock::new(|| {
        let most = match std::env::var(VARIABLE).as_deref() {
            Ok("any") => Level::Any,
            Ok("avx2") => Level::Avx2,
            _ => Level::Avx512,
        };
        detected().min(most)
    });
    *LEVEL
}

/// The best instruction set of this processor.
#[cfg(target_arch = "x86_64")]
fn detected() -> Level {
    if !is_x86_feature_detected!("avx2") || !is_x86_feature_detected!("fma") {
        Level::Any
    } else if is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512bw")
    {
        Level::Avx512
    } else {
        Level::Avx2
    }
}

/// `a * b + c`, fused where that is one instruction; elsewhere it would be a slow library call.
#[inline(always)]
pub fn fma<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// Sums over a row run in this many lanes.
pub const LANES: usize = 16;

/// Sum of `f` over a row, in lanes that the compiler turns into vectors.
#[inline(always)]
pub fn sum_lanes(x: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0f32; LANES];
    let (vectors, rest) = x.as_chunks::<LANES>();
    for v in vectors {
        for j in 0..LANES {
            sums[j] += f(v[j]);
        }
    }
    for (sum, v) in sums.iter_mut().zip(rest) {
        *sum += f(*v);
    }
    sums.iter().sum()
}
