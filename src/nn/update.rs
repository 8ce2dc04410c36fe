//! What an optimiser's step does to a parameter, as numbers: the rules are the executor's, the numbers
//! the optimiser's.

/// One step's numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Update {
    Sgd(SgdNumbers),
    AdamW(AdamWNumbers),
}

impl Update {
    /// How many numbers the rule remembers for every value of a parameter.
    #[must_use]
    pub const fn moments(&self) -> usize {
        match self {
            Self::Sgd(_) => 1,
            Self::AdamW(_) => 2,
        }
    }
}

/// `m = momentum m + g + decay w`, `w -= lr m`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct SgdNumbers {
    pub lr: f32,
    pub momentum: f32,
    pub weight_decay: f32,
}

/// `m = old_mean m + new_mean g`, `v = old_square v + new_square g^2`,
/// `w = shrink w - rate m / (sqrt(v) / root + eps)`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct AdamWNumbers {
    pub rate: f32,
    pub root: f32,
    pub shrink: f32,
    pub eps: f32,
    pub old_mean: f32,
    pub new_mean: f32,
    pub old_square: f32,
    pub new_square: f32,
}
