//! Image files: each once, or over and over at a camera's pace.

use super::{Frame, Next, Pace, Picture, Source};
use crate::error::Error;
use crate::input::{Input, find_inputs};
use crate::read::read_file;
use crate::segment::MAX_FILE_BYTES;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// Files that are replayed are held in memory, up to so many bytes.
const MOST_BYTES: u64 = 512 << 20;

/// Files in the order in which they were given, folders by name.
#[derive(Debug)]
pub struct Files {
    inputs: Vec<Input>,
    next: usize,
    replay: Option<Replay>,
}

/// Files as a camera that shows the same over and over.
#[derive(Debug)]
struct Replay {
    files: Vec<Vec<u8>>,
    pace: Pace,
}

impl Files {
    /// Each file once; then the source ends.
    ///
    /// # Errors
    /// That of the first path that gives no image.
    pub fn once(paths: &[PathBuf]) -> Result<Self, Error> {
        let (inputs, failures) = find_inputs(paths);
        if let Some((_, error)) = failures.into_iter().next() {
            return Err(error);
        }
        // A name that is wrong is said at once, not when its turn comes.
        for Input { path, .. } in &inputs {
            fs::metadata(path).map_err(|source| Error::Read { path: path.clone(), source })?;
        }
        Ok(Self { inputs, next: 0, replay: None })
    }

    /// So many frames a second, from the first file again after the last. Frames are counted in their names.
    ///
    /// # Errors
    /// As [`once`](Self::once); [`Error::Flag`] for a rate outside (0, 1000]; [`Error::Source`] for more bytes than are held.
    pub fn replay(paths: &[PathBuf], rate: f64) -> Result<Self, Error> {
        let pace = Pace::new(rate)?;
        let mut source = Self::once(paths)?;
        let mut files = Vec::with_capacity(source.inputs.len());
        let mut left = MOST_BYTES;
        for input in &source.inputs {
            let bytes = read_file(&input.path, MAX_FILE_BYTES)?;
            left = left.checked_sub(bytes.len() as u64).ok_or_else(|| Error::Source {
                source_name: input.path.display().to_string(),
                reason: format!("files that are replayed are held in memory: expected at most {} MB in all", MOST_BYTES >> 20),
            })?;
            files.push(bytes);
        }
        source.replay = Some(Replay { files, pace });
        Ok(source)
    }
}

impl Source for Files {
    fn next(&mut self, patience: Duration) -> Result<Next, Error> {
        let Some(replay) = &mut self.replay else {
            let Some(input) = self.inputs.get(self.next) else { return Ok(Next::End) };
            self.next += 1;
            let bytes = read_file(&input.path, MAX_FILE_BYTES)?;
            return Ok(Next::Frame(Frame::now(input.name.clone(), Picture::File(bytes))));
        };
        if replay.files.is_empty() {
            return Ok(Next::End);
        }
        let Some(shown) = replay.pace.next(patience) else { return Ok(Next::Nothing) };
        let index = (shown % replay.files.len() as u64) as usize;
        let name = format!("{}-{shown}", self.inputs[index].name);
        Ok(Next::Frame(Frame::now(name, Picture::File(replay.files[index].clone()))))
    }

    fn is_live(&self) -> bool {
        self.replay.is_some()
    }
}
