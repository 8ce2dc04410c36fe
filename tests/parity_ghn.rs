//! GHN graphs and predictions against what the PyTorch reference implementation stored.
//!
//! Small files are part of the repository; the full set in `../shared` is compared where it exists.

use std::path::{Path, PathBuf};
use std::process::Command;

use hyperscope::arch::{Arch, zoo};
use hyperscope::ghn::reference::{StoredGraph, StoredPredictions};
use hyperscope::ghn::{ClassLayers, Ghn, Graph, Parameter, PredictOptions, Trace};
use hyperscope::nn::files::read_state;

/// Folders with the reference's layout.
fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let full = ["../shared", "../../shared"].map(|s| root.join(s).join("fixtures/ghn"));
    let mut all = vec![root.join("tests/fixtures/ghn")];
    match full.into_iter().find(|f| f.is_dir()) {
        Some(full) => all.extend([full.join("deepnets"), full]),
        None => eprintln!("skipped: the full reference in ../shared is not there"),
    }
    all
}

/// Files of `FOLDER/KIND`.
fn files(kind: &str) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for folder in folders() {
        let entries = std::fs::read_dir(folder.join(kind)).into_iter().flatten();
        all.extend(entries.map(|e| e.unwrap().path()));
    }
    assert!(!all.is_empty());
    all
}

#[test]
fn graphs_from_stored_autograd_records_are_the_stored_graphs() {
    for path in files("graphs") {
        let stored = StoredGraph::read(&path).unwrap();
        let parameters = stored.parameters();
        let graph = Graph::from_trace(&stored.trace(), &parameters);
        assert_eq!(
            stored.difference(&graph, &parameters),
            None,
            "{}",
            stored.tag
        );
    }
}

/// The networks that we can build among the stored ones, with the options that each tag stands for.
fn network(stored: &StoredGraph) -> Option<Arch> {
    let classes = stored.parameters().last()?.shape[0];
    // The stored networks are in training mode.
    let options = zoo::Options {
        auxiliary: true,
        ..zoo::Options::for_images(classes, stored.input_size[1])
    };
    if let Some(args) = &stored.net_args {
        let options = zoo::Options {
            auxiliary: args.auxiliary(),
            ..options
        };
        return Some(args.plan().unwrap().build(&stored.arch, &options).unwrap());
    }
    zoo::names()
        .any(|n| n == stored.arch)
        .then(|| zoo::build(&stored.arch, &options).unwrap())
}

/// EfficientNet drops in place what `flatten` has made, which torch records as a copy into a view. The zoo
/// records the product of a view, as everywhere; neither becomes a node so near the classifier.
fn without_work_in_place(mut trace: Trace) -> Trace {
    for i in 1..trace.functions.len() {
        if trace.functions[i].op != "CopySlices" {
            continue;
        }
        let source = trace.functions[i].next[0];
        let [product, view] = &mut trace.functions[i - 1..=i] else {
            unreachable!("two functions");
        };
        (product.op, product.next) = ("MulBackward0".into(), vec![Some(i), None]);
        (view.op, view.next) = ("ReshapeAliasBackward0".into(), vec![source]);
    }
    trace
}

#[test]
fn traces_are_what_autograd_recorded() {
    let mut compared = 0;
    for path in files("graphs") {
        let stored = StoredGraph::read(&path).unwrap();
        let Some(arch) = network(&stored) else {
            continue;
        };
        let parameters = Parameter::list(&arch);
        assert_eq!(parameters, stored.parameters(), "{}", stored.tag);
        let trace = Trace::of(&arch, &parameters);
        let expected = without_work_in_place(stored.trace());
        assert_eq!(trace.roots, expected.roots);
        for (i, (got, expected)) in trace.functions.iter().zip(&expected.functions).enumerate() {
            assert_eq!(got, expected, "{} function {i}", stored.tag);
        }
        assert_eq!(trace.functions.len(), expected.functions.len());
        let difference = stored.difference(&Graph::of(&arch), &parameters);
        assert_eq!(difference, None, "{}", stored.tag);
        compared += 1;
    }
    assert!(compared > 0);
}

/// Largest difference in units of the tensor's largest value.
const TOLERANCE: f64 = 1e-4;

#[test]
fn predictions_from_stored_graphs_are_the_stored_predictions() {
    let mut compared = 0;
    for path in files("pred") {
        let graph_file = path.to_str().unwrap().replace("/pred/", "/graphs/");
        let graph_file = graph_file.replace(".pred.", ".graph.");
        let stored = StoredGraph::read(Path::new(&graph_file)).unwrap();
        let parameters = stored.parameters();
        let graph = Graph::from_trace(&stored.trace(), &parameters);
        let predictions = StoredPredictions::read(&path).unwrap();
        for (name, expected) in &predictions.ghns {
            let Some(ghn) = weights(name) else { continue };
            let class_layers = match expected.kwargs.predict_class_layers {
                Some(false) => ClassLayers::Never,
                _ => ClassLayers::Always,
            };
            let options = PredictOptions {
                class_layers,
                seed: 1,
                only: None,
            };
            let got = ghn.predict_graph(&graph, &parameters, &options).unwrap();
            let case = format!("{} {name}", stored.tag);
            assert_eq!(
                ghn.shape_rows(&graph, &parameters),
                expected.shape_ind,
                "{case}"
            );
            assert_eq!(got.unpredicted, expected.unpredicted, "{case}");
            for (parameter, _, indices) in &predictions.params {
                let Some(figures) = expected.tensors.get(parameter) else {
                    continue;
                };
                let tensor = got.tensors.get(parameter).unwrap();
                let error = figures.error(tensor, indices);
                assert!(error < TOLERANCE, "{case} {parameter}: {error}");
            }
            compared += 1;
        }
    }
    println!("{compared} predictions compared");
    assert!(compared > 0);
}

fn weights_file(name: &str) -> Option<PathBuf> {
    let folders = folders().into_iter();
    let mut files = folders.map(|f| f.join("weights").join(name));
    files.find(|f| f.is_file())
}

/// The GHN called `name`, unless its file is not at hand.
fn weights(name: &str) -> Option<Ghn> {
    let path = weights_file(&format!("{name}.safetensors"))?;
    Some(Ghn::read(&path).unwrap())
}

#[test]
fn node_states_are_the_stored_ones() {
    for path in files("emb") {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let (tag, name) = stem.split_once('.').unwrap();
        let Some(ghn) = weights(name) else { continue };
        let graphs = path.parent().unwrap().with_file_name("graphs");
        let stored = StoredGraph::read(&graphs.join(format!("{tag}.graph.json.gz"))).unwrap();
        let parameters = stored.parameters();
        let graph = Graph::from_trace(&stored.trace(), &parameters);
        let (features, states) = ghn.states(&graph, &parameters);
        let expected = read_state(&path).unwrap().tensors;
        for (key, got) in [
            ("x0", features),
            ("x_gnn", states.raw),
            ("x", states.normalised),
        ] {
            let expected = expected.get(key).unwrap().floats().unwrap();
            assert_eq!(got.len(), expected.len());
            let error = got.iter().zip(expected).map(|(a, b)| (a - b).abs());
            let error = error.fold(0.0, f32::max);
            assert!(error < 2e-5, "{stem} {key}: {error}");
        }
    }
}

/// The answer of `check KIND tests/fixtures/ghn --json`.
fn check(kind: &str) -> serde_json::Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ghn");
    let output = Command::new(env!("CARGO_BIN_EXE_hyperscope"))
        .args(["check", kind])
        .arg(folder)
        .arg("--json")
        .output()
        .unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    // Of cases whose GHNs are not there, the command must not hide that.
    assert_eq!(
        output.status.code(),
        Some(i32::from(report["missing"] != 0))
    );
    report
}

#[test]
fn check_passes_what_it_can_compare_and_counts_the_rest_as_missing() {
    for (kind, misses, names) in [
        ("graph", false, ["tinyA", "resnet18_c10"]),
        ("ghn", true, ["tinyB/ghn3_tiny", "resnet18_c10/ghn2_tiny"]),
    ] {
        let report = check(kind);
        assert_eq!(report["failed"], 0, "{report}");
        assert_eq!(report["missing"] != 0, misses);
        let cases = report["cases"].as_array().unwrap();
        for name in names {
            let case = cases.iter().find(|c| c["name"] == name).unwrap();
            assert_eq!(case["ok"], true, "{case}");
        }
        for case in cases {
            assert!(case["missing"] == false || case["ok"] == false, "{case}");
        }
    }
}

#[test]
fn a_torch_checkpoint_predicts_what_its_safetensors_do() {
    let stored = weights_file("ghn2_tiny.pt");
    let Some(path) = stored else {
        eprintln!("skipped: ghn2_tiny.pt in ../shared is not there");
        return;
    };
    let ghns = [path.clone(), path.with_extension("safetensors")].map(|p| Ghn::read(&p).unwrap());
    let arch = zoo::build("resnet18", &zoo::Options::for_images(10, 32)).unwrap();
    let predict = |ghn: &Ghn| {
        ghn.predict(&arch, &PredictOptions::default())
            .unwrap()
            .tensors
    };
    assert_eq!(ghns[0].config(), ghns[1].config());
    assert_eq!(predict(&ghns[0]), predict(&ghns[1]));
}

/// The training script's file, the release's dump and safetensors name their embeddings differently.
#[test]
fn graphormers_are_the_same_in_every_file() {
    let arch = zoo::build("resnet18", &zoo::Options::for_images(10, 32)).unwrap();
    let mut predicted = Vec::new();
    for name in [
        "ghn3_tiny.pt",
        "ghn3_tiny.joblib.pt",
        "ghn3_tiny.safetensors",
    ] {
        let Some(path) = weights_file(name) else {
            eprintln!("skipped: {name} in ../shared is not there");
            continue;
        };
        let ghn = Ghn::read(&path).unwrap();
        assert_eq!(ghn.kind(), "GHN-3");
        predicted.push(
            ghn.predict(&arch, &PredictOptions::default())
                .unwrap()
                .tensors,
        );
    }
    assert!(predicted.windows(2).all(|pair| pair[0] == pair[1]));
}
