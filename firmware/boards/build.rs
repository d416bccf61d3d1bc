//! Puts the board's memory layout where the linker looks for it.

use std::path::PathBuf;
use std::{env, fs};

/// Second boot stage in the first 256 bytes of flash; 2 MiB of flash, 264 KiB of RAM.
const PICO: &str = "MEMORY {
    BOOT2 : ORIGIN = 0x10000000, LENGTH = 0x100
    FLASH : ORIGIN = 0x10000100, LENGTH = 2048K - 0x100
    RAM   : ORIGIN = 0x20000000, LENGTH = 256K
}
EXTERN(BOOT2_FIRMWARE)
SECTIONS {
    .boot2 ORIGIN(BOOT2) : { KEEP(*(.boot2)); } > BOOT2
} INSERT BEFORE .text;
";

/// Two blocks of 4 MiB of static RAM: the first one, at 0, holds the program.
const MPS2_AN386: &str = "MEMORY {
    FLASH : ORIGIN = 0x00000000, LENGTH = 4M
    RAM   : ORIGIN = 0x20000000, LENGTH = 4M
}
";

fn main() {
    let folder = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let mut files = Vec::new();
    if env::var_os("CARGO_FEATURE_PICO").is_some() {
        files.push(("memory.x", PICO));
    } else if env::var_os("CARGO_FEATURE_MPS2_AN386").is_some() {
        // device.x would give handlers their names; the program's own table has them without. (The Pico's comes with the crate of its registers.)
        files.extend([("memory.x", MPS2_AN386), ("device.x", "")]);
    }
    for (file, text) in files {
        if let Err(error) = fs::write(folder.join(file), text) {
            println!("cargo:error={file}: {error}");
        }
    }
    println!("cargo:rustc-link-search={}", folder.display());
    let log = env::var_os("CARGO_FEATURE_LOG").map(|_| "-Tdefmt.x");
    for program in ["pico", "pico_cycles", "mps2_an386", "mps2_cycles"] {
        for argument in ["--nmagic", "-Tlink.x"].into_iter().chain(log) {
            println!("cargo:rustc-link-arg-bin={program}={argument}");
        }
    }
    // No board: everything that can be reached from its one function, and nothing that is not there.
    for argument in ["--gc-sections", "-e", "lsr_firmware_everything"] {
        println!("cargo:rustc-link-arg-bin=no_panic={argument}");
    }
    println!("cargo:rerun-if-changed=build.rs");
}
