//! Convolutions by cuDNN, with the fastest algorithm of every shape and direction found once, by trying.

use std::collections::HashMap;
use std::ffi::{c_int, c_void};

use cudarc::cudnn::{result, sys};
use cudarc::driver::sys::CUstream;

use super::error::{Outcome, failed};
use super::workspace::Workspace;
use crate::nn::cuda::driver::{Address, ConvShape, Convolution, Direction};
use crate::nn::device::{DeviceError, Precision};

/// Algorithms that want more memory to work in are left out.
const MOST_WORKSPACE_BYTES: usize = 512 << 20;
/// More than there are algorithms.
const MOST_ALGORITHMS: usize = 16;
const DOING: &str = "convolving";

pub struct Dnn {
    handle: sys::cudnnHandle_t,
    plans: HashMap<(ConvShape, Direction), Plan>,
}

/// How a convolution of some shape is computed in one direction.
struct Plan {
    input: sys::cudnnTensorDescriptor_t,
    weight: sys::cudnnFilterDescriptor_t,
    output: sys::cudnnTensorDescriptor_t,
    convolution: sys::cudnnConvolutionDescriptor_t,
    algorithm: Algorithm,
    workspace: usize,
}

#[derive(Clone, Copy)]
enum Algorithm {
    Output(sys::cudnnConvolutionFwdAlgo_t),
    Input(sys::cudnnConvolutionBwdDataAlgo_t),
    Weight(sys::cudnnConvolutionBwdFilterAlgo_t),
}

/// What a trial found of one algorithm.
struct Trial<A> {
    algorithm: A,
    status: sys::cudnnStatus_t,
    bytes: usize,
    math: sys::cudnnMathType_t,
    determinism: sys::cudnnDeterminism_t,
}

impl Dnn {
    pub fn new(stream: CUstream) -> Result<Self, DeviceError> {
        let handle = result::create_handle().doing("starting cuDNN")?;
        // SAFETY: both are alive.
        unsafe { result::set_stream(handle, stream.cast()) }.doing("starting cuDNN")?;
        Ok(Self {
            handle,
            plans: HashMap::new(),
        })
    }

    pub fn convolve(
        &mut self,
        c: &Convolution,
        workspace: &mut Workspace,
    ) -> Result<(), DeviceError> {
        let key = (c.shape, c.direction);
        if !self.plans.contains_key(&key) {
            // SAFETY: the handle is alive, and the executor answers for the addresses.
            let plan = unsafe { Plan::new(self.handle, c, workspace) }?;
            self.plans.insert(key, plan);
        }
        let plan = &self.plans[&key];
        let room = workspace.reserve(plan.workspace)? as *mut c_void;
        let (alpha, beta): (f32, f32) = (1.0, if c.add { 1.0 } else { 0.0 });
        let (alpha, beta) = (
            std::ptr::from_ref(&alpha).cast(),
            std::ptr::from_ref(&beta).cast(),
        );
        let [x, w, y] = [c.input, c.weight, c.output].map(|a| a as *mut c_void);
        // SAFETY: the descriptions are the plan's and fit the addresses, for which the executor answers.
        unsafe {
            match plan.algorithm {
                Algorithm::Output(algorithm) => result::convolution_forward(
                    self.handle,
                    alpha,
                    plan.input,
                    x,
                    plan.weight,
                    w,
                    plan.convolution,
                    algorithm,
                    room,
                    plan.workspace,
                    beta,
                    plan.output,
                    y,
                ),
                Algorithm::Input(algorithm) => result::convolution_backward_data(
                    self.handle,
                    alpha,
                    plan.weight,
                    w,
                    plan.output,
                    y,
                    plan.convolution,
                    algorithm,
                    room,
                    plan.workspace,
                    beta,
                    plan.input,
                    x,
                ),
                Algorithm::Weight(algorithm) => result::convolution_backward_filter(
                    self.handle,
                    alpha,
                    plan.input,
                    x,
                    plan.output,
                    y,
                    plan.convolution,
                    algorithm,
                    room,
                    plan.workspace,
                    beta,
                    plan.weight,
                    w,
                ),
            }
        }
        .doing(DOING)
    }

    /// # Safety
    /// Nothing may be convolved afterwards.
    pub unsafe fn release(&mut self) {
        // SAFETY: made here and not used again; failures lose memory, no more.
        unsafe {
            for (_, plan) in self.plans.drain() {
                let _ = result::destroy_tensor_descriptor(plan.input);
                let _ = result::destroy_filter_descriptor(plan.weight);
                let _ = result::destroy_tensor_descriptor(plan.output);
                let _ = result::destroy_convolution_descriptor(plan.convolution);
            }
            let _ = result::destroy_handle(self.handle);
        }
    }
}

/// f32 is computed as f32, without rounding factors to TF32; bf16 by tensor cores.
const fn math(precision: Precision) -> sys::cudnnMathType_t {
    match precision {
        Precision::F32 => sys::cudnnMathType_t::CUDNN_FMA_MATH,
        Precision::Bf16 => sys::cudnnMathType_t::CUDNN_TENSOR_OP_MATH,
    }
}

impl Plan {
    /// Describes a convolution and tries all algorithms.
    ///
    /// # Safety
    /// Handle and addresses must be good.
    unsafe fn new(
        handle: sys::cudnnHandle_t,
        c: &Convolution,
        workspace: &mut Workspace,
    ) -> Result<Self, DeviceError> {
        let shape = &c.shape;
        let kind = match shape.precision {
            Precision::F32 => sys::cudnnDataType_t::CUDNN_DATA_FLOAT,
            Precision::Bf16 => sys::cudnnDataType_t::CUDNN_DATA_BFLOAT16,
        };
        let format = sys::cudnnTensorFormat_t::CUDNN_TENSOR_NHWC;
        let int = |n: usize| n as c_int;
        let image =
            |channels: usize, [h, w]: [usize; 2]| [int(shape.batch), int(channels), int(h), int(w)];
        let window = &shape.window;
        let [kh, kw] = window.kernel;
        let filter = [
            int(shape.out_channels),
            int(shape.in_channels / shape.groups),
            int(kh),
            int(kw),
        ];
        // SAFETY: descriptions are made before they are filled.
        unsafe {
            let input = result::create_tensor_descriptor().doing(DOING)?;
            let sizes = image(shape.in_channels, window.input);
            result::set_tensor4d_descriptor(input, format, kind, sizes).doing(DOING)?;
            let output = result::create_tensor_descriptor().doing(DOING)?;
            let sizes = image(shape.out_channels, window.output);
            result::set_tensor4d_descriptor(output, format, kind, sizes).doing(DOING)?;
            let weight = result::create_filter_descriptor().doing(DOING)?;
            result::set_filter4d_descriptor(weight, kind, format, filter).doing(DOING)?;
            let convolution = result::create_convolution_descriptor().doing(DOING)?;
            result::set_convolution2d_descriptor(
                convolution,
                int(window.padding[0]),
                int(window.padding[1]),
                int(window.stride[0]),
                int(window.stride[1]),
                int(window.dilation[0]),
                int(window.dilation[1]),
                sys::cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION,
                sys::cudnnDataType_t::CUDNN_DATA_FLOAT,
            )
            .doing(DOING)?;
            result::set_convolution_group_count(convolution, int(shape.groups)).doing(DOING)?;
            result::set_convolution_math_type(convolution, math(shape.precision)).doing(DOING)?;
            let mut plan = Self {
                input,
                weight,
                output,
                convolution,
                algorithm: Algorithm::Output(
                    sys::cudnnConvolutionFwdAlgo_t::CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM,
                ),
                workspace: 0,
            };
            plan.choose(handle, c, workspace)?;
            Ok(plan)
        }
    }

    /// Tries all algorithms in the convolution's direction and takes the fastest that will do.
    unsafe fn choose(
        &mut self,
        handle: sys::cudnnHandle_t,
        c: &Convolution,
        workspace: &mut Workspace,
    ) -> Result<(), DeviceError> {
        let room = workspace.reserve(MOST_WORKSPACE_BYTES)? as *mut c_void;
        let [x, w, y] = [c.input, c.weight, c.output].map(|a| a as *mut c_void);
        let most = MOST_ALGORITHMS as c_int;
        let mut count = 0;
        macro_rules! tried {
            ($perf:ty, $find:path, $($argument:expr),*) => {{
                // SAFETY: plain numbers, for which zeros are as good as any.
                let mut found: [$perf; MOST_ALGORITHMS] = unsafe { std::mem::zeroed() };
                // SAFETY: the caller's promise; there is room for as many results as are asked for.
                let status = unsafe {
                    $find(
                        handle, $($argument,)* most, &raw mut count, found.as_mut_ptr(), room,
                        MOST_WORKSPACE_BYTES,
                    )
                };
                status.result().doing("trying how to convolve")?;
                let found = found.into_iter().take(count as usize).map(|f| Trial {
                    algorithm: f.algo,
                    status: f.status,
                    bytes: f.memory,
                    math: f.mathType,
                    determinism: f.determinism,
                });
                best(found.collect(), c.shape.precision)?
            }};
        }
        let (bytes, math) = match c.direction {
            Direction::Output => {
                let found = tried!(
                    sys::cudnnConvolutionFwdAlgoPerf_t,
                    sys::cudnnFindConvolutionForwardAlgorithmEx,
                    self.input,
                    x,
                    self.weight,
                    w,
                    self.convolution,
                    self.output,
                    y
                );
                self.algorithm = Algorithm::Output(found.algorithm);
                (found.bytes, found.math)
            }
            Direction::Input => {
                let found = tried!(
                    sys::cudnnConvolutionBwdDataAlgoPerf_t,
                    sys::cudnnFindConvolutionBackwardDataAlgorithmEx,
                    self.weight,
                    w,
                    self.output,
                    y,
                    self.convolution,
                    self.input,
                    x
                );
                self.algorithm = Algorithm::Input(found.algorithm);
                (found.bytes, found.math)
            }
            Direction::Weight => {
                let scratch = Scratch::of(c)?;
                let found = tried!(
                    sys::cudnnConvolutionBwdFilterAlgoPerf_t,
                    sys::cudnnFindConvolutionBackwardFilterAlgorithmEx,
                    self.input,
                    x,
                    self.output,
                    y,
                    self.convolution,
                    self.weight,
                    scratch.0 as *mut c_void
                );
                self.algorithm = Algorithm::Weight(found.algorithm);
                (found.bytes, found.math)
            }
        };
        self.workspace = bytes;
        // SAFETY: the description is this plan's.
        unsafe { result::set_convolution_math_type(self.convolution, math) }.doing(DOING)
    }
}

/// The first, and so the fastest, that works, fits, is as exact as asked for, and gives the same bits
/// every time; if there is none, one that does not.
fn best<A: Copy>(trials: Vec<Trial<A>>, precision: Precision) -> Result<Trial<A>, DeviceError> {
    let works = |t: &Trial<A>| {
        let exact = precision == Precision::Bf16 || t.math == math(Precision::F32);
        t.status == sys::cudnnStatus_t::CUDNN_STATUS_SUCCESS
            && t.bytes <= MOST_WORKSPACE_BYTES
            && exact
    };
    let same_bits = |t: &Trial<A>| t.determinism == sys::cudnnDeterminism_t::CUDNN_DETERMINISTIC;
    let mut trials: Vec<Trial<A>> = trials.into_iter().filter(|t| works(t)).collect();
    let chosen = trials.iter().position(same_bits).unwrap_or(0);
    if trials.is_empty() {
        return Err(failed(DOING, "cuDNN has no algorithm for this convolution"));
    }
    Ok(trials.swap_remove(chosen))
}

/// Memory for the weights that trials write, so that gradients at hand are left alone.
struct Scratch(Address);

impl Scratch {
    fn of(c: &Convolution) -> Result<Self, DeviceError> {
        let shape = &c.shape;
        let ins = shape.in_channels / shape.groups;
        let values = shape.out_channels * ins * shape.window.taps();
        let bytes = values * shape.precision.bytes();
        // SAFETY: only written.
        let address = unsafe { cudarc::driver::result::malloc_sync(bytes) };
        let address = address.map_err(|e| super::error::of_memory(e, bytes))?;
        Ok(Self(address))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // SAFETY: allocated here; the call waits for work that uses it.
        let _ = unsafe { cudarc::driver::result::free_sync(self.0) };
    }
}
