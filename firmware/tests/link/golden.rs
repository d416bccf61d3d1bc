//! The bytes themselves: a change of them is another protocol, and the version must say so.

use crate::samples;
use lsr_firmware::wire::{
    Axis, Direction, Ending, Frame, FrameReader, Hello, Message, MessageError, PROTOCOL_VERSION, Part, Reply, Request, ResetReason,
    ScanOrder, Setting, Side, StageState, StopSource, ToController, ToHost,
};
use std::fmt::Write;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// Every message as a line `bytes  message`, frames without COBS and checksum: kind, then payload.
fn table() -> Vec<(String, String)> {
    let mut lines = Vec::new();
    let mut buffer = [0; ToController::MAX_FRAME];
    for message in samples::to_controller() {
        let bytes = message.encode(&mut buffer).unwrap().to_vec();
        let content = content::<{ ToController::MAX_CONTENT }>(&bytes);
        let frame = Frame { kind: content[0], payload: &content[1..] };
        assert_eq!(ToController::read(&frame), Ok(message.clone()));
        short_or_long(&content, |frame| ToController::read(&frame).map(|_| ()));
        lines.push((hex(&content), format!("{message:?}")));
    }
    for message in samples::to_host() {
        let bytes = message.encode(&mut buffer).unwrap().to_vec();
        let content = content::<{ ToHost::MAX_CONTENT }>(&bytes);
        let frame = Frame { kind: content[0], payload: &content[1..] };
        assert_eq!(ToHost::read(&frame), Ok(message.clone()));
        short_or_long(&content, |frame| ToHost::read(&frame).map(|_| ()));
        lines.push((hex(&content), format!("{message:?}")));
    }
    lines
}

/// Kind and payload of a frame.
pub(crate) fn content<const N: usize>(bytes: &[u8]) -> Vec<u8> {
    let mut reader = FrameReader::<N>::new();
    let mut frames = bytes.iter().filter_map(|&byte| reader.push(byte).map(|frame| frame.map(|f| [&[f.kind], f.payload].concat())));
    frames.next().unwrap().unwrap()
}

/// Every shorter payload is malformed, every longer one has trailing bytes, and a kind of the other direction is none.
fn short_or_long(content: &[u8], read: impl Fn(Frame<'_>) -> Result<(), MessageError>) {
    let (kind, payload) = (content[0], &content[1..]);
    for bytes in 0..payload.len() {
        let found = read(Frame { kind, payload: &payload[..bytes] });
        assert_eq!(found, Err(MessageError::Malformed { kind, bytes }), "{content:02x?}");
    }
    let longer = [payload, &[0, 0]].concat();
    assert_eq!(read(Frame { kind, payload: &longer }), Err(MessageError::TrailingBytes { kind, bytes: 2 }));
    let other = kind ^ 0x80;
    assert_eq!(read(Frame { kind: other, payload }), Err(MessageError::UnknownKind { kind: other }));
}

/// `LSR_PRINT=1` prints the table in the form it has below, for a new version.
#[test]
fn the_encoding_of_version_2_stays() {
    let table = table();
    if std::env::var_os("LSR_PRINT").is_some() {
        table.iter().for_each(|(bytes, message)| println!("        // {message}\n        \"{bytes}\","));
    }
    assert_eq!(PROTOCOL_VERSION, 2);
    assert_eq!(table.len(), VERSION_2.len());
    for ((bytes, message), expected) in table.iter().zip(VERSION_2) {
        assert_eq!(bytes, expected, "{message}");
    }
}

/// The samples leave nothing out: each enum's numbers are there without a gap, and the number behind the last one is none.
#[test]
fn every_variant_has_its_bytes() {
    let zeros = [0; 400];
    let complete = |name: &str, prefix: &[u8], most: usize, found: Vec<u8>, read: &dyn Fn(&[u8]) -> Result<(), MessageError>| {
        assert_eq!(found, (0..most as u8).collect::<Vec<u8>>(), "{name}");
        for (number, known) in (0..=most as u8).map(|number| (number, usize::from(number) < most)) {
            let payload = [prefix, &[number], &zeros[..]].concat();
            // Zeros are a value of every field; so what a known variant leaves over are trailing bytes.
            assert_eq!(matches!(read(&payload), Err(MessageError::TrailingBytes { .. })), known, "{name} {number}");
        }
    };
    let mut buffer = [0; ToController::MAX_FRAME];
    let contents: Vec<Vec<u8>> = samples::to_controller()
        .iter()
        .map(|message| content::<{ ToController::MAX_CONTENT }>(message.encode(&mut buffer).unwrap()))
        .chain(samples::to_host().iter().map(|message| {
            let mut buffer = [0; ToHost::MAX_FRAME];
            content::<{ ToHost::MAX_CONTENT }>(message.encode(&mut buffer).unwrap())
        }))
        .collect();
    let numbers = |prefix: &[u8]| {
        contents.iter().filter(|content| content.starts_with(prefix)).map(|content| content[prefix.len()]).collect::<Vec<u8>>()
    };
    let request = |payload: &[u8]| Request::decode(payload).map(|_| ());
    let reply = |payload: &[u8]| Reply::decode(payload).map(|_| ());
    let event = |payload: &[u8]| lsr_firmware::wire::EventMessage::decode(payload).map(|_| ());
    complete("Command", &[5, 6], samples::commands().len(), numbers(&[0x02, 5, 6]), &request);
    complete("Answer", &[5, 6, 0], samples::answers().len(), numbers(&[0x82, 5, 6, 0]), &reply);
    complete("ErrorCode", &[5, 6, 1], samples::refusals().len(), numbers(&[0x82, 5, 6, 1]), &reply);
    let mut events = numbers(&[0x83, 5, 6]);
    events.truncate(samples::events().len());
    complete("Event", &[5, 6], samples::events().len(), events, &event);
    complete("Fault", &[5, 6, 0, 0, 2], samples::faults().len(), numbers(&[0x83, 5, 6, 0, 0, 2]), &event);
}

/// The numbers of the small enums that the samples do not go through one by one.
#[test]
fn small_enums_keep_their_numbers() {
    fn names<T: std::fmt::Debug + serde::de::DeserializeOwned>() -> String {
        let read = |number| postcard::take_from_bytes::<T>(&[number, 0, 0, 0, 0, 0]).ok().map(|(value, _)| format!("{value:?}"));
        (0..u8::MAX).map_while(read).collect::<Vec<_>>().join(" ")
    }
    assert_eq!(names::<Axis>(), "X Y Z");
    assert_eq!(names::<Direction>(), "Above Below");
    assert_eq!(names::<Side>(), "Negative Positive");
    assert_eq!(names::<StopSource>(), "Host Button");
    assert_eq!(names::<ScanOrder>(), "Raster Snake");
    assert_eq!(names::<Ending>(), "Done Stopped Faulted(HostLost { heartbeat_ms: 0 })");
    assert_eq!(names::<Part>(), "Axis(X) Light { channel: 0 } Trigger Lamp");
    assert_eq!(names::<StageState>(), "Idle Homing Moving Stopping Faulted");
    assert_eq!(names::<ResetReason>(), "PowerOn External Watchdog Panic BrownOut Unknown");
    let settings = "Settle Heartbeat LightLevel LightRamp TriggerWidth TriggerDelayBefore TriggerDelayAfter ScanColumns ScanRows \
                    ScanPitchX ScanPitchY ScanRepeats";
    assert_eq!(names::<Setting>(), settings);
}

/// The table in the module's text names every message, command, answer, refusal, event and fault.
#[test]
fn the_documentation_names_everything() {
    let text = include_str!("../../src/wire/mod.rs");
    let name = |debug: String| debug.chars().take_while(|c| c.is_alphanumeric()).collect::<String>();
    let all = [
        samples::commands().iter().map(|m| name(format!("{m:?}"))).collect::<Vec<_>>(),
        samples::answers().iter().map(|m| name(format!("{m:?}"))).collect(),
        samples::refusals().iter().map(|m| name(format!("{m:?}"))).collect(),
        samples::events().iter().map(|m| name(format!("{m:?}"))).collect(),
        samples::faults().iter().map(|m| name(format!("{m:?}"))).collect(),
        samples::to_controller().iter().map(|m| name(format!("{m:?}"))).collect(),
        samples::to_host().iter().map(|m| name(format!("{m:?}"))).collect(),
    ];
    for name in all.iter().flatten() {
        assert!(text.contains(&format!("`{name}`")) || text.contains(&format!("[`{name}`]")), "{name}");
    }
    for size in [ToController::MAX_SIZE, ToController::MAX_FRAME, ToHost::MAX_SIZE, ToHost::MAX_FRAME] {
        assert!(text.contains(&format!(" {size} ")), "{size} bytes");
    }
}

/// Whole frames, with the checksum of Python's `zlib.crc32` and COBS by hand.
#[test]
fn whole_frames_stay() {
    let mut buffer = [0; ToController::MAX_FRAME];
    // Kind 1, nonce 5, version 2: no zero inside, one block of seven bytes.
    assert_eq!(hex(Hello::new(5).encode(&mut buffer).unwrap()), HELLO);
    // Kind 2, session 5, number 6, command 0: the zero ends the first block.
    let ping = ToController::Request(Request { session: 5, sequence: 6, command: samples::commands()[0].clone() });
    assert_eq!(hex(ping.encode(&mut buffer).unwrap()), PING);
}

/// The largest messages take exactly the size that was said; all sizes are constants of the compiler.
#[test]
fn the_largest_messages_have_the_stated_size() {
    let (request, reply) = samples::longest();
    let mut buffer = [0; ToController::MAX_FRAME];
    let bytes = request.encode(&mut buffer).unwrap().to_vec();
    assert_eq!(content::<{ ToController::MAX_CONTENT }>(&bytes).len(), 1 + ToController::MAX_SIZE);
    assert!(matches!(request.encode(&mut buffer[..100]), Err(MessageError::BufferTooSmall { found: 100, .. })));
    let bytes = reply.encode(&mut buffer).unwrap().to_vec();
    assert_eq!(content::<{ ToHost::MAX_CONTENT }>(&bytes).len(), 1 + ToHost::MAX_SIZE);
    println!(
        "to the controller: {} bytes of payload, frames of {}; to the host: {} bytes of payload, frames of {}",
        ToController::MAX_SIZE,
        ToController::MAX_FRAME,
        ToHost::MAX_SIZE,
        ToHost::MAX_FRAME
    );
    println!(
        "a server with room for 32 events takes {} bytes, a client {}",
        size_of::<lsr_firmware::wire::Server<32>>(),
        size_of::<lsr_firmware::wire::Client>()
    );
}

const HELLO: &str = "080105024c26fa6d00";
const PING: &str = "0402050605fa72dcdb00";

/// In the order of the samples; kind and payload.
const VERSION_2: &[&str] = &[
    // Hello(Hello { nonce: 5, protocol: 2 })
    "010502",
    // EventTaken(EventTaken { session: 5, sequence: 6 })
    "030506",
    // EmergencyStop(EmergencyStop { nonce: 5 })
    "0405",
    // Beat(Beat { session: 5 })
    "0505",
    // Request(Request { session: 5, sequence: 6, command: Ping })
    "02050600",
    // Request(Request { session: 5, sequence: 6, command: Status })
    "02050601",
    // Request(Request { session: 5, sequence: 6, command: AxisSettings { axis: Z } })
    "0205060202",
    // Request(Request { session: 5, sequence: 6, command: ConfigureAxis(AxisSettings { axis: Y, config: AxisConfig { full_step...
    "0205060301c8011080897a0980b489138827d08603f403c03e010100bf9a0cd00f64c0843d80bd8314b0ea0101904e",
    // Request(Request { session: 5, sequence: 6, command: StageSettings })
    "02050604",
    // Request(Request { session: 5, sequence: 6, command: ConfigureStage(StageSettings { retraction: Some(Retraction { over: U...
    "02050605018092f401c0cf240032",
    // Request(Request { session: 5, sequence: 6, command: SetHeartbeat { heartbeat_ms: 2000 } })
    "02050606d00f",
    // Request(Request { session: 5, sequence: 6, command: Home { axes: PerAxis { x: true, y: true, z: false } } })
    "02050607010100",
    // Request(Request { session: 5, sequence: 6, command: MoveTo { target: PerAxis { x: Some(Um(1000)), y: None, z: Some(Um(-1...
    "0205060801d00f000101",
    // Request(Request { session: 5, sequence: 6, command: MoveBy { offset: PerAxis { x: Some(Um(1000)), y: None, z: Some(Um(-1...
    "0205060901d00f000101",
    // Request(Request { session: 5, sequence: 6, command: Stop })
    "0205060a",
    // Request(Request { session: 5, sequence: 6, command: EmergencyStop })
    "0205060b",
    // Request(Request { session: 5, sequence: 6, command: AcknowledgeFault })
    "0205060c",
    // Request(Request { session: 5, sequence: 6, command: Light { level: LightLevel { channel: 1, permille: 500 }, ramp_ms: 20...
    "0205060d01f403c801",
    // Request(Request { session: 5, sequence: 6, command: Trigger(TriggerPulse { width_us: 500, delay_before_us: 10, delay_aft...
    "0205060ef4030aa09c01",
    // Request(Request { session: 5, sequence: 6, command: Scan(ScanPlan { x: Um(1000000), y: Um(2000000), z: Some(Um(-1)), col...
    "0205060f80897a8092f40101010a0a809f499ff736011128f4030aa09c010101f403",
    // Request(Request { session: 5, sequence: 6, command: PauseScan })
    "02050610",
    // Request(Request { session: 5, sequence: 6, command: ResumeScan })
    "02050611",
    // Request(Request { session: 5, sequence: 6, command: AbortScan })
    "02050612",
    // Request(Request { session: 5, sequence: 6, command: RepeatField { field: 17 } })
    "0205061311",
    // Request(Request { session: 5, sequence: 6, command: Field(FieldSummary { label: 9, pixels: 300, sum: 128, sum_of_squares...
    "0205061409ac02800101",
    // Request(Request { session: 5, sequence: 6, command: BeginField { label: 9 } })
    "0205061509",
    // Request(Request { session: 5, sequence: 6, command: FieldRow(RowPixels([0, 255, 7])) })
    "020506160300ff07",
    // Request(Request { session: 5, sequence: 6, command: EndField { pixels: 3 } })
    "0205061703",
    // Request(Request { session: 5, sequence: 6, command: Moments { label: 200 } })
    "02050618c8",
    // Request(Request { session: 5, sequence: 6, command: AcknowledgeAlarm { label: 1 } })
    "0205061901",
    // Request(Request { session: 5, sequence: 6, command: Goodbye })
    "0205061a",
    // HelloReply(HelloReply { nonce: 5, result: Ok(Welcome { session: 5, boot: 4, next_event: 300, identity: Identity { protoc...
    "8105000504ac0202000100010100020a02e807",
    // HelloReply(HelloReply { nonce: 5, result: Err(ProtocolVersion { expected: 2, found: 3 }) })
    "810501000203",
    // EmergencyStopped(EmergencyStopped { nonce: 5 })
    "8405",
    // BeatAnswer(BeatAnswer { session: 5, known: true })
    "850501",
    // Reply(Reply { session: 5, sequence: 6, result: Ok(Done) })
    "8205060000",
    // Reply(Reply { session: 5, sequence: 6, result: Ok(Started { operation: 300 }) })
    "8205060001ac02",
    // Reply(Reply { session: 5, sequence: 6, result: Ok(TriggerStarted { operation: 1, trigger_id: 2 }) })
    "82050600020102",
    // Reply(Reply { session: 5, sequence: 6, result: Ok(Pong(Identity { protocol: 2, firmware: [0, 1, 0], axes: PerAxis { x: t...
    "820506000302000100010100020a02e807",
    // Reply(Reply { session: 5, sequence: 6, result: Ok(Status(Status { uptime_us: 1000000, position: PerAxis { x: Um(12345), ...
    "8205060004c0843df2c0010001010100020001040000ac0200000200e807000901000002000000",
    // Reply(Reply { session: 5, sequence: 6, result: Ok(AxisSettings(AxisSettings { axis: Y, config: AxisConfig { full_steps_p...
    "820506000501c8011080897a0980b489138827d08603f403c03e010100bf9a0cd00f64c0843d80bd8314b0ea0101904e",
    // Reply(Reply { session: 5, sequence: 6, result: Ok(StageSettings(StageSettings { retraction: Some(Retraction { over: Um(2...
    "8205060006018092f401c0cf240032",
    // Reply(Reply { session: 5, sequence: 6, result: Ok(Consistency(Consistency { z_score: 1.0, alarm: Some(Below) })) })
    "82050600070000803f0101",
    // Reply(Reply { session: 5, sequence: 6, result: Ok(RowTaken { pixels: 240 }) })
    "8205060008f001",
    // Reply(Reply { session: 5, sequence: 6, result: Ok(Summed(SummedField { summary: FieldSummary { label: 9, pixels: 300, su...
    "820506000909ac02800101000000c000",
    // Reply(Reply { session: 5, sequence: 6, result: Ok(Moments(LabelMoments { label: 9, fields: 60, mean: 0.5, between_varian...
    "820506000a093c0000003f0000803e0000003e00000040",
    // Reply(Reply { session: 5, sequence: 6, result: Err(ProtocolVersion { expected: 2, found: 3 }) })
    "82050601000203",
    // Reply(Reply { session: 5, sequence: 6, result: Err(NoSession) })
    "8205060101",
    // Reply(Reply { session: 5, sequence: 6, result: Err(OutOfOrder { expected: 4, found: 6 }) })
    "82050601020406",
    // Reply(Reply { session: 5, sequence: 6, result: Err(NotOnThisBoard) })
    "8205060103",
    // Reply(Reply { session: 5, sequence: 6, result: Err(Busy { state: Homing }) })
    "820506010401",
    // Reply(Reply { session: 5, sequence: 6, result: Err(TriggerPending) })
    "8205060105",
    // Reply(Reply { session: 5, sequence: 6, result: Err(ScanRunning) })
    "8205060106",
    // Reply(Reply { session: 5, sequence: 6, result: Err(NoScan) })
    "8205060107",
    // Reply(Reply { session: 5, sequence: 6, result: Err(ScanNotPaused) })
    "8205060108",
    // Reply(Reply { session: 5, sequence: 6, result: Err(Faulted { fault: LimitHit { axis: Y, side: Negative } }) })
    "8205060109020100",
    // Reply(Reply { session: 5, sequence: 6, result: Err(FaultPersists { fault: LimitHit { axis: Y, side: Negative } }) })
    "820506010a020100",
    // Reply(Reply { session: 5, sequence: 6, result: Err(NotHomed { axis: Y }) })
    "820506010b01",
    // Reply(Reply { session: 5, sequence: 6, result: Err(OutsideLimits { axis: Y, minimum: Um(0), maximum: Um(20000000), asked...
    "820506010c010080b4891382b48913",
    // Reply(Reply { session: 5, sequence: 6, result: Err(NoAxis) })
    "820506010d",
    // Reply(Reply { session: 5, sequence: 6, result: Err(UnknownAxis { axis: Z }) })
    "820506010e02",
    // Reply(Reply { session: 5, sequence: 6, result: Err(OutOfRange { setting: Heartbeat, minimum: 100, maximum: 10000, found:...
    "820506010f01c801a09c0100",
    // Reply(Reply { session: 5, sequence: 6, result: Err(Configuration { error: OutOfRange { axis: Some(Y), field: Min, min: -...
    "820506011000010103090a0c",
    // Reply(Reply { session: 5, sequence: 6, result: Err(NoSwitch { axis: Y, side: Positive }) })
    "82050601110101",
    // Reply(Reply { session: 5, sequence: 6, result: Err(NoEncoder { axis: Y }) })
    "820506011201",
    // Reply(Reply { session: 5, sequence: 6, result: Err(NoFault) })
    "8205060113",
    // Reply(Reply { session: 5, sequence: 6, result: Err(UnknownLight { channels: 2, found: 2 }) })
    "82050601140202",
    // Reply(Reply { session: 5, sequence: 6, result: Err(LightAboveCeiling { channel: 1, ceiling: 800, asked: 1000 }) })
    "820506011501a006e807",
    // Reply(Reply { session: 5, sequence: 6, result: Err(UnknownField { fields: 100, found: 100 }) })
    "82050601166464",
    // Reply(Reply { session: 5, sequence: 6, result: Err(UnknownLabel { labels: 10, found: 10 }) })
    "82050601170a0a",
    // Reply(Reply { session: 5, sequence: 6, result: Err(EmptyField) })
    "8205060118",
    // Reply(Reply { session: 5, sequence: 6, result: Err(TooManyPixels) })
    "8205060119",
    // Reply(Reply { session: 5, sequence: 6, result: Err(ImpossibleSums) })
    "820506011a",
    // Reply(Reply { session: 5, sequence: 6, result: Err(NotFinite) })
    "820506011b",
    // Reply(Reply { session: 5, sequence: 6, result: Err(NoOpenField) })
    "820506011c",
    // Reply(Reply { session: 5, sequence: 6, result: Err(PixelsMissing { expected: 57600, found: 57360 }) })
    "820506011d80c20390c003",
    // Reply(Reply { session: 5, sequence: 6, result: Err(Internal) })
    "820506011e",
    // EventMessage(EventMessage { session: 5, sequence: 6, event: Finished { operation: 3, ending: Done, position: PerAxis { x...
    "830506000300d00f0000",
    // EventMessage(EventMessage { session: 5, sequence: 6, event: Exposed(Exposure { operation: 3, trigger_id: 8, time_us: 123...
    "830506010308959aef3ad00f9f1f0000f4030000",
    // EventMessage(EventMessage { session: 5, sequence: 6, event: FieldExposed { field: 99, exposure: Exposure { operation: 3,...
    "83050602630308959aef3ad00f9f1f0000f4030000",
    // EventMessage(EventMessage { session: 5, sequence: 6, event: ScanPaused { operation: 3, next_visit: 18 } })
    "830506030312",
    // EventMessage(EventMessage { session: 5, sequence: 6, event: Faulted(HostLost { heartbeat_ms: 1000 }) })
    "8305060400e807",
    // EventMessage(EventMessage { session: 5, sequence: 6, event: Alarm { label: 9, direction: Above } })
    "830506050900",
    // EventMessage(EventMessage { session: 5, sequence: 6, event: Finished { operation: 0, ending: Faulted(HostLost { heartbea...
    "83050600000200e807000000",
    // EventMessage(EventMessage { session: 5, sequence: 6, event: Finished { operation: 0, ending: Faulted(EmergencyStop { sou...
    "8305060000020101000000",
    // EventMessage(EventMessage { session: 5, sequence: 6, event: Finished { operation: 0, ending: Faulted(LimitHit { axis: X,...
    "830506000002020001000000",
    // EventMessage(EventMessage { session: 5, sequence: 6, event: Finished { operation: 0, ending: Faulted(HomingTimeout { axi...
    "8305060000020302b0ea01000000",
    // EventMessage(EventMessage { session: 5, sequence: 6, event: Finished { operation: 0, ending: Faulted(SwitchNotFound { ax...
    "8305060000020400000000",
    // EventMessage(EventMessage { session: 5, sequence: 6, event: Finished { operation: 0, ending: Faulted(SwitchStuck { axis:...
    "830506000002050000000000",
    // EventMessage(EventMessage { session: 5, sequence: 6, event: Finished { operation: 0, ending: Faulted(LostSteps { axis: Y...
    "8305060000020601d00fbc0f000000",
    // EventMessage(EventMessage { session: 5, sequence: 6, event: Finished { operation: 0, ending: Faulted(EncoderSilent { axi...
    "8305060000020700000000",
    // EventMessage(EventMessage { session: 5, sequence: 6, event: Finished { operation: 0, ending: Faulted(StepsLate { late_us...
    "830506000002080c000000",
    // EventMessage(EventMessage { session: 5, sequence: 6, event: Finished { operation: 0, ending: Faulted(Pin { part: Light {...
    "830506000002090101000000",
    // EventMessage(EventMessage { session: 5, sequence: 6, event: Finished { operation: 0, ending: Faulted(ExecutorSilent), po...
    "8305060000020a000000",
    // EventMessage(EventMessage { session: 5, sequence: 6, event: Finished { operation: 0, ending: Faulted(Internal), position...
    "8305060000020b000000",
];
