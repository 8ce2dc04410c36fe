//! What PyTorch's autograd would record for one training-mode forward pass of an architecture:
//! backward functions and, for each, the ordered functions that its inputs came from.
//!
//! The names and the order of inputs are those of torch 2.0.1 with a batch of two on the CPU. The
//! GHN graph is defined by what the reference implementation finds in that record, so the record is
//! reproduced, view by view, and the graph's own rules stay as they were published.

mod attention;

use std::borrow::Cow;
use std::collections::HashMap;

use super::Parameter;
use crate::arch::{Activation, Arch, Node, Op, Shape};

/// One backward function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Name with its suffix, such as `ConvolutionBackward0`; leaves are `AccumulateGrad`.
    pub op: Cow<'static, str>,
    /// Where each input came from; `None` for inputs that need no gradient.
    pub next: Vec<Option<usize>>,
    /// For leaves: index into the network's parameters.
    pub parameter: Option<usize>,
    /// Window of a pool.
    pub kernel: Option<[usize; 2]>,
}

/// The record of one forward pass. Functions stand in the order of a depth-first walk from the
/// roots, so a function precedes those that its inputs came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// The functions that made the network's outputs.
    pub roots: Vec<usize>,
    pub functions: Vec<Function>,
}

impl Trace {
    /// The record of `arch`, whose parameters are `parameters`
    /// ([`Parameter::list`] of the same architecture).
    #[must_use]
    pub fn of(arch: &Arch, parameters: &[Parameter]) -> Self {
        let mut recorder = Recorder::new(parameters);
        let mut made: Vec<Value> = Vec::with_capacity(arch.nodes().len());
        for node in arch.nodes() {
            let inputs: Vec<Value> = node.inputs.iter().map(|i| made[i.0]).collect();
            let value = recorder.record(arch, node, &inputs);
            made.push(value);
        }
        let auxiliary = arch.auxiliary().iter().map(|n| &made[n.0]);
        let outputs = made.last().into_iter().chain(auxiliary);
        let roots: Vec<usize> = outputs.filter_map(|v| v.function).collect();
        recorder.trace.in_walking_order(&roots)
    }

    /// The same record with functions renumbered in depth-first order from one root after the other.
    fn in_walking_order(self, roots: &[usize]) -> Self {
        let mut number = vec![None; self.functions.len()];
        let mut order = Vec::new();
        let mut stack: Vec<usize> = roots.iter().rev().copied().collect();
        while let Some(f) = stack.pop() {
            if number[f].is_some() {
                continue;
            }
            number[f] = Some(order.len());
            order.push(f);
            stack.extend(self.functions[f].next.iter().rev().flatten());
        }
        let mut functions: Vec<Option<Function>> = self.functions.into_iter().map(Some).collect();
        let renumbered = order.iter().filter_map(|f| functions[*f].take());
        Self {
            roots: roots.iter().filter_map(|r| number[*r]).collect(),
            functions: renumbered
                .map(|mut function| {
                    for next in &mut function.next {
                        *next = next.and_then(|n| number[n]);
                    }
                    function
                })
                .collect(),
        }
    }
}

/// An activation as autograd sees it.
#[derive(Clone, Copy, Debug)]
struct Value {
    /// The function that made it; `None` for the images.
    function: Option<usize>,
    shape: Shape,
    /// Whether an image lies in memory with its channels last: what `permute` leaves behind.
    channels_last: bool,
}

struct Recorder {
    trace: Trace,
    /// Index of a parameter's leaf, once made.
    leaves: Vec<Option<usize>>,
    /// Parameter index by name.
    names: HashMap<String, usize>,
    /// The function that splits what a function made, once there is one.
    splits: HashMap<usize, usize>,
}

impl Recorder {
    fn new(parameters: &[Parameter]) -> Self {
        let names = parameters
            .iter()
            .enumerate()
            .map(|(i, p)| (p.name.clone(), i))
            .collect();
        Self {
            trace: Trace::default(),
            leaves: vec![None; parameters.len()],
            names,
            splits: HashMap::new(),
        }
    }

    fn record(&mut self, arch: &Arch, node: &Node, inputs: &[Value]) -> Value {
        let Some(&x) = inputs.first() else {
            return Value {
                function: None,
                shape: node.shape,
                channels_last: false,
            };
        };
        let mut channels_last = x.channels_last;
        let function = match &node.op {
            Op::Conv2d(_) => self.layer(arch, node, "ConvolutionBackward0", x, true),
            Op::BatchNorm { .. } => self.layer(arch, node, "NativeBatchNormBackward0", x, false),
            Op::LayerNorm { .. } => {
                channels_last = matches!(x.shape, Shape::Image { .. });
                self.layer_norm(arch, node, x)
            }
            Op::Linear(_) => self.linear(arch, node, x),
            Op::LayerScale { .. } => {
                let factor = self.parameters(arch, node).first().copied().flatten();
                self.push("MulBackward0", vec![factor, x.function])
            }
            Op::Activation(activation) => self.view(name_of(*activation), x.function),
            Op::MaxPool(p) => self.pool("MaxPool2DWithIndicesBackward0", x, p.kernel),
            Op::AvgPool(p) => self.pool("AvgPool2DBackward0", x, p.kernel),
            Op::AdaptiveAvgPool(side) => self.adaptive_pool(*side, x),
            Op::Mean { flattened } => {
                let mut pixels = x.function;
                if *flattened {
                    pixels = self.view("ReshapeAliasBackward0", pixels);
                }
                self.view("MeanBackward1", pixels)
            }
            Op::ToGrid => {
                channels_last = x.channels_last;
                self.view("PermuteBackward0", x.function)
            }
            Op::ToImage => {
                channels_last = true;
                self.view("PermuteBackward0", x.function)
            }
            Op::Flatten => {
                channels_last = false;
                self.flatten(x)
            }
            Op::Add => {
                let terms = inputs.iter().map(|v| v.function).collect();
                self.push("AddBackward0", terms)
            }
            // DeepNets-1M writes the gate last, as a vector that becomes an image.
            Op::Gate if matches!(inputs[1].shape, Shape::Vector { .. }) => {
                let gate = self.view("ViewBackward0", inputs[1].function);
                self.push("MulBackward0", vec![x.function, gate])
            }
            // torchvision writes it first.
            Op::Gate => {
                let factors = inputs.iter().rev().map(|v| v.function).collect();
                self.push("MulBackward0", factors)
            }
            Op::Concat => {
                let parts = inputs.iter().map(|v| v.function).collect();
                self.push("CatBackward0", parts)
            }
            Op::Chunk { .. } => self.chunk(x),
            Op::Shuffle { .. } => {
                channels_last = false;
                self.shuffle(x)
            }
            // EfficientNet drops in place what `Flatten` made, which torch records as a copied slice.
            // The graph is the same: neither is a primitive so near the classifier.
            //
            // The mask needs no gradient. With probability zero torch returns its argument.
            Op::StochasticDepth { p } | Op::Dropout { p } if *p > 0.0 => {
                self.push("MulBackward0", vec![x.function, None])
            }
            Op::StochasticDepth { .. } | Op::Dropout { .. } | Op::Input => x.function,
            Op::ToTokens => self.tokens(x),
            Op::ClassToken { .. } => self.class_token(arch, node, x),
            // Written as a product with zero.
            Op::Zeros => self.push("MulBackward0", vec![x.function, None]),
            Op::Pixels { .. } => (0..4).fold(x.function, |f, _| self.view("SliceBackward0", f)),
            // Sums of tokens lie in memory as their first term does: that of the image before.
            Op::FromTokens(_) => self.tokens_to_image(x),
            Op::PositionEmbedding { .. } | Op::PositionMap { .. } => {
                self.position_embedding(arch, node, x)
            }
            Op::FirstToken => self.first_token(x),
            Op::Projection(projection, _) => self.projection(arch, node, *projection, x),
            Op::Attention(a) => self.attention(arch, node, a.kind, x),
            Op::Partition(p) => self.partition(*p, x),
            Op::Reassemble(p) => self.reassemble(*p, x),
            Op::MergePatches => self.merge_patches(x),
            // No image reaches it, nor any parameter.
            Op::OffsetCoordinates(_) => None,
        };
        Value {
            function,
            shape: node.shape,
            channels_last,
        }
    }

    /// A function of these inputs, unless none of them needs a gradient.
    fn push(&mut self, op: &'static str, next: Vec<Option<usize>>) -> Option<usize> {
        if next.iter().all(Option::is_none) {
            return None;
        }
        self.trace.functions.push(Function {
            op: Cow::Borrowed(op),
            next,
            parameter: None,
            kernel: None,
        });
        Some(self.trace.functions.len() - 1)
    }

    /// A function of one input.
    fn view(&mut self, op: &'static str, input: Option<usize>) -> Option<usize> {
        self.push(op, vec![input])
    }

    /// Leaves of the parameters of a node's module, in order.
    fn parameters(&mut self, arch: &Arch, node: &Node) -> Vec<Option<usize>> {
        let specs = arch.tensors_of(node);
        let specs = specs.iter().filter(|t| t.role.is_parameter());
        specs.map(|t| self.leaf(&t.name)).collect()
    }

    fn leaf(&mut self, name: &str) -> Option<usize> {
        let parameter = *self.names.get(name)?;
        if self.leaves[parameter].is_none() {
            self.trace.functions.push(Function {
                op: Cow::Borrowed("AccumulateGrad"),
                next: Vec::new(),
                parameter: Some(parameter),
                kernel: None,
            });
            self.leaves[parameter] = Some(self.trace.functions.len() - 1);
        }
        self.leaves[parameter]
    }

    /// A layer whose function takes input, weight and bias; `pad` stands an empty bias in.
    fn layer(
        &mut self,
        arch: &Arch,
        node: &Node,
        op: &'static str,
        x: Value,
        pad: bool,
    ) -> Option<usize> {
        let mut next = vec![x.function];
        next.extend(self.parameters(arch, node));
        if pad {
            next.resize(3, None);
        }
        self.push(op, next)
    }

    /// Images are turned to put their channels last, normalised, and turned back.
    fn layer_norm(&mut self, arch: &Arch, node: &Node, mut x: Value) -> Option<usize> {
        let image = matches!(x.shape, Shape::Image { .. });
        if image {
            x.function = self.view("PermuteBackward0", x.function);
        }
        let norm = self.layer(arch, node, "NativeLayerNormBackward0", x, false);
        if image {
            self.view("PermuteBackward0", norm)
        } else {
            norm
        }
    }

    /// `torch.nn.functional.linear`: one fused function for vectors and tokens, product and sum
    /// for grids.
    fn linear(&mut self, arch: &Arch, node: &Node, x: Value) -> Option<usize> {
        let parameters = self.parameters(arch, node);
        let weight = parameters.first().copied().flatten();
        let weight = self.view("TBackward0", weight);
        match (x.shape, parameters.get(1)) {
            (Shape::Vector { .. }, Some(bias)) => {
                self.push("AddmmBackward0", vec![*bias, x.function, weight])
            }
            (Shape::Vector { .. }, None) => self.push("MmBackward0", vec![x.function, weight]),
            (Shape::Tokens { .. } | Shape::Windows { .. }, Some(bias)) => {
                let rows = self.view("ViewBackward0", x.function);
                let product = self.push("AddmmBackward0", vec![*bias, rows, weight]);
                self.view("ViewBackward0", product)
            }
            (_, bias) => {
                let rows = self.view("ReshapeAliasBackward0", x.function);
                let product = self.push("MmBackward0", vec![rows, weight]);
                let product = self.view("UnsafeViewBackward0", product);
                match bias {
                    Some(bias) => self.push("AddBackward0", vec![product, *bias]),
                    None => product,
                }
            }
        }
    }

    fn pool(&mut self, op: &'static str, x: Value, kernel: [usize; 2]) -> Option<usize> {
        let function = self.view(op, x.function)?;
        self.trace.functions[function].kernel = Some(kernel);
        Some(function)
    }

    /// A pool to one pixel is a mean, to which torch gives the strides of its input.
    fn adaptive_pool(&mut self, side: [usize; 2], x: Value) -> Option<usize> {
        if side != [1, 1] {
            return self.view("AdaptiveAvgPool2DBackward0", x.function);
        }
        let mean = self.view("MeanBackward1", x.function);
        if x.channels_last {
            self.view("AsStridedBackward1", mean)
        } else {
            mean
        }
    }

    /// All chunks of a value are outputs of one function.
    fn chunk(&mut self, x: Value) -> Option<usize> {
        let input = x.function?;
        if let Some(split) = self.splits.get(&input) {
            return Some(*split);
        }
        let split = self.view("SplitBackward0", x.function)?;
        self.splits.insert(input, split);
        Some(split)
    }

    /// Channels seen as groups by members, transposed, and laid out anew.
    fn shuffle(&mut self, x: Value) -> Option<usize> {
        let groups = self.view("ViewBackward0", x.function);
        let transposed = self.view("TransposeBackward0", groups);
        let copy = self.view("CloneBackward0", transposed);
        self.view("ViewBackward0", copy)
    }

    /// A view where memory allows, else a copy.
    fn flatten(&mut self, x: Value) -> Option<usize> {
        if x.channels_last && x.shape.positions() > 1 {
            let copy = self.view("CloneBackward0", x.function);
            return self.view("UnsafeViewBackward0", copy);
        }
        self.view("ReshapeAliasBackward0", x.function)
    }
}

const fn name_of(activation: Activation) -> &'static str {
    match activation {
        Activation::Relu => "ReluBackward0",
        Activation::Relu6 => "HardtanhBackward0",
        Activation::Gelu => "GeluBackward0",
        Activation::Silu => "SiluBackward0",
        Activation::Sigmoid => "SigmoidBackward0",
        Activation::Hardsigmoid => "HardsigmoidBackward0",
        Activation::Hardswish => "HardswishBackward0",
        Activation::Tanh => "TanhBackward0",
    }
}
