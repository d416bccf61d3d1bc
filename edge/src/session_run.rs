//! What `lsr-edge session` does.

use crate::print;
use crate::session_args::{Action, Format, Session};
use lsr_edge::session::{
    Combined, Merged, SessionInfo, SessionRecord, Sessions, Stitched, combine, merge, write_csv, write_geojson, write_json_lines,
    write_stitched,
};
use lsr_edge::{Error, write_file};
use serde_json::json;
use std::fmt::Write;
use std::fs;
use std::io::stdout;
use std::path::Path;

pub(crate) fn run(flags: &Session) -> Result<(), Error> {
    match &flags.action {
        Action::List { store } => {
            let sessions = Sessions::open(store)?.list()?;
            show(flags.json, &json!(sessions), || sessions.iter().map(line).collect());
        }
        Action::Show { store, session } => show_session(&Sessions::open(store)?, session.as_deref(), flags.json)?,
        Action::Export { store, session, format, output } => {
            let sessions = Sessions::open(store)?;
            let info = sessions.find(session.as_deref())?;
            let said = export(&sessions, &info.session, *format, output)?;
            let fields = info.totals.fields;
            show(flags.json, &json!({ "fields": fields, "file": output }), || format!("{fields} fields{said} -> {}\n", output.display()));
        }
        Action::Merge { stores, output } => {
            let mut all = Merged::default();
            for store in stores {
                let Merged { sessions, fields, known, pictures } = merge(&Sessions::open(store)?, output)?;
                all.sessions += sessions;
                all.fields += fields;
                all.known += known;
                all.pictures += pictures;
            }
            let Merged { sessions, fields, known, pictures } = all;
            let said = json!({ "sessions": sessions, "fields": fields, "known": known, "pictures": pictures });
            show(flags.json, &said, || {
                format!(
                    "{sessions} sessions, {fields} fields and {pictures} pictures are new, {known} fields were there -> {}\n",
                    output.display()
                )
            });
        }
    }
    Ok(())
}

fn show(as_json: bool, value: &serde_json::Value, text: impl FnOnce() -> String) {
    print(stdout(), &if as_json { format!("{value}\n") } else { text() });
}

fn show_session(sessions: &Sessions, id: Option<&str>, as_json: bool) -> Result<(), Error> {
    let infos = if id == Some("all") { sessions.list()? } else { vec![sessions.find(id)?] };
    let ids: Vec<&str> = infos.iter().map(|info| info.session.id.as_str()).collect();
    let counts = combine(sessions, &ids)?;
    show(as_json, &json!({ "sessions": infos, "counts": counts }), || {
        let counts = counts.iter().map(count_line).collect::<String>();
        infos.iter().map(line).collect::<String>() + &counts
    });
    Ok(())
}

fn line(info: &SessionInfo) -> String {
    let (session, totals) = (&info.session, &info.totals);
    let mut line = format!(
        "{}  {}  {}  {}: {} fields, {} fit, mask {:.4} of {:.4} mm2",
        session.id,
        session.begun_utc,
        session.device,
        session.source,
        totals.fields,
        totals.fit_fields,
        totals.mask_area_mm2,
        totals.area_mm2
    );
    let of_plan = |key: &str| session.settings.pointer(&format!("/scan/plan/{key}")).and_then(serde_json::Value::as_u64);
    // Writing to a String cannot fail.
    if let (Some(columns), Some(rows)) = (of_plan("columns"), of_plan("rows")) {
        let _ = write!(line, ", a scan of {columns} x {rows}");
    }
    if totals.fields_with_alarm > 0 {
        let _ = write!(line, ", {} with an alarm", totals.fields_with_alarm);
    }
    line + "\n"
}

fn count_line(counts: &Combined) -> String {
    let label = counts.label.map_or("without a label".to_owned(), |label| format!("label {label}"));
    format!(
        "{label}: {} fields, mean count {:.4}, standard deviation between fields {:.4}, within a field {:.4}\n",
        counts.fields, counts.mean, counts.between_std, counts.within_std
    )
}

/// Writes them, and tells what else there is to say.
fn export(sessions: &Sessions, session: &SessionRecord, format: Format, output: &Path) -> Result<String, Error> {
    match format {
        Format::OmeTiff => {
            let Stitched { without_place, size: [width, height], um_per_px, fields, .. } = write_stitched(sessions, session, output)?;
            let left_out = if without_place > 0 { format!(", {without_place} of them without a place") } else { String::new() };
            return Ok(format!("{left_out}, {fields} of them seen in {width} x {height} px at {um_per_px} um/px"));
        }
        Format::Csv => write_file(output, |file| write_csv(sessions, &session.id, file, output)),
        Format::Jsonl => write_file(output, |file| write_json_lines(sessions, &session.id, file, output)),
        Format::Geojson => {
            fs::create_dir_all(output).map_err(|source| Error::OutputFolder { path: output.to_owned(), source })?;
            write_geojson(sessions, session, output).map(|_| ())
        }
    }?;
    Ok(String::new())
}
