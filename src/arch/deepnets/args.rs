//! The form in which DeepNets-1M stores what a network is made of: the arguments of its `Network`.

use serde::{Deserialize, Serialize};

use super::network::{Norm, Plan, Preparation, StemKind};
use super::{Cell, Gene, Genotype, Primitive, Sizes};

/// The arguments by their published names; what is left out has the published default.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct NetworkArgs {
    #[serde(rename = "C")]
    channels: usize,
    genotype: StoredGenotype,
    n_cells: usize,
    #[serde(default = "three")]
    ks: usize,
    #[serde(default)]
    stem_type: usize,
    #[serde(default)]
    stem_pool: bool,
    #[serde(default = "tracked")]
    norm: Option<String>,
    #[serde(default = "yes")]
    preproc: bool,
    #[serde(default = "two", rename = "C_mult")]
    widening: usize,
    #[serde(default = "one")]
    fc_layers: usize,
    #[serde(default)]
    fc_dim: usize,
    #[serde(default = "yes")]
    glob_avg: bool,
    #[serde(default = "four")]
    imagenet_stride: usize,
    #[serde(default)]
    auxiliary: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_params: Option<Sizes>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct StoredGenotype {
    normal: Vec<(String, usize)>,
    normal_concat: Vec<usize>,
    reduce: Vec<(String, usize)>,
    reduce_concat: Vec<usize>,
}

impl NetworkArgs {
    /// Parameters of the network as it is stored, if that is stored, too.
    #[must_use]
    pub const fn sizes(&self) -> Option<Sizes> {
        self.num_params
    }

    /// Whether the network has an auxiliary classifier, which is an option of building it.
    #[must_use]
    pub const fn auxiliary(&self) -> bool {
        self.auxiliary
    }

    /// Those that mean a plan.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let genes = |cell: &Cell| {
            let genes = cell.genes.iter();
            genes.map(|g| (g.op.word().to_owned(), g.input)).collect()
        };
        let Genotype { normal, reduce } = &plan.genotype;
        Self {
            channels: plan.channels,
            genotype: StoredGenotype {
                normal: genes(normal),
                normal_concat: normal.concat.clone(),
                reduce: genes(reduce),
                reduce_concat: reduce.concat.clone(),
            },
            n_cells: plan.cells,
            ks: plan.stem_kernel,
            stem_type: usize::from(plan.stem == StemKind::Deep),
            stem_pool: plan.stem == StemKind::Pooled,
            norm: match plan.norm {
                Norm::None => None,
                Norm::Batch => Some("bnorm".to_owned()),
                Norm::Tracked => tracked(),
            },
            preproc: plan.preparation == Preparation::Pointwise,
            widening: plan.widening,
            fc_layers: plan.classifier_layers,
            fc_dim: plan.classifier_width,
            glob_avg: plan.averages,
            imagenet_stride: plan.photograph_stride,
            auxiliary: false,
            num_params: None,
        }
    }

    /// The plan that they mean.
    ///
    /// # Errors
    /// The word that is no op, or the argument that no network has.
    pub fn plan(&self) -> Result<Plan, String> {
        let genotype = Genotype {
            normal: Cell {
                genes: genes(&self.genotype.normal)?,
                concat: self.genotype.normal_concat.clone(),
            },
            reduce: Cell {
                genes: genes(&self.genotype.reduce)?,
                concat: self.genotype.reduce_concat.clone(),
            },
        };
        Ok(Plan {
            channels: self.channels,
            genotype,
            cells: self.n_cells,
            stem_kernel: self.ks,
            stem: match (self.stem_type, self.stem_pool) {
                (0, false) => StemKind::Plain,
                (0, true) => StemKind::Pooled,
                (1, _) => StemKind::Deep,
                (other, _) => return Err(format!("there is no stem of type {other}")),
            },
            photograph_stride: match self.imagenet_stride {
                0 => return Err("no stem has a stride of 0".to_owned()),
                stride => stride,
            },
            norm: match self.norm.as_deref() {
                None => Norm::None,
                Some(norm) if norm.contains("track") => Norm::Tracked,
                Some(_) => Norm::Batch,
            },
            preparation: if self.preproc {
                Preparation::Pointwise
            } else {
                Preparation::None
            },
            widening: self.widening,
            classifier_layers: self.fc_layers.max(1),
            classifier_width: self.fc_dim,
            averages: self.glob_avg,
        })
    }
}

fn genes(stored: &[(String, usize)]) -> Result<Vec<Gene>, String> {
    let gene = |(i, (word, input)): (usize, &(String, usize))| {
        let op = Primitive::from_word(word).ok_or(format!("there is no op \"{word}\""))?;
        if *input < 2 + i / 2 {
            Ok(Gene { op, input: *input })
        } else {
            Err(format!("op {i} reads {input}, which comes after it"))
        }
    };
    stored.iter().enumerate().map(gene).collect()
}

fn tracked() -> Option<String> {
    Some("bn-track".to_owned())
}

const fn yes() -> bool {
    true
}

const fn one() -> usize {
    1
}

const fn two() -> usize {
    2
}

const fn three() -> usize {
    3
}

const fn four() -> usize {
    4
}
