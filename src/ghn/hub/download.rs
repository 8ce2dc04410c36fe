//! The loop that completes a part: it goes on where it stands, as often as it is worth it.

use std::io::{ErrorKind, Read as _};

use super::part::{Part, Version};
use super::source::Opened;
use super::{Fetch, FetchError, Progress, Release, Size, room};

const READ_AT_ONCE_BYTES: usize = 1 << 18;

/// The longest wait is the first one doubled this often.
const MOST_DOUBLINGS: u32 = 5;

/// HTTP: there is nothing from that byte on.
const RANGE_NOT_SATISFIABLE: u16 = 416;

/// Completes `part`, and says what it is now the whole of.
pub(super) fn run(
    release: &'static Release,
    how: &Fetch,
    part: &mut Part,
    on: &mut dyn FnMut(Progress<'_>),
) -> Result<Version, FetchError> {
    let mut answered = false;
    let mut in_vain = 0;
    loop {
        let before = part.len();
        let why = match attempt(release, how, part, &mut answered, on) {
            Err(why) if why.may_pass(answered) => why,
            done => return done,
        };
        in_vain = if part.len() > before { 0 } else { in_vain + 1 };
        if in_vain >= how.attempts {
            return Err(why);
        }
        let wait = how.wait * 2_u32.pow(in_vain.min(MOST_DOUBLINGS));
        on(Progress::Broken { why: &why, wait });
        std::thread::sleep(wait);
    }
}

fn attempt(
    release: &'static Release,
    how: &Fetch,
    part: &mut Part,
    answered: &mut bool,
    on: &mut dyn FnMut(Progress<'_>),
) -> Result<Version, FetchError> {
    if let Some(version) = part.version().filter(|v| v.total == Some(part.len())) {
        // All of it had come when it was interrupted.
        return Ok(version.clone());
    }
    let mut opened = open(release, how, part, on)?;
    *answered = true;
    let version = opened.version.clone();
    check_size(release, version.total, &version.from)?;
    let needed = version.total.map(|t| t.saturating_sub(part.len()));
    room::check(part.path(), needed.unwrap_or(0))?;
    on(Progress::Begun {
        from: &version.from,
        have: part.len(),
        total: version.total,
    });
    copy(release, &mut opened, part, on)?;
    check_size(release, Some(part.len()), &version.from)?;
    Ok(version)
}

/// Begins to read at the first byte that is missing. A part of another version is dropped.
fn open(
    release: &Release,
    how: &Fetch,
    part: &mut Part,
    on: &mut dyn FnMut(Progress<'_>),
) -> Result<Opened, FetchError> {
    let from_start = |part: &mut Part| {
        let opened = how.from.open(release, 0, how.silence)?;
        part.begin(&opened.version)?;
        Ok(opened)
    };
    let have = part.len();
    if have == 0 {
        return from_start(part);
    }
    let opened = match how.from.open(release, have, how.silence) {
        Err(FetchError::Answer { status, .. }) if status == RANGE_NOT_SATISFIABLE => None,
        opened => Some(opened?),
    };
    let is_same = |o: &Opened| part.version().is_some_and(|v| v.is(&o.version));
    match opened {
        Some(opened) if opened.start == have && is_same(&opened) => Ok(opened),
        other => {
            on(Progress::Dropped { bytes: have });
            match other {
                Some(opened) if opened.start == 0 => {
                    part.begin(&opened.version)?;
                    Ok(opened)
                }
                _ => from_start(part),
            }
        }
    }
}

fn copy(
    release: &'static Release,
    opened: &mut Opened,
    part: &mut Part,
    on: &mut dyn FnMut(Progress<'_>),
) -> Result<(), FetchError> {
    let Version { from, total, .. } = &opened.version;
    let is_known = opened.version.is(&opened.version);
    let limit = total.unwrap_or_else(|| release.size.limit());
    let broken = |part: &Part, reason: String| FetchError::Broken {
        from: from.clone(),
        have: part.len(),
        total: *total,
        is_known,
        reason,
    };
    let mut piece = vec![0; READ_AT_ONCE_BYTES];
    loop {
        let n = match opened.body.read(&mut piece) {
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            read => read.map_err(|e| broken(part, e.to_string()))?,
        };
        if n == 0 {
            break;
        }
        if part.len() + n as u64 > limit {
            // What follows is nobody's part, whatever it is.
            part.clear()?;
            return Err(FetchError::TooLong {
                from: from.clone(),
                limit,
            });
        }
        part.append(&piece[..n], *total)?;
        on(Progress::Received { have: part.len() });
    }
    match total {
        Some(total) if part.len() < *total => Err(broken(part, "it ended too early".to_owned())),
        _ => Ok(()),
    }
}

fn check_size(release: &'static Release, found: Option<u64>, from: &str) -> Result<(), FetchError> {
    let Some(found) = found else {
        return Ok(());
    };
    let fits = match release.size {
        Size::Exactly(bytes) => found == bytes,
        Size::About(_) => found <= release.size.limit(),
    };
    if fits {
        return Ok(());
    }
    Err(FetchError::WrongSize {
        name: release.name,
        from: from.to_owned(),
        expected: release.size,
        found,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_an_end_is_cut_off_and_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let release = Release::find("mlp_cifar10").unwrap();
        let mut part = Part::open(&folder.path().join("mlp_cifar10.pt")).unwrap();
        let version = Version::default();
        part.begin(&version).unwrap();
        let mut endless = Opened {
            body: Box::new(std::io::repeat(7)),
            start: 0,
            version,
        };
        let mut most = 0;
        let error = copy(release, &mut endless, &mut part, &mut |progress| {
            if let Progress::Received { have } = progress {
                most = have;
            }
        });
        assert!(matches!(error, Err(FetchError::TooLong { .. })));
        assert!(most <= release.size.limit());
        assert_eq!(part.len(), 0);
    }
}
