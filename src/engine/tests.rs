//! The engine over pipes: requests in, answers out.

use std::io::{self, Cursor, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::protocol::{Answer, Body, Command, EvaluationSpec, GhnReport, Part, Request};
use super::{Surroundings, serve};
use crate::nn::Placement;
use crate::run::Home;

/// A pipe whose other end is a test.
#[derive(Clone, Default)]
struct Pipe(Arc<Mutex<Vec<u8>>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// All answers of an engine that hears these commands, numbered from 1, and then nothing more.
fn answers(home: &Path, commands: Vec<Command>) -> Vec<Answer> {
    let mut input = Vec::new();
    for (id, command) in (1..).zip(commands) {
        serde_json::to_writer(&mut input, &Request { id, command }).unwrap();
        input.push(b'\n');
    }
    let pipe = Pipe::default();
    let around = Surroundings {
        device: "cpu".to_owned(),
        placement: Ok(Placement::default()),
        home: Some(Home::at(home)),
    };
    serve(Cursor::new(input), pipe.clone(), around).unwrap();
    let output = pipe.0.lock().unwrap();
    let lines = std::str::from_utf8(&output).unwrap().lines();
    lines.map(|l| serde_json::from_str(l).unwrap()).collect()
}

fn evaluation() -> EvaluationSpec {
    EvaluationSpec {
        ghn: "untrained".to_owned(),
        seed: 1,
        data: "synthetic".to_owned(),
        parts: vec![Part::Test],
        nets: 1,
        images: Some(20),
        batch: 10,
        side: 16,
    }
}

/// What the engine says of the untrained GHN.
fn report(home: &Path) -> (Box<GhnReport>, Vec<Answer>) {
    let ask = Command::Ghn {
        name: "untrained".to_owned(),
        seed: 1,
    };
    let answers = answers(home, vec![ask]);
    let said = answers.iter().find_map(|answer| match &answer.body {
        Body::Ghn(report) => Some(report.clone()),
        _ => None,
    });
    (said.expect("a report"), answers)
}

#[test]
fn an_evaluation_tells_of_every_network_and_is_kept() {
    let home = tempfile::tempdir().unwrap();
    assert!(report(home.path()).0.evaluations.is_empty());
    let said = answers(home.path(), vec![Command::Evaluate(evaluation())]);
    let told: Vec<_> = said
        .iter()
        .filter_map(|answer| match &answer.body {
            Body::Evaluated { record, networks } => Some((record, *networks)),
            _ => None,
        })
        .collect();
    let [(record, 1)] = told.as_slice() else {
        panic!("{said:?}");
    };
    let part = record.evaluation.part(Part::Test).unwrap();
    assert_eq!(part.cases[0].name, "deepnets/test:0");
    assert!(part.random.is_some());
    let progress = said.iter().rev().find_map(|answer| match answer.body {
        Body::Progress { done, total, .. } => Some((done, total)),
        _ => None,
    });
    assert_eq!(progress, Some((4, 4)), "two batches, predicted and random");
    assert_eq!(said.last().unwrap().body, Body::Done);

    let (report, _) = report(home.path());
    assert!(!report.trained);
    let [kept] = report.evaluations.as_slice() else {
        panic!("{report:?}");
    };
    assert!(kept.is_like(record));
    assert_eq!(kept.evaluation.splits, record.evaluation.splits);
}

#[test]
fn other_requests_do_not_wait_for_an_evaluation() {
    let home = tempfile::tempdir().unwrap();
    let detail = Command::Detail {
        tensor: "conv1.weight".to_owned(),
    };
    let said = answers(home.path(), vec![Command::Evaluate(evaluation()), detail]);
    let end = |id| {
        let is_end = |answer: &Answer| {
            answer.id == id && matches!(answer.body, Body::Done | Body::Failed { .. })
        };
        said.iter().position(is_end).unwrap()
    };
    assert!(end(2) < end(1), "{said:?}");
}

#[test]
fn an_evaluation_can_be_cancelled_and_a_wrong_one_says_what_is_wrong() {
    let home = tempfile::tempdir().unwrap();
    let cancel = Command::Cancel { request: 1 };
    let said = answers(home.path(), vec![Command::Evaluate(evaluation()), cancel]);
    let cancelled = Body::Failed {
        message: "cancelled".to_owned(),
        cancelled: true,
    };
    assert_eq!(said.last().unwrap().body, cancelled);
    let wrong = EvaluationSpec {
        data: "nothing-here".to_owned(),
        ..evaluation()
    };
    let said = answers(home.path(), vec![Command::Evaluate(wrong)]);
    let Body::Failed { message, .. } = &said.last().unwrap().body else {
        panic!("{said:?}");
    };
    assert!(
        message.contains("there is no data set \"nothing-here\""),
        "{message}"
    );
}

#[test]
fn a_damaged_record_is_reported_and_the_rest_is_told() {
    let home = tempfile::tempdir().unwrap();
    let (first, _) = report(home.path());
    let folder = home.path().join("cache/ghn-evals");
    std::fs::create_dir_all(&folder).unwrap();
    let name = format!("{}-x.json", &first.hash[..16]);
    std::fs::write(folder.join(name), "{").unwrap();
    let (report, said) = report(home.path());
    assert!(report.evaluations.is_empty());
    let warned = said.iter().any(|answer| match &answer.body {
        Body::Warning { text } => text.contains("evaluate the GHN again"),
        _ => false,
    });
    assert!(warned, "{said:?}");
}
