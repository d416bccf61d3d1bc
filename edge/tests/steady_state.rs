//! After the first field of a size nothing is allocated, and memory is what was said before.

#![allow(clippy::unwrap_used, clippy::panic)] // clippy.toml allows them in tests, but not in what tests share

mod program;

use lsr_edge::int8::{OneThread, Rgb, Split};
use lsr_edge::{Model, Threads};
use program::{blobs, fixture};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::sync::Mutex;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Counts are those of the whole process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Fields for the long run.
const FIELDS: usize = 10_000;

fn field(model: &Model, pixels: &[u8], side: usize, out: &mut [u8], split: &impl Split) {
    let image = Rgb { pixels, width: side, origin: [0, 0] };
    assert!(model.probability_bytes(image, [side; 2], out, split, &mut |_| true).unwrap());
}

#[test]
fn no_allocation_for_a_field_after_the_first() {
    let _alone = ALONE.lock().unwrap();
    let model = Model::open(&fixture("unet.int8.onnx")).unwrap();
    for side in [64, 240] {
        let pixels = blobs(side as u32, side as u32, 2).into_raw();
        let mut out = vec![0; side * side];
        field(&model, &pixels, side, &mut out, &OneThread);
        let region = Region::new(ALLOCATOR);
        for _ in 0..50 {
            field(&model, &pixels, side, &mut out, &OneThread);
        }
        let change = region.change();
        assert_eq!((change.allocations, change.reallocations, change.bytes_allocated), (0, 0, 0), "{side}: {change:?}");
    }
}

#[test]
fn no_allocation_on_several_threads_either() {
    let _alone = ALONE.lock().unwrap();
    let model = Model::open(&fixture("unet.int8.onnx")).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    pool.install(|| {
        let side = 128;
        let pixels = blobs(side as u32, side as u32, 2).into_raw();
        let mut out = vec![0; side * side];
        // A few to let rayon's queues reach their size.
        (0..20).for_each(|_| field(&model, &pixels, side, &mut out, &Threads::of_pool()));
        let region = Region::new(ALLOCATOR);
        (0..50).for_each(|_| field(&model, &pixels, side, &mut out, &Threads::of_pool()));
        let change = region.change();
        assert_eq!((change.allocations, change.reallocations), (0, 0), "{change:?}");
    });
}

#[test]
fn the_first_field_allocates_what_inspect_says() {
    let _alone = ALONE.lock().unwrap();
    let model = Model::open(&fixture("unet.int8.onnx")).unwrap();
    for memory in &model.card().execution.memory {
        let pixels = blobs(memory.side as u32, memory.side as u32, 2).into_raw();
        let mut out = vec![0; memory.side * memory.side];
        let region = Region::new(ALLOCATOR);
        field(&model, &pixels, memory.side, &mut out, &OneThread);
        let allocated = region.change().bytes_allocated;
        // The plan itself, and what aligns the arena, come on top.
        assert!(allocated >= memory.arena_bytes, "{memory:?}: {allocated}");
        assert!(allocated <= memory.arena_bytes + 64 * 1024, "{memory:?}: {allocated}");
    }
}

#[test]
fn ten_thousand_fields_leave_memory_flat() {
    let _alone = ALONE.lock().unwrap();
    let Ok(_) = std::fs::read_to_string("/proc/self/status") else { return };
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap().to_owned();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    };
    let model = Model::open(&fixture("unet.int8.onnx")).unwrap();
    let side = 48;
    let pixels = blobs(side as u32, side as u32, 2).into_raw();
    let mut out = vec![0; side * side];
    (0..100).for_each(|_| field(&model, &pixels, side, &mut out, &OneThread));
    let before = resident();
    (0..FIELDS).for_each(|_| field(&model, &pixels, side, &mut out, &OneThread));
    let after = resident();
    assert!(after <= before + 64, "from {before} to {after} KiB");
}
