//! ONNX files: the format in which frameworks hand networks to each other.

mod export;
pub mod proto;

pub use export::{Content, Export, INPUT, Initialiser, OUTPUT, Opset, UnknownOpset, export};
