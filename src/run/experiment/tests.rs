use super::*;
use crate::run::{Event, Request, RunDir, RunState, Split, Terminal, TrainingRequest, Worker};
use crate::train::Reporter;

fn request(arch: &str, init: &str, seed: u64) -> Request {
    Request {
        arch: arch.into(),
        init: init.into(),
        seed,
        experiment: "e".into(),
        training: TrainingRequest {
            epochs: 1,
            ..TrainingRequest::default()
        },
        ..Request::default()
    }
}

fn run(home: &Home, request: &Request, top1: f64, state: RunState) -> RunDir {
    let dir = RunDir::create(home, request).unwrap();
    let mut worker = Worker::begin(&dir, "cpu", Terminal::Keep).unwrap();
    for (split, top1) in [(Split::Val, top1 + 1.0), (Split::Test, top1)] {
        worker.event(Event::Eval {
            step: 10,
            epoch: 1.0,
            split,
            loss: 1.0,
            top1,
            top5: None,
            images: 10,
            seconds: 0.1,
        });
    }
    worker.event(Event::State {
        state,
        reason: None,
    });
    worker.finish().unwrap();
    dir
}

fn home() -> (tempfile::TempDir, Home) {
    let keep = tempfile::tempdir().unwrap();
    let home = Home::at(keep.path());
    (keep, home)
}

#[test]
fn results_are_those_of_a_hand_calculation() {
    let (_keep, home) = home();
    for (seed, rand, ghn) in [(1, 40.0, 50.0), (2, 42.0, 53.0), (3, 41.0, 53.0)] {
        run(&home, &request("a", "rand", seed), rand, RunState::Finished);
        run(&home, &request("a", "ghn", seed), ghn, RunState::Finished);
    }
    // Neither a run that did not finish, nor one without a partner of its seed, is a pair.
    run(&home, &request("a", "rand", 4), 90.0, RunState::Failed);
    run(&home, &request("a", "ghn", 5), 52.0, RunState::Finished);
    let experiment = Experiment::read(&home, "e").unwrap();
    let groups = groups(&experiment.runs);
    let [rand, ghn] = &groups[..] else {
        panic!("{groups:?}")
    };
    assert_eq!((rand.runs, &rand.seeds[..]), (4, &[1, 2, 3][..]));
    let test = rand.test.as_ref().unwrap().sample;
    assert_eq!((test.n, test.mean), (3, 41.0));
    assert!((test.deviation.unwrap() - 1.0).abs() < 1e-12);
    assert_eq!(rand.val.as_ref().unwrap().sample.mean, 42.0);
    assert_eq!(rand.difference, None);
    let difference = ghn.difference.as_ref().unwrap();
    assert_eq!(difference.seeds, [1, 2, 3]);
    assert_eq!(difference.measured.values, [10.0, 11.0, 12.0]);
    // 11 ± 4.302653 * 1 / sqrt(3)
    let [low, high] = difference.interval.unwrap();
    assert!((low - 8.515_862).abs() < 1e-5 && (high - 13.484_138).abs() < 1e-5);
}

#[test]
fn of_copies_the_one_that_got_furthest_counts() {
    let (_keep, home) = home();
    let (mut early, mut late) = (request("a", "rand", 1), request("a", "rand", 1));
    (early.created_ms, late.created_ms) = (1, 2);
    let done = run(&home, &early, 40.0, RunState::Finished);
    run(&home, &late, 50.0, RunState::Stopped);
    let mut other = request("a", "rand", 1);
    other.experiment = "other".into();
    run(&home, &other, 60.0, RunState::Finished);
    let experiment = Experiment::read(&home, "e").unwrap();
    let ids: Vec<_> = experiment.runs.iter().map(Summary::id).collect();
    assert_eq!(ids, [done.id()]);
    let mut all = names(&home).unwrap();
    all.sort();
    assert_eq!(all, ["e", "other"]);
}

#[test]
fn a_single_pair_has_no_interval() {
    let (_keep, home) = home();
    run(&home, &request("a", "rand", 1), 40.0, RunState::Finished);
    run(&home, &request("a", "ghn", 1), 30.0, RunState::Finished);
    let groups = groups(&Experiment::read(&home, "e").unwrap().runs);
    let difference = groups[1].difference.as_ref().unwrap();
    assert_eq!(difference.measured.sample.mean, -10.0);
    assert_eq!(difference.interval, None);
}

#[test]
fn a_crew_waits_for_a_device_that_another_has() {
    let (_keep, home) = home();
    let lease = crate::run::Lease::take(&home, "cuda:7").unwrap();
    let request = Request {
        device: "cuda:7".into(),
        ..request("a", "rand", 1)
    };
    let mut crew = Crew::new(home.clone(), 1, [Job::New(Box::new(request))]);
    let news = crew.look().unwrap();
    assert!(
        matches!(&news[..], [News::Waits { pid, .. }] if *pid == std::process::id()),
        "{news:?}"
    );
    assert!(!crew.is_done());
    assert_eq!(list(&home).unwrap().runs.len(), 0, "nothing is written yet");
    drop(lease);
    crew.stop().unwrap();
    assert!(crew.is_done());
}
