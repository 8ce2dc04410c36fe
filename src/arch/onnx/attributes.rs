//! Attributes of a node by name.

use super::proto::{AttributeProto, NodeProto, TensorProto};

/// The number that was meant by a 32-bit one: 0.1 rather than 0.10000000149.
pub(super) fn decimal(value: f32) -> f64 {
    value.to_string().parse().unwrap_or_else(|_| value.into())
}

impl NodeProto {
    fn find(&self, name: &str) -> Option<&AttributeProto> {
        self.attribute.iter().find(|a| a.name == name)
    }

    /// Whether there is such an attribute.
    pub(super) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    pub(super) fn int(&self, name: &str) -> Option<i64> {
        self.find(name)?.i
    }

    pub(super) fn float(&self, name: &str) -> Option<f64> {
        self.find(name)?.f.map(decimal)
    }

    pub(super) fn ints(&self, name: &str) -> Option<&[i64]> {
        Some(&self.find(name)?.ints)
    }

    pub(super) fn floats(&self, name: &str) -> Option<&[f32]> {
        Some(&self.find(name)?.floats)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.find(name)?.s.as_deref()?).ok()
    }

    pub(super) fn tensor_mut(&mut self, name: &str) -> Option<&mut TensorProto> {
        let attribute = self.attribute.iter_mut().find(|a| a.name == name)?;
        attribute.t.as_deref_mut()
    }

    /// What messages call it: its name, or its first output's.
    pub(super) fn title(&self) -> &str {
        if self.name.is_empty() {
            self.output.first().map_or("", String::as_str)
        } else {
            &self.name
        }
    }

    /// The operator, with its domain where that is not the standard one.
    pub(super) fn operator(&self) -> String {
        if self.is_standard() {
            self.op_type.clone()
        } else {
            format!("{}::{}", self.domain, self.op_type)
        }
    }

    /// Whether the operator is one of ONNX's own.
    pub(super) fn is_standard(&self) -> bool {
        matches!(self.domain.as_str(), "" | "ai.onnx")
    }
}
