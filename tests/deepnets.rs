//! Samples of our generator against what was published about DeepNets-1M: means of the splits.

use std::path::Path;

use hyperscope::arch::deepnets::{self, Split};
use hyperscope::arch::zoo::Options;
use hyperscope::ghn::Graph;
use hyperscope::ghn::graph::Topology;
use hyperscope::ghn::reference::StoredGraph;

/// A split as it was published: the mean and deviation over so many networks.
struct Published {
    split: Split,
    networks: usize,
    nodes: [f64; 2],
    degree: f64,
    path: [f64; 2],
}

const fn published(
    split: Split,
    networks: usize,
    nodes: [f64; 2],
    degree: f64,
    path: [f64; 2],
) -> Published {
    Published {
        split,
        networks,
        nodes,
        degree,
        path,
    }
}

const PUBLISHED: [Published; 7] = [
    published(Split::Train, 1000, [192.0, 95.0], 2.3, [14.5, 4.8]),
    published(Split::Val, 500, [190.0, 94.0], 2.3, [14.5, 5.0]),
    published(Split::Test, 500, [186.0, 91.0], 2.3, [14.3, 4.8]),
    published(Split::Wide, 100, [179.0, 75.0], 2.3, [14.7, 4.9]),
    published(Split::Deep, 100, [391.0, 177.0], 2.3, [26.2, 9.3]),
    published(Split::Dense, 100, [355.0, 182.0], 2.4, [15.1, 4.1]),
    published(Split::BnFree, 100, [135.0, 78.0], 2.4, [10.0, 2.8]),
];

/// As many samples as were published. Two means of one distribution lie within four standard errors of
/// their difference; published digits add half of the last one.
#[test]
fn graphs_of_samples_have_the_published_shapes() {
    let options = Options::for_images(10, 32);
    for of in PUBLISHED {
        let (mut nodes, mut degree, mut path) = (0.0, 0.0, 0.0);
        for seed in 0..of.networks as u64 {
            let name = deepnets::name_of(of.split, seed);
            let arch = deepnets::build(&name, &options).unwrap();
            let topology = Topology::of(&Graph::of(&arch));
            nodes += topology.nodes as f64;
            degree += topology.degree;
            path += topology.path;
        }
        let count = of.networks as f64;
        let [nodes, degree, path] = [nodes, degree, path].map(|sum| sum / count);
        let word = of.split.word();
        println!("{word}: {nodes:.1} nodes, degree {degree:.3}, path {path:.2}");
        let off = |deviation: f64, digit: f64| 4.0 * deviation * (2.0 / count).sqrt() + digit / 2.0;
        assert!(
            (nodes - of.nodes[0]).abs() < off(of.nodes[1], 1.0),
            "{word}: {nodes} nodes"
        );
        assert!(
            (path - of.path[0]).abs() < off(of.path[1], 0.1),
            "{word}: path {path}"
        );
        assert!(
            (degree - of.degree).abs() < off(0.1, 0.1),
            "{word}: degree {degree}"
        );
    }
}

/// Networks of the training split as they were published, with all their parameters.
#[test]
fn parameters_of_stored_networks_are_counted_right() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ghn/graphs");
    for index in 1..=4 {
        let path = folder.join(format!("train_{index}.graph.json.gz"));
        let stored = StoredGraph::read(&path).unwrap();
        let plan = stored.net_args.as_ref().unwrap().plan().unwrap();
        let parameters = stored.parameters();
        let count = parameters.iter().map(|p| p.shape.iter().product::<usize>());
        let options = Options::for_images(10, stored.input_size[1]);
        assert_eq!(plan.parameter_count(&options), Some(count.sum()), "{index}");
    }
}
