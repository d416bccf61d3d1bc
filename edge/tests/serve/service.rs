//! Starts the real service on a free port, and asks it.

use crate::program::{fixture, program};
use image::{ImageFormat, Rgb, RgbImage};
use serde_json::Value;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::net::{SocketAddr, TcpStream};
use std::ops::Deref;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};
use ureq::Agent;

/// What nothing here takes as long as.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Asks a service; may be shared between threads.
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    agent: Agent,
}

/// A service that is ended with its test.
pub(crate) struct Service {
    child: Child,
    client: Client,
    /// The token, where one was printed.
    pub(crate) token: Option<String>,
    /// Lines of standard output.
    pub(crate) lines: Receiver<String>,
    said: Receiver<String>,
}

impl Deref for Service {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// What it answers.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// A refusal that says why.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, word: &str) {
        assert_eq!((self.status, self.header("content-type")), (status, "application/problem+json"), "{}", self.text());
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert!(problem["detail"].as_str().unwrap().contains(word), "expected '{word}' in {problem}");
    }
}

/// `serve --store STORE` with the network that calls dark pixels cancer, at 2 um/px, on a free port.
pub(crate) fn command(store: &Path, flags: &[&str]) -> Command {
    let mut command = program();
    command.arg("serve").arg("--store").arg(store).arg("--model").arg(fixture("dark.onnx"));
    if !flags.contains(&"--listen") {
        command.args(["--listen", "127.0.0.1:0"]);
    }
    command.args(flags).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Service {
    pub(crate) fn start(store: &Path, flags: &[&str]) -> Self {
        Self::of(command(store, flags).stdin(Stdio::null()))
    }

    pub(crate) fn of(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let lines = lines_of(child.stdout.take().unwrap());
        let said = lines_of(child.stderr.take().unwrap());
        let mut heard = Vec::new();
        let (address, token) = loop {
            let line = said.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("it does not listen: {heard:?}"));
            if let Some((_, url)) = line.split_once("listening on ") {
                let url = url.split(' ').next().unwrap();
                let rest = url.split_once("://").unwrap().1;
                let (address, token) = match rest.split_once("/?token=") {
                    Some((address, token)) => (address, Some(token.to_owned())),
                    None => (rest, None),
                };
                break (address.replace("0.0.0.0", "127.0.0.1").parse().unwrap(), token);
            }
            heard.push(line);
        };
        let agent: Agent =
            Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).max_redirects(0).build().into();
        Self { child, client: Client { address, agent }, token, lines, said }
    }

    pub(crate) fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// Most memory that it has had, bytes.
    pub(crate) fn peak_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        1024 * line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end by itself: exit code and what it said.
    pub(crate) fn ended(mut self) -> (i32, String) {
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        (code, self.said.iter().collect::<Vec<_>>().join("\n"))
    }

    /// SIGTERM, and its exit code and words.
    pub(crate) fn stopped(self) -> (i32, String) {
        let ended = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(ended.success());
        self.ended()
    }
}

impl Client {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[])
    }

    pub(crate) fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let request = headers.iter().fold(self.agent.get(self.url(path)), |request, (name, value)| request.header(*name, *value));
        answer(request.call())
    }

    pub(crate) fn post(&self, path: &str, body: &[u8], headers: &[(&str, &str)]) -> Answer {
        let request = headers.iter().fold(self.agent.post(self.url(path)), |request, (name, value)| request.header(*name, *value));
        answer(request.send(body))
    }

    pub(crate) fn put_json(&self, path: &str, body: &str) -> Answer {
        answer(self.agent.put(self.url(path)).header("content-type", "application/json").send(body))
    }

    /// Asks until the answer is as wished for.
    #[track_caller]
    pub(crate) fn until(&self, path: &str, wished: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let answer = self.get(path);
            if answer.status == 200 && wished(&answer.json()) {
                return answer.json();
            }
            assert!(Instant::now() < until, "{path}: {}", answer.text());
            sleep(Duration::from_millis(20));
        }
    }

    /// Sends bytes as they are, and reads what comes until the connection ends or a while passes.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // A service that has answered already may have closed.
        let _ = std::io::Write::write_all(&mut stream, bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn answer(response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
    let mut response = response.unwrap();
    let body = response.body_mut().with_config().limit(1 << 30).read_to_vec().unwrap();
    Answer { status: response.status().as_u16(), headers: response.headers().clone(), body }
}

fn lines_of(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    spawn(move || {
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// Pink with a black square of `square` from the upper left corner (x, y): the square is what the network calls cancer.
pub(crate) fn field(width: u32, height: u32, [x, y]: [u32; 2], square: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |px, py| {
        let inside = (x..x + square).contains(&px) && (y..y + square).contains(&py);
        // Grains, so that it is in focus.
        let grain = ((px * 31 + py * 17) % 23) as u8;
        if inside { Rgb([10, 5 + grain / 4, 10]) } else { Rgb([230, 150 + 2 * grain, 200]) }
    })
}

pub(crate) fn encoded(image: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub(crate) fn png(image: &RgbImage) -> Vec<u8> {
    encoded(image, ImageFormat::Png)
}
