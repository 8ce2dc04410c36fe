//! Promises about files that are wrong, absurd, or for something else; what right ones compute is
//! compared with onnxruntime in tests/onnx.rs.

use prost::Message as _;

use super::proto::{
    AttributeProto, AttributeType, DataType, Dimension, DimensionValue, GraphProto, NodeProto,
    OperatorSetIdProto, TensorProto, TensorShapeProto, TensorType, TypeProto, ValueInfoProto,
};
use super::*;
use crate::arch::{Op, TensorRole};

fn node(op: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        op_type: op.to_owned(),
        name: format!("the {output}"),
        input: inputs.iter().map(|i| (*i).to_owned()).collect(),
        output: vec![output.to_owned()],
        ..NodeProto::default()
    }
}

fn with_ints(mut node: NodeProto, name: &str, ints: &[i64]) -> NodeProto {
    node.attribute.push(AttributeProto {
        name: name.to_owned(),
        ints: ints.to_vec(),
        r#type: AttributeType::Ints as i32,
        ..AttributeProto::default()
    });
    node
}

fn floats(name: &str, dims: &[i64]) -> TensorProto {
    let count: i64 = dims.iter().product();
    TensorProto {
        name: name.to_owned(),
        dims: dims.to_vec(),
        data_type: DataType::Float as i32,
        float_data: (0..count).map(|i| i as f32 / 8.0).collect(),
        ..TensorProto::default()
    }
}

fn whole(name: &str, numbers: &[i64]) -> TensorProto {
    TensorProto {
        name: name.to_owned(),
        dims: vec![numbers.len() as i64],
        data_type: DataType::Int64 as i32,
        int64_data: numbers.to_vec(),
        ..TensorProto::default()
    }
}

fn value(name: &str, dims: &[i64]) -> ValueInfoProto {
    let dim = |n: &i64| Dimension {
        value: Some(DimensionValue::DimValue(*n)),
    };
    let shape = TensorShapeProto {
        dim: dims.iter().map(dim).collect(),
    };
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            tensor_type: Some(TensorType {
                elem_type: DataType::Float as i32,
                shape: Some(shape),
            }),
        }),
    }
}

/// A model of opset 17 that reads `x`, images of 3x8x8, and gives `y`.
fn model(nodes: Vec<NodeProto>, initializer: Vec<TensorProto>) -> ModelProto {
    ModelProto {
        ir_version: 8,
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: 17,
        }],
        graph: Some(GraphProto {
            node: nodes,
            initializer,
            input: vec![value("x", &[1, 3, 8, 8])],
            output: vec![value("y", &[])],
            ..GraphProto::default()
        }),
        ..ModelProto::default()
    }
}

/// A convolution, an average, and a linear layer called `fc`.
fn small() -> ModelProto {
    let nodes = vec![
        node("Conv", &["x", "conv.weight"], "c"),
        node("GlobalAveragePool", &["c"], "p"),
        node("Flatten", &["p"], "f"),
        with_ints(node("MatMul", &["f", "fc.weight"], "m"), "unused", &[]),
        node("Add", &["m", "fc.bias"], "y"),
    ];
    let weights = vec![
        floats("conv.weight", &[4, 3, 3, 3]),
        floats("fc.weight", &[4, 5]),
        floats("fc.bias", &[5]),
    ];
    model(nodes, weights)
}

fn graph(model: &mut ModelProto) -> &mut GraphProto {
    model.graph.as_mut().unwrap()
}

fn imported(model: &ModelProto, wanted: Wanted) -> Result<Network, OnnxError> {
    import(model.encode_to_vec().into(), None, wanted)
}

fn refusal(model: &ModelProto) -> String {
    imported(model, Wanted::default()).unwrap_err().to_string()
}

/// What is said about the small model after `change`.
fn changed(change: impl FnOnce(&mut GraphProto)) -> String {
    let mut model = small();
    change(graph(&mut model));
    refusal(&model)
}

#[test]
fn layers_have_the_files_names_and_shapes() {
    let network = imported(&small(), Wanted::default()).unwrap();
    let tensors = network.arch.tensors().iter();
    let tensors: Vec<_> = tensors
        .map(|t| (t.name.as_str(), t.shape.clone()))
        .collect();
    let expected = [
        ("conv.weight", vec![4, 3, 3, 3]),
        ("fc.weight", vec![5, 4]),
        ("fc.bias", vec![5]),
    ];
    assert_eq!(tensors, expected);
    assert_eq!(network.arch.classes(), 5);
    let recipes = network.weights.recipes.iter();
    assert!(
        recipes
            .zip(expected)
            .all(|(r, (name, shape))| r.name == name && r.shape == shape)
    );
}

#[test]
fn a_network_takes_other_classes_and_other_images() {
    let wanted = Wanted {
        side: Some(12),
        classes: Some(9),
    };
    let arch = imported(&small(), wanted).unwrap().arch;
    assert_eq!((arch.classes(), arch.input()), (9, Shape::image(3, 12, 12)));
    let last = arch.tensors().iter().rev().take(2);
    let last: Vec<_> = last.map(|t| t.shape.clone()).collect();
    assert_eq!(last, [vec![9], vec![9, 4]]);
    // Dense layers on all pixels know their images.
    let mut fixed = small();
    graph(&mut fixed).node.remove(1);
    graph(&mut fixed).node[1].input[0] = "c".to_owned();
    graph(&mut fixed).initializer[1] = floats("fc.weight", &[144, 5]);
    assert!(imported(&fixed, Wanted::default()).is_ok());
    let message = imported(&fixed, wanted).unwrap_err().to_string();
    assert!(
        message.contains("the m") && message.contains("400"),
        "{message}"
    );
}

#[test]
fn all_that_is_not_supported_is_named_at_once() {
    let message = changed(|g| {
        g.node[0].op_type = "ConvTranspose".to_owned();
        g.node.insert(0, node("NonMaxSuppression", &["x"], "boxes"));
        g.node[4].domain = "com.acme".to_owned();
        g.node.push(node("Unheard", &["y", "boxes"], "z"));
        g.output[0].name = "z".to_owned();
    });
    assert!(message.starts_with("4 nodes"), "{message}");
    for part in [
        "ConvTranspose \"the c\"",
        "NonMaxSuppression \"the boxes\"",
        "com.acme::MatMul \"the m\"",
        "Unheard \"the z\"",
    ] {
        assert!(message.contains(part), "{part} in {message}");
    }
    // Nodes that the result does not need may be anything.
    let mut model = small();
    graph(&mut model).node.push(node("Unheard", &["c"], "more"));
    assert!(imported(&model, Wanted::default()).is_ok());
}

#[test]
fn many_troubles_are_counted() {
    let message = changed(|g| {
        let last = g.node.len() - 1;
        g.node[last].output[0] = "y0".to_owned();
        for i in 0..30 {
            g.node
                .push(node("Unheard", &[&format!("y{i}")], &format!("y{}", i + 1)));
        }
        g.output[0].name = "y30".to_owned();
    });
    assert!(message.contains("and 10 more"), "{message}");
}

#[test]
fn graphs_without_a_way_from_the_images_to_the_result_are_refused() {
    let cycle = changed(|g| g.node[0].input[0] = "f".to_owned());
    assert!(
        cycle.contains("cycle") && cycle.contains("the c"),
        "{cycle}"
    );
    let absent = changed(|g| g.output[0].name = "nowhere".to_owned());
    assert!(absent.contains("nowhere"), "{absent}");
    let none = changed(|g| g.output.clear());
    assert!(none.contains("graph.output"), "{none}");
    let constant = changed(|g| g.output[0].name = "fc.bias".to_owned());
    assert!(constant.contains("graph.output"), "{constant}");
    let images = changed(|g| g.output[0].name = "x".to_owned());
    assert!(images.contains("graph.output"), "{images}");
    let map = changed(|g| g.output[0].name = "c".to_owned());
    assert!(map.contains("logits"), "{map}");
    let two = changed(|g| g.input.push(value("z", &[1])));
    assert!(
        two.contains("graph.input") && two.contains("reads 2"),
        "{two}"
    );
    let twice = changed(|g| g.node[1].output[0] = "c".to_owned());
    assert!(twice.contains("same output"), "{twice}");
}

#[test]
fn missing_and_misshapen_tensors_are_named() {
    let missing = changed(|g| drop(g.initializer.remove(0)));
    assert!(
        missing.contains("the c") && missing.contains("\"conv.weight\""),
        "{missing}"
    );
    let short = changed(|g| {
        g.initializer[0].float_data.pop();
    });
    assert!(
        short.contains("\"conv.weight\"") && short.contains("108"),
        "{short}"
    );
    let absurd = changed(|g| g.initializer[0].dims = vec![1 << 40, 3, 3, 3]);
    assert!(absurd.contains("impossible length"), "{absurd}");
    let negative = changed(|g| g.initializer[0].dims[0] = -4);
    assert!(negative.contains("-4"), "{negative}");
    let strange = changed(|g| g.initializer[0].data_type = 99);
    assert!(strange.contains("data_type 99"), "{strange}");
    let flat = changed(|g| g.initializer[0].dims = vec![108]);
    assert!(flat.contains("[108]"), "{flat}");
    let unfit = changed(|g| {
        g.node[0].input.push("fc.bias".into());
    });
    assert!(unfit.contains("[5] does not fit 4 channels"), "{unfit}");
    let twice = changed(|g| {
        let again = g.initializer[0].clone();
        g.initializer.push(again);
    });
    assert!(twice.contains("twice"), "{twice}");
}

#[test]
fn absurd_sizes_are_refused_where_they_stand() {
    for (name, ints) in [
        ("strides", &[0, 1][..]),
        ("strides", &[1]),
        ("pads", &[-1, 0, 0, 0]),
        ("pads", &[1 << 40, 0, 0, 0]),
        ("dilations", &[1 << 20, 1]),
        ("dilations", &[8, 8]),
    ] {
        let message = changed(|g| g.node[0] = with_ints(g.node[0].clone(), name, ints));
        assert!(
            message.contains("Conv \"the c\""),
            "{name} {ints:?}: {message}"
        );
    }
    let large = changed(|g| g.input[0] = value("x", &[1, 3, 1 << 20, 1 << 20]));
    assert!(large.contains("graph.input"), "{large}");
    let negative = changed(|g| g.input[0] = value("x", &[1, 3, -5, 8]));
    assert!(negative.contains("-5"), "{negative}");
    let flat = changed(|g| g.input[0] = value("x", &[1, 3]));
    assert!(flat.contains("four dimensions"), "{flat}");
}

#[test]
fn constants_of_any_size_cost_nothing_until_they_are_read() {
    let filled = |shape: &[i64]| {
        let mut model = small();
        let g = graph(&mut model);
        g.node
            .insert(0, node("ConstantOfShape", &["shape"], "conv.weight"));
        g.initializer[0] = whole("shape", shape);
        model
    };
    // Two hundred million parameters, none of which is there.
    let huge = imported(&filled(&[1 << 20, 3, 8, 8]), Wanted::default());
    assert!(huge.is_err_and(|e| e.to_string().contains("the m")));
    let message = refusal(&filled(&[1 << 30, 1 << 30, 3, 3]));
    assert!(message.contains("far too many"), "{message}");
    let message = refusal(&filled(&[-1, 3, 3, 3]));
    assert!(message.contains("impossible"), "{message}");
    let fine = imported(&filled(&[4, 3, 3, 3]), Wanted::default()).unwrap();
    let conv = &fine.weights.recipes[0].parts[0].constant;
    assert_eq!(conv.source, Source::Filled(0.0));
}

#[test]
fn other_files_are_told_apart() {
    let read = |bytes: &[u8]| {
        super::read(Bytes::copy_from_slice(bytes), None)
            .unwrap_err()
            .to_string()
    };
    assert!(read(b"").contains("empty"));
    for file in [
        &b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..],
        b"<!DOCTYPE html><html>",
        b"{\"a\": 1}",
        b"PK\x03\x04 archive",
        b"\x80\x02}q\0.",
        &[0xff; 64],
    ] {
        let message = read(file);
        assert!(message.contains("no ONNX file"), "{message}");
    }
    let mut old = small();
    old.opset_import[0].version = 6;
    assert!(refusal(&old).contains("opset is 6"));
    old.opset_import.clear();
    assert!(refusal(&old).contains("opset_import"));
    old.graph = None;
    assert!(!refusal(&old).is_empty());
}

#[test]
fn a_name_that_ends_in_onnx_is_a_file() {
    assert!(is_name("a/b.onnx") && is_name("B.ONNX") && !is_name("onnx") && !is_name("a.pt"));
    let message = build("no/such\u{1b}file.onnx", &Options::default())
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("No such file") && !message.contains('\u{1b}'),
        "{message}"
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.onnx");
    std::fs::create_dir(&path).unwrap();
    let message = build(path.to_str().unwrap(), &Options::default())
        .unwrap_err()
        .to_string();
    assert!(message.contains("no ordinary file"), "{message}");
}

#[test]
fn nodes_may_stand_in_any_order() {
    let mut turned = small();
    graph(&mut turned).node.reverse();
    let wanted = Wanted::default();
    let (a, b) = (
        imported(&small(), wanted).unwrap(),
        imported(&turned, wanted).unwrap(),
    );
    assert_eq!(a.arch, b.arch);
}

#[test]
fn a_layer_that_is_called_twice_is_one_layer() {
    let mut model = small();
    let g = graph(&mut model);
    g.initializer[0] = floats("conv.weight", &[3, 3, 1, 1]);
    g.initializer[1] = floats("fc.weight", &[3, 5]);
    g.node
        .insert(1, node("Conv", &["c", "conv.weight"], "again"));
    g.node[2].input[0] = "again".to_owned();
    let arch = imported(&model, Wanted::default()).unwrap().arch;
    let calls = arch
        .nodes()
        .iter()
        .filter(|n| matches!(n.op, Op::Conv2d(_)));
    assert_eq!((calls.count(), arch.modules().len()), (2, 2));
    let weights = arch
        .tensors()
        .iter()
        .filter(|t| t.role == TensorRole::Weight);
    assert_eq!(weights.count(), 2);
}
