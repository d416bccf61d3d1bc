//! `lsr-train doctor`.

use crate::cli::DoctorArgs;
use lsr_train::{Error, Result};

pub(crate) fn doctor(args: &DoctorArgs) -> Result<()> {
    let diagnosis = lsr_train::doctor(args.device);
    if args.json {
        let json = serde_json::to_string_pretty(&diagnosis).map_err(|error| Error::Setting {
            name: "doctor",
            expected: "text and numbers".into(),
            found: error.to_string(),
        })?;
        println!("{json}");
    } else {
        print!("{}", diagnosis.table());
    }
    // The table is written whole before the reason that ends the program.
    diagnosis.problem.map_or(Ok(()), |problem| Err(problem.into()))
}
