//! One run as the list shows it, prepared when it changes.

use std::sync::Arc;

use crate::run::{EvalPoint, Request, RunDir, RunId, Standing, Status, Summary};
use crate::text::Shown;
use crate::tui::charts::{clock, significant};

/// A run in the list.
#[derive(Clone, Debug)]
pub struct Row {
    pub id: RunId,
    /// Name of the architecture.
    pub arch: Shown,
    /// Where its first parameters came from.
    pub init: Shown,
    /// None for a run whose files cannot be read; then `why` says so.
    pub known: Option<Known>,
    /// Why it ended, if it did so before its time.
    pub why: Option<Shown>,
    /// What it shares with runs that differ from it in their seed alone; only within an experiment.
    pub group: Option<String>,
    /// For the filter: field and value, in lower case.
    pub fields: Vec<(&'static str, String)>,
}

/// What a readable run says.
#[derive(Clone, Debug)]
pub struct Known {
    pub dir: RunDir,
    pub request: Arc<Request>,
    pub status: Status,
    pub standing: Standing,
    /// Such as `e 41/300`.
    pub progress: String,
    /// Last accuracy in percent, such as `60.1 %`; empty before the first.
    pub accuracy: String,
    /// Time until the last epoch.
    pub left: Option<String>,
}

impl Row {
    #[must_use]
    pub fn of(run: &Summary) -> Self {
        let request = &run.request;
        let init = short_init(&request.init);
        let standing = &run.standing;
        let status = run.status;
        let why = match status {
            Status::Died => Some("its worker ended without a word".to_owned()),
            Status::Failed | Status::Stopped => standing.reason.clone(),
            _ => None,
        };
        let fields = [
            ("id", run.id().as_str()),
            ("arch", &request.arch),
            ("init", &request.init),
            ("data", &request.data.name),
            ("state", status.word()),
            ("recipe", &request.training.recipe),
            ("experiment", &request.experiment),
            ("device", &request.device),
        ];
        Self {
            id: run.id().clone(),
            arch: Shown::new(&request.arch),
            init: Shown::new(init),
            why: why.map(|text| Shown::new(&text)),
            group: (!request.experiment.is_empty())
                .then(|| [&*request.experiment, &request.arch, &request.init].join("\n")),
            fields: fields
                .map(|(name, value)| (name, value.to_lowercase()))
                .to_vec(),
            known: Some(Known {
                dir: run.dir.clone(),
                request: Arc::clone(request),
                status,
                progress: progress(status, standing, request),
                accuracy: standing
                    .test
                    .or(standing.val)
                    .map_or_else(String::new, accuracy),
                left: run.seconds_left().map(clock),
                standing: standing.clone(),
            }),
        }
    }

    /// A directory that looks like a run and is none that can be read.
    #[must_use]
    pub fn damaged(id: &RunId, reason: &str) -> Self {
        Self {
            id: id.clone(),
            arch: Shown::new(id.as_str()),
            init: Shown::default(),
            known: None,
            why: Some(Shown::new(reason)),
            group: None,
            fields: vec![
                ("id", id.as_str().to_owned()),
                ("state", "damaged".to_owned()),
            ],
        }
    }

    #[must_use]
    pub fn status(&self) -> Option<Status> {
        self.known.as_ref().map(|known| known.status)
    }

    #[must_use]
    pub fn is_live(&self) -> bool {
        self.status().is_some_and(Status::is_live)
    }
}

/// A file by its name, everything else as it is.
fn short_init(init: &str) -> &str {
    init.rsplit('/')
        .find(|part| !part.is_empty())
        .unwrap_or(init)
}

fn progress(status: Status, standing: &Standing, request: &Request) -> String {
    let epochs = match status {
        // It has done all of them: saying so twice takes room from the accuracy.
        Status::Finished => 0,
        _ => request.training.epochs,
    };
    if standing.step == 0 && standing.epoch == 0.0 {
        return match epochs {
            0 => String::new(),
            _ => format!("e 0/{epochs}"),
        };
    }
    if !standing.epoch.is_finite() {
        return format!("step {}", standing.step);
    }
    let done = standing.epoch;
    // With few epochs, whole ones are too coarse to see anything move.
    let whole = epochs > 20 || done.fract() == 0.0;
    let done = if whole {
        format!("{:.0}", done.floor())
    } else {
        format!("{:.1}", (done * 10.0).floor() / 10.0)
    };
    match epochs {
        0 => format!("e {done}"),
        _ => format!("e {done}/{epochs}"),
    }
}

fn accuracy(point: EvalPoint) -> String {
    if point.top1.is_finite() {
        format!("{} %", significant(point.top1, 3))
    } else {
        "NaN".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::TrainingRequest;

    fn said(status: Status, epoch: f64, epochs: u32) -> String {
        let standing = Standing {
            step: 7,
            epoch,
            ..Standing::default()
        };
        let request = Request {
            training: TrainingRequest {
                epochs,
                ..TrainingRequest::default()
            },
            ..Request::default()
        };
        progress(status, &standing, &request)
    }

    #[test]
    fn progress_counts_epochs_that_are_done() {
        assert_eq!(said(Status::Running, 41.7, 300), "e 41/300");
        assert_eq!(said(Status::Running, 2.48, 5), "e 2.4/5");
        assert_eq!(said(Status::Stopped, 5.0, 5), "e 5/5");
        assert_eq!(said(Status::Running, f64::NAN, 5), "step 7");
        assert_eq!(said(Status::Finished, 5.0, 5), "e 5");
    }

    #[test]
    fn a_file_is_shown_by_its_name() {
        assert_eq!(
            short_init("/a/b/weights.safetensors"),
            "weights.safetensors"
        );
        assert_eq!(short_init("ghn+noise"), "ghn+noise");
    }
}
