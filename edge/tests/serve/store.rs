//! What is kept, whatever happens.

use crate::program::{names, run};
use crate::service::{Service, command, field, png};
use lsr_core::{BlockMoments, GroupMoments};
use lsr_edge::session::{FieldRecord, Kind, Sessions};
use serde_json::Value;
use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

/// All fields of a store, each with its pictures, which are whole.
fn checked(store: &Path) -> Vec<FieldRecord> {
    let sessions = Sessions::open(store).unwrap();
    let fields: Vec<FieldRecord> =
        sessions.list().unwrap().iter().flat_map(|info| sessions.all_fields(&info.session.id).unwrap()).collect();
    for field in &fields {
        assert_eq!(field.artefacts.len(), 2, "{field:?}");
        for artefact in &field.artefacts {
            let bytes = fs::read(store.join(&artefact.path)).unwrap_or_else(|error| panic!("{}: {error}", artefact.path));
            assert_eq!(bytes.len() as u64, artefact.bytes, "{}", artefact.path);
            let image = image::load_from_memory(&bytes).unwrap_or_else(|error| panic!("{}: {error}", artefact.path));
            assert_eq!((image.width(), image.height()), (field.width, field.height));
        }
        let mask = image::open(store.join(field.path_of(Kind::Mask).unwrap())).unwrap().into_luma8();
        assert_eq!(mask.pixels().filter(|pixel| pixel.0 == [255]).count() as u64, field.cancer.mask_pixels);
    }
    fields
}

/// Killed a hundred times at random moments: no row without its pictures, and no field that was reported and is not there.
#[test]
fn a_hundred_kills_lose_no_field_that_was_reported() {
    const KILLS: u32 = 100;
    let place = tempfile::tempdir().unwrap();
    let (images, store) = (place.path().join("images"), place.path().join("store"));
    fs::create_dir(&images).unwrap();
    for square in 1..12_u32 {
        fs::write(images.join(format!("{square}.png")), png(&field(72, 64, [square, 4], 3 * square))).unwrap();
    }
    let flags = ["--source", images.to_str().unwrap(), "--rate", "500", "--every", "--json", "--um-per-px", "2"];
    let mut reported = HashSet::new();
    let mut state = 1_u32;
    for _ in 0..KILLS {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let mut service = Service::of(&mut command(&store, &flags));
        sleep(Duration::from_micros(u64::from(state >> 8) % 120_000));
        service.kill();
        for line in service.lines.iter() {
            // The last line may be torn: it was not reported.
            if let Ok(record) = serde_json::from_str::<Value>(&line) {
                reported.insert((record["session"].as_str().unwrap().to_owned(), record["number"].as_u64().unwrap()));
            }
        }
    }
    let fields = checked(&store);
    let kept: HashSet<_> = fields.iter().map(|field| (field.session.clone(), field.number)).collect();
    let lost: Vec<_> = reported.difference(&kept).collect();
    println!("{KILLS} kills: {} fields were reported, {} are kept", reported.len(), kept.len());
    assert!(lost.is_empty(), "{lost:?}");
    assert!(reported.len() > KILLS as usize, "{}", reported.len());
    assert!(kept.len() - reported.len() <= 2 * KILLS as usize);
    let integrity: String = rusqlite::Connection::open(store.join("session.sqlite"))
        .and_then(|connection| connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)))
        .unwrap();
    assert_eq!(integrity, "ok");
    assert_eq!(Sessions::open(&store).unwrap().list().unwrap().len(), KILLS as usize);
}

fn segmented(place: &Path, device: &str, squares: &[u32], label: &str) -> String {
    let (images, store) = (place.join(format!("{device}-images")), place.join(device));
    fs::create_dir(&images).unwrap();
    for square in squares {
        fs::write(images.join(format!("{square:02}.png")), png(&field(72, 64, [4, 4], *square))).unwrap();
    }
    let flags = ["--source", images.to_str().unwrap(), "--exit-at-end", "--device", device, "--label", label, "--um-per-px", "2"];
    let service = Service::start(&store, &flags);
    assert_eq!(service.ended().0, 0);
    store.to_str().unwrap().to_owned()
}

/// Two devices' sessions in one store: the moments of both are those of one pass over all fields; again, nothing is new.
#[test]
fn stores_are_listed_shown_exported_and_merged() {
    let place = tempfile::tempdir().unwrap();
    let left = segmented(place.path(), "left", &[8, 16, 24], "3");
    let right = segmented(place.path(), "right", &[32, 40], "3");
    let merged = place.path().join("merged");
    let said = run(["session", "merge", &left, &right, "--output", merged.to_str().unwrap()]);
    said.expect(0, &[]);
    assert!(said.stdout.contains("2 sessions, 5 fields and 10 pictures are new, 0 fields were there"), "{said:?}");
    let again = run(["session", "merge", &right, &left, "--output", merged.to_str().unwrap(), "--json"]);
    let again: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!((&again["fields"], &again["known"], &again["pictures"]), (&0.into(), &5.into(), &0.into()));

    let fields = checked(&merged);
    let whole: GroupMoments<f64> =
        fields.iter().map(|field| BlockMoments::from_u8_sums(field.sums()).unwrap()).collect::<Vec<_>>().iter().collect();
    let shown = run(["session", "show", merged.to_str().unwrap(), "all", "--json"]);
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    let counts = &shown["counts"][0];
    assert_eq!((&counts["label"], &counts["fields"]), (&3.into(), &5.into()));
    for (name, expected) in [("mean", whole.mean()), ("between_std", whole.between_variance().sqrt())] {
        assert!((counts[name].as_f64().unwrap() - expected).abs() < 1e-12, "{name}: {counts} {expected}");
    }

    let listed = run(["session", "list", merged.to_str().unwrap()]);
    assert!(listed.stdout.contains("left") && listed.stdout.contains("3 fields, 3 fit"), "{listed:?}");
    let id = fields[0].session.clone();
    let table = place.path().join("fields.csv");
    let exported = run(["session", "export", merged.to_str().unwrap(), &id, "--output", table.to_str().unwrap()]);
    exported.expect(0, &[]);
    let rows = csv::Reader::from_path(&table).unwrap().into_records().map(|row| row.unwrap()).collect::<Vec<_>>();
    assert_eq!((rows.len(), &rows[0][0], &rows[2][2]), (3, id.as_str(), "24"));
    let lines = place.path().join("fields.jsonl");
    run(["session", "export", merged.to_str().unwrap(), "--format", "jsonl", "--output", lines.to_str().unwrap()]).expect(0, &[]);
    let first: FieldRecord = serde_json::from_str(fs::read_to_string(&lines).unwrap().lines().next().unwrap()).unwrap();
    assert!(fields.contains(&first));
    assert!(names(place.path()).iter().all(|name| !name.starts_with(".lsr")));
}

#[test]
fn stores_that_cannot_be_used_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let store = segmented(place.path(), "one", &[8], "3");
    let other = place.path().join("other");
    run(["session", "list", "/no/such/store"]).expect(1, &["/no/such/store/session.sqlite", "No such file"]);
    run(["session", "show", &store, "ffff"]).expect(1, &["none of its 1 sessions has an id that begins with 'ffff'"]);
    run(["session", "merge", &store, "--output", &store]).expect(1, &["cannot be merged into itself"]);
    // A picture that was changed, and one that is gone, are not merged as if they were whole.
    let folder = fs::read_dir(&store).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.is_dir()).unwrap();
    let mask = folder.join("000001.mask.png");
    let bytes = fs::read(&mask).unwrap();
    fs::write(&mask, [&bytes[..], b"x"].concat()).unwrap();
    run(["session", "merge", &store, "--output", other.to_str().unwrap()])
        .expect(1, &["000001.mask.png", "not the picture that was written"]);
    fs::remove_file(&mask).unwrap();
    run(["session", "merge", &store, "--output", other.to_str().unwrap()]).expect(1, &["cannot read", "000001.mask.png"]);
    fs::write(&mask, &bytes).unwrap();
    run(["session", "merge", &store, "--output", other.to_str().unwrap()]).expect(0, &[]);
    assert_eq!(checked(&other).len(), 1);

    // A database of somebody else, one that is damaged, and one of a later layout.
    let foreign = place.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    let database = foreign.join("session.sqlite");
    rusqlite::Connection::open(&database).unwrap().execute_batch("CREATE TABLE a (b); PRAGMA user_version = 3;").unwrap();
    run(["session", "list", foreign.to_str().unwrap()]).expect(1, &["a database of another program"]);
    run(["serve", "--store", foreign.to_str().unwrap(), "--listen", "127.0.0.1:0"]).expect(1, &["a database of another program"]);
    fs::write(&database, vec![7; 5000]).unwrap();
    run(["session", "list", foreign.to_str().unwrap()]).expect(1, &["not a database"]);
    rusqlite::Connection::open(Path::new(&store).join("session.sqlite")).unwrap().execute_batch("PRAGMA user_version = 9;").unwrap();
    run(["session", "list", &store]).expect(1, &["layout 9: expected 1"]);
}
