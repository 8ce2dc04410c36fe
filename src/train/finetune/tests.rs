//! The loop on a tiny network and drawn images.

use std::path::Path;

use super::{Trainer, finetune};
use crate::arch::{Activation, Arch, Builder, Conv2d, Draw, Linear, Op, Scheme, Shape};
use crate::data::{self, DataSet, EvalLoader, Protocol, TrainLoader};
use crate::nn::{Network, StateDict, Tensor, Values};
use crate::train::optim::OptimiserSettings;
use crate::train::steering::Steered as _;
use crate::train::testing::Script;
use crate::train::{
    Before, Checkpoints, Command, End, Evaluation, Event, Kind, Loaders, OptimiserKind, Outcome,
    RunState, Split, Task, TestTime, TrainError,
};

const SIDE: usize = 8;
const SHOTS: usize = 5;
const BATCH: usize = 12;
/// 10 classes, 5 shots, batches of 12.
const BATCHES: usize = 5;

fn tiny() -> Arch {
    let draw = Draw {
        weight: Scheme::ZEROS,
        bias: Scheme::ZEROS,
    };
    let mut b = Builder::new("tiny", Shape::image(3, SIDE, SIDE), 10);
    let conv = b.conv("conv", Conv2d::new(3, 8, 3).padding(1), draw);
    let bn = b.batch_norm("bn", 8);
    let fc = Linear {
        in_features: 8,
        out_features: 10,
        bias: true,
    };
    let fc = b.linear("fc", fc, draw);
    let x = b.call(conv, b.input()).unwrap();
    let x = b.call(bn, x).unwrap();
    let x = b
        .apply("relu", Op::Activation(Activation::Relu), &[x])
        .unwrap();
    let x = b.apply("pool", Op::AdaptiveAvgPool([1, 1]), &[x]).unwrap();
    let x = b.apply("flatten", Op::Flatten, &[x]).unwrap();
    b.call(fc, x).unwrap();
    b.finish()
}

/// Something like a random start: a fixed wave, so that no two filters are alike.
fn start(arch: &Arch) -> StateDict {
    let mut state = Network::new(arch).unwrap().state().unwrap();
    for (name, tensor) in state.iter_mut() {
        if name.ends_with("conv.weight") || name.ends_with("fc.weight") {
            for (i, value) in tensor.floats_mut().unwrap().iter_mut().enumerate() {
                *value = 0.2 * (i as f32 * 0.7).sin();
            }
        } else if name == "bn.weight" {
            tensor.floats_mut().unwrap().fill(1.0);
        }
    }
    state
}

fn synthetic() -> DataSet {
    data::open("synthetic", &Default::default()).unwrap()
}

fn protocol(val: bool) -> Protocol {
    Protocol {
        side: SIDE,
        shots: Some(SHOTS),
        val,
        batch: BATCH,
        seed: 3,
        augment: true,
    }
}

fn task(folder: &Path, epochs: u32) -> Task {
    let (arch, protocol) = (tiny(), protocol(false));
    let data = synthetic();
    Task {
        placement: crate::nn::Placement::default(),
        start: Some(start(&arch)),
        arch,
        loaders: Loaders {
            train: TrainLoader::new(&data, &protocol, 0, 0).unwrap(),
            val: None,
            test: EvalLoader::new(&data, data::Split::Test, &protocol, Some(30)).unwrap(),
            before: None,
        },
        optimiser: OptimiserSettings::of(OptimiserKind::Sgd, 3e-4),
        lr: 0.05,
        epochs,
        clip: Some(5.0),
        label_smoothing: 0.0,
        seed: 3,
        evaluation: Evaluation {
            every: 1,
            test: TestTime::Always,
        },
        checkpoints: folder.to_owned(),
    }
}

fn run(task: Task, commands: &[(usize, Command)]) -> (Outcome, Script) {
    let mut script = Script::of(commands);
    let outcome = finetune(task, &mut script).unwrap();
    (outcome, script)
}

fn last_state(folder: &Path) -> StateDict {
    let store = Checkpoints::open(folder).unwrap();
    store.read(Kind::Last).unwrap().unwrap().model
}

fn bits(state: &StateDict) -> Vec<(String, Vec<u64>)> {
    let bits = |t: &Tensor| match &t.values {
        Values::F32(v) => v.iter().map(|x| u64::from(x.to_bits())).collect(),
        Values::I64(v) => v.iter().map(|x| x.cast_unsigned()).collect(),
    };
    let mut all: Vec<_> = state.iter().map(|(n, t)| (n.to_owned(), bits(t))).collect();
    all.sort();
    all
}

#[test]
fn training_lowers_the_loss_and_tells_of_every_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let quick = Task {
        lr: 0.3,
        ..task(folder.path(), 30)
    };
    let (outcome, script) = run(quick, &[]);
    assert_eq!(outcome.end, End::Finished);
    assert_eq!((outcome.epochs, outcome.step), (30, 30 * BATCHES as u64));
    assert_eq!(script.states(), [RunState::Running, RunState::Finished]);
    assert_eq!(script.epochs.len(), 30);
    let (first, last) = (&script.epochs[0], &script.epochs[29]);
    assert!(
        last.train_loss < 0.8 * first.train_loss,
        "{first:?} {last:?}"
    );
    let trained: Vec<u64> = script
        .events
        .iter()
        .filter_map(|e| match e {
            Event::Train { step, .. } => Some(*step),
            _ => None,
        })
        .collect();
    for epoch in 1..=30 {
        assert!(trained.contains(&(epoch * BATCHES as u64)), "{trained:?}");
    }
    let tests = |e: &&Event| {
        matches!(
            e,
            Event::Eval {
                split: Split::Test,
                images: 30,
                ..
            }
        )
    };
    assert_eq!(script.events.iter().filter(tests).count(), 30);
}

/// Stops in the middle of an epoch, at its end and before the first step.
#[test]
fn a_resumed_run_repeats_the_numbers_exactly() {
    let whole = tempfile::tempdir().unwrap();
    let (_, straight) = run(task(whole.path(), 3), &[]);
    for polls in [1, 3, BATCHES + 1, BATCHES + 5, 3 * BATCHES] {
        let folder = tempfile::tempdir().unwrap();
        let (outcome, before) = run(task(folder.path(), 3), &[(polls, Command::Stop)]);
        assert_eq!(outcome.end, End::Stopped, "{polls}");
        assert_eq!(before.states().last(), Some(&RunState::Stopped));
        let resumed = Task {
            start: None,
            ..task(folder.path(), 3)
        };
        let (outcome, after) = run(resumed, &[]);
        assert_eq!(outcome.end, End::Finished);
        let both = [before.numbers(), after.numbers()].concat();
        assert_eq!(both, straight.numbers(), "stopped at poll {polls}");
        let equal = bits(&last_state(folder.path())) == bits(&last_state(whole.path()));
        assert!(equal, "the parameters differ after a stop at poll {polls}");
    }
}

#[test]
fn a_stop_during_the_evaluation_evaluates_again_after_the_resume() {
    let whole = tempfile::tempdir().unwrap();
    let (_, straight) = run(task(whole.path(), 2), &[]);
    let folder = tempfile::tempdir().unwrap();
    // One poll before the first step, one after each step, then one per batch of the evaluation.
    let (outcome, before) = run(task(folder.path(), 2), &[(BATCHES + 3, Command::Stop)]);
    assert_eq!((outcome.end, outcome.epochs), (End::Stopped, 0));
    assert!(before.epochs.is_empty());
    let (_, after) = run(task(folder.path(), 2), &[]);
    assert_eq!(after.numbers(), straight.numbers());
}

#[test]
fn a_pause_waits_and_changes_no_number() {
    let whole = tempfile::tempdir().unwrap();
    let (_, straight) = run(task(whole.path(), 2), &[]);
    let folder = tempfile::tempdir().unwrap();
    let commands = [(3, Command::Pause), (6, Command::Resume)];
    let (outcome, paused) = run(task(folder.path(), 2), &commands);
    assert_eq!(outcome.end, End::Finished);
    assert_eq!(paused.numbers(), straight.numbers());
    use RunState::{Finished, Paused, Running};
    assert_eq!(paused.states(), [Running, Paused, Running, Finished]);
}

#[test]
fn pauses_after_every_step_change_no_number() {
    let whole = tempfile::tempdir().unwrap();
    let (_, straight) = run(task(whole.path(), 2), &[]);
    let folder = tempfile::tempdir().unwrap();
    let pause = |poll| [(poll, Command::Pause), (poll, Command::Resume)];
    let commands: Vec<_> = (1..40).step_by(3).flat_map(pause).collect();
    let (outcome, paused) = run(task(folder.path(), 2), &commands);
    assert_eq!(outcome.end, End::Finished);
    let pauses = paused
        .states()
        .iter()
        .filter(|s| **s == RunState::Paused)
        .count();
    assert!(pauses >= 2 * BATCHES, "{pauses}");
    assert_eq!(paused.numbers(), straight.numbers());
    assert_eq!(
        bits(&last_state(folder.path())),
        bits(&last_state(whole.path()))
    );
}

/// A step, with the next batch staged ahead for sure if there is one.
fn step_with_next_staged(trainer: &mut Trainer<'_>) {
    if trainer.staged.is_none() {
        let batch = trainer.next_batch().unwrap();
        trainer.staged = Some(trainer.stage(batch).unwrap());
    }
    while !trainer.task.loaders.train.is_ready() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    trainer.step().unwrap();
    assert_eq!(trainer.staged.is_some(), trainer.batches_left() > 0);
}

#[test]
fn a_batch_that_was_staged_ahead_is_taken_again_after_a_resume() {
    let whole = tempfile::tempdir().unwrap();
    let (_, straight) = run(task(whole.path(), 2), &[]);
    for steps in 1..=BATCHES {
        let folder = tempfile::tempdir().unwrap();
        let mut script = Script::default();
        let mut trainer = Trainer::begin(task(folder.path(), 2), &mut script).unwrap();
        for _ in 0..steps {
            step_with_next_staged(&mut trainer);
        }
        trainer.save().unwrap();
        drop(trainer);
        let (_, resumed) = run(task(folder.path(), 2), &[]);
        assert_eq!(resumed.numbers(), straight.numbers(), "after {steps} steps");
        assert_eq!(
            bits(&last_state(folder.path())),
            bits(&last_state(whole.path()))
        );
    }
}

#[test]
fn a_paused_run_can_be_stopped_and_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let commands = [(3, Command::Pause), (5, Command::Stop)];
    let (outcome, script) = run(task(folder.path(), 2), &commands);
    assert_eq!((outcome.end, outcome.step), (End::Stopped, 2));
    use RunState::{Paused, Running, Stopped};
    assert_eq!(script.states(), [Running, Paused, Stopped]);
    assert_eq!(run(task(folder.path(), 2), &[]).0.epochs, 2);
}

#[test]
fn the_start_is_looked_at_once_and_changes_no_number() {
    let whole = tempfile::tempdir().unwrap();
    let (_, straight) = run(task(whole.path(), 2), &[]);
    let looking = |folder: &Path| {
        let mut task = task(folder, 2);
        let (data, protocol) = (synthetic(), protocol(false));
        let images = EvalLoader::mixed(&data, data::Split::Test, &protocol, Some(20)).unwrap();
        task.loaders.before = Some(Before {
            split: Split::Test,
            images,
        });
        task
    };
    let looks = |script: &Script| {
        let is_look = |e: &&Event| matches!(e, Event::Before { images: 20, .. });
        script.events.iter().filter(is_look).count()
    };
    let folder = tempfile::tempdir().unwrap();
    // A pause in the middle of the look, and a stop in the middle of the first epoch.
    let commands = [
        (2, Command::Pause),
        (4, Command::Resume),
        (8, Command::Stop),
    ];
    let (_, first) = run(looking(folder.path()), &commands);
    let (_, rest) = run(looking(folder.path()), &[]);
    assert_eq!((looks(&first), looks(&rest)), (1, 0));
    assert_eq!(
        [first.numbers(), rest.numbers()].concat(),
        straight.numbers()
    );
}

#[test]
fn a_new_learning_rate_holds_at_once_and_after_a_resume() {
    let lrs = |commands: &[(usize, Command)]| {
        let folder = tempfile::tempdir().unwrap();
        let (outcome, mut script) = run(task(folder.path(), 3), commands);
        if outcome.end == End::Stopped {
            script
                .epochs
                .extend(run(task(folder.path(), 3), &[]).1.epochs);
        }
        let lrs: Vec<f64> = script.epochs.iter().map(|e| e.lr).collect();
        (lrs, script.numbers())
    };
    let set = (2, Command::SetLr(0.01));
    let (straight, numbers) = lrs(&[set]);
    assert!((straight[0] - 0.01).abs() < 1e-12);
    assert!(straight[1] < 0.01 && straight[2] < straight[1]);
    assert_eq!(lrs(&[set, (4, Command::Stop)]), (straight, numbers));
}

#[test]
fn a_loss_that_is_no_number_ends_the_run_and_keeps_the_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    // One good epoch, then steps that no number survives.
    let commands = [(BATCHES + 6, Command::SetLr(1e30))];
    let mut script = Script::of(&commands);
    let error = finetune(task(folder.path(), 5), &mut script).unwrap_err();
    let TrainError::NotFinite(broken) = &error else {
        panic!("{error}");
    };
    assert_eq!(broken.epoch, 2);
    assert!(broken.step > BATCHES as u64 && broken.step <= 2 * BATCHES as u64);
    assert!(script.notes().contains("training left the numbers"));
    assert!(script.notes().contains("the first tensor whose"), "{error}");
    let store = Checkpoints::open(folder.path()).unwrap();
    for kind in [Kind::Last, Kind::Best] {
        let kept = store.read(kind).unwrap().unwrap();
        assert_eq!(kept.progress.epoch, 1);
        assert!(bits(&kept.model).iter().all(|(_, v)| !v.is_empty()));
        let finite = |t: &Tensor| t.floats().is_none_or(|v| v.iter().all(|x| x.is_finite()));
        assert!(kept.model.iter().all(|(_, t)| finite(t)));
    }
}

#[test]
fn validation_images_choose_the_best_and_the_test_comes_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = synthetic();
    let protocol = protocol(true);
    let with_val = Task {
        loaders: Loaders {
            train: TrainLoader::new(&data, &protocol, 0, 0).unwrap(),
            val: Some(EvalLoader::new(&data, data::Split::Val, &protocol, Some(20)).unwrap()),
            test: EvalLoader::new(&data, data::Split::Test, &protocol, Some(30)).unwrap(),
            before: None,
        },
        evaluation: Evaluation {
            every: 2,
            test: TestTime::AtTheEnd,
        },
        ..task(folder.path(), 3)
    };
    let (outcome, script) = run(with_val, &[]);
    let splits: Vec<(Split, u64)> = script
        .events
        .iter()
        .filter_map(|e| match e {
            Event::Eval { split, step, .. } => Some((*split, *step / BATCHES as u64)),
            _ => None,
        })
        .collect();
    assert_eq!(splits, [(Split::Val, 2), (Split::Val, 3), (Split::Test, 3)]);
    assert!(outcome.last.val.is_some() && outcome.last.test.is_some());
    assert_eq!(outcome.best.map(|b| b.split), Some(Split::Val));
}

#[test]
fn a_run_without_a_start_or_a_checkpoint_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let empty = Task {
        start: None,
        ..task(folder.path(), 1)
    };
    let error = finetune(empty, &mut Script::default()).unwrap_err();
    assert!(matches!(error, TrainError::BadTask(_)), "{error}");
}

#[test]
fn a_finished_run_that_is_resumed_gives_its_results_again() {
    let folder = tempfile::tempdir().unwrap();
    let (first, _) = run(task(folder.path(), 2), &[]);
    let (again, script) = run(task(folder.path(), 2), &[]);
    assert_eq!(again.end, End::Finished);
    assert_eq!((again.last, again.best), (first.last, first.best));
    assert!(script.epochs.is_empty());
}
