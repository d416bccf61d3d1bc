#!/usr/bin/env bash
# Builds the board programs of lsr-firmware, says what they take of flash, proves by linking that the library cannot panic, and installs the emulator of the Pico's chip. Needs
# `rustup target add` of their targets, or else what `.ci/cross-toolchains.sh cortex-m` installs; Node and npm for the emulator; installs defmt-print,
# which reads the log of a second Pico program. Where the tests find it all is written to target/boards/env, for the shell.
#
#   bash .ci/boards.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
CARGO_TARGET_DIR=$(realpath -m "${CARGO_TARGET_DIR:-target}")/boards
export CARGO_TARGET_DIR
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET RUSTC_WRAPPER

flags=(--release)
if ! rustup target list --installed | grep -qx thumbv6m-none-eabi; then
  linker_folder=$(dirname "$(dirname "$(rustup which rustc)")")/lib/rustlib/x86_64-unknown-linux-gnu/bin
  export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 PATH="$linker_folder:$PATH"
  flags+=(-Z build-std=core --ignore-rust-version)
fi
cd firmware/boards
# The same with a log, and the tool that reads it.
DEFMT_LOG=info cargo build --locked "${flags[@]}" --target thumbv6m-none-eabi --features pico,log --bin pico
cp "$CARGO_TARGET_DIR/thumbv6m-none-eabi/release/pico" "$CARGO_TARGET_DIR/pico-log"
env -u RUSTC -u RUSTC_BOOTSTRAP cargo install defmt-print --version 1.2.0 --locked --quiet --root "$CARGO_TARGET_DIR/tools" --target-dir "$CARGO_TARGET_DIR/tools"
cargo build --locked "${flags[@]}" --target thumbv6m-none-eabi --features pico --bin pico
pico=$CARGO_TARGET_DIR/thumbv6m-none-eabi/release/pico
read -r text rodata data < <(python3 ../../.ci/elf_sizes.py "$pico")
echo "pico: $((text + rodata + data)) bytes of flash ($text code, $rodata constants, $data initial values)"
# Links only if nothing in the library can reach the panic handler.
cargo build --locked "${flags[@]}" --target thumbv6m-none-eabi --features no_panic --bin no_panic
echo "lsr-firmware: no panic can be reached"
cat > "$CARGO_TARGET_DIR/env" <<END
export LSR_PICO='$pico'
export LSR_PICO_LOG='$CARGO_TARGET_DIR/pico-log'
export LSR_DEFMT_PRINT='$CARGO_TARGET_DIR/tools/bin/defmt-print'
END
npm ci --silent --prefix ../../tests/emulator
