//! Matrix products by cuBLASLt, with the algorithm of every shape chosen once.
//!
//! cuBLASLt reads matrices column after column, so that a matrix here is its transpose there: the product
//! `out = a b` is computed as `out' = b' a'`, from the same memory.

use std::collections::HashMap;
use std::ffi::c_void;

use cudarc::cublaslt::{result, sys};

use super::error::Outcome;
use super::workspace::Workspace;
use crate::nn::cuda::driver::{Matrix, Product};
use crate::nn::device::{DeviceError, Precision};

/// What NVIDIA recommends for Hopper.
const WORKSPACE_BYTES: usize = 32 << 20;
/// No algorithm asks for more.
const BEST_ALIGNMENT: u32 = 256;

pub struct Blas {
    handle: sys::cublasLtHandle_t,
    plans: HashMap<Key, Plan>,
}

/// All of a product but its addresses.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    /// Rows, columns, inner size, count.
    sizes: [usize; 4],
    matrices: [Shape; 3],
    has_bias: bool,
    /// Bytes that the addresses of all matrices are multiples of.
    alignment: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Shape {
    precision: Precision,
    stride: usize,
    transposed: bool,
    step: usize,
}

impl From<&Matrix> for Shape {
    fn from(m: &Matrix) -> Self {
        Self {
            precision: m.precision,
            stride: m.stride,
            transposed: m.transposed,
            step: m.step,
        }
    }
}

/// How a product of some shape is computed.
///
/// cuBLAS's word for whether a matrix is transposed is 0 or 1, in 32 bits.
struct Plan {
    description: sys::cublasLtMatmulDesc_t,
    /// Of `b`, `a` and `out`.
    layouts: [sys::cublasLtMatrixLayout_t; 3],
    algorithm: sys::cublasLtMatmulAlgo_t,
    workspace: usize,
}

const DOING: &str = "multiplying matrices";

impl Blas {
    pub fn new() -> Result<Self, DeviceError> {
        Ok(Self {
            handle: result::create_handle().doing("starting cuBLASLt")?,
            plans: HashMap::new(),
        })
    }

    pub fn multiply(
        &mut self,
        p: &Product,
        workspace: &mut Workspace,
        stream: cudarc::driver::sys::CUstream,
    ) -> Result<(), DeviceError> {
        let key = Key::of(p);
        if !self.plans.contains_key(&key) {
            // SAFETY: the handle lives as long as this.
            let plan = unsafe { Plan::new(self.handle, &key) }?;
            self.plans.insert(key, plan);
        }
        let plan = &self.plans[&key];
        let room = workspace.reserve(plan.workspace)?;
        let beta: f32 = if p.add { 1.0 } else { 0.0 };
        let pointer = |m: &Matrix| m.address as *const c_void;
        let [b, a, out] = plan.layouts;
        // SAFETY: descriptions and layouts are the plan's; the executor answers for the addresses.
        unsafe {
            if let Some(bias) = p.bias {
                let attribute =
                    sys::cublasLtMatmulDescAttributes_t::CUBLASLT_MATMUL_DESC_BIAS_POINTER;
                describe(plan.description, attribute, &bias)?;
            }
            result::matmul(
                self.handle,
                plan.description,
                std::ptr::from_ref(&p.factor).cast(),
                std::ptr::from_ref(&beta).cast(),
                pointer(&p.b),
                b,
                pointer(&p.a),
                a,
                pointer(&p.out),
                out,
                pointer(&p.out).cast_mut(),
                out,
                &raw const plan.algorithm,
                room as *mut c_void,
                plan.workspace,
                stream.cast(),
            )
        }
        .doing(DOING)
    }

    /// # Safety
    /// Nothing may be multiplied afterwards.
    pub unsafe fn release(&mut self) {
        for (_, plan) in self.plans.drain() {
            // SAFETY: made here and not used again.
            unsafe { plan.release() };
        }
        // SAFETY: the caller's promise.
        let _ = unsafe { result::destroy_handle(self.handle) };
    }
}

impl Key {
    fn of(p: &Product) -> Self {
        let mut addresses = p.a.address | p.b.address | p.out.address | p.bias.unwrap_or(0);
        if p.count > 1 {
            // The second product's matrices begin wherever the steps lead.
            for matrix in [&p.a, &p.b, &p.out] {
                addresses |= (matrix.step * matrix.precision.bytes()) as u64;
            }
        }
        let alignment = 1
            << addresses
                .trailing_zeros()
                .min(BEST_ALIGNMENT.trailing_zeros());
        Self {
            sizes: [p.rows, p.columns, p.inner, p.count],
            matrices: [&p.b, &p.a, &p.out].map(Shape::from),
            has_bias: p.bias.is_some(),
            alignment,
        }
    }
}

impl Plan {
    /// Asks cuBLASLt how it would compute such a product.
    ///
    /// # Safety
    /// The handle must be alive.
    unsafe fn new(handle: sys::cublasLtHandle_t, key: &Key) -> Result<Self, DeviceError> {
        use sys::cublasLtMatmulDescAttributes_t as Attribute;
        let [rows, columns, inner, count] = key.sizes;
        let [b, a, out] = &key.matrices;
        // SAFETY: everything that is described here was just made.
        unsafe {
            let compute = sys::cublasComputeType_t::CUBLAS_COMPUTE_32F;
            let scale = sys::cudaDataType_t::CUDA_R_32F;
            let description = result::create_matmul_desc(compute, scale).doing(DOING)?;
            let turned = |s: &Shape| i32::from(s.transposed);
            describe(
                description,
                Attribute::CUBLASLT_MATMUL_DESC_TRANSA,
                &turned(b),
            )?;
            describe(
                description,
                Attribute::CUBLASLT_MATMUL_DESC_TRANSB,
                &turned(a),
            )?;
            if key.has_bias {
                let epilogue = sys::cublasLtEpilogue_t::CUBLASLT_EPILOGUE_BIAS;
                describe(
                    description,
                    Attribute::CUBLASLT_MATMUL_DESC_EPILOGUE,
                    &epilogue,
                )?;
            }
            let layouts = [
                layout(b, [columns, inner], count)?,
                layout(a, [inner, rows], count)?,
                layout(out, [columns, rows], count)?,
            ];
            let (algorithm, workspace) = choose(handle, description, layouts, key.alignment)?;
            Ok(Self {
                description,
                layouts,
                algorithm,
                workspace,
            })
        }
    }

    /// # Safety
    /// Not used afterwards.
    unsafe fn release(self) {
        // SAFETY: the caller's promise.
        unsafe {
            let _ = result::destroy_matmul_desc(self.description);
            for layout in self.layouts {
                let _ = result::destroy_matrix_layout(layout);
            }
        }
    }
}

/// Sets an attribute of a product.
///
/// # Safety
/// The value must be of the attribute's type.
unsafe fn describe<T>(
    description: sys::cublasLtMatmulDesc_t,
    attribute: sys::cublasLtMatmulDescAttributes_t,
    value: &T,
) -> Result<(), DeviceError> {
    let pointer = std::ptr::from_ref(value).cast();
    // SAFETY: the caller's promise.
    unsafe { result::set_matmul_desc_attribute(description, attribute, pointer, size_of::<T>()) }
        .doing(DOING)
}

/// The layout of a matrix that is multiplied as `[rows, columns]` there.
unsafe fn layout(
    shape: &Shape,
    [rows, columns]: [usize; 2],
    count: usize,
) -> Result<sys::cublasLtMatrixLayout_t, DeviceError> {
    use sys::cublasLtMatrixLayoutAttribute_t as Attribute;
    let kind = match shape.precision {
        Precision::F32 => sys::cudaDataType_t::CUDA_R_32F,
        Precision::Bf16 => sys::cudaDataType_t::CUDA_R_16BF,
    };
    let [rows, columns] = if shape.transposed {
        [columns, rows]
    } else {
        [rows, columns]
    };
    let stride = shape.stride as i64;
    let layout = result::create_matrix_layout(kind, rows as u64, columns as u64, stride);
    let layout = layout.doing(DOING)?;
    let (count, step) = (count as i32, shape.step as i64);
    let batch = [
        (
            Attribute::CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT,
            std::ptr::from_ref(&count).cast(),
            size_of::<i32>(),
        ),
        (
            Attribute::CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET,
            std::ptr::from_ref(&step).cast(),
            size_of::<i64>(),
        ),
    ];
    for (attribute, pointer, bytes) in batch {
        // SAFETY: the values are of the attributes' types.
        unsafe { result::set_matrix_layout_attribute(layout, attribute, pointer, bytes) }
            .doing(DOING)?;
    }
    Ok(layout)
}

/// The algorithm that cuBLASLt thinks the fastest, and the memory that it works in.
unsafe fn choose(
    handle: sys::cublasLtHandle_t,
    description: sys::cublasLtMatmulDesc_t,
    [b, a, out]: [sys::cublasLtMatrixLayout_t; 3],
    alignment: u32,
) -> Result<(sys::cublasLtMatmulAlgo_t, usize), DeviceError> {
    use sys::cublasLtMatmulPreferenceAttributes_t as Attribute;
    let preference = result::create_matmul_pref().doing(DOING)?;
    let set = |attribute, pointer: *const c_void, bytes| {
        // SAFETY: the values below are of the attributes' types.
        unsafe { result::set_matmul_pref_attribute(preference, attribute, pointer, bytes) }
            .doing(DOING)
    };
    let bytes = WORKSPACE_BYTES;
    set(
        Attribute::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
        std::ptr::from_ref(&bytes).cast(),
        size_of::<usize>(),
    )?;
    for attribute in [
        Attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
        Attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        Attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
        Attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES,
    ] {
        set(
            attribute,
            std::ptr::from_ref(&alignment).cast(),
            size_of::<u32>(),
        )?;
    }
    // SAFETY: all of them are alive.
    unsafe {
        let found =
            result::get_matmul_algo_heuristic(handle, description, b, a, out, out, preference);
        let _ = result::destroy_matmul_pref(preference);
        let found = found.doing(DOING)?;
        Ok((found.algo, found.workspaceSize))
    }
}
