//! The executor alone, with events that no planner would send.

use crate::sim::{Pins, World, pins};
use lsr_firmware::{Axis, DriverTiming, MotionShared, StepEvent, StepExecutor, StepQueue, StepSender, Ticks};
use std::cell::RefCell;
use std::rc::Rc;

struct Bench {
    world: Rc<RefCell<World>>,
    sender: StepSender<'static>,
    executor: StepExecutor<'static, Pins, Pins, Pins>,
    now: Ticks,
}

/// What is needed to let it step without a planner: permission, and motors that were on before.
fn bench() -> Bench {
    let timing = DriverTiming::default();
    let world = World::new(timing);
    let shared: &'static MotionShared = Box::leak(Box::new(MotionShared::new()));
    let queue: &'static StepQueue = Box::leak(Box::new(StepQueue::new()));
    let (sender, receiver) = queue.split().unwrap();
    let axes = (pins(&world, Axis::X), pins(&world, Axis::Y), pins(&world, Axis::Z));
    let executor = StepExecutor::new(timing, shared, receiver, axes).unwrap();
    assert!(Axis::ALL.iter().all(|axis| !world.borrow().axes.get(*axis).energised), "motors are off until the planner wants them");
    for axis in Axis::ALL {
        world.borrow_mut().axes.get_mut(axis).energised = true;
        world.borrow_mut().axes.get_mut(axis).energised_at = 0;
    }
    shared.permit(true);
    let now = world.borrow().now;
    Bench { world, sender, executor, now }
}

impl Bench {
    /// The times of the steps until nothing comes for two milliseconds.
    fn run(&mut self) -> Vec<Ticks> {
        let mut idle = 0;
        while idle < 3 {
            self.world.borrow_mut().now = self.now;
            let wake = self.executor.on_timer(self.now);
            idle = if wake == self.now + 1_000 { idle + 1 } else { 0 };
            self.now = wake;
        }
        self.world.borrow().edges.iter().map(|edge| edge.at).collect()
    }
}

/// Pulses are never shorter than configured, and directions are set up in time (the pins assert both), even where events are too close.
#[test]
fn drivers_get_their_times() {
    let mut bench = bench();
    let start = bench.now + 100;
    for (at, direction) in [(0, 1), (1, 1), (30, 0), (31, 1)] {
        bench.sender.push(StepEvent { at: start + at, axes: 1, direction }).unwrap();
    }
    // 3 us high and 3 us low; 20 us from a change of direction, which is made at the end of the pulse before.
    assert_eq!(bench.run(), [start, start + 6, start + 30, start + 53]);
    assert_eq!(bench.world.borrow().axes.x.motor, 2);
}

/// Several axes in one event step at the same tick.
#[test]
fn axes_step_together() {
    let mut bench = bench();
    let start = bench.now + 100;
    bench.sender.push(StepEvent { at: start, axes: 7, direction: 5 }).unwrap();
    assert_eq!(bench.run(), [start; 3]);
    let world = bench.world.borrow();
    assert_eq!((world.axes.x.motor, world.axes.y.motor, world.axes.z.motor), (1, -1, 1));
}
