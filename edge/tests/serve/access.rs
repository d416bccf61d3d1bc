//! Who may use the service, and from where.

use crate::program::{fixture, run};
use crate::service::{Service, field, png};
use std::fs;
use std::process::Command;

const PATHS: [&str; 12] = [
    "/",
    "/page.js",
    "/metrics",
    "/api/v1/health",
    "/api/v1/openapi.json",
    "/api/v1/session",
    "/api/v1/fields",
    "/api/v1/fields/1/mask.png",
    "/api/v1/events",
    "/api/v1/stage",
    "/nothing",
    "/?token=wrong",
];

#[test]
fn an_address_that_others_reach_needs_a_token() {
    let place = tempfile::tempdir().unwrap();
    let service = Service::start(place.path(), &["--listen", "0.0.0.0:0"]);
    let token = service.token.clone().unwrap();
    assert_eq!(token.len(), 64);
    let kept = fs::read_to_string(place.path().join("token.sha256")).unwrap();
    assert!(!kept.contains(&token));
    let bearer = format!("Bearer {token}");
    let image = png(&field(64, 64, [8, 8], 16));
    service.post("/api/v1/fields?name=secret", &image, &[]).refused(401, "a token is needed");
    service.post("/api/v1/fields?name=secret", &image, &[("authorization", &bearer)]).expect(201);
    for path in PATHS {
        for headers in [&[][..], &[("authorization", "Bearer wrong")], &[("cookie", "lsr_edge_token=wrong")]] {
            let answer = service.get_with(path, headers);
            answer.refused(401, "a token is needed");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
            let session =
                fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).find(|name| name.len() == 36).unwrap();
            for secret in ["secret", session.to_str().unwrap(), "0.1.0", token.as_str()] {
                assert!(!answer.text().contains(secret), "{path} tells {secret}");
            }
        }
    }
    service.get_with("/api/v1/health", &[("authorization", &bearer)]).expect(200);
    // A browser: the link gives a cookie and leads to an address without the token.
    let link = service.get(&format!("/?token={token}")).expect(303);
    assert_eq!(link.header("location"), "/");
    let cookie = link.header("set-cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let pair = cookie.split(';').next().unwrap();
    assert!(service.get_with("/", &[("cookie", pair)]).expect(200).text().contains("<title>lsr-edge"));
    drop(service);

    // It is not printed twice, and still holds; a new one replaces it.
    let service = Service::start(place.path(), &["--listen", "0.0.0.0:0"]);
    assert_eq!(service.token, None);
    service.get_with("/api/v1/health", &[("authorization", &bearer)]).expect(200);
    drop(service);
    let service = Service::start(place.path(), &["--new-token"]);
    assert_ne!(service.token.clone().unwrap(), token);
    service.get_with("/api/v1/health", &[("authorization", &bearer)]).refused(401, "a token is needed");
}

#[test]
fn other_pages_cannot_use_a_service_on_this_machine() {
    let place = tempfile::tempdir().unwrap();
    let service = Service::start(place.path(), &[]);
    assert_eq!(service.token, None);
    let image = png(&field(64, 64, [8, 8], 16));
    let own = format!("http://{}", service.address);
    let post = |headers: &[(&str, &str)]| service.post("/api/v1/fields", &image, headers);
    post(&[("origin", &own)]).expect(201);
    post(&[("origin", "http://evil.example")]).refused(403, "another page");
    post(&[("sec-fetch-site", "cross-site")]).refused(403, "another page");
    // A name of theirs that resolves to this machine.
    service.get_with("/api/v1/health", &[("host", "evil.example")]).refused(403, "loopback");
    let answer = service.get_with("/api/v1/health", &[("origin", "http://evil.example")]).expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), "", "no page of others may read it");
    for (name, value) in [("x-content-type-options", "nosniff"), ("x-frame-options", "DENY"), ("cache-control", "no-store")] {
        assert_eq!(answer.header(name), value);
    }
    assert!(answer.header("content-security-policy").contains("default-src 'none'"));
}

/// A certificate of its own, which Python's client checks.
#[test]
fn tls() {
    let place = tempfile::tempdir().unwrap();
    let (certificate, key) = (fixture("tls/cert.pem"), fixture("tls/key.pem"));
    let flags = ["--tls-cert", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let service = Service::start(place.path(), &flags);
    let script = "import ssl, sys, urllib.request\n\
                  context = ssl.create_default_context(cafile=sys.argv[1])\n\
                  print(urllib.request.urlopen(sys.argv[2], context=context).read().decode())";
    let url = service.url("/api/v1/health").replace("http://", "https://");
    let python = Command::new("python3").arg("-c").arg(script).arg(&certificate).arg(url).output().unwrap();
    assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));
    assert!(String::from_utf8(python.stdout).unwrap().contains("\"status\":\"ok\""));
    drop(service);
    let no_key = place.path().join("none.pem");
    fs::write(&no_key, "none").unwrap();
    let arguments = [place.path().join("store").to_str().unwrap().to_owned(), no_key.to_str().unwrap().to_owned()];
    let said = run(["serve", "--store", &arguments[0], "--listen", "127.0.0.1:0", "--tls-cert", flags[1], "--tls-key", &arguments[1]]);
    said.expect(1, &["none.pem"]);
}

#[test]
fn an_address_that_cannot_be_had_is_named() {
    let place = tempfile::tempdir().unwrap();
    let service = Service::start(place.path(), &[]);
    let (store, address) = (place.path().join("other"), service.address.to_string());
    run(["serve", "--store", store.to_str().unwrap(), "--listen", &address]).expect(1, &[&address, "in use"]);
    run(["serve", "--store", store.to_str().unwrap(), "--label", "77"]).expect(1, &["label 77: the count prior has no such label"]);
    run(["serve", "--store", store.to_str().unwrap(), "--source", "/no/such"]).expect(1, &["/no/such"]);
    run(["serve", "--store", store.to_str().unwrap(), "--source", "watch:/no/such"]).expect(1, &["/no/such"]);
    run(["serve", "--store", store.to_str().unwrap(), "--source", "rgb:8x8", "--rate", "5"]).expect(1, &["its own pace"]);
}
