//! The host's heartbeat.

use lsr_firmware::{Guard, HEARTBEAT_DEFAULT_MS, HeartbeatOutOfRange};

#[test]
fn a_host_that_was_heard_and_is_no_more_is_lost_once() {
    let mut guard = Guard::default();
    let timeout = u64::from(HEARTBEAT_DEFAULT_MS) * 1000;
    assert!(!guard.lost(u64::MAX / 2), "nobody was there to be lost");
    guard.heard(5_000);
    assert!(!guard.lost(5_000 + timeout));
    assert!(guard.lost(5_001 + timeout));
    assert!(!guard.lost(6_000 + timeout), "latched by whoever asks, not here");
    guard.heard(9_000_000);
    guard.heard(9_900_000);
    assert!(!guard.lost(9_900_000 + timeout), "each message counts from itself");
}

#[test]
fn the_time_can_be_set_within_its_range_and_never_to_never() {
    let mut guard = Guard::default();
    for found in [0, 99, 10_001, u16::MAX] {
        assert_eq!(guard.set_timeout(found), Err(HeartbeatOutOfRange { found }));
        assert_eq!(guard.timeout_ms(), HEARTBEAT_DEFAULT_MS);
    }
    guard.set_timeout(100).unwrap();
    guard.heard(0);
    assert!(guard.lost(100_001));
}
