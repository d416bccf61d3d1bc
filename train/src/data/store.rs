//! Images and masks shared between threads, the latest used ones kept in memory up to a bound.

use super::dataset::Dataset;
use super::source::ImageSource;
use crate::error::{Error, Result};
use lru::LruCache;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Most file handles that sources hold: systems allow a process as few as 256.
const MAX_OPEN_FILES: usize = 128;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    Pixels,
    Validity,
    Classes,
}

type Key = (Kind, String);

/// One value for every pixel of an image.
#[derive(Debug)]
pub(super) struct Mask {
    pub(super) values: Vec<u8>,
    /// Width and height in pixels.
    pub(super) size: (u32, u32),
}

#[derive(Clone)]
enum Item {
    Source(Arc<dyn ImageSource>),
    Mask(Option<Arc<Mask>>),
}

impl Item {
    fn bytes(&self) -> u64 {
        match self {
            Self::Source(source) => source.memory_bytes(),
            Self::Mask(mask) => mask.as_ref().map_or(0, |mask| mask.values.len() as u64),
        }
    }

    fn open_files(&self) -> usize {
        match self {
            Self::Source(source) => source.open_files(),
            Self::Mask(_) => 0,
        }
    }
}

/// A load that one thread does while others wait for it.
type Load = Arc<OnceLock<Result<Item>>>;

struct State {
    kept: LruCache<Key, Item>,
    bytes: u64,
    files: usize,
    loading: BTreeMap<Key, Load>,
    /// What could not be loaded: it is not tried again.
    failed: BTreeMap<Key, Error>,
    loads: u64,
}

/// Opened images and masks of a data set. Each is loaded once, even when several threads ask for it at the same time, and the least
/// recently used ones are dropped as soon as all of them together exceed `limit` bytes; what a thread still reads from, or is loading, comes
/// on top.
pub struct ImageStore {
    data: Dataset,
    classes: usize,
    limit: u64,
    state: Mutex<State>,
}

impl ImageStore {
    /// An empty store of at most `limit` bytes; masks are read as masks of `classes` classes.
    pub fn new(data: Dataset, classes: usize, limit: u64) -> Self {
        let state = State { kept: LruCache::unbounded(), bytes: 0, files: 0, loading: BTreeMap::new(), failed: BTreeMap::new(), loads: 0 };
        Self { data, classes, limit, state: Mutex::new(state) }
    }

    /// The data set.
    pub fn data(&self) -> &Dataset {
        &self.data
    }

    /// An image.
    ///
    /// # Errors
    /// As [`Dataset::source`].
    pub fn source(&self, name: &str) -> Result<Arc<dyn ImageSource>> {
        match self.get(Kind::Pixels, name)? {
            Item::Source(source) => Ok(source),
            Item::Mask(_) => Err(Error::setting("image", "pixels", format!("a mask of '{name}'"))),
        }
    }

    /// Which pixels of an image count, if it has a validity mask.
    ///
    /// # Errors
    /// As [`Dataset::validity`].
    pub(super) fn validity(&self, name: &str) -> Result<Option<Arc<Mask>>> {
        match self.get(Kind::Validity, name)? {
            Item::Mask(mask) => Ok(mask),
            Item::Source(_) => Ok(None),
        }
    }

    /// The class of every pixel of an image.
    ///
    /// # Errors
    /// As [`Dataset::class_mask`].
    pub(super) fn classes(&self, name: &str) -> Result<Option<Arc<Mask>>> {
        match self.get(Kind::Classes, name)? {
            Item::Mask(mask) => Ok(mask),
            Item::Source(_) => Ok(None),
        }
    }

    /// Bytes that are kept now.
    pub fn bytes(&self) -> u64 {
        self.state().bytes
    }

    /// How often anything has been loaded so far.
    pub fn loads(&self) -> u64 {
        self.state().loads
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, kind: Kind, name: &str) -> Result<Item> {
        let key = (kind, name.to_owned());
        let load = {
            let mut state = self.state();
            if let Some(item) = state.kept.get(&key) {
                return Ok(item.clone());
            }
            if let Some(error) = state.failed.get(&key) {
                return Err(copy(error));
            }
            Arc::clone(state.loading.entry(key.clone()).or_default())
        };
        let mut mine = false;
        // Should the load panic, the next thread that waits here tries again.
        let result = load.get_or_init(|| {
            mine = true;
            self.load(kind, name)
        });
        if mine {
            let mut state = self.state();
            state.loading.remove(&key);
            state.loads += 1;
            match result {
                Ok(item) => {
                    state.bytes += item.bytes();
                    state.files += item.open_files();
                    state.kept.put(key, item.clone());
                    self.drop_oldest(&mut state);
                }
                Err(error) => {
                    state.failed.insert(key, copy(error));
                }
            }
        }
        match result {
            Ok(item) => Ok(item.clone()),
            Err(error) => Err(copy(error)),
        }
    }

    fn load(&self, kind: Kind, name: &str) -> Result<Item> {
        let mask = |read: &dyn Fn((u32, u32)) -> Result<Option<Vec<u8>>>| {
            let size = self.data.size(name)?;
            Ok(Item::Mask(read(size)?.map(|values| Arc::new(Mask { values, size }))))
        };
        match kind {
            Kind::Pixels => Ok(Item::Source(self.data.source(name)?)),
            Kind::Validity => mask(&|size| self.data.validity(name, size)),
            Kind::Classes => mask(&|size| self.data.class_mask(name, size, self.classes).map(Some)),
        }
    }

    fn drop_oldest(&self, state: &mut State) {
        while state.bytes > self.limit || state.files > MAX_OPEN_FILES {
            let Some((_, item)) = state.kept.pop_lru() else { return };
            state.bytes -= item.bytes();
            state.files -= item.open_files();
        }
    }
}

/// The same error for another thread; the system's own error cannot be cloned, its kind and text can.
fn copy(error: &Error) -> Error {
    match error {
        Error::Io { action, path, source } => {
            Error::Io { action, path: path.clone(), source: std::io::Error::new(source.kind(), source.to_string()) }
        }
        Error::File { path, reason } => Error::File { path: path.clone(), reason: reason.clone() },
        Error::Setting { name, expected, found } => Error::Setting { name, expected: expected.clone(), found: found.clone() },
        other => Error::setting("image", "one that can be read", other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    fn store(names: &[(&str, u32, u32)], limit: u64) -> (tempfile::TempDir, ImageStore) {
        let folder = crate::data::tests::folder(names);
        let data = Dataset::open(&[folder.path().to_owned()]).unwrap();
        (folder, ImageStore::new(data, 2, limit))
    }

    #[test]
    fn the_bound_is_held_and_the_latest_used_are_kept() {
        // 300 bytes each.
        let (_folder, store) = store(&[("a", 10, 10), ("b", 10, 10), ("c", 10, 10), ("large", 40, 40)], 700);
        for name in ["a", "b", "a", "c", "a"] {
            store.source(name).unwrap();
            assert!(store.bytes() <= 700);
        }
        assert_eq!(store.loads(), 3, "c has pushed out b, not a");
        store.source("b").unwrap();
        assert_eq!(store.loads(), 4);
        assert_eq!(store.source("large").unwrap().size(), (40, 40));
        assert_eq!(store.bytes(), 0, "an image beyond the bound is not kept");
        assert_eq!(store.source("a").unwrap().window(1, 1, 2, 2).unwrap().dimensions(), (2, 2));
    }

    #[test]
    fn an_image_is_decoded_once_when_many_ask_at_the_same_time() {
        let (_folder, store) = store(&[("a", 300, 300)], 1 << 20);
        let barrier = Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    barrier.wait();
                    store.source("a").unwrap();
                    assert!(store.validity("a").unwrap().is_none());
                });
            }
        });
        assert_eq!(store.loads(), 2, "one image and one validity mask");
    }

    #[test]
    fn a_bad_image_is_tried_once_and_named_every_time() {
        let (folder, store) = store(&[("a", 10, 10), ("b", 10, 10)], 1 << 20);
        std::fs::write(folder.path().join("images/a.png"), b"nothing").unwrap();
        for _ in 0..3 {
            let error = store.source("a").err().unwrap();
            assert!(matches!(error, Error::File { .. }) && error.to_string().contains("a.png: cannot be decoded"), "{error}");
            let error = store.classes("b").unwrap_err();
            assert!(matches!(error, Error::Io { .. }) && error.to_string().contains("masks/b.png"), "{error}");
        }
        assert_eq!(store.loads(), 2);
        assert!(store.source("c").is_err());
    }
}
