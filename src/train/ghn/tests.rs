//! Training of a tiny GHN on small networks and drawn images.

use std::path::Path;

use super::{GhnRecipe, GhnTask, Net, Sampler, Stage, train_ghn};
use crate::data::{self, EvalLoader, Protocol, Split};
use crate::ghn::{Config, Ghn};
use crate::nn::{Placement, StateDict};
use crate::train::testing::Script;
use crate::train::{Checkpoints, Command, End, Event, Kind, Outcome, RunState, TrainError};

/// 10 classes, 2 shots, batches of 10: two steps an epoch.
fn protocol(side: usize) -> Protocol {
    Protocol {
        side,
        shots: Some(2),
        val: true,
        batch: 10,
        seed: 3,
        augment: true,
    }
}

fn recipe() -> GhnRecipe {
    GhnRecipe {
        meta_batch: 2,
        batch: 10,
        image: 16,
        epochs: 3,
        average: 0.9,
        penalty: 3e-5,
        eval_networks: 1,
        stages: vec![Stage {
            until: 0.5,
            image: 12,
            most_parameters: 100_000,
        }],
        ghn: Config {
            hid: 8,
            max_shape: [8, 8, 11, 11],
            ..Config::ghn2_cifar10()
        },
        ..GhnRecipe::ghn2()
    }
}

fn task(recipe: GhnRecipe, checkpoints: &Path) -> GhnTask {
    let data = data::open("synthetic", &Default::default()).unwrap();
    let val = EvalLoader::new(&data, Split::Val, &protocol(recipe.image), Some(20)).unwrap();
    GhnTask {
        ghn: Ghn::untrained(&recipe.ghn, 1).unwrap(),
        placement: Placement::default(),
        protocol: protocol(recipe.image),
        data,
        val: Some(val),
        seed: 5,
        checkpoints: checkpoints.to_owned(),
        recipe,
    }
}

fn trained(recipe: &GhnRecipe, folder: &Path, script: &mut Script) -> Outcome {
    train_ghn(task(recipe.clone(), folder), script).unwrap()
}

fn last(folder: &Path) -> [StateDict; 2] {
    let checkpoint = Checkpoints::open(folder).unwrap().read(Kind::Last);
    let checkpoint = checkpoint.unwrap().unwrap();
    [checkpoint.model, checkpoint.optimiser]
}

#[test]
fn a_run_that_was_stopped_goes_on_with_the_same_numbers() {
    let (straight, halted) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let recipe = recipe();
    let mut whole = Script::of(&[]);
    let outcome = trained(&recipe, straight.path(), &mut whole);
    assert_eq!(
        (outcome.end, outcome.step, outcome.epochs),
        (End::Finished, 6, 3)
    );
    assert_eq!(whole.states(), [RunState::Running, RunState::Finished]);
    assert!(whole.events.iter().any(|e| matches!(e, Event::Phases(_))));
    assert!(outcome.best.is_some() && outcome.last.val.is_some());

    // In the middle of an epoch, and where the images change their side.
    let mut parts = Vec::new();
    for polls in [2, 3] {
        let mut script = Script::of(&[(polls, Command::Stop)]);
        assert_eq!(
            trained(&recipe, halted.path(), &mut script).end,
            End::Stopped
        );
        parts.extend(script.numbers());
    }
    let mut rest = Script::of(&[]);
    trained(&recipe, halted.path(), &mut rest);
    assert!(rest.notes().contains("resumed after step"));
    parts.extend(rest.numbers());
    assert_eq!(parts, whole.numbers());
    assert_eq!(last(halted.path()), last(straight.path()));
}

#[test]
fn what_a_checkpoint_predicts_with_is_the_average() {
    let folder = tempfile::tempdir().unwrap();
    trained(&recipe(), folder.path(), &mut Script::of(&[]));
    let [model, rest] = last(folder.path());
    let name = "decoder_1d.fc.0.weight";
    let latest = rest.get(&format!("latest.{name}")).unwrap();
    assert_eq!(model.get(name).unwrap().shape, latest.shape);
    assert_ne!(model.get(name), Some(latest));
    // The folder is one that `--ghn` takes.
    let file = folder.path().join("last/model.safetensors");
    assert_eq!(*Ghn::read(&file).unwrap().config(), recipe().ghn);
}

#[test]
fn a_checkpoint_of_another_ghn_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    trained(&recipe(), folder.path(), &mut Script::of(&[]));
    let other = GhnRecipe {
        epochs: 4,
        ghn: Config {
            hid: 16,
            ..recipe().ghn
        },
        ..recipe()
    };
    let error = train_ghn(task(other, folder.path()), &mut Script::of(&[])).unwrap_err();
    assert!(matches!(error, TrainError::BadTask(_)), "{error}");
}

#[test]
fn training_that_diverges_ends_with_its_checkpoint_kept() {
    let folder = tempfile::tempdir().unwrap();
    let wild = GhnRecipe {
        epochs: 200,
        eval_networks: 0,
        stages: vec![Stage {
            until: 1.0,
            image: 12,
            most_parameters: 60_000,
        }],
        ..recipe()
    };
    let mut broken = task(wild, folder.path());
    for weight in broken.ghn.weights_mut() {
        weight.fill(f32::INFINITY);
    }
    let error = train_ghn(broken, &mut Script::of(&[])).unwrap_err();
    let TrainError::Diverged {
        skipped, networks, ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!(skipped, networks);
}

#[test]
fn loss_falls() {
    let folder = tempfile::tempdir().unwrap();
    let small = GhnRecipe {
        epochs: 40,
        lr: 3e-3,
        average: 0.0,
        eval_networks: 0,
        stages: vec![Stage {
            until: 1.0,
            image: 12,
            most_parameters: 60_000,
        }],
        ..recipe()
    };
    let mut script = Script::of(&[]);
    trained(&small, folder.path(), &mut script);
    let mean = |epochs: &[crate::train::EpochSummary]| {
        epochs.iter().map(|e| e.train_loss).sum::<f64>() / epochs.len() as f64
    };
    let (first, late) = (mean(&script.epochs[..10]), mean(&script.epochs[30..]));
    assert!(late < first - 0.05, "{late} is not less than {first}");
}

#[test]
fn a_meta_batch_depends_on_its_step_alone_and_is_small_enough() {
    let sampler = Sampler {
        seed: 1,
        rule: recipe().visits,
        classes: 10,
        most_nodes: 400,
    };
    let stage = Stage {
        image: 16,
        most_parameters: 100_000,
        ..Stage::default()
    };
    let names = |nets: &[Net]| -> Vec<(String, usize)> {
        let name = |net: &Net| (net.arch.name().to_owned(), net.arch.parameter_count());
        nets.iter().map(name).collect()
    };
    for step in 0..5 {
        let nets = sampler.meta_batch(step, 3, &stage);
        assert_eq!(names(&nets), names(&sampler.meta_batch(step, 3, &stage)));
        assert!(nets.iter().map(|net| net.graph.len()).sum::<usize>() <= 400);
    }
    let [a, b] = [0, 1].map(|step| names(&sampler.meta_batch(step, 3, &stage)));
    assert_ne!(a, b);
}
