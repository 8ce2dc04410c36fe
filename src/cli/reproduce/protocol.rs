//! The protocol of some runs: all that their requests have in common, and what they differ in, in full.

use serde::Serialize;

use crate::arch::{self, zoo::Options};
use crate::data::{self, DataSet, Normalisation, Split};
use crate::init::FirstLayer;
use crate::run::Request;

use super::super::finetune::ask;

/// How an experiment is done. Everything follows from the runs' requests; what only the data set itself
/// can say is absent if it cannot be opened any more.
#[derive(Debug, Serialize)]
pub struct Protocol {
    pub data: Data,
    pub networks: Vec<Network>,
    pub starts: Vec<String>,
    pub seeds: Vec<u64>,
    /// Several where no weights are trained: then each seed draws its own.
    pub ghns: Vec<GhnUsed>,
    pub dtypes: Vec<String>,
    pub devices: Vec<String>,
    /// Of hyperscope.
    pub versions: Vec<String>,
}

/// The images.
#[derive(Debug, Serialize)]
pub struct Data {
    pub name: String,
    pub spec: String,
    pub classes: usize,
    /// Of the networks' input, in pixels.
    pub side: usize,
    pub shots: Option<usize>,
    /// Whether the last tenth of the training images is kept for validation.
    pub val: bool,
    /// Zero padding of an eighth of the side, a random crop, a horizontal flip where mirrored images
    /// mean the same.
    pub augment: bool,
    #[serde(flatten)]
    pub opened: Option<Opened>,
}

/// What the data set says itself.
#[derive(Debug, Serialize)]
pub struct Opened {
    pub kind: &'static str,
    pub train_images: usize,
    pub val_images: Option<usize>,
    pub test_images: usize,
    /// Per channel: red, green, blue.
    pub mean: [f32; 3],
    pub std: [f32; 3],
}

/// How one network is trained and post-processed.
#[derive(Debug, Serialize)]
pub struct Network {
    pub arch: String,
    /// Whose published recipe it is; for other networks of the family, its numbers are taken over.
    pub recipe: String,
    pub optimizer: String,
    /// Of the first epoch; a cosine takes it to 0, epoch by epoch.
    pub lr: f64,
    pub wd: f64,
    pub momentum: f64,
    pub epochs: u32,
    pub batch: usize,
    /// Largest norm of the gradient.
    pub clip: Option<f64>,
    pub label_smoothing: f64,
    pub eval_every: u32,
    /// None without a start that post-processes.
    pub post: Option<PostUsed>,
}

/// Post-processing of the starts that have it.
#[derive(Debug, Serialize)]
pub struct PostUsed {
    /// Strength of the noise.
    pub beta: f64,
    /// First layer treated, as asked for.
    pub layer: String,
    /// The same by number, of how many, and by name.
    pub number: Option<usize>,
    pub layers: Option<usize>,
    pub path: Option<String>,
}

/// A GHN by what identifies it.
#[derive(Debug, PartialEq, Serialize)]
pub struct GhnUsed {
    pub name: String,
    pub sha256: String,
    pub trained: bool,
}

impl Protocol {
    /// Of requests of one experiment, at least one.
    #[must_use]
    pub fn of(requests: &[&Request]) -> Option<Self> {
        let first = *requests.first()?;
        let every = |value: &dyn Fn(&Request) -> String| {
            distinct(requests.iter().map(|request| value(request)))
        };
        let mut seeds = distinct(requests.iter().map(|r| r.seed));
        seeds.sort_unstable();
        Some(Self {
            data: Data::of(first),
            networks: every(&|r| r.arch.clone())
                .iter()
                .filter_map(|arch| Network::of(requests, arch))
                .collect(),
            starts: every(&|r| r.init.clone()),
            seeds,
            ghns: distinct(requests.iter().filter_map(|r| {
                r.ghn.as_ref().map(|ghn| GhnUsed {
                    name: ghn.name.clone(),
                    sha256: ghn.sha256.clone(),
                    trained: ghn.trained,
                })
            })),
            dtypes: every(&|r| match r.dtype.as_str() {
                "" => "f32".to_owned(),
                dtype => dtype.to_owned(),
            }),
            devices: every(&|r| r.device.clone()),
            versions: every(&|r| match r.hyperscope.as_str() {
                // Of a plan: the version is written down with the run.
                "" => env!("CARGO_PKG_VERSION").to_owned(),
                version => version.to_owned(),
            }),
        })
    }
}

fn distinct<T: PartialEq>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut found = Vec::new();
    for value in values {
        if !found.contains(&value) {
            found.push(value);
        }
    }
    found
}

impl Data {
    fn of(request: &Request) -> Self {
        let data = &request.data;
        Self {
            name: data.name.clone(),
            spec: data.spec.clone(),
            classes: request.classes,
            side: request.side,
            shots: data.shots,
            val: data.val,
            augment: data.augment,
            opened: data::open(&data.spec, &Default::default())
                .ok()
                .and_then(|set| Opened::of(&set, request)),
        }
    }
}

impl Opened {
    fn of(set: &DataSet, request: &Request) -> Option<Self> {
        let protocol = ask::protocol(request);
        let count = |split| set.len(split, &protocol).ok();
        let Normalisation { mean, std } = set.normalisation(request.side);
        Some(Self {
            kind: set.kind,
            train_images: count(Split::Train)?,
            val_images: request.data.val.then(|| count(Split::Val)).flatten(),
            test_images: count(Split::Test)?,
            mean,
            std,
        })
    }
}

impl Network {
    fn of(requests: &[&Request], arch: &str) -> Option<Self> {
        let mut here = requests.iter().filter(|r| r.arch == arch);
        let training = &here.clone().next()?.training;
        let post = here.find_map(|r| PostUsed::of(r));
        Some(Self {
            arch: arch.to_owned(),
            recipe: training.recipe.clone(),
            optimizer: training.optimizer.clone(),
            lr: training.lr,
            wd: training.wd,
            momentum: training.momentum,
            epochs: training.epochs,
            batch: training.batch,
            clip: training.clip,
            label_smoothing: training.label_smoothing,
            eval_every: training.eval_every,
            post,
        })
    }
}

impl PostUsed {
    fn of(request: &Request) -> Option<Self> {
        let post = request.post.as_ref()?;
        let options = Options::for_images(request.classes, request.side);
        let arch = arch::build(&request.arch, &options).ok();
        let first: Option<FirstLayer> = post.layer.parse().ok();
        let number = arch.as_ref().zip(first).and_then(|(a, f)| f.find(a).ok());
        let path = arch.as_ref().zip(number).and_then(|(arch, number)| {
            let module = arch.matrix_modules().nth(number - 1)?;
            Some(module.path.clone())
        });
        Some(Self {
            beta: post.beta,
            layer: post.layer.clone(),
            number,
            layers: arch.map(|arch| arch.matrix_modules().count()),
            path,
        })
    }
}
