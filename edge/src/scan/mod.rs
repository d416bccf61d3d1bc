//! A microscope scans a region by itself, every field is segmented, and every field is in the results exactly once, whatever happens meanwhile.
//!
//! ```text
//! Visits ─ which field is next ─► Scanner ─ ScanPlan, one pulse at a time ─► stage::Controller ─► FieldExposed ─┐
//!  ▲  ▲                                                                          Source ─► one frame ────────────┴► field ─ queue ─► Worker
//!  │  └─ once more, a bounded number of times ◄─ missing, doubled, early, dark                                                         │
//!  └──── once more ◄─ unlikely ◄─ z-score, alarm ◄─ monitor, of the controller or of this program ◄─ sums ◄─ masks, probabilities ◄────┤
//!                                                                                       session::SessionStore ◄─ live::Live::keep ◄────┘
//! ```
//!
//! # Which frame belongs to which field
//!
//! A camera takes a picture at each pulse and knows nothing of fields. What is relied on: frames come in the order of their pulses. What is not relied
//! on: that every pulse gives a frame, one frame, or a frame in time.
//!
//! 1. *One pulse at a time.* The controller pauses after each field, and goes on only when the field's frame is there.
//! 2. *One frame for one pulse.* None within the time-out, or more than one, is no frame at all. A frame that came before the pulse can have been is
//!    one too many; it makes the field before doubtful as well, which is why a field is handed on only after the next pulse.
//! 3. *Darkness is the mark.* Before the first field, after each doubt, and after the last field the camera gets a pulse without light. The dark frame
//!    that follows says that every pulse before it has had its frames: whatever comes before it belongs to no field. A frame of a field that is as dark
//!    is none. So neither a frame that comes late by minutes nor a camera that always delivers the frame before is ever taken for another field;
//!    the light must be the controller's, and it must be what lights the camera.
//! 4. *Once more.* A field without its frame is visited again, [`ScanSettings::repeats`] times at most, and then named as failed.
//!
//! What this cannot tell: a pulse with two frames of which the second comes later than the next pulse, and so on for every pulse to the end. A
//! camera whose frames take less time than a move with its rest does not do that; and the mark after the last field finds one frame too many.
//!
//! # What is left behind
//!
//! A session in a [store](crate::session), whose settings have the plan and whose fields have their [`ScanPlace`](crate::session::ScanPlace): place, pulse,
//! visits. A field's pictures are on the disk before its row is, so a run that goes on visits what is missing and nothing else. `summary.json` in the
//! session's folder is the [`Summary`], written last.

mod clock;
mod describe;
mod error;
mod labels;
mod leg;
mod mark;
mod plan_file;
mod run;
mod scanner;
mod summary;
mod useq;
mod visits;
mod worker;

pub use error::ScanError;
pub use labels::Labels;
pub use plan_file::PlanFile;
pub use run::{Judge, ScanSettings, Told, run};
pub use summary::{FailedField, LabelSummary, RegionFraction, Summary, ThisRun};
