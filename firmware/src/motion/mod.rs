//! Motion of the stage, in two halves that share no lock (the crate's text has the whole picture).

mod axis;
mod config;
mod config_error;
mod debounce;
mod driver;
mod encoder;
mod error;
mod executor;
mod halt;
mod homing;
mod kinematics;
mod line;
mod planner;
mod profile;
mod queue;
mod route;
mod scale;
mod shared;
mod stage;

pub use axis::{Axes, Axis, PerAxis, Side};
pub use config::{AxisConfig, DriverTiming, Homing, Retraction, StageConfig, SwitchHoming};
pub use config_error::{ConfigError, ConfigField};
pub use driver::{AxisDriver, AxisPins, NoPin, PinFailed, Polarity};
pub use encoder::{Encoder, NoEncoder};
pub use error::{MotionError, MotionFault};
pub use executor::StepExecutor;
pub use line::Line;
pub use profile::{Profile, Rate};
pub use queue::{StepEvent, StepQueue, StepReceiver, StepSender};
pub use shared::MotionShared;
pub use stage::{MotionEvent, Outcome, Stage, StageState, StageStatus};
