//! What a host does with any board.

use lsr_firmware::wire::{Answer, Command, Ending, ErrorCode, Event, Outcome, Status};
use std::fmt::Debug;

/// A board that runs somewhere, and a host at its line.
pub(crate) trait Board {
    /// Lets time pass, in which host and board talk.
    fn run(&mut self, microseconds: u64);

    /// Gives a command and waits for its answer.
    fn ask(&mut self, command: Command) -> Outcome;

    /// What the board has told.
    fn events(&self) -> &[Event];

    fn refused(&mut self, command: Command) -> ErrorCode {
        self.ask(command).unwrap_err()
    }

    fn done(&mut self, command: Command) {
        let asked = format!("{command:?}");
        assert_eq!(self.ask(command), Ok(Answer::Done), "{asked}");
    }

    fn start_operation(&mut self, command: Command) -> u32 {
        match self.ask(command) {
            Ok(Answer::Started { operation } | Answer::TriggerStarted { operation, .. }) => operation,
            other => panic!("{other:?}"),
        }
    }

    fn ending(&mut self, operation: u32) -> Ending {
        self.event(&format!("the end of operation {operation}"), |event| match event {
            Event::Finished { operation: of, ending, .. } if *of == operation => Some(*ending),
            _ => None,
        })
    }

    /// Waits for an event, for at most 20 s.
    fn event<T: Debug>(&mut self, what: &str, wanted: impl Fn(&Event) -> Option<T>) -> T {
        for _ in 0..20_000 {
            if let Some(found) = self.events().iter().find_map(&wanted) {
                return found;
            }
            self.run(1_000);
        }
        panic!("{what} does not come: {:?}", self.events());
    }

    fn go(&mut self, command: Command) -> Ending {
        let operation = self.start_operation(command);
        self.ending(operation)
    }

    fn status(&mut self) -> Status {
        match self.ask(Command::Status) {
            Ok(Answer::Status(status)) => status,
            other => panic!("{other:?}"),
        }
    }
}
