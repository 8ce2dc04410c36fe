//! `hyperscope ghn fetch` from a web server on the loopback: what arrives, what goes on where it stopped, what is
//! refused; nothing half-written ever lies under a checkpoint's name.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

#[path = "fetch/server.rs"]
mod server;

use server::{Reply, Server};

/// Proxies of the machine are for addresses elsewhere.
const PROXIES: &[&str] = &[
    "ALL_PROXY",
    "all_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
];

struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder for the test"))
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("HYPERSCOPE_HOME", self.0.path());
        for proxy in PROXIES {
            command.env_remove(proxy);
        }
        command
    }

    fn hyperscope(&self, arguments: &[&str]) -> Output {
        self.command(env!("CARGO_BIN_EXE_hyperscope"))
            .args(arguments)
            .output()
            .expect("the program starts")
    }

    /// The `--json` answer of a command that must succeed.
    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.hyperscope(&[arguments, &["--json"]].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        assert_eq!(said, "", "nothing but JSON");
        serde_json::from_slice(&output.stdout).expect("one JSON document")
    }

    /// What a command that must succeed says on standard error.
    fn said(&self, arguments: &[&str]) -> String {
        let output = self.hyperscope(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
        said
    }

    /// The message of a command that must fail.
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.hyperscope(arguments);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {message}");
        message
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join("cache/ghn").join(name)
    }

    /// Bytes that are here of an unfinished `ghn3tm8`.
    fn part(&self) -> Option<u64> {
        let part = fs::metadata(self.path("ghn3tm8.pt.part"));
        part.ok().map(|m| m.len())
    }
}

/// A small GHN's checkpoint.
fn checkpoint() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ghn/weights");
    fs::read(path.join("ghn2_tiny.safetensors")).expect("the fixture")
}

/// The same with one bit turned.
fn forged() -> Vec<u8> {
    let mut bytes = checkpoint();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    bytes
}

fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|b| format!("{b:02x}")).collect()
}

fn fetch<'a>(server: &'a Server, more: &[&'a str]) -> Vec<&'a str> {
    [
        &["ghn", "fetch", "ghn3tm8", "--from", &server.address],
        more,
    ]
    .concat()
}

#[test]
fn what_is_fetched_is_used_by_its_name_and_its_hash_is_remembered() {
    let (home, content) = (Home::new(), checkpoint());
    let message = home.refused(&["ghn", "show", "ghn3tm8"]);
    assert!(message.contains("ghn fetch ghn3tm8"), "{message}");
    let server = Server::start(&content, "1", &[Reply::File]);
    let fetched = home.json(&fetch(&server, &[]));
    assert_eq!(fetched["sha256"], sha256(&content).as_str());
    assert_eq!(
        (&fetched["witness"], &fetched["already"]),
        (&"nobody".into(), &false.into())
    );
    assert_eq!(fetched["bytes"], content.len());
    assert_eq!(fs::read(home.path("ghn3tm8.pt")).unwrap(), content);
    assert_eq!(home.part(), None);
    let again = home.json(&fetch(&server, &[]));
    assert_eq!(
        (&again["witness"], &again["already"]),
        (&"remembered".into(), &true.into())
    );
    assert_eq!(
        again["from"],
        format!("{}/ghn3tm8.pt", server.address).as_str()
    );
    assert_eq!(
        server.requests().len(),
        1,
        "what is here is not fetched again"
    );
    assert_eq!(home.json(&["ghn", "show", "ghn3tm8"])["kind"], "GHN-2");
    let list = home.json(&["ghn", "list", "--published"]);
    let row = list
        .as_array()
        .unwrap()
        .iter()
        .find(|r| r["name"] == "ghn3tm8")
        .unwrap();
    assert_eq!(
        (&row["bytes"], &row["exact"]),
        (&content.len().into(), &true.into())
    );
    assert_eq!(row["sha256"], fetched["sha256"]);
}

#[test]
fn a_dropped_connection_is_taken_up_where_it_broke() {
    let (home, content) = (Home::new(), checkpoint());
    let server = Server::start(
        &content,
        "1",
        &[Reply::Cut(1000), Reply::Cut(500), Reply::File],
    );
    let said = home.said(&fetch(&server, &[]));
    assert_eq!(server.starts(), [None, Some(1000), Some(1500)]);
    assert!(said.contains("broke off at 1000 of"), "{said}");
    assert_eq!(fs::read(home.path("ghn3tm8.pt")).unwrap(), content);
}

#[test]
fn a_fetch_that_failed_goes_on_with_the_next_call() {
    let (home, content) = (Home::new(), checkpoint());
    let server = Server::start(&content, "1", &[Reply::Cut(1000), Reply::Status(503)]);
    let message = home.refused(&fetch(&server, &["--attempts", "1"]));
    assert!(
        message.contains("503") && message.contains("try again later"),
        "{message}"
    );
    assert_eq!(home.part(), Some(1000));
    assert!(!home.path("ghn3tm8.pt").exists());
    // The same file may come from elsewhere only if a hash says that it is the same.
    let other = Server::start(&content, "1", &[Reply::File]);
    let said = home.said(&fetch(&other, &[]));
    assert!(said.contains("beginning anew"), "{said}");
    assert_eq!(other.starts(), [Some(1000), None]);
    assert_eq!(fs::read(home.path("ghn3tm8.pt")).unwrap(), content);
}

#[test]
fn an_interrupted_fetch_goes_on_with_the_next_call_and_says_so() {
    let (home, content) = (Home::new(), checkpoint());
    let server = Server::start(&content, "1", &[Reply::Stall(2000), Reply::File]);
    let mut child = home
        .command(env!("CARGO_BIN_EXE_hyperscope"))
        .args(fetch(&server, &[]))
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    while home.part() != Some(2000) {
        assert!(
            child.try_wait().unwrap().is_none(),
            "it must wait for the rest"
        );
        thread::sleep(Duration::from_millis(5));
    }
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::INT).expect("a signal is sent");
    assert!(!child.wait().unwrap().success());
    assert_eq!(home.part(), Some(2000));
    let output = home.hyperscope(&fetch(&server, &[]));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("going on after 2.0 kB"), "{said}");
    assert_eq!(server.starts(), [None, Some(2000)]);
    assert_eq!(fs::read(home.path("ghn3tm8.pt")).unwrap(), content);
}

#[test]
fn a_part_of_another_version_or_of_a_server_without_ranges_is_dropped() {
    for (tag, replies, starts) in [
        ("2", vec![Reply::File], vec![Some(1000), None]),
        ("1", vec![Reply::Whole], vec![Some(1000)]),
    ] {
        let (home, content) = (Home::new(), checkpoint());
        let first = Server::start(&forged(), "1", &[Reply::Cut(1000), Reply::Status(404)]);
        home.refused(&fetch(&first, &[]));
        // The part was of this server's file; only what is known of it changes.
        let second = Server::start(&content, tag, &replies);
        let about = home.path("ghn3tm8.pt.part.json");
        let known = fs::read_to_string(&about).unwrap();
        fs::write(&about, known.replace(&first.address, &second.address)).unwrap();
        let said = home.said(&fetch(&second, &[]));
        assert!(
            said.contains("the 1.0 kB that were here cannot be continued"),
            "{said}"
        );
        assert_eq!(second.starts(), starts);
        assert_eq!(fs::read(home.path("ghn3tm8.pt")).unwrap(), content);
    }
}

#[test]
fn the_hubs_hash_vouches_for_the_file_behind_its_redirection() {
    let (home, content) = (Home::new(), checkpoint());
    let hub = Reply::Redirect {
        sha256: sha256(&content),
    };
    let replies = [hub.clone(), Reply::Cut(1000), hub, Reply::File];
    let server = Server::start(&content, "1", &replies);
    let from = format!("{}/hub", server.address);
    let fetched = home.json(&["ghn", "fetch", "ghn3tm8", "--from", &from]);
    assert_eq!(fetched["witness"], "announced");
    let paths: Vec<_> = server.requests().into_iter().map(|r| r.path).collect();
    let both = ["/hub/ghn3tm8.pt", "/elsewhere/ghn3tm8.pt"];
    assert_eq!(paths, [both, both].concat());
    assert_eq!(fs::read(home.path("ghn3tm8.pt")).unwrap(), content);
}

#[test]
fn a_wrong_hash_is_refused_with_both_hashes_and_nothing_is_kept() {
    let home = Home::new();
    let (announced, found) = (sha256(&checkpoint()), sha256(&forged()));
    let hub = Reply::Redirect {
        sha256: announced.clone(),
    };
    let server = Server::start(&forged(), "1", &[hub, Reply::File]);
    let from = format!("{}/hub", server.address);
    let message = home.refused(&["ghn", "fetch", "ghn3tm8", "--from", &from]);
    assert!(
        message.contains(&announced) && message.contains(&found),
        "{message}"
    );
    // The GHN-2 authors' files are known by their ids in git.
    let message = home.refused(&["ghn", "fetch", "ghn2-cifar10", "--from", &server.address]);
    assert!(message.contains("git repository"), "{message}");
    for left in [
        "ghn3tm8.pt",
        "ghn3tm8.pt.part",
        "ghn2_cifar10.pt",
        "ghn2_cifar10.pt.part",
    ] {
        assert!(!home.path(left).exists(), "{left}");
    }
}

#[test]
fn a_file_that_changed_since_the_first_time_needs_its_hash_to_be_given() {
    let home = Home::new();
    let first = Server::start(&checkpoint(), "1", &[Reply::File]);
    home.json(&fetch(&first, &[]));
    let second = Server::start(&forged(), "2", &[Reply::File]);
    let message = home.refused(&fetch(&second, &["--again"]));
    assert!(
        message.contains("remembered") && message.contains(&sha256(&forged())),
        "{message}"
    );
    assert_eq!(fs::read(home.path("ghn3tm8.pt")).unwrap(), checkpoint());
    let given = sha256(&forged());
    let fetched = home.json(&fetch(&second, &["--again", "--sha256", &given]));
    assert_eq!(fetched["witness"], "given");
    assert_eq!(fs::read(home.path("ghn3tm8.pt")).unwrap(), forged());
    assert_eq!(home.json(&fetch(&second, &[]))["witness"], "remembered");
    // A file that was damaged here is noticed too.
    fs::write(home.path("ghn3tm8.pt"), checkpoint()).unwrap();
    let message = home.refused(&fetch(&second, &[]));
    assert!(message.contains("--again"), "{message}");
}

#[test]
fn a_full_disk_is_told_with_what_is_needed_and_the_fetch_goes_on_later() {
    let (home, content) = (Home::new(), checkpoint());
    let server = Server::start(&content, "1", &[Reply::File]);
    // The process may write no file beyond a few kilobytes, as if the disk ended there.
    let limited = "trap '' XFSZ; ulimit -f 8; exec \"$0\" ghn fetch ghn3tm8 --from \"$1\"";
    let output = home
        .command("sh")
        .args([
            "-c",
            limited,
            env!("CARGO_BIN_EXE_hyperscope"),
            &server.address,
        ])
        .output()
        .expect("a shell");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(
        message.contains("no room for") && message.contains("are free"),
        "{message}"
    );
    assert!(!home.path("ghn3tm8.pt").exists());
    let here = home.part().expect("what came is kept");
    assert!((1..content.len() as u64).contains(&here), "{here}");
    let fetched = home.json(&fetch(&server, &[]));
    assert_eq!(fetched["resumed_from"], here);
    assert_eq!(fs::read(home.path("ghn3tm8.pt")).unwrap(), content);
}

#[test]
fn two_do_not_fetch_the_same_at_once() {
    let (home, content) = (Home::new(), checkpoint());
    let server = Server::start(&content, "1", &[Reply::Stall(2000)]);
    let mut first = home
        .command(env!("CARGO_BIN_EXE_hyperscope"))
        .args(fetch(&server, &[]))
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    while home.part() != Some(2000) {
        assert!(
            first.try_wait().unwrap().is_none(),
            "it must wait for the rest"
        );
        thread::sleep(Duration::from_millis(5));
    }
    let message = home.refused(&fetch(&server, &[]));
    assert!(
        message.contains("another process is fetching ghn3tm8"),
        "{message}"
    );
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(home.part(), Some(2000));
}

#[test]
fn a_folder_serves_as_well_as_a_server() {
    let home = Home::new();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ghn3tm8.pt"), checkpoint()).unwrap();
    let from = folder.path().to_str().unwrap();
    let fetched = home.json(&["ghn", "fetch", "ghn3tm8.pt", "--from", from]);
    assert_eq!(fetched["sha256"], sha256(&checkpoint()).as_str());
    let message = home.refused(&["ghn", "fetch", "ghn1-cifar10", "--from", from]);
    assert!(message.contains("ghn1_cifar10.pt"), "{message}");
}

#[test]
fn another_files_size_is_refused_before_it_is_fetched() {
    let home = Home::new();
    let server = Server::start(&checkpoint(), "1", &[Reply::File]);
    let message = home.refused(&["ghn", "fetch", "ghn3sm8", "--from", &server.address]);
    assert!(message.contains("143269744"), "{message}");
    let left = fs::read_dir(home.path("")).unwrap();
    let left: Vec<_> = left.map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, [".ghn3sm8.pt.lock"]);
}

#[test]
fn what_nobody_vouches_for_must_at_least_be_a_ghn() {
    let home = Home::new();
    let portal = Server::start(b"<html>Please sign in</html>", "1", &[Reply::File]);
    let message = home.refused(&fetch(&portal, &[]));
    assert!(message.contains("is not ghn3tm8"), "{message}");
    assert!(!home.path("ghn3tm8.pt").exists() && home.part().is_none());
}

#[test]
fn mistakes_are_named_with_what_to_do() {
    let home = Home::new();
    let message = home.refused(&["ghn", "fetch", "ghn4"]);
    assert!(
        message.contains("ghn4") && message.contains("ghn3xlm16"),
        "{message}"
    );
    let missing = Server::start(b"", "1", &[Reply::Status(404)]);
    let message = home.refused(&fetch(&missing, &[]));
    assert!(
        message.contains("404") && message.contains("no such file"),
        "{message}"
    );
    // Nobody listens there any more.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let message = home.refused(&["ghn", "fetch", "ghn3tm8", "--from", &address]);
    assert!(
        message.contains(&address) && message.contains("--from"),
        "{message}"
    );
}
