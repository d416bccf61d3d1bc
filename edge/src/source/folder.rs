//! Frames out of a folder that a camera's program writes to.

use super::{Frame, Next, Picture, Source};
use crate::error::Error;
use crate::field::{Field, PixelSize};
use crate::input::is_image_name;
use crate::read::read_file;
use crate::segment::MAX_FILE_BYTES;
use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant, SystemTime};

/// Between two looks at the folder, unless a look takes long.
const LOOK: Duration = Duration::from_millis(5);
/// A look may take a fifth of the time of its thread.
const REST: u32 = 4;
/// A file whose end does not say so is complete when it has not changed for so long and can be decoded.
const SETTLED: Duration = Duration::from_millis(100);
/// Frames that nobody has fetched.
const FRAMES: usize = 16;
/// A folder and the thread that watches it.
///
/// Files that are there at the beginning are no frames; each later one is a frame once, when it is complete. A PNG or JPEG file is complete with its
/// end marker, so it may be written in place; others are complete when they have not changed for 0.1 s and can be decoded. Hidden files and those
/// whose name does not end as an image's (`.tmp`, `.part`) are passed over, so that a file may be written under such a name and renamed.
pub struct FrameFolder {
    frames: Option<Receiver<Result<Frame, Error>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    ignored: usize,
}

impl FrameFolder {
    /// Begins to watch.
    ///
    /// # Errors
    /// [`Error::Read`] for a folder that cannot be read.
    pub fn watch(folder: &Path) -> Result<Self, Error> {
        let mut looker = Looker { folder: folder.to_owned(), known: HashSet::new(), unfinished: HashMap::new() };
        looker.known = looker.new_names()?.into_iter().collect();
        let ignored = looker.known.len();
        let (sender, frames) = sync_channel(FRAMES);
        let over = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&over);
        let thread = spawn(move || looker.watch(&sender, &ended));
        Ok(Self { frames: Some(frames), over, thread: Some(thread), ignored })
    }
}

impl Source for FrameFolder {
    fn next(&mut self, patience: Duration) -> Result<Next, Error> {
        match self.frames.as_ref().map(|frames| frames.recv_timeout(patience)) {
            Some(Ok(frame)) => frame.map(Next::Frame),
            Some(Err(RecvTimeoutError::Timeout)) => Ok(Next::Nothing),
            // The thread has ended with an error, which was passed on.
            Some(Err(RecvTimeoutError::Disconnected)) | None => Ok(Next::End),
        }
    }

    fn is_live(&self) -> bool {
        true
    }

    fn passed_over(&self) -> usize {
        self.ignored
    }
}

impl Drop for FrameFolder {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // A thread that waits for room finds that nobody listens.
        self.frames = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What a file was like when it was not complete, and since when.
#[derive(Clone, Copy)]
struct Unfinished {
    bytes: u64,
    modified: Option<SystemTime>,
    since: Instant,
}

struct Looker {
    folder: PathBuf,
    known: HashSet<OsString>,
    unfinished: HashMap<OsString, Unfinished>,
}

impl Looker {
    fn watch(mut self, sender: &SyncSender<Result<Frame, Error>>, over: &AtomicBool) {
        while !over.load(Ordering::Relaxed) {
            let begun = Instant::now();
            match self.new_names() {
                Ok(names) => {
                    for name in names {
                        if let Some(bytes) = self.complete(&name) {
                            let frame = Frame::now(name.to_string_lossy().into_owned(), Picture::File(bytes));
                            self.unfinished.remove(&name);
                            self.known.insert(name);
                            if sender.send(Ok(frame)).is_err() {
                                return;
                            }
                        }
                    }
                }
                Err(error) => {
                    let _ = sender.send(Err(error));
                    return;
                }
            }
            sleep(LOOK.max(begun.elapsed() * REST));
        }
    }

    /// Images that were no frames yet, sorted.
    fn new_names(&self) -> Result<Vec<OsString>, Error> {
        let failed = |source| Error::Read { path: self.folder.clone(), source };
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            if is_image_name(Path::new(&name)) && !self.known.contains(&name) {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// The file's bytes, if it is complete. What cannot be read, or not yet, is not complete.
    fn complete(&mut self, name: &OsString) -> Option<Vec<u8>> {
        let path = self.folder.join(name);
        let metadata = fs::metadata(&path).ok()?;
        let (bytes, modified) = (metadata.len(), metadata.modified().ok());
        let before = self.unfinished.get(name).copied().filter(|before| (before.bytes, before.modified) == (bytes, modified));
        // Read when it has changed, and once more when it has not for long enough.
        let settled = before.is_some_and(|before| before.since.elapsed() >= SETTLED);
        if before.is_some() && !settled {
            return None;
        }
        let content = read_file(&path, MAX_FILE_BYTES).ok();
        let complete = content.filter(|content| ends(content) || (settled && can_be_decoded(content)));
        if complete.is_none() {
            self.unfinished.insert(name.clone(), Unfinished { bytes, modified, since: Instant::now() });
        }
        complete
    }
}

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
const PNG_END: &[u8] = b"IEND\xae\x42\x60\x82";

/// Whether a PNG or JPEG file has its end marker as its end.
fn ends(content: &[u8]) -> bool {
    (content.starts_with(PNG) && content.ends_with(PNG_END)) || (content.starts_with(b"\xff\xd8") && content.ends_with(b"\xff\xd9"))
}

/// Whether the whole image is there. The PNG decoder would do without the end marker.
fn can_be_decoded(content: &[u8]) -> bool {
    let open = content.starts_with(PNG) && !content.windows(PNG_END.len()).any(|bytes| bytes == PNG_END);
    !open && Field::decode(content, PixelSize::given_or_assumed(None, None, 1.0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageFormat, RgbImage};
    use std::io::Cursor;

    fn file(format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        RgbImage::from_fn(9, 7, |x, y| image::Rgb([x as u8 * 9, y as u8 * 9, 77])).write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn next(folder: &mut FrameFolder, milliseconds: u64) -> Option<String> {
        match folder.next(Duration::from_millis(milliseconds)).unwrap() {
            Next::Frame(frame) => Some(frame.name),
            Next::Nothing | Next::End => None,
        }
    }

    /// Written in place byte by byte, a file is a frame at its end and not before; one that was there, is hidden or has another name is none.
    #[test]
    fn a_file_is_a_frame_once_and_when_it_is_complete() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        fs::write(path("old.png"), file(ImageFormat::Png)).unwrap();
        let mut folder = FrameFolder::watch(place.path()).unwrap();
        assert_eq!(folder.passed_over(), 1);
        for name in [".hidden.png", "a.png.tmp", "a.part", "notes.txt"] {
            fs::write(path(name), file(ImageFormat::Png)).unwrap();
        }
        for (name, format) in [("b.png", ImageFormat::Png), ("c.jpg", ImageFormat::Jpeg), ("d.tif", ImageFormat::Tiff)] {
            let bytes = file(format);
            fs::write(path(name), &bytes[..bytes.len() - 2]).unwrap();
            assert_eq!(next(&mut folder, 250), None, "{name} is not complete");
            fs::write(path(name), &bytes).unwrap();
            assert_eq!(next(&mut folder, 5_000).as_deref(), Some(name));
        }
        fs::rename(path("a.png.tmp"), path("a.png")).unwrap();
        assert_eq!(next(&mut folder, 5_000).as_deref(), Some("a.png"));
        fs::write(path("old.png"), file(ImageFormat::Png)).unwrap();
        assert_eq!(next(&mut folder, 100), None, "each file once, and none that was there");
    }

    #[test]
    fn a_folder_that_goes_away_is_an_error() {
        let place = tempfile::tempdir().unwrap();
        let mut folder = FrameFolder::watch(place.path()).unwrap();
        drop(place);
        assert!(matches!(folder.next(Duration::from_secs(5)), Err(Error::Read { .. })));
        assert!(matches!(FrameFolder::watch(Path::new("/no/such/folder")), Err(Error::Read { .. })));
    }
}
