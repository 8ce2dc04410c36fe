//! Samples of our generator against what was published about DeepNets-1M (ranges and means of the splits).

use hyperscope::arch::deepnets::{self, Split};
use hyperscope::arch::zoo::Options;
use hyperscope::ghn::Graph;

/// Split, mean number of nodes, and what our mean may be off: five standard errors of a sample of
/// 1,000 and of the published one, a deviation being about half the mean.
const PUBLISHED: [(Split, f64, f64); 3] = [
    (Split::Train, 192.0, 25.0),
    (Split::Deep, 391.0, 110.0),
    (Split::BnFree, 135.0, 40.0),
];

#[test]
fn graphs_of_samples_have_the_published_sizes() {
    let options = Options::for_images(10, 32);
    for (split, mean, off) in PUBLISHED {
        let count = if split == Split::Train { 1000 } else { 100 };
        let (mut nodes, mut degrees) = (Vec::new(), 0.0);
        for seed in 0..count {
            let arch = deepnets::build(&deepnets::name_of(split, seed), &options).unwrap();
            let graph = Graph::of(&arch);
            let direct = graph.distances.edges().filter(|e| e.2 == 1).count();
            degrees += 2.0 * direct as f64 / graph.len() as f64;
            nodes.push(graph.len() as f64);
        }
        let got = nodes.iter().sum::<f64>() / count as f64;
        println!(
            "{}: {got:.1} nodes, degree {:.2}",
            split.word(),
            degrees / count as f64
        );
        assert!((got - mean).abs() < off, "{}: {got} nodes", split.word());
        let degree = degrees / count as f64;
        assert!(
            (2.25..2.45).contains(&degree),
            "{}: degree {degree}",
            split.word()
        );
    }
}
