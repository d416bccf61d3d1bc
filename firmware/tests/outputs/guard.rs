//! The host's heartbeat.

use lsr_firmware::{Guard, HEARTBEAT_DEFAULT_MS, HeartbeatOutOfRange};

#[test]
fn a_host_that_was_heard_and_is_no_more_is_lost() {
    let guard = Guard::default();
    let timeout = u64::from(HEARTBEAT_DEFAULT_MS) * 1000;
    assert!(!guard.is_lost(u64::MAX / 2, None), "nobody was there to be lost");
    assert!(!guard.is_lost(5_000 + timeout, Some(5_000)));
    assert!(guard.is_lost(5_001 + timeout, Some(5_000)));
    assert!(!guard.is_lost(0, Some(5_000)), "a time that has not come yet");
}

#[test]
fn the_time_can_be_set_within_its_range_and_never_to_never() {
    let mut guard = Guard::default();
    for found in [0, 99, 10_001, u16::MAX] {
        assert_eq!(guard.set_timeout(found), Err(HeartbeatOutOfRange { found }));
        assert_eq!(guard.timeout_ms(), HEARTBEAT_DEFAULT_MS);
    }
    guard.set_timeout(100).unwrap();
    assert!(guard.is_lost(100_001, Some(0)));
}
