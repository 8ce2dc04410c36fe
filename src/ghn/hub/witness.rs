//! Who says which hash a checkpoint should have, and whether they are right.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::digests::Digests;
use super::{Entry, Release};

/// Who says that a file is what it should be; the first of them that speaks names the rest's trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Witness {
    /// The git repository that the file was published in: its id of the file is known to this program.
    Repository,
    /// The user, with a hash from elsewhere.
    Given,
    /// The server that the file came from.
    Announced,
    /// This machine: the file is the same as when it was first fetched.
    Remembered,
    /// Nobody: the hash is seen for the first time.
    Nobody,
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Repository => "the file's id in the git repository that published it",
            Self::Given => "the hash that you gave",
            Self::Announced => "the hash that the server announced",
            Self::Remembered => "the hash that is remembered from the first time",
            Self::Nobody => "nobody yet: the hash is new, and remembered from now on",
        })
    }
}

/// A hash that is not the file's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispute {
    pub witness: Witness,
    pub expected: String,
    pub found: String,
}

/// Asks everybody who knows the file, and returns the strongest of them: `given` by the user, `announced` by the
/// server, `remembered` here. What the user gives counts more than what is remembered.
///
/// # Errors
/// The first who knows the file by another hash.
pub(super) fn hear(
    release: &Release,
    given: Option<&str>,
    announced: Option<&str>,
    remembered: Option<&Entry>,
    found: &Digests,
) -> Result<Witness, Dispute> {
    let remembered = remembered.filter(|_| given.is_none());
    let sha256 = found.sha256.as_str();
    let said = [
        (
            Witness::Repository,
            release.git_blob,
            found.git_blob.as_str(),
        ),
        (Witness::Given, given, sha256),
        (Witness::Announced, announced, sha256),
        (
            Witness::Remembered,
            remembered.map(|e| e.sha256.as_str()),
            sha256,
        ),
    ];
    let mut strongest = Witness::Nobody;
    for (witness, expected, found) in said.into_iter().rev() {
        let Some(expected) = expected else {
            continue;
        };
        if !expected.eq_ignore_ascii_case(found) {
            return Err(Dispute {
                witness,
                expected: expected.to_owned(),
                found: found.to_owned(),
            });
        }
        strongest = witness;
    }
    Ok(strongest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> Digests {
        Digests {
            bytes: 1,
            sha256: "aa".to_owned(),
            git_blob: "bb".to_owned(),
        }
    }

    fn entry(sha256: &str) -> Entry {
        let digests = Digests {
            sha256: sha256.to_owned(),
            ..found()
        };
        Entry::new(&digests, "somewhere", Witness::Nobody)
    }

    #[test]
    fn the_strongest_witness_is_named_and_all_must_agree() {
        let hub = Release::find("ghn3tm8").unwrap();
        let (right, wrong) = (entry("aa"), entry("cc"));
        let hear = |given, announced, remembered| hear(hub, given, announced, remembered, &found());
        assert_eq!(hear(None, None, None), Ok(Witness::Nobody));
        assert_eq!(hear(None, None, Some(&right)), Ok(Witness::Remembered));
        assert_eq!(hear(None, Some("aa"), Some(&right)), Ok(Witness::Announced));
        let dispute = hear(None, Some("aa"), Some(&wrong)).unwrap_err();
        assert_eq!(dispute.witness, Witness::Remembered);
        assert_eq!(hear(Some("AA"), None, Some(&wrong)), Ok(Witness::Given));
        assert_eq!(
            hear(Some("aa"), Some("cc"), None).unwrap_err().witness,
            Witness::Announced
        );
    }

    #[test]
    fn the_repository_knows_its_files_by_their_git_ids() {
        let ppuda = Release::find("ghn2_cifar10").unwrap();
        let dispute = hear(ppuda, None, Some("aa"), None, &found()).unwrap_err();
        assert_eq!(dispute.witness, Witness::Repository);
        let its_own = Digests {
            git_blob: ppuda.git_blob.unwrap().to_owned(),
            ..found()
        };
        assert_eq!(
            hear(ppuda, None, None, None, &its_own),
            Ok(Witness::Repository)
        );
    }
}
