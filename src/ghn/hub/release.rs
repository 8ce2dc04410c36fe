//! The checkpoints that their authors published, and where they lie.

/// A checkpoint that can be fetched.
#[derive(Debug, PartialEq, Eq)]
pub struct Release {
    /// The published file's name without its extension; what `ghn fetch` and, later, `--ghn` take.
    pub name: &'static str,
    /// What it is, in a few words.
    pub what: &'static str,
    pub size: Size,
    place: Place,
    /// The id of the file in its git repository: SHA-1 of `blob LENGTH`, a zero byte and the content, in
    /// hexadecimal.
    pub git_blob: Option<&'static str>,
}

/// What is known of a file's size, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// As the file's page says.
    Exactly(u64),
    /// Four bytes for each weight of such a GHN.
    About(u64),
}

impl Size {
    #[must_use]
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Exactly(bytes) | Self::About(bytes) => bytes,
        }
    }

    /// Most bytes that the file can have: a checkpoint may hold an optimiser's two moments beside each weight.
    pub(super) const fn limit(self) -> u64 {
        match self {
            Self::Exactly(bytes) => bytes,
            Self::About(bytes) => 4 * bytes,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The GHN-3 authors' repository on the Hugging Face hub.
    HuggingFace,
    /// The GHN-2 authors' repository on GitHub.
    Ppuda,
}

impl Place {
    const fn page(self) -> &'static str {
        match self {
            Self::HuggingFace => "huggingface.co/SamsungSAILMontreal/ghn3",
            Self::Ppuda => "github.com/facebookresearch/ppuda",
        }
    }

    const fn folder(self) -> &'static str {
        match self {
            Self::HuggingFace => "https://huggingface.co/SamsungSAILMontreal/ghn3/resolve/main",
            // One commit, so that the file can never become another one.
            Self::Ppuda => {
                "https://raw.githubusercontent.com/facebookresearch/ppuda/4673a42507a9dcd0a5ae04e74599e8c92af689b9/checkpoints"
            }
        }
    }
}

/// All of them. Sizes: those of `ghn3sm8` and `ghn3lm8` are given by their pages, the others follow from the number
/// of weights. `ghn2` is not in that repository's README; its code calls it the GHN-2 of the published norms.
pub const RELEASES: &[Release] = &[
    hub("ghn3tm8", "GHN-3-T, ImageNet", Size::About(27_700_000)),
    hub("ghn3sm8", "GHN-3-S, ImageNet", Size::Exactly(143_269_744)),
    hub("ghn3lm8", "GHN-3-L, ImageNet", Size::Exactly(858_730_839)),
    hub(
        "ghn3xlm16",
        "GHN-3-XL, ImageNet",
        Size::About(2_617_600_000),
    ),
    hub("ghn2", "GHN-2, ImageNet", Size::About(9_300_000)),
    ppuda(
        "ghn2_imagenet",
        "GHN-2, ImageNet",
        9_300_000,
        "7b5d6733e9fdf0069bc6186cad3a0b1b54fda68d",
    ),
    ppuda(
        "ghn2_cifar10",
        "GHN-2, CIFAR-10",
        6_500_000,
        "4f290e0fad1b73066eeabb50be52e0c377d0b15b",
    ),
    ppuda(
        "ghn1_imagenet",
        "GHN-1, ImageNet",
        9_300_000,
        "985ebeb350c4ae79e0553d88c07d986fa69c227b",
    ),
    ppuda(
        "ghn1_cifar10",
        "GHN-1, CIFAR-10",
        6_500_000,
        "0c97a283aefc0445dd357c08f1b36698149b8013",
    ),
    ppuda(
        "mlp_cifar10",
        "MLP, CIFAR-10",
        6_500_000,
        "3a987c98b437fd2dfc603668a846f2b632ed28a3",
    ),
];

const fn hub(name: &'static str, what: &'static str, size: Size) -> Release {
    Release {
        name,
        what,
        size,
        place: Place::HuggingFace,
        git_blob: None,
    }
}

const fn ppuda(
    name: &'static str,
    what: &'static str,
    about_bytes: u64,
    git_blob: &'static str,
) -> Release {
    Release {
        name,
        what,
        size: Size::About(about_bytes),
        place: Place::Ppuda,
        git_blob: Some(git_blob),
    }
}

impl Release {
    /// The one that `name` means: with or without extension, with hyphens or underscores.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        let stem = name.strip_suffix(".pt").unwrap_or(name);
        let plain = stem.to_lowercase().replace('-', "_");
        RELEASES.iter().find(|p| p.name == plain)
    }

    /// Its file's name, there and here.
    #[must_use]
    pub fn file(&self) -> String {
        format!("{}.pt", self.name)
    }

    /// The page of the repository that published it, without `https://`.
    #[must_use]
    pub const fn page(&self) -> &'static str {
        self.place.page()
    }

    /// The address of its file.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/{}", self.place.folder(), self.file())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_however_it_is_written() {
        let ghn2 = Release::find("ghn2-imagenet").unwrap();
        assert_eq!(ghn2.name, "ghn2_imagenet");
        assert_eq!(Release::find("GHN2_ImageNet.pt"), Some(ghn2));
        assert_eq!(Release::find("ghn4"), None);
    }

    #[test]
    fn names_and_ids_are_all_different() {
        let mut names: Vec<_> = RELEASES.iter().map(|p| p.name).collect();
        let mut ids: Vec<_> = RELEASES.iter().filter_map(|p| p.git_blob).collect();
        let (named, identified) = (names.len(), ids.len());
        names.sort_unstable();
        names.dedup();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!((names.len(), ids.len()), (named, identified));
        assert!(ids.iter().all(|id| id.len() == 40));
    }
}
