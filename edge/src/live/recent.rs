//! The fields that came last, for whoever looks.

use super::seen::Seen;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Fields that are held.
const FIELDS: usize = 24;
/// Memory that they may take together; the last one is held in any case.
const BYTES: usize = 96 << 20;

/// From the oldest to the newest.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<VecDeque<Arc<Seen>>>);

impl Recent {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn push(&self, seen: Arc<Seen>) {
        let mut fields = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        fields.push_back(seen);
        while fields.len() > FIELDS || (fields.len() > 1 && fields.iter().map(|seen| seen.bytes()).sum::<usize>() > BYTES) {
            fields.pop_front();
        }
    }

    pub(super) fn all(&self) -> Vec<Arc<Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
