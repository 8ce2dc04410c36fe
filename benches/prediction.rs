//! How long GHNs take to predict whole networks, on one thread and on two.
//!
//! `cargo bench --bench prediction`. What must hold: at most a tenth of what the reference took on the same
//! machine on one thread (graph and prediction with GHN-2: 0.355 s for ResNet-50, 1.32 s for ConvNeXt-Base).
//! `hyperscope bench predict` has the stages, and the time that writing as many values takes.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use hyperscope::arch::zoo::{self, Options};
use hyperscope::ghn::{Config, Ghn, PredictOptions};
use rayon::ThreadPoolBuilder;

/// Published configurations, with random weights: the time does not depend on them.
const GHNS: [&str; 2] = ["ghn2_imagenet", "ghn3tm8"];
const NETWORKS: [&str; 2] = ["resnet50", "convnext_base"];

fn predict(c: &mut Criterion) {
    for published in Config::PUBLISHED {
        if !GHNS.contains(&published.name) {
            continue;
        }
        let ghn = Ghn::untrained(&published.config, 1).expect("random weights fit");
        for name in NETWORKS {
            let arch = zoo::build(name, &Options::default()).expect("a network of the zoo");
            let mut group = c.benchmark_group(format!("{name} by {}", published.name));
            for threads in [1, 2] {
                let pool = ThreadPoolBuilder::new().num_threads(threads).build();
                let pool = pool.expect("threads can be started");
                let options = PredictOptions::default();
                group.bench_function(format!("{threads} threads"), |b| {
                    pool.install(|| {
                        b.iter(|| black_box(ghn.predict(&arch, &options)));
                    });
                });
            }
            group.finish();
        }
    }
}

fn settings() -> Criterion {
    // As in the program: memory that was freed is used again.
    hyperscope::setup::process(None).expect("threads can be started");
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! {
    name = benches;
    config = settings();
    targets = predict
}
criterion_main!(benches);
