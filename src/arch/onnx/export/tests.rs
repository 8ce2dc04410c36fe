use std::collections::HashSet;

use prost::Message;

use super::*;
use crate::arch::zoo::{self, Options};
use crate::arch::{self, Builder, Pool, TensorRole};

/// Every network of the zoo for the smallest of a few sizes that it can be built for, the first of each
/// family for 32x32 images, too; and random ones.
fn archs() -> Vec<Arch> {
    let names = zoo::FAMILIES.iter().flat_map(|f| f.names);
    let usual = names.filter_map(|name| {
        let sides = [64, 56, 96, 224].into_iter();
        let mut built = sides.map(|side| arch::build(name, &Options::for_images(10, side)));
        built.find_map(Result::ok)
    });
    let first = zoo::FAMILIES.iter().map(|f| f.names[0]);
    let small = first.filter_map(|name| arch::build(name, &Options::for_images(10, 32)).ok());
    let random = (0..8).map(|seed| {
        let name = format!("deepnets:{seed}");
        arch::build(&name, &Options::for_images(10, 32)).unwrap()
    });
    let archs: Vec<Arch> = usual.chain(small).chain(random).collect();
    assert!(archs.len() > 100);
    archs
}

fn decoded(export: &Export) -> GraphProto {
    let bytes = export.model.encode_to_vec();
    let model = ModelProto::decode(&*bytes).unwrap();
    assert_eq!(model, export.model);
    model.graph.unwrap()
}

#[test]
fn nodes_read_what_nodes_before_them_made_and_every_constant_is_read() {
    for arch in archs() {
        let export = export(&arch, Opset::default());
        let graph = decoded(&export);
        let constants = export.initialisers.iter().map(|i| i.name.as_str());
        let mut known: HashSet<&str> = constants.clone().chain([INPUT]).collect();
        assert_eq!(known.len(), export.initialisers.len() + 1);
        let mut names = HashSet::new();
        let mut read = HashSet::new();
        for node in &graph.node {
            assert!(names.insert(&node.name), "{} comes twice", node.name);
            for input in &node.input {
                assert!(known.contains(input.as_str()), "{}: {input}", node.name);
                read.insert(input.as_str());
            }
            for output in &node.output {
                assert!(known.insert(output), "{output} is made twice");
            }
        }
        let unread: Vec<&str> = constants.filter(|name| !read.contains(name)).collect();
        assert!(unread.is_empty(), "{}: {unread:?}", arch.name());
        assert!(known.contains(OUTPUT) && read.contains(INPUT));
        let made: HashSet<&String> = graph.node.iter().flat_map(|n| &n.output).collect();
        let typed = graph.value_info.iter().chain(&graph.output);
        assert!(typed.into_iter().all(|t| made.contains(&t.name)));
    }
}

#[test]
fn stored_tensors_are_those_of_the_state_dict_that_inference_needs() {
    for arch in archs() {
        let export = export(&arch, Opset::default());
        let stored = export.initialisers.iter();
        let stored = stored.filter(|i| i.content == Content::Stored);
        let stored: HashSet<(&str, &[usize])> =
            stored.map(|i| (i.name.as_str(), &*i.shape)).collect();
        let needed = arch.leads_to_logits();
        let nodes = arch.nodes().iter().zip(needed);
        let tensors = nodes
            .filter(|(_, needed)| *needed)
            .flat_map(|(node, _)| arch.tensors_of(node))
            .filter(|t| t.role != TensorRole::BatchCount);
        let wanted: HashSet<(&str, &[usize])> =
            tensors.map(|t| (t.name.as_str(), &*t.shape)).collect();
        assert_eq!(stored, wanted, "{}", arch.name());
    }
}

#[test]
fn auxiliary_classifiers_and_what_only_trains_are_absent() {
    let options = Options {
        auxiliary: true,
        ..Options::default()
    };
    let [with, without] = [options, Options::default()].map(|options| {
        let arch = arch::build("googlenet", &options).unwrap();
        export(&arch, Opset::default())
    });
    assert_eq!(with, without);
    let operators = with.model.graph.unwrap().node.into_iter();
    assert!(operators.map(|n| n.op_type).all(|o| o != "Dropout"));
}

#[test]
fn names_are_the_modules_paths() {
    let arch = arch::build("resnet18", &Options::default()).unwrap();
    let export = export(&arch, Opset::default());
    let graph = decoded(&export);
    let node = |name: &str| graph.node.iter().find(|n| n.name == name).unwrap();
    let conv = node("layer1.0.conv1/Conv");
    assert_eq!(conv.input[1], "layer1.0.conv1.weight");
    // A module that is called twice.
    assert_eq!(node("layer1.0.relu/Relu_1").op_type, "Relu");
    assert_eq!(graph.node.last().unwrap().output, [OUTPUT]);
    let said: Vec<&str> = export
        .model
        .metadata_props
        .iter()
        .map(|p| p.value.as_str())
        .collect();
    assert_eq!(said, ["resnet18", "1000", "3x224x224"]);
}

#[test]
fn the_batch_is_free_and_what_no_image_reaches_has_one() {
    let arch = arch::build("swin_v2_t", &Options::for_images(10, 64)).unwrap();
    let graph = decoded(&export(&arch, Opset::default()));
    let batch = |info: &ValueInfoProto| {
        let tensor = info.r#type.clone().unwrap().tensor_type.unwrap();
        tensor.shape.unwrap().dim[0].value.clone().unwrap()
    };
    let free = DimensionValue::DimParam("N".to_owned());
    assert_eq!(batch(&graph.input[0]), free);
    assert_eq!(batch(&graph.output[0]), free);
    for info in &graph.value_info {
        let one = info.name.contains("cpb_mlp");
        let expected = if one {
            DimensionValue::DimValue(1)
        } else {
            free.clone()
        };
        assert_eq!(batch(info), expected, "{}", info.name);
    }
}

#[test]
fn a_network_that_only_passes_images_on_has_a_node() {
    let mut b = Builder::new("nothing", Shape::image(1, 2, 2), 1);
    let input = b.input();
    b.apply("drop", Op::Dropout { p: 0.5 }, &[input]).unwrap();
    let graph = decoded(&export(&b.finish(), Opset::default()));
    assert_eq!(graph.node.len(), 1);
    assert_eq!(
        (&*graph.node[0].input, &*graph.node[0].output),
        (&[INPUT.to_owned()][..], &[OUTPUT.to_owned()][..])
    );
}

#[test]
fn pads_give_the_architectures_number_of_windows() {
    let plain = |length: usize, pads: usize, kernel: usize, stride: usize| {
        (length + pads - kernel) / stride + 1
    };
    let mut cut = 0;
    for (length, kernel) in (3..20).flat_map(|l| (1..4).map(move |k| (l, k))) {
        for (stride, padding) in (1..4).flat_map(|s| (0..=kernel / 2).map(move |p| (s, p))) {
            for pool in [
                Pool::new(kernel, stride, padding),
                Pool::new(kernel, stride, padding).ceil(),
            ] {
                let input = Shape::image(1, length, length);
                let output = Op::MaxPool(pool).infer(&[input]).unwrap();
                let window = super::pools::Window::of(&pool, input, output);
                let pads = window.pads();
                let windows = plain(length, pads[0] + pads[2], kernel, stride);
                assert_eq!(Some([windows; 2]), output.side(), "{pool:?} of {length}");
                assert!(pads.iter().all(|p| *p < kernel), "{pool:?} of {length}");
                cut += usize::from(window.is_cut());
            }
        }
    }
    assert!(cut > 0);
}

#[test]
fn only_known_versions_are_taken() {
    for known in ["17", "21"] {
        assert_eq!(known.parse::<Opset>().unwrap().to_string(), known);
    }
    for unknown in ["16", "22", "-1", "", "latest"] {
        assert!(unknown.parse::<Opset>().is_err(), "{unknown}");
    }
}
