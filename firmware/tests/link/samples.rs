//! A message of every kind, every command, answer, refusal, event and fault.

use crate::board::IDENTITY;
use lsr_firmware::wire::{
    Answer, Axis, AxisSettings, Beat, BeatAnswer, Command, Consistency, Direction, EmergencyStop, EmergencyStopped, Ending, ErrorCode,
    Event, EventMessage, EventTaken, Exposure, Fault, FieldSummary, Hello, HelloReply, LabelMoments, LightLevel, LinkStatistics, Part,
    PerAxis, ROW_PIXELS, Reply, Request, ResetReason, RowPixels, ScanOrder, ScanPlan, ScanProgress, Setting, Side, StageSettings,
    StageState, Status, StopSource, SummedField, ToController, ToHost, TriggerPulse, Welcome,
};
use lsr_firmware::{AxisConfig, ConfigError, ConfigField, Homing, Retraction, SwitchHoming, Um};

const fn um(nm: i32) -> Um {
    Um::from_nm(nm)
}

pub(crate) const SUMMARY: FieldSummary = FieldSummary { label: 9, pixels: 300, sum: 128, sum_of_squares: 1 };

const AXIS: AxisSettings = AxisSettings {
    axis: Axis::Y,
    config: AxisConfig {
        full_steps_per_turn: 200,
        microsteps: 16,
        travel_per_turn: um(1_000_000),
        min: um(-5),
        max: um(20_000_000),
        max_speed_um_per_s: 5_000,
        acceleration_um_per_s2: 50_000,
        sudden_stop_um_per_s: 500,
        backlash: um(4_000),
        approach: Side::Positive,
        homing: Homing::Switch(SwitchHoming {
            side: Side::Negative,
            switch_at: um(-100_000),
            fast_um_per_s: 2_000,
            slow_um_per_s: 100,
            back_off: um(500_000),
            search: um(21_000_000),
            timeout_ms: 30_000,
        }),
        encoder_tolerance: Some(um(5_000)),
    },
};

const STAGE: StageSettings =
    StageSettings { retraction: Some(Retraction { over: um(2_000_000), to: um(300_000), side: Side::Negative }), settle_ms: 50 };
const CONFIGURATION: ConfigError = ConfigError::OutOfRange { axis: Some(Axis::Y), field: ConfigField::Min, min: -5, max: 5, found: 6 };
const PULSE: TriggerPulse = TriggerPulse { width_us: 500, delay_before_us: 10, delay_after_us: 20_000 };
const HALF: LightLevel = LightLevel { channel: 1, permille: 500 };
const CONSISTENCY: Consistency = Consistency { z_score: 1.0, alarm: Some(Direction::Below) };
const EXPOSURE: Exposure = Exposure {
    operation: 3,
    trigger_id: 8,
    time_us: 123_456_789,
    position: PerAxis { x: um(1_000), y: um(-2_000), z: um(0) },
    light: [0, 500, 0, 0],
};

const PLAN: ScanPlan = ScanPlan {
    x: um(1_000_000),
    y: um(2_000_000),
    z: Some(um(-1)),
    columns: 10,
    rows: 10,
    pitch_x: um(600_000),
    pitch_y: um(-450_000),
    order: ScanOrder::Snake,
    first_visit: 17,
    settle_ms: 40,
    trigger: PULSE,
    light: Some(HALF),
};

/// As long as its type can be in every field.
pub(crate) const LONGEST_STATUS: Status = Status {
    uptime_us: u64::MAX,
    position: PerAxis { x: Um::MIN, y: Um::MIN, z: Um::MIN },
    homed: PerAxis { x: true, y: true, z: true },
    state: StageState::Faulted,
    fault: Some(Fault::LostSteps { axis: Axis::Z, expected: Um::MIN, found: Um::MAX }),
    operation: Some(u32::MAX),
    scan: Some(ScanProgress { operation: u32::MAX, visited: u32::MAX, fields: u32::MAX, paused: true }),
    light: [u16::MAX; 4],
    trigger_id: u32::MAX,
    alarm: true,
    heartbeat_ms: u16::MAX,
    reset_reason: ResetReason::Unknown,
    link: LinkStatistics {
        frames: u32::MAX,
        bad_checksum: u32::MAX,
        malformed: u32::MAX,
        not_understood: u32::MAX,
        repeated: u32::MAX,
        late: u32::MAX,
        events_resent: u32::MAX,
        events_lost: u32::MAX,
    },
};

const STATUS: Status = Status {
    uptime_us: 1_000_000,
    position: PerAxis { x: um(12_345), y: um(0), z: um(-1) },
    homed: PerAxis { x: true, y: true, z: false },
    state: StageState::Moving,
    fault: None,
    operation: Some(4),
    scan: None,
    light: [0, 300, 0, 0],
    trigger_id: 2,
    alarm: false,
    heartbeat_ms: 1_000,
    reset_reason: ResetReason::PowerOn,
    link: LinkStatistics {
        frames: 9,
        bad_checksum: 1,
        malformed: 0,
        not_understood: 0,
        repeated: 2,
        late: 0,
        events_resent: 0,
        events_lost: 0,
    },
};

pub(crate) fn commands() -> Vec<Command> {
    let some = PerAxis { x: Some(um(1_000)), y: None, z: Some(um(-1)) };
    vec![
        Command::Ping,
        Command::Status,
        Command::AxisSettings { axis: Axis::Z },
        Command::ConfigureAxis(AXIS),
        Command::StageSettings,
        Command::ConfigureStage(STAGE),
        Command::SetHeartbeat { heartbeat_ms: 2_000 },
        Command::Home { axes: PerAxis { x: true, y: true, z: false } },
        Command::MoveTo { target: some },
        Command::MoveBy { offset: some },
        Command::Stop,
        Command::EmergencyStop,
        Command::AcknowledgeFault,
        Command::Light { level: HALF, ramp_ms: 200 },
        Command::Trigger(PULSE),
        Command::Scan(PLAN),
        Command::PauseScan,
        Command::ResumeScan,
        Command::AbortScan,
        Command::RepeatField { field: 17 },
        Command::Field(SUMMARY),
        Command::BeginField { label: 9 },
        Command::FieldRow(RowPixels::new(&[0, 255, 7]).unwrap()),
        Command::EndField { pixels: 3 },
        Command::Moments { label: 200 },
        Command::AcknowledgeAlarm { label: 1 },
        Command::Goodbye,
    ]
}

pub(crate) fn answers() -> Vec<Answer> {
    let moments =
        LabelMoments { label: 9, fields: 60, mean: 0.5, between_variance: 0.25, within_count_fraction: 0.125, within_bernoulli_mean: 2.0 };
    vec![
        Answer::Done,
        Answer::Started { operation: 300 },
        Answer::TriggerStarted { operation: 1, trigger_id: 2 },
        Answer::Pong(IDENTITY),
        Answer::Status(STATUS),
        Answer::AxisSettings(AXIS),
        Answer::StageSettings(STAGE),
        Answer::Consistency(CONSISTENCY),
        Answer::RowTaken { pixels: 240 },
        Answer::Summed(SummedField { summary: SUMMARY, consistency: Consistency { z_score: -2.0, alarm: None } }),
        Answer::Moments(moments),
    ]
}

pub(crate) fn faults() -> Vec<Fault> {
    let (axis, side) = (Axis::X, Side::Positive);
    vec![
        Fault::HostLost { heartbeat_ms: 1_000 },
        Fault::EmergencyStop { source: StopSource::Button },
        Fault::LimitHit { axis, side },
        Fault::HomingTimeout { axis: Axis::Z, timeout_ms: 30_000 },
        Fault::SwitchNotFound { axis },
        Fault::SwitchStuck { axis, side: Side::Negative },
        Fault::LostSteps { axis: Axis::Y, expected: um(1_000), found: um(990) },
        Fault::EncoderSilent { axis },
        Fault::StepsLate { late_us: 12 },
        Fault::Pin { part: Part::Light { channel: 1 } },
        Fault::ExecutorSilent,
        Fault::Internal,
    ]
}

pub(crate) fn refusals() -> Vec<ErrorCode> {
    let (axis, fault) = (Axis::Y, Fault::LimitHit { axis: Axis::Y, side: Side::Negative });
    vec![
        ErrorCode::ProtocolVersion { expected: 2, found: 3 },
        ErrorCode::NoSession,
        ErrorCode::OutOfOrder { expected: 4, found: 6 },
        ErrorCode::NotOnThisBoard,
        ErrorCode::Busy { state: StageState::Homing },
        ErrorCode::TriggerPending,
        ErrorCode::ScanRunning,
        ErrorCode::NoScan,
        ErrorCode::ScanNotPaused,
        ErrorCode::Faulted { fault },
        ErrorCode::FaultPersists { fault },
        ErrorCode::NotHomed { axis },
        ErrorCode::OutsideLimits { axis, minimum: um(0), maximum: um(20_000_000), asked: um(20_000_001) },
        ErrorCode::NoAxis,
        ErrorCode::UnknownAxis { axis: Axis::Z },
        ErrorCode::OutOfRange { setting: Setting::Heartbeat, minimum: 100, maximum: 10_000, found: 0 },
        ErrorCode::Configuration { error: CONFIGURATION },
        ErrorCode::NoSwitch { axis, side: Side::Positive },
        ErrorCode::NoEncoder { axis },
        ErrorCode::NoFault,
        ErrorCode::UnknownLight { channels: 2, found: 2 },
        ErrorCode::LightAboveCeiling { channel: 1, ceiling: 800, asked: 1_000 },
        ErrorCode::UnknownField { fields: 100, found: 100 },
        ErrorCode::UnknownLabel { labels: 10, found: 10 },
        ErrorCode::EmptyField,
        ErrorCode::TooManyPixels,
        ErrorCode::ImpossibleSums,
        ErrorCode::NotFinite,
        ErrorCode::NoOpenField,
        ErrorCode::PixelsMissing { expected: 57_600, found: 57_360 },
        ErrorCode::Internal,
    ]
}

pub(crate) fn events() -> Vec<Event> {
    let position = PerAxis { x: um(1_000), y: um(0), z: um(0) };
    vec![
        Event::Finished { operation: 3, ending: Ending::Done, position },
        Event::Exposed(EXPOSURE),
        Event::FieldExposed { field: 99, exposure: EXPOSURE },
        Event::ScanPaused { operation: 3, next_visit: 18 },
        Event::Faulted(Fault::HostLost { heartbeat_ms: 1_000 }),
        Event::Alarm { label: 9, direction: Direction::Above },
    ]
}

/// One of each, all with session 5 and number 6.
pub(crate) fn to_controller() -> Vec<ToController> {
    let (session, sequence) = (5, 6);
    let requests = commands().into_iter().map(|command| ToController::Request(Request { session, sequence, command }));
    [
        ToController::Hello(Hello::new(5)),
        ToController::EventTaken(EventTaken { session, sequence }),
        ToController::EmergencyStop(EmergencyStop { nonce: 5 }),
        ToController::Beat(Beat { session }),
    ]
    .into_iter()
    .chain(requests)
    .collect()
}

/// One of each, all with session 5 and number 6.
pub(crate) fn to_host() -> Vec<ToHost> {
    let (session, sequence) = (5, 6);
    let reply = |result| ToHost::Reply(Reply { session, sequence, result });
    let event = |event| ToHost::EventMessage(EventMessage { session, sequence, event });
    let hello = |result| ToHost::HelloReply(HelloReply { nonce: 5, result });
    [
        hello(Ok(Welcome { session, boot: 4, next_event: 300, identity: IDENTITY })),
        hello(Err(ErrorCode::ProtocolVersion { expected: 2, found: 3 })),
        ToHost::EmergencyStopped(EmergencyStopped { nonce: 5 }),
        ToHost::BeatAnswer(BeatAnswer { session, known: true }),
    ]
    .into_iter()
    .chain(answers().into_iter().map(|answer| reply(Ok(answer))))
    .chain(refusals().into_iter().map(|code| reply(Err(code))))
    .chain(events().into_iter().map(event))
    .chain(
        faults()
            .into_iter()
            .map(|fault| event(Event::Finished { operation: 0, ending: Ending::Faulted(fault), position: PerAxis::default() })),
    )
    .collect()
}

/// The longest messages of both directions.
pub(crate) fn longest() -> (ToController, ToHost) {
    let (session, sequence) = (u32::MAX, u32::MAX);
    let command = Command::FieldRow(RowPixels::new(&[7; ROW_PIXELS]).unwrap());
    let result = Ok(Answer::Status(LONGEST_STATUS));
    (ToController::Request(Request { session, sequence, command }), ToHost::Reply(Reply { session, sequence, result }))
}
