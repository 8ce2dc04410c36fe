//! A protocol as text.

use super::super::runs::table::{Align, Table};
use super::protocol::{Data, GhnUsed, Network, PostUsed, Protocol};

/// Digits of a GHN's hash that are shown.
const HASH_DIGITS: usize = 12;

/// A name and what stands behind it; rows after the first of a name have none.
type Row = (String, String);

/// The protocol's lines.
#[must_use]
pub fn lines(protocol: &Protocol) -> Vec<String> {
    let mut rows = data(&protocol.data);
    for network in &protocol.networks {
        rows.extend(under(&network.arch, training(network)));
    }
    rows.push(row("starts", protocol.starts.join(", ")));
    rows.extend(under("GHN", ghns(&protocol.ghns)));
    let seeds: Vec<String> = protocol.seeds.iter().map(u64::to_string).collect();
    rows.push(row("seeds", seeds.join(", ")));
    rows.push(row("device", protocol.devices.join(", ")));
    rows.push(row("precision", protocol.dtypes.join(", ")));
    rows.push(row("hyperscope", protocol.versions.join(", ")));
    let mut table = Table::new(&[("protocol", Align::Left), ("", Align::Left)]);
    for (name, text) in &rows {
        table.row(&[name, text]);
    }
    table.lines()
}

fn row(name: &str, text: impl Into<String>) -> Row {
    (name.to_owned(), text.into())
}

/// Several lines under one name.
fn under(name: &str, texts: Vec<String>) -> Vec<Row> {
    let names = std::iter::once(name).chain(std::iter::repeat(""));
    names
        .zip(texts)
        .map(|(name, text)| row(name, text))
        .collect()
}

fn data(data: &Data) -> Vec<Row> {
    let classes = data.classes;
    let mut rows = vec![
        row("data", format!("{}, {classes} classes", data.name)),
        row("", data.spec.clone()),
    ];
    if let Some(opened) = &data.opened {
        let val = opened.val_images.map(|n| format!(", {n} to validate"));
        let counts = format!(
            "{} to train on{}, {} to test",
            opened.train_images,
            val.unwrap_or_default(),
            opened.test_images
        );
        rows.push(row("images", opened.kind));
        rows.push(row("", counts));
    }
    let trained = match data.shots {
        Some(shots) => format!("the first {shots} of each class, in the data's order"),
        None => "all".to_owned(),
    };
    rows.push(row("training", trained));
    let (val, test) = if data.val {
        (
            "the last tenth of the training images, kept apart",
            "once, after the last epoch",
        )
    } else {
        ("none", "at each evaluation")
    };
    rows.push(row("validation", val));
    rows.push(row("test", test));
    let augmentation = if data.augment {
        "padding by an eighth, random crop, random flip (not of digits)"
    } else {
        "none"
    };
    rows.push(row("augmentation", augmentation));
    rows.push(row("input", format!("{0} x {0} pixels", data.side)));
    if let Some(opened) = &data.opened {
        let normalised = format!("less {:.4?}, over {:.4?}", opened.mean, opened.std);
        rows.push(row("", normalised));
    }
    rows
}

fn training(network: &Network) -> Vec<String> {
    let momentum = if network.momentum > 0.0 {
        format!(" momentum {}", network.momentum)
    } else {
        String::new()
    };
    let clip = network.clip.map(|c| format!(", gradients clipped at {c}"));
    let every = match network.eval_every {
        0 | 1 => "each epoch".to_owned(),
        n => format!("every {n} epochs"),
    };
    let own = if network.recipe == network.arch {
        "its own"
    } else {
        "made for that network"
    };
    let mut lines = vec![
        format!("recipe of {}, {own}", network.recipe),
        format!(
            "{}{momentum}, lr {}, weight decay {}, batch {}",
            network.optimizer, network.lr, network.wd, network.batch
        ),
        format!(
            "{} epochs, cosine to 0 by epochs{}",
            network.epochs,
            clip.unwrap_or_default()
        ),
        format!(
            "label smoothing {}, evaluated {every}",
            network.label_smoothing
        ),
    ];
    lines.extend(network.post.iter().flat_map(post_processing));
    lines
}

fn post_processing(post: &PostUsed) -> [String; 2] {
    let layer = match (post.number, post.layers, &post.path) {
        (Some(number), Some(layers), Some(path)) => format!("{number} of {layers}, {path}"),
        _ => post.layer.clone(),
    };
    [
        format!("noise: beta {:e}; orth: QR after it", post.beta),
        format!("both from layer {layer}, to the last but one"),
    ]
}

/// A GHN that is trained by its hash; those of which each seed draws its own in one line.
fn ghns(used: &[GhnUsed]) -> Vec<String> {
    let hash = |ghn: &GhnUsed| ghn.sha256.chars().take(HASH_DIGITS).collect::<String>();
    let (trained, drawn): (Vec<_>, Vec<_>) = used.iter().partition(|ghn| ghn.trained);
    let mut lines: Vec<String> = trained
        .into_iter()
        .map(|ghn| format!("{}, trained, sha256 {}", ghn.name, hash(ghn)))
        .collect();
    if let Some(first) = drawn.first() {
        let more = match drawn.len() - 1 {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        lines.push(format!(
            "{}: not trained, each seed draws its weights, sha256 {}{more}",
            first.name,
            hash(first)
        ));
    }
    lines
}
