//! Where a checkpoint comes from: its public place, a mirror, a folder.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, UNIX_EPOCH};

use super::error::at;
use super::part::Version;
use super::{FetchError, Release, http};

/// Where checkpoints come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Where their authors published them.
    Public,
    /// An address below which the files lie under their published names.
    Mirror(String),
    /// A folder that holds the files under their published names.
    Folder(PathBuf),
}

impl FromStr for Source {
    type Err = FetchError;

    fn from_str(text: &str) -> Result<Self, FetchError> {
        if text.starts_with("http://") || text.starts_with("https://") {
            return Ok(Self::Mirror(text.trim_end_matches('/').to_owned()));
        }
        if text.contains("://") {
            return Err(FetchError::Source {
                given: text.to_owned(),
            });
        }
        Ok(Self::Folder(PathBuf::from(text)))
    }
}

/// A file that is being read from its source.
pub(super) struct Opened {
    pub body: Box<dyn Read>,
    /// The first byte that comes.
    pub start: u64,
    pub version: Version,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Opened");
        out.field("start", &self.start)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl Source {
    /// Begins to read a checkpoint at the byte `start`, or at the first one if the source cannot do that. A server
    /// that is silent for longer than `silence` counts as gone.
    pub(super) fn open(
        &self,
        release: &Release,
        start: u64,
        silence: Duration,
    ) -> Result<Opened, FetchError> {
        match self {
            Self::Public => http::get(&release.url(), start, silence),
            Self::Mirror(base) => http::get(&format!("{base}/{}", release.file()), start, silence),
            Self::Folder(folder) => copy(folder.join(release.file()), start),
        }
    }
}

fn copy(path: PathBuf, start: u64) -> Result<Opened, FetchError> {
    let opening = || at("opening", &path);
    let mut file = File::open(&path).map_err(opening())?;
    let about = file.metadata().map_err(opening())?;
    let changed = about.modified().ok();
    let changed = changed.and_then(|t| t.duration_since(UNIX_EPOCH).ok());
    let start = if start < about.len() { start } else { 0 };
    file.seek(SeekFrom::Start(start)).map_err(opening())?;
    Ok(Opened {
        body: Box::new(file),
        start,
        version: Version {
            from: path.to_string_lossy().into_owned(),
            total: Some(about.len()),
            validator: changed.map(|t| t.as_nanos().to_string()),
            sha256: None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_an_address_or_a_folder() {
        let parsed = |text: &str| text.parse::<Source>();
        let mirror = Source::Mirror("http://127.0.0.1:80/ghn".to_owned());
        assert_eq!(parsed("http://127.0.0.1:80/ghn/").unwrap(), mirror);
        let folder = Source::Folder(PathBuf::from("/mnt/ghn"));
        assert_eq!(parsed("/mnt/ghn").unwrap(), folder);
        assert!(
            parsed("ftp://somewhere")
                .unwrap_err()
                .to_string()
                .contains("http")
        );
    }
}
