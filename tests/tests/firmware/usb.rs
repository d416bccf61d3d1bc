//! The Pico at a USB port, beside its UART.

use crate::board::Board;
use crate::chip::Port;
use crate::pico::{Pico, um};
use lsr_firmware::wire::{Answer, Command, Ending, Fault, PerAxis, ScanPlan};
use serde_json::json;

#[test]
fn the_host_s_line_is_usb_while_a_program_has_it_open() {
    let Some(mut pico) = Pico::start() else { return };
    // A port that is plugged in and not open leaves the UART alone.
    pico.chip.ask(&json!({ "usb": "plug" }));
    pico.run(200_000);
    pico.connect();
    assert!(matches!(pico.ask(Command::Ping), Ok(Answer::Pong(_))));

    pico.chip.ask(&json!({ "usb": "open" }));
    pico.port = Port::Usb;
    pico.run(10_000);
    pico.connect();
    assert_eq!(pico.go(Command::Home { axes: PerAxis::splat(true) }), Ending::Done);
    let (begin, questions) = (pico.now, 200);
    for _ in 0..questions {
        assert!(matches!(pico.ask(Command::Ping), Ok(Answer::Pong(_))));
    }
    println!("{} round trips a second by USB", questions * 1_000_000 / (pico.now - begin));
    // The longest frames of both directions need several packets.
    let pixels = lsr_firmware::wire::RowPixels::new(&[200; 240]).unwrap();
    assert_eq!(pico.ask(Command::BeginField { label: 3 }), Ok(Answer::Done));
    assert_eq!(pico.ask(Command::FieldRow(pixels)), Ok(Answer::RowTaken { pixels: 240 }));
    assert!(pico.status().homed.x);
    // Beside it nobody is heard at the UART.
    pico.noise_at(Port::Uart, b"noise\0", 10_000);
    assert_eq!(pico.status().link.malformed, 0);

    // The program closes the port in the middle of a move: the host is gone, whatever line it used.
    let operation = pico.start_operation(Command::MoveBy { offset: PerAxis { x: Some(um(9_000)), y: None, z: None } });
    pico.chip.ask(&json!({ "usb": "close" }));
    pico.host = false;
    pico.run(1_700_000);
    pico.port = Port::Uart;
    pico.connect();
    assert_eq!(pico.ending(operation), Ending::Faulted(Fault::HostLost { heartbeat_ms: 1_000 }));
    assert_eq!(pico.ask(Command::AcknowledgeFault), Ok(Answer::Done));
    let plan = ScanPlan { columns: 2, rows: 1, ..crate::scan::plan() };
    assert_eq!(pico.go(Command::Scan(plan)), Ending::Done);
    // With its static values (1.1 kB) it has to stay below 16 KiB.
    let stack = pico.chip.ask(&json!({ "stack": true })).stack.unwrap();
    println!("the deepest stack: {stack} bytes");
    assert!((1_000..14_000).contains(&stack));
}
