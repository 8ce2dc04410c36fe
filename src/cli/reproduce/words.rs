//! A protocol as text.

use super::super::runs::table::{Align, Table};
use super::protocol::{Data, GhnUsed, Network, PostUsed, Protocol};

/// Digits of a GHN's hash that are shown.
const HASH_DIGITS: usize = 12;

/// The protocol's lines.
#[must_use]
pub fn lines(protocol: &Protocol) -> Vec<String> {
    let mut table = Table::new(&[("protocol", Align::Left), ("", Align::Left)]);
    let mut row = |name: &str, text: String| table.row(&[name, &text]);
    for text in data(&protocol.data) {
        row(text.0, text.1);
    }
    for network in &protocol.networks {
        row(&network.arch, training(network));
        row("", recipe(network));
        if let Some(post) = &network.post {
            row("", post_processing(post));
        }
    }
    row("starts", protocol.starts.join(", "));
    for ghn in ghns(&protocol.ghns) {
        row("GHN", ghn);
    }
    let seeds: Vec<String> = protocol.seeds.iter().map(u64::to_string).collect();
    row("seeds", seeds.join(", "));
    row("device", protocol.devices.join(", "));
    row("precision", protocol.dtypes.join(", "));
    row("hyperscope", protocol.versions.join(", "));
    table.lines()
}

fn data(data: &Data) -> Vec<(&'static str, String)> {
    let images = match data.shots {
        Some(shots) => format!("the first {shots} images of each class, in the data's order"),
        None => "all images".to_owned(),
    };
    let kept = if data.val {
        "the last tenth of the training images is kept for validation; test images once, after the last epoch"
    } else {
        "without validation images; the test images are used at each evaluation"
    };
    let mut rows = vec![(
        "data",
        format!("{}: {}, {} classes", data.name, data.spec, data.classes),
    )];
    if let Some(opened) = &data.opened {
        let val = opened.val_images.map(|n| format!(", {n} for validation"));
        rows.push((
            "images",
            format!(
                "{}: {} to train on{}, {} to test",
                opened.kind,
                opened.train_images,
                val.unwrap_or_default(),
                opened.test_images
            ),
        ));
    }
    rows.push(("shots", images));
    rows.push(("", kept.to_owned()));
    let side = data.side;
    let augmentation = if data.augment {
        "to train: padded by an eighth, random crop, random flip (not of digits)"
    } else {
        "no augmentation"
    };
    rows.push(("input", format!("{side} x {side} pixels; {augmentation}")));
    if let Some(opened) = &data.opened {
        rows.push((
            "",
            format!(
                "less mean {:.4?}, by deviation {:.4?}",
                opened.mean, opened.std
            ),
        ));
    }
    rows
}

fn training(network: &Network) -> String {
    let momentum = if network.momentum > 0.0 {
        format!(" momentum {}", network.momentum)
    } else {
        String::new()
    };
    let clip = network.clip.map(|c| format!(", gradients clipped at {c}"));
    format!(
        "{}{momentum}, lr {}, weight decay {}, batch {}, {} epochs{}",
        network.optimizer,
        network.lr,
        network.wd,
        network.batch,
        network.epochs,
        clip.unwrap_or_default(),
    )
}

/// Whose numbers they are, and what is the same for all networks.
fn recipe(network: &Network) -> String {
    let made_for = if network.recipe == network.arch {
        ""
    } else {
        ", made for that network"
    };
    let every = match network.eval_every {
        0 | 1 => "each epoch".to_owned(),
        n => format!("every {n} epochs"),
    };
    format!(
        "recipe of {}{made_for}; cosine to 0, epoch by epoch; label smoothing {}; evaluated {every}",
        network.recipe, network.label_smoothing
    )
}

fn post_processing(post: &PostUsed) -> String {
    let layer = match (post.number, post.layers, &post.path) {
        (Some(number), Some(layers), Some(path)) => format!("{number} of {layers} ({path})"),
        _ => post.layer.clone(),
    };
    format!(
        "post-processed from layer {layer} to the last but one: noise of beta {:e}, QR for orth",
        post.beta
    )
}

fn ghns(used: &[GhnUsed]) -> Vec<String> {
    let hash = |ghn: &GhnUsed| ghn.sha256.chars().take(HASH_DIGITS).collect::<String>();
    if let [first, others @ ..] = used
        && !others.is_empty()
        && used.iter().all(|ghn| !ghn.trained)
    {
        return vec![format!(
            "{}, untrained: each seed draws its weights (sha256 {} and {} more)",
            first.name,
            hash(first),
            others.len()
        )];
    }
    let one = |ghn: &GhnUsed| {
        let trained = if ghn.trained { "trained" } else { "untrained" };
        format!("{}, {trained}, sha256 {}", ghn.name, hash(ghn))
    };
    used.iter().map(one).collect()
}
