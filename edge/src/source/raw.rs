//! Raw pixels: frames of RGB bytes one after the other, as `ffmpeg -f rawvideo -pix_fmt rgb24 -` and many cameras' programs write them.

use super::{Frame, Next, Picture, Source};
use crate::error::Error;
use crate::field::check_size;
use image::RgbImage;
use std::io::Read;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::spawn;
use std::time::Duration;

/// Frames that nobody has fetched; the sender's pipe fills after that.
const FRAMES: usize = 2;

/// Frames of one size out of a stream, which end with it.
#[derive(Debug)]
pub struct RawPixels {
    frames: Receiver<Result<Frame, Error>>,
}

impl RawPixels {
    /// Begins to read frames of `width` x `height` px on a thread of its own.
    ///
    /// # Errors
    /// [`Error::TooLarge`], or a size of nothing.
    pub fn read(stream: impl Read + Send + 'static, name: &str, [width, height]: [u32; 2]) -> Result<Self, Error> {
        check_size("a frame", width.into(), height.into())?;
        let (sender, frames) = sync_channel(FRAMES);
        let stream_name = name.to_owned();
        // It ends with the stream, or with whoever listens.
        spawn(move || read_frames(stream, &stream_name, [width, height], &sender));
        Ok(Self { frames })
    }
}

fn read_frames(mut stream: impl Read, name: &str, [width, height]: [u32; 2], sender: &SyncSender<Result<Frame, Error>>) {
    let bytes = 3 * width as usize * height as usize;
    for number in 0_u64.. {
        let mut pixels = Vec::with_capacity(bytes);
        let read = stream.by_ref().take(bytes as u64).read_to_end(&mut pixels);
        let frame = match read {
            Ok(0) => return,
            Ok(read) if read < bytes => {
                Err(Error::Source { source_name: name.to_owned(), reason: format!("frame {number} ends after {read} of {bytes} bytes") })
            }
            Ok(_) => match RgbImage::from_raw(width, height, pixels) {
                Some(image) => Ok(Frame::now(format!("{name}-{number}"), Picture::Pixels(image))),
                None => return,
            },
            Err(error) => Err(Error::Source { source_name: name.to_owned(), reason: error.to_string() }),
        };
        let over = frame.is_err();
        if sender.send(frame).is_err() || over {
            return;
        }
    }
}

impl Source for RawPixels {
    fn next(&mut self, patience: Duration) -> Result<Next, Error> {
        match self.frames.recv_timeout(patience) {
            Ok(frame) => frame.map(Next::Frame),
            Err(RecvTimeoutError::Timeout) => Ok(Next::Nothing),
            Err(RecvTimeoutError::Disconnected) => Ok(Next::End),
        }
    }

    fn is_live(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn frames_are_cut_from_the_stream_and_a_torn_one_is_an_error() {
        let bytes: Vec<u8> = (0..2 * 3 * 2 * 2 + 5).map(|byte| byte as u8).collect();
        let mut source = RawPixels::read(Cursor::new(bytes), "stdin", [2, 2]).unwrap();
        let patience = Duration::from_secs(5);
        for number in 0..2_u8 {
            let Next::Frame(frame) = source.next(patience).unwrap() else { unreachable!("a frame") };
            assert_eq!(frame.name, format!("stdin-{number}"));
            let Picture::Pixels(image) = frame.picture else { unreachable!("pixels") };
            assert_eq!(image.as_raw()[..], (12 * number..12 * number + 12).collect::<Vec<_>>());
        }
        assert!(source.next(patience).unwrap_err().to_string().contains("frame 2 ends after 5 of 12 bytes"));
        assert!(matches!(source.next(patience), Ok(Next::End)));
        assert!(RawPixels::read(Cursor::new([]), "stdin", [0, 2]).is_err());
    }
}
