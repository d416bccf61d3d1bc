//! More than it can do, and worse.

use crate::service::{Client, Service, encoded, field, png};
use image::ImageFormat;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::scope;
use std::time::{Duration, Instant};

/// A PNG of so many pixels, all alike: some hundred times smaller than what it becomes.
fn bomb(side: u32) -> Vec<u8> {
    png(&image::RgbImage::new(side, side))
}

/// The same, in its header alone.
fn with_size(mut png: Vec<u8>, width: u32, height: u32) -> Vec<u8> {
    png[16..20].copy_from_slice(&width.to_be_bytes());
    png[20..24].copy_from_slice(&height.to_be_bytes());
    let mut checksum = flate2::Crc::new();
    checksum.update(&png[12..29]);
    png[29..33].copy_from_slice(&checksum.sum().to_be_bytes());
    png
}

/// Bodies: damaged, torn, of other kinds, larger than they say. None is answered by a failure of the service, and it is as well afterwards as it was before.
#[test]
fn ten_thousand_malformed_bodies() {
    const BODIES: u32 = 10_000;
    let place = tempfile::tempdir().unwrap();
    let service = Service::start(place.path(), &["--keep", "none", "--max-mpx", "4"]);
    let image = field(40, 32, [8, 8], 12);
    let good = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Tiff].map(|format| encoded(&image, format));
    let bombs = [bomb(3000), with_size(good[0].clone(), 1 << 30, 1 << 30), with_size(good[0].clone(), 1900, 1900)];
    let body = |number: u32| -> Vec<u8> {
        let mut state = number.wrapping_mul(0x9E37_79B1) | 1;
        let mut random = |below: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % below.max(1)
        };
        let mut bytes = good[number as usize % 3].clone();
        match random(10) {
            0 => bytes.truncate(random(bytes.len())),
            1 => bytes = (0..random(4000)).map(|_| random(256) as u8).collect(),
            2 if number.is_multiple_of(5) => bytes = bombs[random(3)].clone(),
            2 => bytes = [b"{\"image\":", &bytes[..random(bytes.len())]].concat(),
            3 => bytes.extend((0..random(200)).map(|_| 0xff)),
            _ => {
                for _ in 0..=random(8) {
                    let at = random(bytes.len());
                    bytes[at] = random(256) as u8;
                }
            }
        }
        bytes
    };
    let client: &Client = &service;
    let (next, statuses) = (AtomicU32::new(0), std::sync::Mutex::new(std::collections::BTreeMap::<u16, u32>::new()));
    scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= BODIES {
                        return;
                    }
                    let answer = client.post("/api/v1/fields", &body(number), &[]);
                    assert!([201, 413, 415, 422].contains(&answer.status), "body {number}: {}", answer.text());
                    *statuses.lock().unwrap().entry(answer.status).or_default() += 1;
                }
            });
        }
    });
    let statuses = statuses.into_inner().unwrap();
    println!("{statuses:?}, at most {} MB", service.peak_bytes() / 1_000_000);
    assert!(statuses[&413] > 20 && statuses[&415] > 500 && statuses[&422] > 1000 && statuses[&201] > 500, "{statuses:?}");
    assert!(service.peak_bytes() < 400_000_000, "{}", service.peak_bytes());
    let after = service.post("/api/v1/fields", &good[0], &[]).expect(201).json();
    assert_eq!(after["cancer"]["mask_pixels"], 12 * 12);
    assert_eq!(service.get("/api/v1/health").json()["status"], "ok");
}

/// What is no request at all, and heads that never end.
#[test]
fn malformed_requests() {
    let place = tempfile::tempdir().unwrap();
    let service = Service::start(place.path(), &[]);
    let long = "a".repeat(3 << 20);
    let head = "host: localhost\r\nconnection: close\r\n";
    let many: String = (0..5000).map(|number| format!("x-{number}: 1\r\n")).collect();
    let cases: Vec<(String, &str)> = vec![
        ("\0\0\0\0\r\n\r\n".to_owned(), "400"),
        (format!("GET /{long} HTTP/1.1\r\n{head}\r\n"), "4"),
        (format!("GET / HTTP/1.1\r\n{head}x: {long}\r\n\r\n"), "4"),
        (format!("GET / HTTP/1.1\r\n{head}{many}\r\n"), "4"),
        ("GET / HTTP/1.1\r\nconnection: close\r\n\r\n".to_owned(), "403"),
        (format!("POST /api/v1/fields HTTP/1.1\r\n{head}content-length: 999999999999\r\n\r\nabc"), "413"),
        (format!("POST /api/v1/fields HTTP/1.1\r\n{head}content-length: -3\r\n\r\n"), "400"),
        (format!("POST /api/v1/fields HTTP/1.1\r\n{head}content-length: 3\r\ncontent-length: 4\r\n\r\nabc"), "400"),
        (format!("POST /api/v1/fields HTTP/1.1\r\n{head}transfer-encoding: chunked\r\n\r\nzz\r\nabc"), "4"),
        (format!("BREW /api/v1/fields HTTP/1.1\r\n{head}\r\n"), "405"),
        (format!("GET /%ff%00 HTTP/1.1\r\n{head}\r\n"), "4"),
    ];
    for (request, status) in cases {
        let answer = service.raw(request.as_bytes());
        let line = String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned();
        let shown = &request[..request.len().min(60)];
        // Where it has closed before it was sent everything, the answer may be lost.
        let lost = line.is_empty() && request.len() > 1 << 20;
        assert!(
            lost || line.starts_with(&format!("HTTP/1.1 {status}")) || line.starts_with(&format!("HTTP/1.0 {status}")),
            "{shown}: {line}"
        );
    }
    // A body that ends early is no field, and nobody waits for it for ever.
    let mut torn = TcpStream::connect(service.address).unwrap();
    write!(torn, "POST /api/v1/fields HTTP/1.1\r\n{head}content-length: 5000\r\n\r\nabc").unwrap();
    drop(torn);
    // Nor for a head: connections that say nothing are closed.
    let begun = Instant::now();
    let mut silent = TcpStream::connect(service.address).unwrap();
    silent.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    silent.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
    let _ = silent.read_to_end(&mut Vec::new());
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert_eq!(service.get("/api/v1/health").json()["fields"], 0);
}

/// Two hundred clients at once: each gets its field or 503 with the time after which to come again; none hangs.
#[test]
fn two_hundred_clients_at_once() {
    const CLIENTS: u32 = 200;
    let place = tempfile::tempdir().unwrap();
    let service = Service::start(place.path(), &["--um-per-px", "2"]);
    let image = png(&field(600, 600, [100, 100], 200));
    let (done, busy) = (AtomicU32::new(0), AtomicU32::new(0));
    let client: &Client = &service;
    let begun = Instant::now();
    scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let answer = client.post("/api/v1/fields", &image, &[]);
                if answer.status == 503 {
                    assert_eq!(answer.header("retry-after"), "1", "{}", answer.text());
                    answer.refused(503, "expected no more");
                    busy.fetch_add(1, Ordering::Relaxed);
                } else {
                    assert_eq!(answer.expect(201).json()["cancer"]["mask_pixels"], 200 * 200);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let (done, busy) = (done.into_inner(), busy.into_inner());
    println!("{done} fields, {busy} times 503, in {:?}; at most {} MB", begun.elapsed(), service.peak_bytes() / 1_000_000);
    assert_eq!(done + busy, CLIENTS);
    assert!(done >= 4 && busy > 0, "{done} {busy}");
    assert_eq!(service.get("/api/v1/health").json()["fields"], done);
    assert!(service.peak_bytes() < 600_000_000, "{}", service.peak_bytes());
}

#[test]
fn listeners_beyond_the_limit_are_told_to_come_again() {
    let place = tempfile::tempdir().unwrap();
    let service = Service::start(place.path(), &[]);
    let listen = || {
        let mut stream = TcpStream::connect(service.address).unwrap();
        stream.write_all(b"GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        (String::from_utf8_lossy(&status).into_owned(), stream)
    };
    let mut heard: Vec<_> = (0..32).map(|_| listen()).collect();
    assert!(heard.iter().all(|(status, _)| status.ends_with("200")));
    service.get("/api/v1/events").refused(503, "expected no more");
    heard.pop();
    // When one has gone its place is free, as soon as the service notices: at the next event.
    let until = Instant::now() + Duration::from_secs(30);
    let image = png(&field(32, 32, [0, 0], 4));
    loop {
        service.post("/api/v1/fields", &image, &[]).expect(201);
        if listen().0.ends_with("200") {
            break;
        }
        assert!(Instant::now() < until);
    }
}
