//! The zoo: torchvision's classifiers as builders over [`Arch`], one file per family.

mod alexnet;
pub(super) mod blocks;
mod convnext;
mod densenet;
mod efficientnet;
mod googlenet;
mod inception;
mod maxvit;
mod mnasnet;
mod mobilenet_v2;
mod mobilenet_v3;
mod regnet;
mod resnet;
mod shufflenet_v2;
mod squeezenet;
mod swin;
mod vgg;
mod vit;

use super::{Arch, ArchError, Shape, alike};

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
    /// them unless told otherwise, and networks of DeepNets-1M the one that cells are trained with.
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

/// Every family that can be built: residual networks and their kin, small ones, those with attention,
/// the early ones.
pub const FAMILIES: &[Family] = &[
    Family {
        title: "ResNet",
        names: resnet::NAMES,
        build: resnet::build,
    },
    Family {
        title: "RegNet",
        names: regnet::NAMES,
        build: regnet::build,
    },
    Family {
        title: "DenseNet",
        names: densenet::NAMES,
        build: densenet::build,
    },
    Family {
        title: "ConvNeXt",
        names: convnext::NAMES,
        build: convnext::build,
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
        title: "MNASNet",
        names: mnasnet::NAMES,
        build: mnasnet::build,
    },
    Family {
        title: "ShuffleNet v2",
        names: shufflenet_v2::NAMES,
        build: shufflenet_v2::build,
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
    Family {
        title: "MaxViT",
        names: maxvit::NAMES,
        build: maxvit::build,
    },
    Family {
        title: "AlexNet",
        names: alexnet::NAMES,
        build: alexnet::build,
    },
    Family {
        title: "VGG",
        names: vgg::NAMES,
        build: vgg::build,
    },
    Family {
        title: "SqueezeNet",
        names: squeezenet::NAMES,
        build: squeezenet::build,
    },
    Family {
        title: "GoogLeNet",
        names: googlenet::NAMES,
        build: googlenet::build,
    },
    Family {
        title: "Inception v3",
        names: inception::NAMES,
        build: inception::build,
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

pub(super) fn check(
    what: &'static str,
    arch: &str,
    got: usize,
    most: usize,
) -> Result<(), ArchError> {
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

/// Names that a typing error could have turned into `name`.
fn nearest(name: &str) -> Vec<String> {
    alike(&name.to_lowercase(), names())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What torchvision publishes with its weights, where there are several with those for the smallest
    /// images: their side, the number of parameters, and GMACs.
    const PUBLISHED: &[(&str, usize, usize, f64)] = &[
        ("resnet18", 224, 11_689_512, 1.814),
        ("resnet34", 224, 21_797_672, 3.664),
        ("resnet50", 224, 25_557_032, 4.089),
        ("resnet101", 224, 44_549_160, 7.801),
        ("resnet152", 224, 60_192_808, 11.514),
        ("resnext50_32x4d", 224, 25_028_904, 4.230),
        ("resnext101_32x8d", 224, 88_791_336, 16.414),
        ("resnext101_64x4d", 224, 83_455_272, 15.460),
        ("wide_resnet50_2", 224, 68_883_240, 11.398),
        ("wide_resnet101_2", 224, 126_886_696, 22.753),
        ("regnet_x_400mf", 224, 5_495_976, 0.414),
        ("regnet_x_800mf", 224, 7_259_656, 0.800),
        ("regnet_x_1_6gf", 224, 9_190_136, 1.603),
        ("regnet_x_3_2gf", 224, 15_296_552, 3.177),
        ("regnet_x_8gf", 224, 39_572_648, 7.995),
        ("regnet_x_16gf", 224, 54_278_536, 15.941),
        ("regnet_x_32gf", 224, 107_811_560, 31.736),
        ("regnet_y_400mf", 224, 4_344_144, 0.402),
        ("regnet_y_800mf", 224, 6_432_512, 0.834),
        ("regnet_y_1_6gf", 224, 11_202_430, 1.612),
        ("regnet_y_3_2gf", 224, 19_436_338, 3.176),
        ("regnet_y_8gf", 224, 39_381_472, 8.473),
        ("regnet_y_16gf", 224, 83_590_140, 15.912),
        ("regnet_y_32gf", 224, 145_046_770, 32.280),
        ("regnet_y_128gf", 224, 644_812_894, 127.518),
        ("densenet121", 224, 7_978_856, 2.834),
        ("densenet169", 224, 14_149_480, 3.360),
        ("densenet201", 224, 20_013_928, 4.291),
        ("densenet161", 224, 28_681_000, 7.728),
        ("convnext_tiny", 224, 28_589_128, 4.456),
        ("convnext_small", 224, 50_223_688, 8.684),
        ("convnext_base", 224, 88_591_464, 15.355),
        ("convnext_large", 224, 197_767_336, 34.361),
        ("mobilenet_v2", 224, 3_504_872, 0.301),
        ("mobilenet_v3_small", 224, 2_542_856, 0.057),
        ("mobilenet_v3_large", 224, 5_483_032, 0.217),
        ("mnasnet0_5", 224, 2_218_512, 0.104),
        ("mnasnet0_75", 224, 3_170_208, 0.215),
        ("mnasnet1_0", 224, 4_383_312, 0.314),
        ("mnasnet1_3", 224, 6_282_256, 0.526),
        ("shufflenet_v2_x0_5", 224, 1_366_792, 0.040),
        ("shufflenet_v2_x1_0", 224, 2_278_604, 0.145),
        ("shufflenet_v2_x1_5", 224, 3_503_624, 0.296),
        ("shufflenet_v2_x2_0", 224, 7_393_996, 0.583),
        ("efficientnet_b0", 224, 5_288_548, 0.386),
        ("efficientnet_b1", 240, 7_794_184, 0.687),
        ("efficientnet_b2", 288, 9_109_994, 1.088),
        ("efficientnet_b3", 300, 12_233_232, 1.827),
        ("efficientnet_b4", 380, 19_341_616, 4.394),
        ("efficientnet_b5", 456, 30_389_784, 10.266),
        ("efficientnet_b6", 528, 43_040_704, 19.068),
        ("efficientnet_b7", 600, 66_347_960, 37.746),
        ("efficientnet_v2_s", 384, 21_458_488, 8.366),
        ("efficientnet_v2_m", 480, 54_139_356, 24.582),
        ("efficientnet_v2_l", 480, 118_515_272, 56.080),
        ("vit_b_16", 224, 86_567_656, 17.564),
        ("vit_b_32", 224, 88_224_232, 4.409),
        ("vit_l_16", 224, 304_326_632, 61.555),
        ("vit_l_32", 224, 306_535_400, 15.378),
        ("vit_h_14", 224, 632_045_800, 167.295),
        ("swin_t", 224, 28_288_354, 4.491),
        ("swin_s", 224, 49_606_258, 8.741),
        ("swin_b", 224, 87_768_224, 15.431),
        ("swin_v2_t", 256, 28_351_570, 5.940),
        ("swin_v2_s", 256, 49_737_442, 11.546),
        ("swin_v2_b", 256, 87_930_848, 20.325),
        ("maxvit_t", 224, 30_919_624, 5.558),
        ("alexnet", 224, 61_100_840, 0.714),
        ("vgg11", 224, 132_863_336, 7.609),
        ("vgg11_bn", 224, 132_868_840, 7.609),
        ("vgg13", 224, 133_047_848, 11.308),
        ("vgg13_bn", 224, 133_053_736, 11.308),
        ("vgg16", 224, 138_357_544, 15.470),
        ("vgg16_bn", 224, 138_365_992, 15.470),
        ("vgg19", 224, 143_667_240, 19.632),
        ("vgg19_bn", 224, 143_678_248, 19.632),
        ("squeezenet1_0", 224, 1_248_424, 0.819),
        ("squeezenet1_1", 224, 1_235_496, 0.349),
        ("googlenet", 224, 6_624_904, 1.498),
        ("inception_v3", 299, 27_161_264, 5.713),
    ];

    /// GoogLeNet's weights come without auxiliary classifiers, those of Inception with them; they take
    /// no part in inference.
    #[test]
    fn parameters_and_macs_are_the_published_ones() {
        assert!(names().eq(PUBLISHED.iter().map(|p| p.0)));
        for &(name, side, params, gmacs) in PUBLISHED {
            let mut options = Options {
                side,
                ..Options::default()
            };
            let got = build(name, &options).unwrap().macs() as f64 / 1e9;
            assert!(
                (got - gmacs).abs() < 0.006 * gmacs + 5e-4,
                "{name}: {got} GMAC"
            );
            options.auxiliary = name == "inception_v3";
            let arch = build(name, &options).unwrap();
            assert_eq!(arch.parameter_count(), params, "{name}");
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
