#!/usr/bin/env bash
# Builds lsr-edge for aarch64 Linux and runs its integer kernels there, under emulation, against the plain reference.
# The emulated processors: one with the dot product extension, and a Cortex-A72 (Raspberry Pi 4), which lacks it.
# Needs what `.ci/cross-toolchains.sh arm64` installs.
#
#   bash .ci/arm64.sh
#   LSR_ARM64="$(cat target/arm64/runner)" cargo test -p lsr-tests --test arm64
#
# target/arm64/runner holds the command line that runs the emulated lsr-edge.
# LSR_NETWORKS   random networks for each processor; 100 unless set
# ARM64_SYSROOT  where `.ci/cross-toolchains.sh` has put std, if not in its usual place
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

processors=("max neondot neon scalar" "cortex-a72 neon scalar") # and the instruction sets that each must find
export LSR_NETWORKS=${LSR_NETWORKS:-100}
triple=aarch64-unknown-linux-gnu
CARGO_TARGET_DIR=$(realpath -m "${CARGO_TARGET_DIR:-target}")/arm64
export CARGO_TARGET_DIR CARGO_INCREMENTAL=0
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET RUSTC_WRAPPER
if ! rustup target list --installed | grep -qx "$triple"; then
  # The same version of rustc that std in the sysroot was built with.
  export RUSTC=/usr/bin/rustc
  export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS="--sysroot ${ARM64_SYSROOT:-$HOME/.cache/arm64-sysroot}"
fi

# The kernels are optimised as ever. What they do not need, which is most of the build, only reads and writes files here.
flags=(--locked --target "$triple" -p lsr-edge --config 'profile.dev.package."*".opt-level=0')
cargo build "${flags[@]}" --bin lsr-edge
# The file of a test has a hash in its name, which cargo says only here.
kernels=$(cargo test "${flags[@]}" --test integer_kernels --no-run --message-format json-render-diagnostics |
  python3 -c '
import json, sys
lines = [json.loads(line) for line in sys.stdin]
print(*(line["executable"] for line in lines if line.get("executable") and line["target"]["name"] == "integer_kernels"))')

for processor in "${processors[@]}"; do
  read -r name sets <<<"$processor"
  started=$SECONDS
  said=$(qemu-aarch64-static -cpu "$name" -L /usr/aarch64-linux-gnu "$kernels" --nocapture) || { echo "$said"; exit 1; }
  expected="instruction sets: [\"${sets// /\", \"}\"]"
  if ! grep -qF "$expected" <<<"$said"; then
    echo "-cpu $name: expected $expected" >&2
    echo "$said" >&2
    exit 1
  fi
  echo "-cpu $name: $LSR_NETWORKS random networks, ${sets// /, }: the reference's bits ($((SECONDS - started)) s)"
done

echo "qemu-aarch64-static -cpu max -L /usr/aarch64-linux-gnu $CARGO_TARGET_DIR/$triple/debug/lsr-edge" >"$CARGO_TARGET_DIR/runner"
