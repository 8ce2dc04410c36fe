//! A network against the populations: all numbers, ready to be shown or written as JSON.

use serde::{Deserialize, Serialize};

use super::{
    EmbeddingShift, Feature, Measure, Neighbour, Population, Profile, Reference, ShiftError,
    Standing, Tiling, Unseen, summary, unseen,
};
use crate::arch::Arch;
use crate::arch::deepnets::Split;
use crate::ghn::{Config, Graph};

/// Bins of a population's histogram.
const BINS: usize = 24;

/// How many networks are named as the nearest.
const NEAREST: usize = 5;

/// What a network is set against.
#[derive(Clone, Copy, Debug)]
pub struct Against<'a> {
    pub reference: &'a Reference,
    /// The split that shares and distances are compared with.
    pub split: Split,
    /// The GHN whose tables and blocks decide what can be represented.
    pub config: &'a Config,
}

/// How far a network lies from the training networks, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub arch: String,
    /// Height and width of its images.
    pub image: usize,
    pub classes: usize,
    pub params: u64,
    /// The split that it is compared with.
    pub against: String,
    /// How many networks that has.
    pub networks: usize,
    /// The GHN whose tables and blocks count, such as `GHN-2, 32 wide, 1000 classes`.
    pub ghn: String,
    /// One plain sentence.
    pub summary: String,
    pub measures: Vec<MeasureShift>,
    pub features: Vec<FeatureShift>,
    pub unseen: Vec<Unseen>,
    pub tiling: Tiling,
    /// In the eyes of a GHN, if one was asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub embedding: Option<EmbeddingShift>,
    /// The most similar networks of the split, nearest first.
    pub nearest: Vec<Neighbour>,
}

/// One number of the network's graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasureShift {
    pub of: Measure,
    pub value: f64,
    /// Against the split of the report.
    #[serde(flatten)]
    pub standing: Standing,
    /// How the split's networks are distributed.
    pub histogram: Bins,
    /// Against every split of the reference.
    pub splits: Vec<SplitStanding>,
}

/// Where a value stands in one split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SplitStanding {
    pub split: String,
    pub networks: usize,
    #[serde(flatten)]
    pub standing: Standing,
}

/// A histogram with bins of equal width, the last one closed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bins {
    /// The least and the largest value.
    pub low: f64,
    pub high: f64,
    /// Whether the bins are equally wide in the logarithm of the value.
    pub logarithmic: bool,
    pub counts: Vec<u64>,
}

/// What the network is made of, in one respect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeatureShift {
    pub of: Feature,
    /// Jensen-Shannon distance from all of the split's networks together, between 0 and 1.
    pub distance: f64,
    /// The distance than which half of the split's networks lie nearer.
    pub usual: f64,
    /// Percent of the split's networks that lie nearer.
    pub percentile: f64,
    /// All labels that the network or the split has.
    pub bars: Vec<Bar>,
}

/// A label's part of the network and of the split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bar {
    pub label: String,
    pub share: f64,
    pub reference: f64,
}

impl Report {
    /// Sets `arch` against a reference.
    ///
    /// # Errors
    /// [`ShiftError::NoSplit`] if the reference lacks the split.
    pub fn of(arch: &Arch, against: Against<'_>) -> Result<Self, ShiftError> {
        let population = against.reference.population(against.split)?;
        let (graph, parameters) = Graph::with_parameters(arch);
        let profile = Profile::of(arch, &graph);
        let (unseen, tiling) = unseen::find(arch, &graph, &parameters, against.config, population);
        let mut report = Self {
            arch: arch.name().to_owned(),
            image: arch.input().dims().get(1).copied().unwrap_or(1),
            classes: arch.classes(),
            params: profile.measures.params,
            against: against.split.word().to_owned(),
            networks: population.len(),
            ghn: against.config.to_string(),
            summary: String::new(),
            measures: Measure::ALL
                .map(|m| MeasureShift::of(m, &profile, population, against.reference))
                .into(),
            features: Feature::ALL
                .map(|f| FeatureShift::of(f, &profile, population))
                .into(),
            unseen,
            tiling,
            embedding: None,
            nearest: population.nearest(&profile, NEAREST),
        };
        report.summary = summary::of(&report);
        Ok(report)
    }

    /// Adds what a GHN sees.
    pub fn add_embedding(&mut self, embedding: EmbeddingShift) {
        self.embedding = Some(embedding);
        self.summary = summary::of(self);
    }

    /// One of the numbers.
    #[must_use]
    pub fn measure(&self, of: Measure) -> &MeasureShift {
        &self.measures[of as usize]
    }

    /// One of the features.
    #[must_use]
    pub fn feature(&self, of: Feature) -> &FeatureShift {
        &self.features[of as usize]
    }
}

impl MeasureShift {
    fn of(of: Measure, profile: &Profile, population: &Population, reference: &Reference) -> Self {
        let value = profile.measures.of(of);
        let values: Vec<f64> = population.values(of).collect();
        let splits = reference.populations().iter().map(|p| SplitStanding {
            split: p.split.word().to_owned(),
            networks: p.len(),
            standing: p.standing(of, value),
        });
        Self {
            of,
            value,
            standing: population.standing(of, value),
            histogram: Bins::of(&values, of == Measure::Parameters),
            splits: splits.collect(),
        }
    }
}

impl Bins {
    fn of(values: &[f64], logarithmic: bool) -> Self {
        let scale = |v: f64| if logarithmic { v.max(1.0).ln() } else { v };
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let width = (scale(high) - scale(low)) / BINS as f64;
        let mut counts = vec![0; BINS];
        for value in values {
            let bin = if width > 0.0 {
                (scale(*value) - scale(low)) / width
            } else {
                0.0
            };
            counts[(bin as usize).min(BINS - 1)] += 1;
        }
        Self {
            low,
            high,
            logarithmic,
            counts,
        }
    }
}

impl FeatureShift {
    fn of(of: Feature, profile: &Profile, population: &Population) -> Self {
        let (own, all) = (profile.counts(of), population.counts(of));
        let distance = own.distance(all);
        let strangers = all.iter().filter(|(label, _)| own.of(label) == 0);
        let labels = own.iter().chain(strangers).map(|(label, _)| label);
        let mut bars: Vec<Bar> = labels
            .map(|label| Bar {
                label: label.to_owned(),
                share: own.share(label),
                reference: all.share(label),
            })
            .collect();
        if of == Feature::Channels {
            bars.sort_by_key(|bar| first_number(&bar.label));
        } else {
            let larger = |bar: &Bar| bar.share.max(bar.reference);
            bars.sort_by(|a, b| larger(b).total_cmp(&larger(a)));
        }
        Self {
            of,
            distance,
            usual: population.usual_distance(of),
            percentile: population.percentile_of_distance(of, distance),
            bars,
        }
    }

    /// The label that the network has the most more of than the split.
    #[must_use]
    pub fn strongest(&self) -> Option<&Bar> {
        let excess = |bar: &&Bar| bar.share - bar.reference;
        self.bars
            .iter()
            .max_by(|a, b| excess(a).total_cmp(&excess(b)))
    }
}

/// Of a label such as `64-95`.
fn first_number(label: &str) -> u64 {
    let digits: String = label.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}
