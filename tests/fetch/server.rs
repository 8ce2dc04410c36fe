//! A web server on the loopback that serves one file, and misbehaves as told.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What the server does with a request; each request takes the next of a list, and the last one repeats.
#[derive(Clone, Debug)]
pub enum Reply {
    /// The file, from the byte that is asked for.
    File,
    /// Only this many bytes of what it promises; then it closes the connection.
    Cut(usize),
    /// Only this many bytes of what it promises; then nothing, until the client leaves.
    Stall(usize),
    /// All of the file, whatever is asked for.
    Whole,
    /// As the hub answers: the file's hash, and the address where it lies.
    Redirect { sha256: String },
    /// Only a status.
    Status(u16),
}

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub path: String,
    /// The first byte that was asked for.
    pub start: Option<usize>,
}

/// Serves until the process ends.
pub struct Server {
    pub address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Serves `content`, with `tag` as its `ETag`.
    pub fn start(content: &[u8], tag: &str, replies: &[Reply]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on the loopback");
        let address = listener.local_addr().expect("its address");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        let (content, tag, replies) = (content.to_vec(), tag.to_owned(), replies.to_vec());
        thread::spawn(move || {
            for (i, stream) in listener.incoming().enumerate() {
                let reply = &replies[i.min(replies.len() - 1)];
                let Ok(mut stream) = stream else { continue };
                let Some(request) = read(&stream) else {
                    continue;
                };
                log.lock().expect("the log").push(request.clone());
                // A client that leaves early is part of some tests.
                let _ = answer(&mut stream, &request, reply, &content, &tag);
            }
        });
        Self {
            address: format!("http://{address}"),
            requests,
        }
    }

    /// The requests until now.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("the log").clone()
    }

    /// The first bytes that were asked for.
    pub fn starts(&self) -> Vec<Option<usize>> {
        self.requests().iter().map(|r| r.start).collect()
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let mut start = None;
    for line in lines {
        let line = line.ok()?.to_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.strip_prefix("range: bytes=") {
            start = range.trim_end_matches('-').parse().ok();
        }
    }
    Some(Request { path, start })
}

fn answer(
    stream: &mut TcpStream,
    request: &Request,
    reply: &Reply,
    content: &[u8],
    tag: &str,
) -> std::io::Result<()> {
    let end = "Connection: close\r\n\r\n";
    match reply {
        Reply::Status(status) => write!(stream, "HTTP/1.1 {status} -\r\n{end}"),
        Reply::Redirect { sha256 } => {
            let to = request.path.replacen("/hub/", "/elsewhere/", 1);
            write!(
                stream,
                "HTTP/1.1 302 Found\r\nX-Linked-Etag: \"{sha256}\"\r\nLocation: {to}\r\n{end}"
            )
        }
        Reply::File | Reply::Cut(_) | Reply::Stall(_) | Reply::Whole => {
            let start = request.start.filter(|_| !matches!(reply, Reply::Whole));
            let body = &content[start.unwrap_or(0)..];
            match start {
                None => write!(stream, "HTTP/1.1 200 OK\r\n")?,
                Some(start) => {
                    let (last, all) = (content.len() - 1, content.len());
                    let range = format!("Content-Range: bytes {start}-{last}/{all}\r\n");
                    write!(stream, "HTTP/1.1 206 Partial Content\r\n{range}")?;
                }
            }
            let length = body.len();
            write!(
                stream,
                "Content-Length: {length}\r\nETag: \"{tag}\"\r\n{end}"
            )?;
            let sent = match reply {
                Reply::Cut(bytes) | Reply::Stall(bytes) => &body[..*bytes],
                _ => body,
            };
            stream.write_all(sent)?;
            if matches!(reply, Reply::Stall(_)) {
                // Until the client closes its end.
                std::io::copy(stream, &mut std::io::sink())?;
            }
            Ok(())
        }
    }
}
