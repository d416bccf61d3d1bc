//! A camera, or whatever else GStreamer shows.

use super::{Frame, Next, Picture, Source};
use crate::error::Error;
use crate::field::check_size;
use gstreamer::prelude::*;
use gstreamer::{ClockTime, Element, MessageType, MessageView, Pipeline, State};
use gstreamer_app::AppSink;
use gstreamer_video::{VideoFrameExt, VideoFrameRef, VideoInfo};
use image::RgbImage;
use std::time::Duration;

/// Name of the end of the pipeline.
const SINK: &str = "lsr_edge_sink";
/// How long a camera may take to begin.
const BEGIN: ClockTime = ClockTime::from_seconds(10);

/// Frames at the end of a pipeline.
pub struct Camera {
    pipeline: Pipeline,
    sink: AppSink,
    name: String,
    frames: u64,
}

impl Camera {
    /// Begins `PIPELINE ! videoconvert ! video/x-raw,format=RGB`. The pipeline is in the words of `gst-launch-1.0`.
    ///
    /// # Errors
    /// [`Error::Source`] in GStreamer's words.
    pub fn open(words: &str) -> Result<Self, Error> {
        let failed = |reason: String| Error::Source { source_name: format!("camera:{words}"), reason };
        gstreamer::init().map_err(|error| failed(error.to_string()))?;
        let whole = format!("{words} ! videoconvert ! video/x-raw,format=RGB ! appsink name={SINK} max-buffers=2");
        let launched = gstreamer::parse::launch(&whole).map_err(|error| failed(error.to_string()))?;
        let pipeline = launched.downcast::<Pipeline>().map_err(|_| failed("it is no pipeline".to_owned()))?;
        let sink = pipeline.by_name(SINK).and_then(|sink: Element| sink.downcast::<AppSink>().ok());
        let sink = sink.ok_or_else(|| failed("it has no end".to_owned()))?;
        let camera = Self { pipeline, sink, name: format!("camera:{words}"), frames: 0 };
        let begun = camera.pipeline.set_state(State::Playing).is_ok() && camera.pipeline.state(BEGIN).0.is_ok();
        if !begun {
            return Err(camera.error().unwrap_or_else(|| failed("it does not begin".to_owned())));
        }
        Ok(camera)
    }

    /// What the pipeline has failed with.
    fn error(&self) -> Option<Error> {
        let message = self.pipeline.bus()?.pop_filtered(&[MessageType::Error])?;
        match message.view() {
            MessageView::Error(error) => {
                let details = error.debug().map_or(String::new(), |debug| format!(" ({debug})"));
                Some(Error::Source { source_name: self.name.clone(), reason: format!("{}{details}", error.error()) })
            }
            _ => None,
        }
    }

    fn picture(&self, sample: &gstreamer::Sample) -> Result<RgbImage, Error> {
        let failed = |reason: &str| Error::Source { source_name: self.name.clone(), reason: reason.to_owned() };
        let info = sample.caps().and_then(|caps| VideoInfo::from_caps(caps).ok()).ok_or_else(|| failed("a frame that is no picture"))?;
        let buffer = sample.buffer().ok_or_else(|| failed("a frame without pixels"))?;
        let frame = VideoFrameRef::from_buffer_ref_readable(buffer, &info).map_err(|_| failed("a frame that cannot be read"))?;
        let (width, height) = (frame.width(), frame.height());
        check_size("a frame", width.into(), height.into())?;
        // Rows end at multiples of four bytes.
        let stride = frame.plane_stride().first().copied().and_then(|stride| usize::try_from(stride).ok()).unwrap_or_default();
        let row = 3 * width as usize;
        let bytes = frame.plane_data(0).map_err(|_| failed("a frame without pixels"))?;
        if stride < row || bytes.len() < stride * (height as usize - 1) + row {
            return Err(failed("a frame with too few pixels"));
        }
        let pixels = bytes.chunks(stride).take(height as usize).flat_map(|line| &line[..row]).copied().collect();
        RgbImage::from_raw(width, height, pixels).ok_or_else(|| failed("a frame with too few pixels"))
    }
}

impl Source for Camera {
    fn next(&mut self, patience: Duration) -> Result<Next, Error> {
        let patience = ClockTime::from_mseconds(u64::try_from(patience.as_millis()).unwrap_or(u64::MAX / 2_000_000));
        match self.sink.try_pull_sample(patience) {
            Some(sample) => {
                let image = self.picture(&sample)?;
                self.frames += 1;
                Ok(Next::Frame(Frame::now(format!("camera-{}", self.frames), Picture::Pixels(image))))
            }
            None => match self.error() {
                Some(error) => Err(error),
                None if self.sink.is_eos() => Ok(Next::End),
                None => Ok(Next::Nothing),
            },
        }
    }

    fn is_live(&self) -> bool {
        true
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        // A pipeline that is dropped while it plays warns.
        let _ = self.pipeline.set_state(State::Null);
    }
}
