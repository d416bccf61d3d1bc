//! Messages: what is written is read back, sizes are what they are said to be, and no bytes make the reader panic.

#![expect(clippy::unwrap_used, reason = "tests: an unexpected error is a failure")]

use lsr_firmware::{
    Answer, Command, Consistency, Direction, ErrorCode, Event, EventKind, FieldSummary, LabelMoments, LinkError, PROTOCOL_VERSION, Reply,
    Request, ToHost, Version, Wire,
};
use proptest::collection::vec;
use proptest::prelude::*;

fn commands() -> impl Strategy<Value = Command> {
    prop_oneof![
        Just(Command::Ping),
        any::<(u8, u32, u64, u64)>().prop_map(|(label, pixels, sum, sum_of_squares)| Command::Field(FieldSummary {
            label,
            pixels,
            sum,
            sum_of_squares
        })),
        any::<u8>().prop_map(|label| Command::Moments { label }),
        any::<u8>().prop_map(|label| Command::Acknowledge { label }),
    ]
}

fn requests() -> impl Strategy<Value = Request> {
    (any::<u32>(), commands()).prop_map(|(sequence, command)| Request { sequence, command })
}

fn directions() -> impl Strategy<Value = Direction> {
    prop::sample::select([Direction::Above, Direction::Below].as_slice())
}

fn to_host() -> impl Strategy<Value = ToHost> {
    // Any bits, NaN too: a reader must take what a broken device sends, and refuse it where it is used.
    let number = || any::<u32>().prop_map(f32::from_bits);
    let codes = [
        ErrorCode::UnknownLabel,
        ErrorCode::EmptyField,
        ErrorCode::TooManyPixels,
        ErrorCode::ImpossibleSums,
        ErrorCode::NotFinite,
        ErrorCode::Internal,
    ];
    let moments = (any::<(u8, u32)>(), [number(), number(), number(), number()]).prop_map(|((label, fields), numbers)| {
        let [mean, between_variance, within_count_fraction, within_bernoulli_mean] = numbers;
        Answer::Moments(LabelMoments { label, fields, mean, between_variance, within_count_fraction, within_bernoulli_mean })
    });
    let result = prop_oneof![
        any::<(u16, [u16; 3], u8)>().prop_map(|(protocol, firmware, labels)| Ok(Answer::Pong(Version { protocol, firmware, labels }))),
        (number(), prop::option::of(directions())).prop_map(|(z_score, alarm)| Ok(Answer::Consistency(Consistency { z_score, alarm }))),
        moments.prop_map(Ok),
        Just(Ok(Answer::Acknowledged)),
        prop::sample::select(codes.to_vec()).prop_map(Err),
    ];
    let event = (any::<(u32, u8)>(), directions())
        .prop_map(|((sequence, label), direction)| ToHost::Event(Event { sequence, kind: EventKind::Alarm { label, direction } }));
    prop_oneof![3 => (any::<u32>(), result).prop_map(|(sequence, result)| ToHost::Reply(Reply { sequence, result })), 1 => event]
}

/// There and back to the same bytes (NaN is not equal to itself), within the stated size; every shorter or longer run of bytes is refused.
fn holds<M: Wire + std::fmt::Debug>(message: &M) -> Result<(), TestCaseError> {
    let mut buffer = vec![0; M::MAX_SIZE];
    let bytes = message.encode(&mut buffer).unwrap().to_vec();
    prop_assert!(bytes.len() <= M::MAX_SIZE);
    let back = M::decode(&bytes).unwrap();
    prop_assert_eq!(back.encode(&mut buffer).unwrap(), &bytes[..]);
    for length in 0..bytes.len() {
        let short = M::decode(&bytes[..length]);
        prop_assert_eq!(short.err(), Some(LinkError::Malformed { bytes: length }));
        let found = message.encode(&mut buffer[..length]).err();
        prop_assert_eq!(found, Some(LinkError::BufferTooSmall { needed: M::MAX_SIZE, found: length }));
    }
    let longer = [&bytes[..], &[0, 0]].concat();
    prop_assert_eq!(M::decode(&longer).err(), Some(LinkError::TrailingBytes { bytes: 2 }));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(20_000) })]

    #[test]
    fn requests_come_back(request in requests()) {
        holds(&request)?;
    }

    #[test]
    fn replies_and_events_come_back(message in to_host()) {
        holds(&message)?;
    }

    /// Random bytes, and messages with bytes changed: a message that can be written again, or an error.
    #[test]
    fn no_bytes_panic(random in vec(any::<u8>(), 0..80), message in to_host(), request in requests(), flips in vec(any::<(prop::sample::Index, u8)>(), 1..4)) {
        let mut buffer = [0; 128];
        let mut mutated = [message.encode(&mut buffer).unwrap().to_vec(), request.encode(&mut buffer).unwrap().to_vec()];
        for (place, bits) in flips {
            for bytes in &mut mutated {
                let place = place.index(bytes.len());
                bytes[place] ^= bits;
            }
        }
        for bytes in [&random, &mutated[0], &mutated[1]] {
            if let Ok(request) = Request::decode(bytes) {
                prop_assert!(request.encode(&mut buffer).is_ok_and(|bytes| bytes.len() <= Request::MAX_SIZE));
            }
            if let Ok(message) = ToHost::decode(bytes) {
                prop_assert!(message.encode(&mut buffer).is_ok_and(|bytes| bytes.len() <= ToHost::MAX_SIZE));
            }
        }
    }
}

/// The largest messages take exactly the size that was said; both are constants of the compiler.
#[test]
fn largest_messages_have_the_stated_size() {
    const REQUEST: [u8; Request::MAX_SIZE] = [0; Request::MAX_SIZE];
    const TO_HOST: [u8; ToHost::MAX_SIZE] = [0; ToHost::MAX_SIZE];
    let (mut request_buffer, mut buffer) = (REQUEST, TO_HOST);
    let field = FieldSummary { label: u8::MAX, pixels: u32::MAX, sum: u64::MAX, sum_of_squares: u64::MAX };
    let request = Request { sequence: u32::MAX, command: Command::Field(field) };
    assert_eq!(request.encode(&mut request_buffer).unwrap().len(), REQUEST.len());
    let moments = LabelMoments {
        label: u8::MAX,
        fields: u32::MAX,
        mean: 1.0,
        between_variance: 1.0,
        within_count_fraction: 1.0,
        within_bernoulli_mean: 1.0,
    };
    let reply = ToHost::Reply(Reply { sequence: u32::MAX, result: Ok(Answer::Moments(moments)) });
    assert_eq!(reply.encode(&mut buffer).unwrap().len(), TO_HOST.len());
    println!("largest request {} bytes, largest message to the host {} bytes", REQUEST.len(), TO_HOST.len());
}

/// The bytes themselves: a change of them is another protocol, and the version must say so.
#[test]
fn the_encoding_of_version_1_stays() {
    let mut buffer = [0; 64];
    let field = FieldSummary { label: 9, pixels: 300, sum: 128, sum_of_squares: 1 };
    for (command, bytes) in [
        (Command::Ping, &[5, 0][..]),
        (Command::Field(field), &[5, 1, 9, 0xac, 2, 0x80, 1, 1]),
        (Command::Moments { label: 200 }, &[5, 2, 200]),
        (Command::Acknowledge { label: 1 }, &[5, 3, 1]),
    ] {
        assert_eq!(Request { sequence: 5, command }.encode(&mut buffer).unwrap(), bytes);
    }
    let version = Version { protocol: 1, firmware: [0, 1, 0], labels: 10 };
    let consistency = Consistency { z_score: 1.0, alarm: Some(Direction::Below) };
    for (result, bytes) in [
        (Ok(Answer::Pong(version)), &[0, 5, 0, 0, 1, 0, 1, 0, 10][..]),
        (Ok(Answer::Consistency(consistency)), &[0, 5, 0, 1, 0, 0, 0x80, 0x3f, 1, 1]),
        (Ok(Answer::Acknowledged), &[0, 5, 0, 3]),
        (Err(ErrorCode::UnknownLabel), &[0, 5, 1, 0]),
        (Err(ErrorCode::Internal), &[0, 5, 1, 5]),
    ] {
        assert_eq!(ToHost::Reply(Reply { sequence: 5, result }).encode(&mut buffer).unwrap(), bytes);
    }
    let event = Event { sequence: 3, kind: EventKind::Alarm { label: 9, direction: Direction::Above } };
    assert_eq!(ToHost::Event(event).encode(&mut buffer).unwrap(), [1, 3, 0, 9, 0]);
    assert_eq!(PROTOCOL_VERSION, 1);
}
