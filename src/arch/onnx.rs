//! ONNX files: the format in which frameworks hand networks to each other.

pub mod proto;
