//! Three made-up runs in real directories: one that goes on, one that failed, one that finished.

use std::sync::Arc;

use super::harness::{Harness, Setting};
use crate::run::{
    DataRequest, Event, GhnRequest, Line, Listing, Request, RunDir, RunState, Split, Standing,
    Status, Summary, TrainingRequest,
};
use crate::tui::effect::Effect;
use crate::tui::msg::Msg;
use crate::tui::panels::runs::{Points, RunsEffect, RunsMsg};

/// 23 November 2026, 09:14:05 UTC.
pub const BEGUN_MS: u64 = 1_795_425_245_000;
/// Steps of one epoch, and how long one takes.
const STEPS: u64 = 20;
const EPOCH_MS: u64 = 47_000;

/// A run and what its log says.
#[derive(Clone)]
pub struct MadeRun {
    pub summary: Summary,
    pub lines: Vec<Line>,
}

/// What is asked for; tests that need something else change the result.
pub fn request(arch: &str, init: &str) -> Request {
    Request {
        arch: arch.into(),
        init: init.into(),
        classes: 10,
        side: 32,
        seed: 1111,
        device: "cpu".into(),
        threads: 2,
        created_ms: BEGUN_MS,
        created: "2026-11-23T09:14:05Z".into(),
        ghn: init.starts_with("ghn").then(|| GhnRequest {
            name: "/ghns/ghn2.pt".into(),
            sha256: "9f2c".into(),
            trained: true,
        }),
        data: DataRequest {
            spec: "synthetic".into(),
            name: "synthetic".into(),
            shots: Some(50),
            ..DataRequest::default()
        },
        training: TrainingRequest {
            epochs: 300,
            batch: 128,
            optimizer: "sgd".into(),
            lr: 0.1,
            wd: 5e-4,
            ..TrainingRequest::default()
        },
        ..Request::default()
    }
}

/// A log of `epochs` epochs: two training lines and one test for each. `end` is its last state, with the
/// reason.
pub fn log(epochs: u64, best: f64, end: (RunState, Option<&str>)) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut say = |t_ms: u64, event: Event| {
        let seq = lines.len() as u64 + 1;
        lines.push(Line { t_ms, seq, event });
    };
    let state = |state, reason: Option<&str>| Event::State {
        state,
        reason: reason.map(str::to_owned),
    };
    say(BEGUN_MS, state(RunState::Starting, None));
    say(BEGUN_MS + 900, state(RunState::Running, None));
    for half in 1..=2 * epochs {
        let epoch = half as f64 / 2.0;
        // A little unrest that is the same each time.
        let wobble = (half as f64 * 2.3).sin();
        let learnt = 1.0 - (-epoch / 60.0).exp();
        let t_ms = BEGUN_MS + 1000 + half * EPOCH_MS / 2;
        let train = Event::Train {
            step: half * STEPS / 2,
            epoch,
            loss: 2.3 - 1.9 * learnt + 0.08 * wobble,
            top1: 10.0 + best * learnt + 2.0 * wobble,
            lr: 0.1 * (1.0 + (epoch / 300.0 * std::f64::consts::PI).cos()) / 2.0,
            grad_norm: 1.0,
            images_per_s: 210.0 + 9.0 * wobble,
            data_wait: 0.01,
        };
        say(t_ms, train);
        if half % 2 == 0 {
            let test = Event::Eval {
                step: half * STEPS / 2,
                epoch,
                split: Split::Test,
                loss: 2.3 - 1.7 * learnt,
                top1: 10.0 + (best - 10.0) * learnt + 0.7 * wobble,
                top5: None,
                images: 10_000,
                seconds: 4.0,
            };
            say(t_ms + 4000, test);
        }
    }
    let t_ms = BEGUN_MS + 6000 + epochs * EPOCH_MS;
    if end.0 != RunState::Running {
        say(t_ms, state(end.0, end.1));
    }
    lines
}

/// A folder of runs for as long as it is kept.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Makes the directory of a run with this name and puts what a list would say of it together.
    pub fn run(&self, name: &str, status: Status, request: Request, lines: Vec<Line>) -> MadeRun {
        let path = self.0.path().join(name);
        std::fs::create_dir(&path).unwrap();
        let mut standing = Standing::default();
        for line in &lines {
            standing.fold(line.t_ms, &line.event);
        }
        let summary = Summary {
            dir: RunDir::open(&path).unwrap(),
            request: Arc::new(request),
            status,
            standing,
        };
        MadeRun { summary, lines }
    }

    /// Newest first, as a list is: going on, failed, finished.
    pub fn three(&self) -> Vec<MadeRun> {
        let going = self.run(
            "20261123-0914-resnet50-ghn-noise-orth-7f3a",
            Status::Running,
            request("resnet50", "ghn+noise+orth"),
            log(41, 78.0, (RunState::Running, None)),
        );
        let mut failing = log(
            12,
            40.0,
            (
                RunState::Failed,
                Some("the loss is not a number at step 250"),
            ),
        );
        let at = failing.len() - 1;
        let mut last = failing[at - 2].clone();
        if let Event::Train {
            loss, step, epoch, ..
        } = &mut last.event
        {
            (*loss, *step, *epoch) = (f64::NAN, 250, 12.5);
        }
        failing.insert(at, last);
        let failed = self.run(
            "20261122-2101-convnext_tiny-ghn-51c0",
            Status::Failed,
            Request {
                created: "2026-11-22T21:01:40Z".into(),
                ..request("convnext_tiny", "ghn")
            },
            failing,
        );
        let finished = self.run(
            "20261121-0800-resnet50-rand-0b9e",
            Status::Finished,
            Request {
                created: "2026-11-21T08:00:12Z".into(),
                ..request("resnet50", "rand")
            },
            log(300, 61.0, (RunState::Finished, None)),
        );
        vec![going, failed, finished]
    }
}

impl Folder {
    /// An experiment as `hyperscope reproduce` leaves it, newest first: two starts of two seeds each that
    /// finished, a third seed of one that failed, and a run that has nothing to do with it.
    pub fn experiment(&self) -> Vec<MadeRun> {
        let of = |start: &str, seed: u64| Request {
            seed,
            experiment: "cifar10-100-shots-3f2a1c".into(),
            ..request("resnet50", start)
        };
        let done = (RunState::Finished, None);
        let mut runs: Vec<MadeRun> = [
            ("rand", 1111, 44.0),
            ("ghn+orth", 1111, 61.0),
            ("rand", 1112, 48.0),
            ("ghn+orth", 1112, 66.0),
        ]
        .into_iter()
        .enumerate()
        .map(|(place, (start, seed, best))| {
            let name = format!(
                "20261121-08{place:02}-resnet50-{}-0b9e",
                start.replace('+', "-")
            );
            self.run(
                &name,
                Status::Finished,
                of(start, seed),
                log(300, best, done),
            )
        })
        .collect();
        let failed = (RunState::Failed, Some("the loss is not a number"));
        runs.push(self.run(
            "20261121-0904-resnet50-rand-51c0",
            Status::Failed,
            of("rand", 1113),
            log(3, 20.0, failed),
        ));
        runs.push(self.run(
            "20261122-1000-resnet18-rand-7f3a",
            Status::Finished,
            request("resnet18", "rand"),
            log(300, 70.0, done),
        ));
        runs.reverse();
        runs
    }
}

impl Harness {
    /// The app with the panel of runs in front.
    pub fn at_runs(setting: Setting) -> Self {
        let mut harness = Self::ready(setting);
        harness.press("4");
        harness
    }

    /// As [`Harness::at_runs`], these runs listed and all that was asked for answered.
    pub fn with_runs(setting: Setting, runs: &[MadeRun]) -> Self {
        let mut harness = Self::at_runs(setting);
        harness.list(runs);
        harness
    }

    /// Lists these runs, and answers until nothing more is asked.
    pub fn list(&mut self, runs: &[MadeRun]) {
        let listing = Listing {
            runs: runs.iter().map(|run| run.summary.clone()).collect(),
            damaged: Vec::new(),
        };
        self.hear(RunsMsg::Listed(Arc::new(listing)));
        self.hear(RunsMsg::Polled);
        self.answer_polls(runs);
    }

    pub fn hear(&mut self, msg: RunsMsg) {
        self.send(Msg::Runs(msg));
    }

    /// Answers each poll with the whole log of every run that it names.
    pub fn answer_polls(&mut self, runs: &[MadeRun]) {
        while let Some(at) = self.effects.iter().position(is_poll) {
            let Effect::Runs(RunsEffect::Poll { curves }) = self.effects.remove(at) else {
                unreachable!("the position of a poll");
            };
            for dir in curves {
                let run = runs.iter().find(|run| run.summary.id() == dir.id());
                let run = run.expect("polls name runs that were listed");
                self.hear(RunsMsg::Points(Points {
                    run: dir.id().clone(),
                    lines: run.lines.clone().into(),
                    fresh: true,
                    more: false,
                    lost: 0,
                }));
            }
            self.hear(RunsMsg::Polled);
        }
    }
}

fn is_poll(effect: &Effect) -> bool {
    matches!(effect, Effect::Runs(RunsEffect::Poll { .. }))
}
