#!/usr/bin/env bash
# Builds the board programs of lsr-firmware, says what they take of flash, proves by linking that the library cannot panic, and installs the emulator of the Pico's chip. Needs
# `rustup target add` of their targets, or else what `.ci/cross-toolchains.sh cortex-m` installs; Node and npm for the Pico's emulator; QEMU for the other
# board, which is installed where it is missing (root, Debian). Installs defmt-print, which reads the log of a second Pico program. Where the tests find it
# all is written to target/boards/env, for the shell.
#
#   bash .ci/boards.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
CARGO_TARGET_DIR=$(realpath -m "${CARGO_TARGET_DIR:-target}")/boards
export CARGO_TARGET_DIR
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET RUSTC_WRAPPER

# Both targets of rustup, or both from the sources of core.
flags=(--release)
targets=$(rustup target list --installed)
if ! { grep -qx thumbv6m-none-eabi <<<"$targets" && grep -qx thumbv7em-none-eabihf <<<"$targets"; }; then
  linker_folder=$(dirname "$(dirname "$(rustup which rustc)")")/lib/rustlib/x86_64-unknown-linux-gnu/bin
  export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 PATH="$linker_folder:$PATH"
  flags+=(-Z build-std=core --ignore-rust-version)
fi
cd firmware/boards
# The Pico with a log, and the tool that reads it.
DEFMT_LOG=info cargo build --locked "${flags[@]}" --target thumbv6m-none-eabi --features pico,usb,log --bin pico
cp "$CARGO_TARGET_DIR/thumbv6m-none-eabi/release/pico" "$CARGO_TARGET_DIR/pico-log"
env -u RUSTC -u RUSTC_BOOTSTRAP cargo install defmt-print --version 1.2.0 --locked --quiet --debug --root "$CARGO_TARGET_DIR/tools" --target-dir "$CARGO_TARGET_DIR/tools"

# program, its board's feature, target
board() {
  cargo build --locked "${flags[@]}" --target "$3" --features "$2" --bin "$1"
  local text rodata data ram
  read -r text rodata data ram < <(python3 ../../.ci/elf_sizes.py "$CARGO_TARGET_DIR/$3/release/$1")
  echo "$1 ($2): $((text + rodata + data)) bytes of flash ($text code, $rodata constants, $data initial values), $ram of static RAM"
}
board pico pico thumbv6m-none-eabi
board pico pico,usb thumbv6m-none-eabi
board mps2_an386 mps2_an386 thumbv7em-none-eabihf
# They say what computing costs, and lie beside the boards' programs.
board pico_cycles pico thumbv6m-none-eabi
board mps2_cycles mps2_an386 thumbv7em-none-eabihf
# Links only if nothing in the library can reach the panic handler.
cargo build --locked "${flags[@]}" --target thumbv6m-none-eabi --features no_panic --bin no_panic
echo "lsr-firmware: no panic can be reached"

cat > "$CARGO_TARGET_DIR/env" <<END
export LSR_PICO='$CARGO_TARGET_DIR/thumbv6m-none-eabi/release/pico'
export LSR_PICO_LOG='$CARGO_TARGET_DIR/pico-log'
export LSR_DEFMT_PRINT='$CARGO_TARGET_DIR/tools/bin/defmt-print'
export LSR_MPS2_AN386='$CARGO_TARGET_DIR/thumbv7em-none-eabihf/release/mps2_an386'
END
npm ci --silent --prefix ../../tests/emulator
command -v qemu-system-arm >/dev/null || bash ../../.ci/cross-toolchains.sh emulator
