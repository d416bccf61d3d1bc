//! A field is posted, and everything about it is found again.

use crate::program::{names, run};
use crate::service::{Service, encoded, field, png};
use image::ImageFormat;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

#[test]
fn a_posted_field_is_segmented_kept_and_shown() {
    let place = tempfile::tempdir().unwrap();
    let service = Service::start(place.path(), &["--um-per-px", "2"]);
    service.get("/api/v1/fields/latest").refused(404, "no field has come yet");
    let image = field(96, 80, [16, 24], 32);
    let posted = service.post("/api/v1/fields?name=a%20b&x_um=100&y_um=50", &png(&image), &[]).expect(201);
    assert_eq!(posted.header("location"), "/api/v1/fields/1");
    let record = posted.json();
    assert_eq!((&record["number"], &record["name"], &record["width"]), (&json!(1), &json!("a b"), &json!(96)));
    assert_eq!(record["cancer"]["mask_pixels"], 32 * 32);
    assert_eq!((&record["um_per_px"], &record["um_per_px_source"]), (&json!(2.0), &json!("flag --um-per-px")));
    for path in ["/api/v1/fields/latest", "/api/v1/fields/1"] {
        assert_eq!(service.get(path).expect(200).json(), record, "{path}");
    }
    assert_eq!(service.get("/api/v1/fields").expect(200).json(), json!([record]));

    let mask = service.get("/api/v1/fields/1/mask.png").expect(200);
    assert_eq!(mask.header("content-type"), "image/png");
    let mask = image::load_from_memory(&mask.body).unwrap().into_luma8();
    for (x, y, pixel) in mask.enumerate_pixels() {
        let inside = (16..48).contains(&x) && (24..56).contains(&y);
        assert_eq!(pixel.0, [if inside { 255 } else { 0 }], "{x} {y}");
    }
    let frame = service.get("/api/v1/fields/1/frame.jpg").expect(200);
    assert_eq!((frame.header("content-type"), &frame.body[..2]), ("image/jpeg", &b"\xff\xd8"[..]));
    let overlay = image::load_from_memory(&service.get("/api/v1/fields/1/overlay.png").expect(200).body).unwrap();
    assert_eq!((overlay.width(), overlay.height()), (96, 80));

    let regions = service.get("/api/v1/fields/1/regions.geojson").expect(200);
    assert!(regions.header("content-disposition").contains("field-000001.geojson"));
    let ring = regions.json()["features"][0]["geometry"]["coordinates"][0].clone();
    assert_eq!(ring, json!([[48, 24], [48, 56], [16, 56], [16, 24], [48, 24]]));
    assert_eq!(regions.body, service.get("/api/v1/fields/1/regions.geojson").body, "the same bytes again");

    // From the store, by a program of its own: the same bytes.
    let elsewhere = tempfile::tempdir().unwrap();
    let outlines = elsewhere.path().join("outlines");
    let exported =
        ["session".as_ref(), "export".as_ref(), place.path().as_os_str(), "--format".as_ref(), "geojson".as_ref(), "-o".as_ref()];
    run(exported.into_iter().chain([outlines.as_os_str()])).expect(0, &[]);
    assert_eq!(names(&outlines), ["field-000001.geojson"]);
    assert_eq!(std::fs::read(outlines.join("field-000001.geojson")).unwrap(), regions.body);
    assert_eq!(regions.json()["lsr_edge"]["settings"]["position_um"], json!([100.0, 50.0]));

    let csv = service.get("/api/v1/session/fields.csv").expect(200).text();
    assert_eq!(csv.lines().count(), 2);
    assert!(csv.lines().nth(1).unwrap().contains(",a b,"), "{csv}");
    let lines = service.get("/api/v1/session/fields.jsonl").expect(200).text();
    assert_eq!(serde_json::from_str::<Value>(lines.trim()).unwrap(), record);
    let session = service.get("/api/v1/session").expect(200).json();
    assert_eq!((&session["fields"], &session["id"]), (&json!(1), &record["session"]));
    let mosaic = service.get("/api/v1/mosaic").expect(200).json();
    assert_eq!((&mosaic["x_um"], &mosaic["y_um"], &mosaic["width_um"]), (&json!(4.0), &json!(-30.0), &json!(192.0)));
    assert!(image::load_from_memory(&service.get("/api/v1/mosaic.png?mask=false").expect(200).body).is_ok());
    let metrics = service.get("/metrics").expect(200).text();
    assert!(metrics.contains("\nlsr_edge_fields_total 1\n"), "{metrics}");
    assert!(metrics.contains("lsr_edge_latency_seconds{stage=\"total\",quantile=\"0.99\"}"), "{metrics}");
    let latency = service.get("/api/v1/latency").expect(200).json();
    assert_eq!(latency.as_array().unwrap().iter().filter(|stage| stage["count"] == 1).count(), 8);

    // JPEG and TIFF, and the mask itself as the answer.
    for format in [ImageFormat::Jpeg, ImageFormat::Tiff] {
        let answer = service.post("/api/v1/fields", &encoded(&image, format), &[("accept", "image/png")]).expect(201);
        let mask = image::load_from_memory(&answer.body).unwrap().into_luma8();
        assert_eq!((mask.get_pixel(32, 40).0, mask.get_pixel(4, 4).0), ([255], [0]), "{format:?}");
    }
    assert_eq!(service.stopped().0, 0);
}

#[test]
fn what_cannot_be_a_field_is_refused_with_a_reason() {
    let place = tempfile::tempdir().unwrap();
    let service = Service::start(place.path(), &["--max-mpx", "1"]);
    let good = png(&field(64, 64, [8, 8], 16));
    let post = |path: &str, body: &[u8]| service.post(path, body, &[]);
    post("/api/v1/fields", b"").refused(415, "not a PNG, JPEG or TIFF");
    post("/api/v1/fields", b"GIF89a").refused(415, "not a PNG, JPEG or TIFF");
    post("/api/v1/fields", &good[..good.len() / 2]).refused(422, "damaged");
    post("/api/v1/fields", &png(&field(1200, 1000, [0, 0], 1))).refused(413, "more than 1 Mpx");
    post("/api/v1/fields?label=77", &good).refused(422, "label 77: the count prior has no such label");
    post("/api/v1/fields?label=x", &good).refused(400, "label");
    post("/api/v1/fields?colour=red", &good).refused(400, "colour");
    post("/api/v1/fields?um_per_px=-1", &good).refused(422, "um_per_px -1");
    post("/api/v1/fields?um_per_px=NaN", &good).refused(422, "um_per_px NaN");
    post("/api/v1/fields?x_um=1", &good).refused(422, "expected both");
    post("/api/v1/fields?name=../../a", &good).refused(422, "name");
    service.get("/api/v1/fields?limit=0").refused(400, "limit 0");
    service.get("/api/v1/fields/one").refused(400, "one");
    service.get("/api/v1/fields/1/mask.png").refused(404, "no field 1");
    service.get("/api/v1/nothing").refused(404, "nothing at this path");
    service.get("/../../etc/passwd").refused(404, "nothing at this path");
    post("/api/v1/health", b"").refused(405, "other methods");
    service.get("/api/v1/mosaic").refused(404, "no field has a position");
    let stage = service.get("/api/v1/stage").expect(200).json();
    assert_eq!((&stage["available"], &stage["port"]), (&json!(false), &Value::Null));
    let command = |body: &str| service.post("/api/v1/stage", body.as_bytes(), &[("content-type", "application/json")]);
    command("{\"command\":\"home\"}").refused(404, "there is no stage");
    command("{\"command\":\"explode\"}").refused(422, "explode");
    command("{\"command\":").refused(400, "EOF");
    for (body, status) in [("{\"threshold\":1}", 422), ("{\"threshold\":\"a\"}", 422), ("{}", 422), ("{", 400)] {
        assert_eq!(service.put_json("/api/v1/settings", body).status, status, "{body}");
    }
    let health = service.get("/api/v1/health").expect(200).json();
    assert_eq!((&health["status"], &health["fields"], &health["failed"]), (&json!("ok"), &json!(0), &json!(4)));
    assert_eq!(service.get("/api/v1/fields").json(), json!([]), "nothing that was refused is kept");
}

#[test]
fn threshold_and_events() {
    let place = tempfile::tempdir().unwrap();
    let service = Service::start(place.path(), &[]);
    let mut events = TcpStream::connect(service.address).unwrap();
    events.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    write!(events, "GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut events = BufReader::new(events).lines().map(Result::unwrap);
    assert!(events.by_ref().find(|line| line.starts_with("content-type")).unwrap().contains("text/event-stream"));
    // Blurred: probabilities between 0 and 1.
    let soft = image::imageops::blur(&field(64, 64, [16, 16], 32), 4.0);
    let pixels = |answer: &Value| answer["cancer"]["mask_pixels"].as_u64().unwrap();
    let first = service.post("/api/v1/fields", &png(&soft), &[]).expect(201).json();
    assert_eq!(service.put_json("/api/v1/settings", "{\"threshold\":0.05}").expect(200).json()["threshold"], 0.05);
    let second = service.post("/api/v1/fields", &png(&soft), &[]).expect(201).json();
    assert!(pixels(&second) > pixels(&first), "{first} {second}");
    assert_eq!((&first["threshold"], &second["threshold"]), (&json!(0.5), &json!(0.05)));
    assert_eq!(first["sum"], second["sum"], "counts do not depend on it");
    let heard: Vec<String> = events.filter(|line| line.starts_with("data:")).take(3).collect();
    assert!(heard[0].contains("\"number\":1") && heard[1].contains("changed") && heard[2].contains("\"number\":2"), "{heard:?}");
}

/// Fields of a label that have much less cancer than its prior: an alarm, until a person has seen it.
#[test]
fn wrong_labels_raise_an_alarm() {
    let place = tempfile::tempdir().unwrap();
    let service = Service::start(place.path(), &[]);
    let (none, much) = (png(&field(64, 64, [0, 0], 4)), png(&field(64, 64, [0, 0], 54)));
    for _ in 0..3 {
        let record = service.post("/api/v1/fields?label=9", &much, &[]).expect(201).json();
        assert!(record["z_score"].as_f64().unwrap().abs() < 2.0 && record["alarm"].is_null(), "{record}");
    }
    let record = service.post("/api/v1/fields?label=9", &none, &[]).expect(201).json();
    assert_eq!(record["alarm"], "below", "{record}");
    let label = |statistics: &Value| statistics["labels"][0].clone();
    let view = label(&service.get("/api/v1/statistics").json());
    assert_eq!((&view["label"], &view["fields"], &view["alarm"]), (&json!(9), &json!(4), &json!("below")));
    assert!(service.get("/metrics").text().contains("lsr_edge_label_alarm{label=\"9\"} 1"));
    service.post("/api/v1/alarms/9/acknowledge", b"", &[]).expect(204);
    service.post("/api/v1/alarms/99/acknowledge", b"", &[]).refused(422, "class 99");
    let view = label(&service.get("/api/v1/statistics").json());
    assert_eq!((&view["fields"], &view["alarm"]), (&json!(4), &Value::Null));
}
