//! The zoo: torchvision's classifiers as builders over [`Arch`], one file per family.

mod blocks;
mod convnext;
mod densenet;
mod efficientnet;
mod mobilenet_v2;
mod mobilenet_v3;
mod resnet;
mod swin;
mod vit;

use super::{Arch, ArchError, Shape};

/// Which stem a network has: the one for photographs, or the protocol's for 32x32 images
/// (convolutions keep the resolution, the first pool is left out).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stem {
    ImageNet,
    Cifar,
}

/// What a zoo network is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Number of classes of the last layer.
    pub classes: usize,
    /// Height and width of the input.
    pub side: usize,
    pub stem: Stem,
    /// Whether GoogLeNet and Inception get the auxiliary classifiers with which torchvision builds
    /// them unless told otherwise.
    pub auxiliary: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            classes: 1000,
            side: 224,
            stem: Stem::ImageNet,
            auxiliary: false,
        }
    }
}

impl Options {
    /// For `classes` classes of `side` by `side` images: 32x32 images take the protocol's stem.
    #[must_use]
    pub const fn for_images(classes: usize, side: usize) -> Self {
        let stem = if side <= 32 {
            Stem::Cifar
        } else {
            Stem::ImageNet
        };
        Self {
            classes,
            side,
            stem,
            auxiliary: false,
        }
    }

    /// Shape of the input: three channels.
    #[must_use]
    pub const fn input(&self) -> Shape {
        Shape::image(3, self.side, self.side)
    }
}

/// A family of networks: one heading in a list.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    pub title: &'static str,
    /// torchvision's names, from small to large.
    pub names: &'static [&'static str],
    build: fn(&str, &Options) -> Result<Arch, ArchError>,
}

/// Every family that can be built.
pub const FAMILIES: &[Family] = &[
    Family {
        title: "ResNet",
        names: resnet::NAMES,
        build: resnet::build,
    },
    Family {
        title: "ConvNeXt",
        names: convnext::NAMES,
        build: convnext::build,
    },
    Family {
        title: "DenseNet",
        names: densenet::NAMES,
        build: densenet::build,
    },
    Family {
        title: "MobileNet v2",
        names: mobilenet_v2::NAMES,
        build: mobilenet_v2::build,
    },
    Family {
        title: "MobileNet v3",
        names: mobilenet_v3::NAMES,
        build: mobilenet_v3::build,
    },
    Family {
        title: "EfficientNet",
        names: efficientnet::NAMES,
        build: efficientnet::build,
    },
    Family {
        title: "ViT",
        names: vit::NAMES,
        build: vit::build,
    },
    Family {
        title: "Swin",
        names: swin::NAMES,
        build: swin::build,
    },
    Family {
        title: "Swin v2",
        names: swin::NAMES_V2,
        build: swin::build,
    },
];

/// Largest class count and image side that are accepted: beyond, a typing error is likelier than a
/// wish, and the memory would not suffice.
pub const MOST_CLASSES: usize = 1_000_000;
pub const LARGEST_SIDE: usize = 4096;

/// Builds the network called `name`.
///
/// # Errors
/// [`ArchError::Unknown`] with the nearest names; [`ArchError::BadOption`] for no class or an
/// absurd size; [`ArchError::BadShape`] if the image is too small for the network.
pub fn build(name: &str, options: &Options) -> Result<Arch, ArchError> {
    let family = FAMILIES
        .iter()
        .find(|f| f.names.contains(&name))
        .ok_or_else(|| ArchError::Unknown {
            name: name.to_owned(),
            suggestions: nearest(name),
        })?;
    check("the number of classes", name, options.classes, MOST_CLASSES)?;
    check("the image size", name, options.side, LARGEST_SIDE)?;
    (family.build)(name, options)
}

/// All names, family by family.
pub fn names() -> impl Iterator<Item = &'static str> {
    FAMILIES.iter().flat_map(|f| f.names.iter().copied())
}

fn check(what: &'static str, arch: &str, got: usize, most: usize) -> Result<(), ArchError> {
    if (1..=most).contains(&got) {
        return Ok(());
    }
    Err(ArchError::BadOption {
        arch: arch.to_owned(),
        what,
        allowed: format!("between 1 and {most}"),
        got,
    })
}

/// Up to three names that a typing error could have turned into `name`.
fn nearest(name: &str) -> Vec<String> {
    let name = name.to_lowercase();
    let mut scored: Vec<(f64, &str)> = names()
        .map(|n| (strsim::jaro_winkler(&name, n), n))
        .filter(|(score, _)| *score > 0.7)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored
        .into_iter()
        .take(3)
        .map(|(_, n)| n.to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parameter counts and GMACs that torchvision publishes with its weights.
    const PUBLISHED: &[(&str, usize, f64)] = &[
        ("resnet18", 11_689_512, 1.814),
        ("resnet34", 21_797_672, 3.664),
        ("resnet50", 25_557_032, 4.089),
        ("resnet101", 44_549_160, 7.801),
        ("resnet152", 60_192_808, 11.514),
        ("resnext50_32x4d", 25_028_904, 4.230),
        ("resnext101_32x8d", 88_791_336, 16.414),
        ("resnext101_64x4d", 83_455_272, 15.460),
        ("wide_resnet50_2", 68_883_240, 11.398),
        ("wide_resnet101_2", 126_886_696, 22.753),
        ("convnext_tiny", 28_589_128, 4.456),
        ("convnext_small", 50_223_688, 8.684),
        ("convnext_base", 88_591_464, 15.355),
        ("convnext_large", 197_767_336, 34.361),
        ("vit_b_16", 86_567_656, 17.564),
        ("vit_b_32", 88_224_232, 4.409),
        ("vit_l_16", 304_326_632, 61.555),
        ("vit_l_32", 306_535_400, 15.378),
        ("vit_h_14", 632_045_800, 167.295),
        ("swin_t", 28_288_354, 4.491),
        ("swin_s", 49_606_258, 8.741),
        ("swin_b", 87_768_224, 15.431),
        ("swin_v2_t", 28_351_570, 5.940),
        ("swin_v2_s", 49_737_442, 11.546),
        ("swin_v2_b", 87_930_848, 20.325),
    ];

    /// The side of the images that the published numbers are for.
    fn published_options(name: &str) -> Options {
        let side = if name.starts_with("swin_v2") {
            256
        } else {
            224
        };
        Options {
            side,
            ..Options::default()
        }
    }

    #[test]
    fn parameters_and_macs_are_the_published_ones() {
        assert_eq!(PUBLISHED.len(), names().count());
        for &(name, params, gmacs) in PUBLISHED {
            let arch = build(name, &published_options(name)).unwrap();
            assert_eq!(arch.parameter_count(), params, "{name}");
            let got = arch.macs() as f64 / 1e9;
            assert!((got - gmacs).abs() < 0.006 * gmacs, "{name}: {got} GMAC");
        }
    }

    #[test]
    fn a_typing_error_gets_the_nearest_names() {
        let Err(ArchError::Unknown { suggestions, .. }) = build("ResNet-50", &Options::default())
        else {
            panic!("ResNet-50 is not a torchvision name");
        };
        assert!(
            suggestions.contains(&"resnet50".to_owned()),
            "{suggestions:?}"
        );
    }

    #[test]
    fn zero_classes_are_refused() {
        let options = Options {
            classes: 0,
            ..Options::default()
        };
        assert!(matches!(
            build("resnet18", &options),
            Err(ArchError::BadOption { .. })
        ));
    }
}
