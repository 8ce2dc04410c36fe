//! What the engine said about the parameters of one architecture.

use std::collections::HashMap;

use crate::arch::Arch;
use crate::engine::protocol::{ArchSpec, DiversityRow, PostSpec, Predicted, Side};
use crate::text::Shown;

/// One weight tensor, before and after post-processing.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Number of its layer, as post-processing counts them from 1.
    pub number: Option<usize>,
    pub tensor: String,
    /// `tensor`, safe to show.
    pub name: Shown,
    pub shape: Vec<usize>,
    pub before: Option<DiversityRow>,
    pub after: Option<DiversityRow>,
    /// `after` belongs to an older recipe and is being computed anew.
    pub stale: bool,
}

/// How a prediction was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub ghn: String,
    pub seed: u64,
}

/// The parameters of one architecture, as far as the app knows them.
#[derive(Clone, Debug, PartialEq)]
pub struct Results {
    pub spec: ArchSpec,
    pub rows: Vec<Row>,
    index: HashMap<String, usize>,
    /// What the prediction said of itself, and how it was asked for.
    pub predicted: Option<(Asked, Predicted)>,
    /// The post-processing that the `after` sides come from.
    pub post: Option<PostSpec>,
    pub warnings: Vec<Shown>,
}

impl Results {
    /// Names and shapes of `arch`, no numbers yet.
    #[must_use]
    pub fn empty(spec: ArchSpec, arch: &Arch) -> Self {
        let mut results = Self {
            spec,
            rows: Vec::new(),
            index: HashMap::new(),
            predicted: None,
            post: None,
            warnings: Vec::new(),
        };
        for (index, module) in arch.matrix_modules().enumerate() {
            let tensors = &arch.tensors()[module.tensors.clone()];
            if let Some(weight) = tensors.iter().find(|t| t.shape.len() >= 2) {
                results.add(Some(index + 1), &weight.name, weight.shape.clone());
            }
        }
        results
    }

    fn add(&mut self, number: Option<usize>, tensor: &str, shape: Vec<usize>) -> usize {
        self.index.insert(tensor.to_owned(), self.rows.len());
        self.rows.push(Row {
            number,
            tensor: tensor.to_owned(),
            name: Shown::new(tensor),
            shape,
            before: None,
            after: None,
            stale: false,
        });
        self.rows.len() - 1
    }

    /// A prediction came: all numbers of the one before it go.
    pub fn begin(&mut self, asked: Asked, predicted: Predicted) {
        self.predicted = Some((asked, predicted));
        self.post = None;
        self.warnings.clear();
        for row in &mut self.rows {
            (row.before, row.after, row.stale) = (None, None, false);
        }
    }

    /// Post-processing was asked for: the numbers after it stay, marked, until new ones come.
    pub fn expect_post(&mut self, post: PostSpec) {
        self.post = Some(post);
        self.warnings.clear();
        for row in &mut self.rows {
            row.stale = row.after.is_some();
        }
    }

    /// All rows of the post-processing have come: what was not renewed is no longer changed.
    pub fn finish_post(&mut self) {
        for row in self.rows.iter_mut().filter(|row| row.stale) {
            (row.after, row.stale) = (None, false);
        }
    }

    /// Takes one tensor's numbers in.
    pub fn take(&mut self, side: Side, row: &DiversityRow) {
        let at = match self.index.get(&row.name) {
            Some(at) => *at,
            None => self.add(None, &row.name, row.shape.clone()),
        };
        let own = &mut self.rows[at];
        match side {
            Side::Before => own.before = Some(row.clone()),
            Side::After => {
                own.after = Some(row.clone());
                own.stale = false;
            }
        }
    }

    /// Whether any tensor has numbers after post-processing.
    #[must_use]
    pub fn has_after(&self) -> bool {
        self.rows.iter().any(|row| row.after.is_some())
    }

    /// Whether the numbers come from a GHN that nobody trained.
    #[must_use]
    pub fn is_untrained(&self) -> bool {
        self.predicted.as_ref().is_some_and(|(asked, predicted)| {
            !predicted.trained && asked.ghn != crate::tui::selection::RANDOM
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::catalogue::ArchReport;

    pub fn diversity(name: &str, effective_rank: f64) -> DiversityRow {
        DiversityRow {
            name: name.to_owned(),
            shape: vec![64, 64, 3, 3],
            rank: 64,
            effective_rank,
            stable_rank: 2.0,
            sigma_max: 1.0,
            sigma_min: 0.0,
            mean_abs_corr: 0.5,
            std_corr: 0.1,
            duplicate_fraction: 0.75,
            mean: 0.0,
            std: 0.1,
            nan: 0,
            outline: vec![1.0, 0.5, 0.1],
        }
    }

    #[test]
    fn what_a_second_post_processing_leaves_alone_is_unchanged_again() {
        let spec = ArchSpec {
            name: "resnet18".into(),
            classes: 10,
            side: 32,
        };
        let report = ArchReport::build(&spec).unwrap();
        let mut results = Results::empty(spec, &report.arch);
        assert_eq!(results.rows.len(), 21);
        assert_eq!(results.rows[0].number, Some(1));
        let [a, b] = ["conv1.weight", "layer1.0.conv1.weight"];
        results.take(Side::After, &diversity(a, 3.0));
        results.take(Side::After, &diversity(b, 3.0));
        let post = crate::tui::selection::Selection::default().post;
        results.expect_post(post);
        results.take(Side::After, &diversity(b, 4.0));
        results.finish_post();
        assert!(results.rows[0].after.is_none());
        assert_eq!(results.rows[1].after.as_ref().unwrap().effective_rank, 4.0);
    }
}
