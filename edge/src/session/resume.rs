//! A session that goes on after its program has ended.

use super::read::Sessions;
use super::record::{FieldRecord, SessionRecord};
use super::store::SessionStore;
use crate::error::Error;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

/// Differences that are named.
const NAMED: usize = 8;

impl Sessions {
    /// The last session that is a scan, which is what a scan goes on with.
    ///
    /// # Errors
    /// [`Error::NoSession`], [`Error::Store`].
    pub fn last_scan(&self) -> Result<SessionRecord, Error> {
        let scans = self.list()?.into_iter().rev().map(|info| info.session);
        let last = scans.into_iter().find(|session| session.settings.get("scan").is_some_and(Value::is_object));
        last.ok_or_else(|| Error::NoSession { store: self.database().to_owned(), reason: "it has no scan to resume".to_owned() })
    }
}

impl SessionStore {
    /// Goes on with a session that was begun with the same settings, model and version as `wanted`. Returns the fields
    /// that are there, in the order in which they were seen. A picture that is missing is named with its field.
    ///
    /// # Errors
    /// [`Error::OtherSession`], [`Error::Store`].
    pub fn go_on(folder: &Path, session: &SessionRecord, wanted: &SessionRecord, tell: bool) -> Result<(Self, Vec<FieldRecord>), Error> {
        let mut differing = Vec::new();
        differences("", &identity(session), &identity(wanted), &mut differing);
        let more = differing.len().saturating_sub(NAMED);
        differing.truncate(NAMED);
        if !differing.is_empty() {
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            return Err(Error::OtherSession { session: session.id.clone(), differences: differing.join(", ") + &more });
        }
        let sessions = Sessions::open(folder)?;
        let mut fields = sessions.all_fields(&session.id)?;
        for field in &fields {
            if let Some(missing) = field.artefacts.iter().find(|artefact| !folder.join(&artefact.path).is_file()) {
                let reason = format!("field {} of session {} is there, but its {} is gone", field.number, field.session, missing.path);
                return Err(Error::Store { path: sessions.database().to_owned(), reason });
            }
        }
        fields.sort_by(|a, b| a.seen_utc.cmp(&b.seen_utc));
        Ok((Self::again(folder, session.clone(), tell)?, fields))
    }
}

/// What two sessions must have in common to be one. Through text, as the numbers of the stored one went.
fn identity(session: &SessionRecord) -> Value {
    let SessionRecord { settings, model_sha256, lsr_edge, .. } = session;
    let value = json!({ "settings": settings, "model_sha256": model_sha256, "lsr_edge": lsr_edge });
    serde_json::to_string(&value).ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// Every leaf that differs: its name, the value there, the value here.
fn differences(name: &str, there: &Value, here: &Value, found: &mut Vec<String>) {
    match (there, here) {
        (Value::Object(a), Value::Object(b)) => {
            let names: BTreeSet<_> = a.keys().chain(b.keys()).collect();
            for key in names {
                let inner = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                differences(&inner, a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null), found);
            }
        }
        (a, b) if a == b => {}
        (a, b) => found.push(format!("{name} is {a} there and {b} here")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named_leaf_by_leaf() {
        let there = json!({ "plan": { "columns": 4, "x_um": 0.1 }, "label": null });
        let here = json!({ "plan": { "columns": 5, "x_um": 0.1 }, "label": 9 });
        let mut found = Vec::new();
        differences("", &there, &here, &mut found);
        assert_eq!(found, ["label is null there and 9 here", "plan.columns is 4 there and 5 here"]);
    }
}
