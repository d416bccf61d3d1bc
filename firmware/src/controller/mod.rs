//! Everything together: bytes of the host become commands, and this is the only place where a command meets hardware.
//!
//! A board's main loop calls [`Controller::receive`] for each byte of the line, [`Controller::poll`] as often as it can, and writes what
//! [`Controller::transmit`] gives; its timer interrupt runs the [`StepExecutor`](crate::StepExecutor). Times are microseconds since power-on.
//!
//! | when | motion | light | trigger | state |
//! |---|---|---|---|---|
//! | the host is silent for longer than the heartbeat | stops by its ramp | off | taken back | `HostLost`, latched |
//! | emergency stop, by the host or a button | stops at once | off | taken back | `EmergencyStop`, latched |
//! | a limit switch outside homing, lost steps, late steps, a pin that fails | stops at once | off | taken back | latched |
//! | the step interrupt is silent | none possible | off | taken back | `ExecutorSilent`, latched |
//! | the main loop hangs | the hardware watchdog resets the board: nothing is homed | off | low | `ResetReason::Watchdog` |

mod commands;
mod convert;
mod machine;

use crate::lamp::AlarmLamp;
use crate::light::Lights;
use crate::monitor::FieldMonitor;
use crate::motion::{Encoder, MotionShared, NoEncoder, Stage};
use crate::trigger::Trigger;
use crate::wire::{LinkStatistics, ResetReason, Server};
use embedded_hal::digital::OutputPin;
use embedded_hal::pwm::SetDutyCycle;
use machine::Machine;

/// Time after which an event that the host has not taken is sent again.
const RESEND_US: u32 = 200_000;

/// The parts that a board gives to its controller.
pub struct Parts<'q, L, T, A, E, const LIGHTS: usize, const LABELS: usize> {
    /// The stage's planner.
    pub stage: Stage<'q, E>,
    /// What it shares with the step executor.
    pub shared: &'q MotionShared,
    /// The lights.
    pub lights: Lights<L, LIGHTS>,
    /// The camera's trigger.
    pub trigger: Trigger<T>,
    /// The consistency monitor, if the board has one.
    pub monitor: Option<FieldMonitor<LABELS>>,
    /// The lamp that shows an alarm, if the board has one.
    pub lamp: Option<AlarmLamp<A>>,
    /// Rest after a move before a trigger, until the host sets another, ms.
    pub settle_ms: u16,
    /// Why the board started.
    pub reset_reason: ResetReason,
}

/// A microscope's controller. `EVENTS` events can wait for the host.
pub struct Controller<'q, L, T, A, E = NoEncoder, const LIGHTS: usize = 1, const LABELS: usize = 10, const EVENTS: usize = 16> {
    server: Server<EVENTS>,
    machine: Machine<'q, L, T, A, E, LIGHTS, LABELS>,
}

impl<'q, L, T, A, E, const LIGHTS: usize, const LABELS: usize, const EVENTS: usize> Controller<'q, L, T, A, E, LIGHTS, LABELS, EVENTS>
where
    L: SetDutyCycle,
    T: OutputPin,
    A: OutputPin,
    E: Encoder,
{
    /// Takes over the parts: dark, at rest, nothing homed.
    #[inline(never)]
    pub fn new(parts: Parts<'q, L, T, A, E, LIGHTS, LABELS>) -> Self {
        parts.shared.permit(true);
        Self { server: Server::new(RESEND_US), machine: Machine::new(parts) }
    }

    /// Takes a byte of the line; a command that it completes is carried out or begun here.
    #[inline(never)]
    pub fn receive(&mut self, byte: u8, now: u64) {
        self.server.receive(byte, now, &mut self.machine);
        self.post();
    }

    /// Carries on whatever is under way, and sees to it that everything is as it should be.
    #[inline(never)]
    pub fn poll(&mut self, now: u64) {
        self.machine.watch(now, self.server.last_heard());
        self.machine.poll(now, self.server.event_room());
        self.post();
    }

    /// What is to be written to the line now.
    #[inline(never)]
    pub fn transmit(&mut self, now: u64) -> &[u8] {
        self.server.transmit(now)
    }

    /// The line has taken so many bytes.
    pub fn transmitted(&mut self, bytes: usize) {
        self.server.transmitted(bytes);
    }

    /// The state of the emergency button, if the board has one; to be told whenever it is read. While it is pressed its fault persists.
    pub fn button(&mut self, pressed: bool) {
        self.machine.button(pressed);
    }

    /// What the link has seen.
    pub fn statistics(&self) -> &LinkStatistics {
        self.server.statistics()
    }

    fn post(&mut self) {
        while self.server.event_room() > 0
            && let Some(event) = self.machine.next_event()
        {
            self.server.post(event);
        }
    }
}
