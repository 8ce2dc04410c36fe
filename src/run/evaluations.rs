//! How good GHNs were found to be: one small file for each GHN and setting, in the cache folder.
//!
//! ```text
//! <cache>/ghn-evals/HASH-DATA-IMAGES-SIDE-BATCH-SEED-PRECISION.json     an [`EvaluationRecord`]
//! ```
//!
//! `HASH` is the beginning of the GHN's. A later evaluation of the same GHN in the same setting replaces or completes
//! the file part by part. Two that write at the same time may lose a part of one, never half a file.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::{RunError, at};
use super::{Home, clock};
use crate::nn::Placement;
use crate::private;
use crate::train::GhnEvaluation;

/// Folder of the records in the cache folder.
const FOLDER: &str = "ghn-evals";
/// Largest record that is read, in bytes: about twenty thousand networks.
const LARGEST: u64 = 4 << 20;
/// Records of one GHN that are read, the newest.
const MOST: usize = 64;
/// Letters of the hash and of the data's name in a file's name.
const HASH_LETTERS: usize = 16;
const DATA_LETTERS: usize = 32;

/// An evaluation as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluationRecord {
    #[serde(flatten)]
    pub evaluation: GhnEvaluation,
    /// Of the images that were drawn; unknown of an evaluation that came with its GHN.
    #[serde(default)]
    pub seed: Option<u64>,
    /// Of activations, such as `f32`.
    #[serde(default)]
    pub precision: Option<String>,
    /// When its newest part was finished, in milliseconds since 1970.
    #[serde(default)]
    pub evaluated_ms: Option<u64>,
}

impl EvaluationRecord {
    /// One that is being made, of images drawn from the seed, where networks run like this.
    #[must_use]
    pub fn begun(evaluation: GhnEvaluation, seed: u64, placement: Placement) -> Self {
        Self {
            evaluation,
            seed: Some(seed),
            precision: Some(placement.precision.to_string()),
            evaluated_ms: None,
        }
    }

    /// One that came with its GHN: only its maker knows the rest.
    #[must_use]
    pub const fn of_its_maker(evaluation: GhnEvaluation) -> Self {
        Self {
            evaluation,
            seed: None,
            precision: None,
            evaluated_ms: None,
        }
    }

    /// Whether both are of the same GHN in the same setting.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        let (a, b) = (&self.evaluation, &other.evaluation);
        (&a.hash, &a.setting, self.seed, &self.precision)
            == (&b.hash, &b.setting, other.seed, &other.precision)
    }

    fn file_name(&self) -> String {
        let setting = &self.evaluation.setting;
        format!(
            "{}-{}-{}-{}-{}-{}-{}.json",
            plain(&self.evaluation.hash, HASH_LETTERS),
            plain(&setting.data, DATA_LETTERS),
            setting.images,
            setting.side,
            setting.batch,
            self.seed.unwrap_or_default(),
            plain(self.precision.as_deref().unwrap_or_default(), DATA_LETTERS),
        )
    }
}

/// The letters and digits at the beginning of a text, fit for the name of a file.
fn plain(text: &str, most: usize) -> String {
    let letters = text.chars().filter(char::is_ascii_alphanumeric);
    letters.take(most).collect()
}

/// What is kept of a GHN.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluations {
    /// The newest first.
    pub records: Vec<EvaluationRecord>,
    /// Files that could not be read, each with the reason and what to do.
    pub damaged: Vec<String>,
}

impl Evaluations {
    /// The records of the GHN with this hash.
    #[must_use]
    pub fn of(home: &Home, hash: &str) -> Self {
        let mut found = Self::default();
        for path in named(&folder(home), hash) {
            match read(&path) {
                Ok(record) if record.evaluation.hash == hash => found.records.push(record),
                // Another GHN whose hash begins alike.
                Ok(_) => {}
                Err(reason) => found.damaged.push(reason),
            }
        }
        let newest_first = |record: &EvaluationRecord| std::cmp::Reverse(record.evaluated_ms);
        found.records.sort_by_key(newest_first);
        found
    }
}

/// Keeps a record, joined with what is kept of the same setting. An unreadable file in its place is replaced.
///
/// # Errors
/// If the file cannot be written; what was kept stays as it was.
pub fn keep(home: &Home, record: &EvaluationRecord) -> Result<(), RunError> {
    let folder = folder(home);
    private::make_all_private(&folder).map_err(at("making the folder", &folder))?;
    let path = folder.join(record.file_name());
    let mut kept = record.clone();
    if let Ok(before) = read(&path)
        && before.is_like(record)
    {
        kept.evaluation.splits = before.evaluation.splits;
        for part in &record.evaluation.splits {
            kept.evaluation.take(part.clone());
        }
    }
    kept.evaluated_ms = Some(clock::now_ms());
    let text = serde_json::to_string(&kept).map_err(io::Error::other);
    let text = text.map_err(at("writing", &path))?;
    private::replace(&path, text.as_bytes()).map_err(at("writing", &path))
}

fn folder(home: &Home) -> PathBuf {
    home.cache_folder().join(FOLDER)
}

/// Files of the GHN with this hash, no more than [`MOST`], those changed last.
fn named(folder: &Path, hash: &str) -> Vec<PathBuf> {
    let beginning = format!("{}-", plain(hash, HASH_LETTERS));
    // A folder that does not exist yet holds no records.
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_record = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with(&beginning) && name.ends_with(".json"))
    };
    let mut paths: Vec<PathBuf> = entries.map(|e| e.path()).filter(is_record).collect();
    if paths.len() > MOST {
        let changed = |path: &PathBuf| path.metadata().and_then(|about| about.modified()).ok();
        paths.sort_by_key(|path| std::cmp::Reverse(changed(path)));
        paths.truncate(MOST);
    }
    paths.sort();
    paths
}

fn read(path: &Path) -> Result<EvaluationRecord, String> {
    let told = |reason: String| {
        format!(
            "reading the evaluation {}: {reason}; remove the file, or evaluate the GHN again",
            path.display()
        )
    };
    let text = private::read_small(path, LARGEST).map_err(|e| told(e.to_string()))?;
    let record: EvaluationRecord = serde_json::from_str(&text).map_err(|e| told(e.to_string()))?;
    let checked = record.evaluation.check();
    checked.map_err(|e| told(e.to_string()))?;
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::{
        EvaluatedNetwork, EvaluatedPart, EvaluationSetting, Metrics, Part, PredictedNetwork,
    };

    fn part(split: Part, accuracies: &[f64]) -> EvaluatedPart {
        let networks = accuracies.iter().map(|&top1| EvaluatedNetwork {
            predicted: PredictedNetwork {
                name: "deepnets/test:0".to_owned(),
                params: 7,
                metrics: Metrics {
                    loss: 2.0,
                    top1,
                    top5: None,
                    images: 100,
                    seconds: 0.1,
                },
            },
            random: Some(10.0),
        });
        EvaluatedPart::of(split, &networks.collect::<Vec<_>>()).unwrap()
    }

    fn record(images: u64, parts: Vec<EvaluatedPart>) -> EvaluationRecord {
        EvaluationRecord {
            evaluation: GhnEvaluation {
                ghn: "mine".to_owned(),
                hash: "0123456789abcdef0123".to_owned(),
                trained: true,
                setting: EvaluationSetting {
                    data: "../my data".to_owned(),
                    images,
                    batch: 64,
                    side: 32,
                },
                splits: parts,
            },
            seed: Some(1111),
            precision: Some("f32".to_owned()),
            evaluated_ms: None,
        }
    }

    fn of(home: &Home) -> Evaluations {
        Evaluations::of(home, "0123456789abcdef0123")
    }

    #[test]
    fn parts_of_the_same_setting_come_together_in_one_file() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path());
        assert_eq!(of(&home), Evaluations::default());
        keep(&home, &record(100, vec![part(Part::Test, &[30.0, 32.0])])).unwrap();
        keep(&home, &record(100, vec![part(Part::Deep, &[20.0])])).unwrap();
        keep(&home, &record(100, vec![part(Part::Test, &[99.0])])).unwrap();
        keep(&home, &record(500, vec![part(Part::Wide, &[40.0])])).unwrap();
        let found = of(&home);
        assert_eq!((found.records.len(), found.damaged.len()), (2, 0));
        let joined = found
            .records
            .iter()
            .find(|r| r.evaluation.setting.images == 100);
        let splits = &joined.unwrap().evaluation.splits;
        let means: Vec<_> = splits.iter().map(|p| (p.split, p.predicted.mean)).collect();
        assert_eq!(means, [(Part::Test, 31.0), (Part::Deep, 20.0)]);
        assert!(found.records.iter().all(|r| r.evaluated_ms.is_some()));
        // The data's name leads nowhere else.
        let files = std::fs::read_dir(dir.path().join("cache/ghn-evals")).unwrap();
        assert_eq!(files.count(), 2);
    }

    #[test]
    fn another_ghn_whose_hash_begins_alike_has_records_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path());
        keep(&home, &record(100, vec![part(Part::Test, &[30.0])])).unwrap();
        let other = Evaluations::of(&home, "0123456789abcdef9999");
        assert_eq!(other, Evaluations::default());
    }

    #[test]
    fn damaged_files_are_skipped_with_a_message_and_replaced_by_the_next_evaluation() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path());
        let whole = record(100, vec![part(Part::Test, &[30.0])]);
        keep(&home, &whole).unwrap();
        let place = folder(&home).join(whole.file_name());
        let mut impossible = whole.clone();
        impossible.evaluation.splits[0].predicted.mean = 1e9;
        let impossible = serde_json::to_string(&impossible).unwrap();
        for text in ["", "{\"ghn\":", &impossible, &" ".repeat(5 << 20)] {
            std::fs::write(&place, text).unwrap();
            let found = of(&home);
            assert_eq!((found.records.len(), found.damaged.len()), (0, 1));
            let message = &found.damaged[0];
            assert!(message.contains("evaluate the GHN again"), "{message}");
            assert!(message.contains(&place.display().to_string()), "{message}");
        }
        keep(&home, &whole).unwrap();
        assert_eq!(of(&home).records.len(), 1);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("cache"), "").unwrap();
        let error = keep(&Home::at(dir.path()), &record(1, Vec::new())).unwrap_err();
        assert!(error.to_string().contains("ghn-evals"), "{error}");
    }
}
