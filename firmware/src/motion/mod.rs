//! Motion of a three-axis stage with step motors, in two halves that share no lock.
//!
//! ```text
//! main loop                                                            timer interrupt
//! command in um ─► Stage ─► Route ─► Line ─► Profile ─► StepEvent ─► StepQueue ─► StepExecutor ─► AxisDriver ─► pins
//!                  refuses  legs     axes    times                                limits, emergency, permission
//!                    ▲                                                                  │
//!                    └──────────────── MotionShared: position, switches, why it stopped ┘
//! ```
//!
//! Configuration (`config`) is checked once and becomes `kinematics`; homing (`homing`) is a sequence of lines whose ends the switch decides on.

mod axis;
mod command;
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
mod status;

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
pub use stage::Stage;
pub use status::{MotionEvent, Outcome, StageState, StageStatus};
