//! How long it takes to describe networks, to draw the graphs that a GHN reads, to make networks up and to
//! compare one with them.
//!
//! `cargo bench --bench architectures`. What must hold, on one core:
//!
//! | benchmark | at most |
//! |---|---|
//! | `arch show`, the whole process | 50 ms |
//! | the graph of ConvNeXt-Base with all virtual edges | 15 ms |
//! | that of a DeepNets network of 1,000 nodes | 50 ms |
//! | a DeepNets network drawn, with its graph | 1 ms |
//! | `stats shift` without a GHN, the whole process | 20 ms |

use std::hint::black_box;
use std::process::{Command, Stdio};
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use hyperscope::arch::deepnets::{self, Split};
use hyperscope::arch::zoo::{self, Options};
use hyperscope::arch::{self, Arch};
use hyperscope::ghn::Graph;
use hyperscope::ghn::graph::Topology;

/// The zoo's networks of the most parameters and of the most nodes.
const LARGEST: [&str; 2] = ["regnet_y_128gf", "efficientnet_v2_l"];
/// Networks of the deep split with 1,011, 1,029 and 1,076 nodes.
const THOUSAND_NODES: [u64; 3] = [131, 752, 95];

/// A command from the start of its process to its end, as a user waits for it.
fn command(c: &mut Criterion, group: &str, words: [&str; 2], names: [&str; 2]) {
    let mut group = c.benchmark_group(group);
    for name in names {
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut command = Command::new(env!("CARGO_BIN_EXE_hyperscope"));
                let status = command.args(words).arg(name).stdout(Stdio::null()).status();
                assert!(status.is_ok_and(|status| status.success()));
            });
        });
    }
    group.finish();
}

fn show(c: &mut Criterion) {
    command(c, "arch show", ["arch", "show"], LARGEST);
}

fn shift(c: &mut Criterion) {
    let names = ["convnext_base", "efficientnet_v2_l"];
    command(c, "stats shift", ["stats", "shift"], names);
}

/// From a network to its graph, virtual edges included.
fn graph(c: &mut Criterion) {
    let mut group = c.benchmark_group("GHN graph");
    let photographs = Options::default();
    for name in ["resnet50", "convnext_base", "densenet201"] {
        let arch = zoo::build(name, &photographs).expect("a network of the zoo");
        group.bench_function(name, |b| b.iter(|| Graph::of(black_box(&arch))));
    }
    for seed in THOUSAND_NODES {
        let name = deepnets::name_of(Split::Deep, seed);
        let arch = deepnet(&name);
        let nodes = Graph::of(&arch).len();
        assert!(nodes > 1000, "{name} has {nodes} nodes");
        group.bench_function(&name, |b| b.iter(|| Graph::of(black_box(&arch))));
    }
    group.finish();
}

/// One network of the training split after another: drawn; with its graph; with the numbers of `arch sample`.
fn sample(c: &mut Criterion) {
    let mut group = c.benchmark_group("deepnets");
    let mut of = |what, work: fn(&Arch)| {
        let mut seed = 0;
        group.bench_function(what, |b| {
            b.iter(|| {
                // The same networks every time, and enough of them to stand for all.
                seed = (seed + 1) % 500;
                work(&deepnet(&deepnets::name_of(Split::Train, seed)));
            });
        });
    };
    of("drawn", |arch| {
        black_box(arch.parameter_count());
    });
    of("drawn, graph", |arch| drop(black_box(Graph::of(arch))));
    of("drawn, graph, topology", |arch| {
        black_box(Topology::of(&Graph::of(arch)));
    });
    group.finish();
}

fn deepnet(name: &str) -> Arch {
    arch::build(name, &Options::for_images(10, 32)).expect("a network of DeepNets-1M")
}

fn settings() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! {
    name = benches;
    config = settings();
    targets = show, graph, sample, shift
}
criterion_main!(benches);
