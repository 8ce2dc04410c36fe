//! Names of layers, from what a file calls its tensors and nodes.
//!
//! PyTorch's exporters keep the names of the state dict (`layer1.0.conv1.weight`) unless they changed the
//! tensor; then the node still has the module's path (`/layer1/layer1.0/conv1/Conv`). Other frameworks
//! write `scope/conv/kernel:0` or `conv1_w_0`.

use std::collections::HashSet;

/// What a layer's name ends with when it is a tensor's, longest first.
const SUFFIXES: &[&str] = &[
    "/ReadVariableOp",
    "_running_mean",
    ".running_mean",
    "_running_var",
    ".running_var",
    ".in_proj_weight",
    ".in_proj_bias",
    ".layer_scale",
    ".class_token",
    ".pos_embedding",
    "/BiasAdd",
    "/MatMul",
    "/Conv2D",
    "/kernel",
    "/weight",
    ".weight",
    "_weight",
    "/gamma",
    ".gamma",
    "_gamma",
    "_scale",
    "/bias",
    ".bias",
    "_bias",
    "/beta",
    "_riv",
    "_rm",
    "_w",
    "_b",
    "_s",
];

/// What exporters call what has no name of its own.
const NAMELESS: &[&str] = &["onnx::", "val_", "_val_", "const_fold_opt__"];

/// Longest name that is taken over, in bytes.
const LONGEST: usize = 200;

/// Gives layers names, each once.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: HashSet<String>,
}

impl Names {
    /// The path of a layer whose tensors are called `tensors`, the first one that tells something; without
    /// any, after its node.
    pub fn layer(&mut self, tensors: &[Option<&str>], node: &str) -> String {
        let mut told = tensors.iter().flatten().filter(|name| tells(name));
        let path = told
            .next()
            .map_or_else(|| path_of_node(node), |name| path_of_tensor(name));
        self.once(path)
    }

    fn once(&mut self, path: String) -> String {
        let mut name = path.clone();
        let mut count = 1;
        while !self.taken.insert(name.clone()) {
            count += 1;
            name = if path.is_empty() {
                format!("layer_{count}")
            } else {
                format!("{path}_{count}")
            };
        }
        name
    }
}

/// Whether a tensor's name was given by a person rather than by an exporter.
fn tells(name: &str) -> bool {
    !name.is_empty()
        && !name.bytes().all(|c| c.is_ascii_digit())
        && !NAMELESS.iter().any(|prefix| name.starts_with(prefix))
}

/// The layer that a tensor belongs to.
fn path_of_tensor(name: &str) -> String {
    let mut name = name.strip_suffix(":0").unwrap_or(name);
    // caffe2 numbers versions of a tensor: `conv1_w_0`.
    if let Some(rest) = name.strip_suffix("_0")
        && SUFFIXES
            .iter()
            .any(|s| s.starts_with('_') && rest.ends_with(s))
    {
        name = rest;
    }
    // `dense/MatMul/ReadVariableOp` ends twice.
    for _ in 0..2 {
        let suffix = SUFFIXES.iter().find(|s| name.ends_with(**s));
        match suffix {
            Some(suffix) if name.len() > suffix.len() => name = &name[..name.len() - suffix.len()],
            _ => break,
        }
    }
    if matches!(name, "class_token" | "pos_embedding") {
        return String::new();
    }
    clean(name)
}

/// The module that a node belongs to: `/layer1/layer1.0/conv1/Conv` repeats each name of the way.
pub(super) fn path_of_node(name: &str) -> String {
    let Some(inner) = name.strip_prefix('/') else {
        return clean(name);
    };
    let mut path = String::new();
    let mut parts: Vec<&str> = inner.split('/').collect();
    if parts.len() > 1 {
        parts.pop();
    }
    let mut before = "";
    for part in parts {
        let rest = part.strip_prefix(before).and_then(|p| p.strip_prefix('.'));
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(rest.filter(|_| !before.is_empty()).unwrap_or(part));
        before = part;
    }
    clean(&path)
}

/// A dotted path that is safe to show and has no empty parts.
fn clean(name: &str) -> String {
    let mut end = name.len().min(LONGEST);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let safe = |c: char| match c {
        '/' => '.',
        c if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') => c,
        _ => '_',
    };
    let name: String = name[..end].chars().map(safe).collect();
    let parts = name.split('.').filter(|p| !p.is_empty());
    parts.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_called_as_the_file_calls_their_tensors() {
        let path = |tensor: &str, node: &str| Names::default().layer(&[Some(tensor)], node);
        assert_eq!(path("layer1.0.conv1.weight", "x"), "layer1.0.conv1");
        assert_eq!(path("gpu_0/conv1_w_0", "x"), "gpu_0.conv1");
        assert_eq!(path("conv1/bn_scale_0", "x"), "conv1.bn");
        assert_eq!(path("net/dense/MatMul/ReadVariableOp:0", "x"), "net.dense");
        assert_eq!(
            path("onnx::Conv_193", "/layer1/layer1.0/conv1/Conv"),
            "layer1.0.conv1"
        );
        assert_eq!(
            path("193", "/features/features.0/features.0.0/Conv"),
            "features.0.0"
        );
        assert_eq!(path("193", "Conv_7"), "Conv_7");
        assert_eq!(path("class_token", "x"), "");
        assert_eq!(path("encoder.pos_embedding", "x"), "encoder");
    }

    #[test]
    fn names_are_safe_and_given_once() {
        let mut names = Names::default();
        assert_eq!(names.layer(&[Some("a\x1b[31m..b.weight")], ""), "a__31m.b");
        assert_eq!(names.layer(&[None], "x"), "x");
        assert_eq!(names.layer(&[None], "x"), "x_2");
        assert!(names.layer(&[Some(&"é".repeat(500))], "").len() <= LONGEST);
    }
}
