#!/usr/bin/env bash
# Builds lsr-core for two microcontrollers and says how much flash the intra+inter loss in f32 takes there.
# Fails when it takes more than the limit on a Cortex-M4F. Needs `rustup target add` of the two, or else what
# `.ci/cross-toolchains.sh cortex-m` installs.
#
#   bash .ci/core-size.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
limit=8192 # bytes of code and constants on thumbv7em-none-eabihf

CARGO_TARGET_DIR=$(realpath -m "${CARGO_TARGET_DIR:-target}")/core-size
export CARGO_TARGET_DIR
export CARGO_PROFILE_RELEASE_OPT_LEVEL=z CARGO_PROFILE_RELEASE_LTO=fat CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1
export CARGO_PROFILE_RELEASE_PANIC=abort CARGO_PROFILE_RELEASE_DEBUG=0 CARGO_PROFILE_RELEASE_STRIP=none
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET RUSTC_WRAPPER
targets=(thumbv6m-none-eabi thumbv7em-none-eabihf)

flags=(--release --quiet)
if [ "$(comm -12 <(rustup target list --installed | sort) <(printf '%s\n' "${targets[@]}" | sort) | wc -l)" -lt ${#targets[@]} ]; then
  # Without `rustup target add`: core is built from the source that belongs to Debian's rustc. That rustc links through
  # `rust-lld`, which only rustup's toolchain has, and its version is not the one that the crates ask for.
  linker_folder=$(dirname "$(dirname "$(rustup which rustc)")")/lib/rustlib/x86_64-unknown-linux-gnu/bin
  export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 PATH="$linker_folder:$PATH"
  flags+=(-Z build-std=core --ignore-rust-version)
fi

# An example brings the dev-dependencies along, which need std. So the program is built as a package of its own.
package=$CARGO_TARGET_DIR/package
mkdir -p "$package"
cat >"$package/Cargo.toml" <<EOF
[package]
name = "intra-inter-size"
version = "0.0.0"
edition = "2024"
[[bin]]
name = "intra-inter-size"
path = "$root/core/examples/intra_inter_size.rs"
test = false
[dependencies]
lsr-core = { path = "$root/core" }
[workspace]
EOF
cp Cargo.lock "$package/Cargo.lock" # the versions that everything else is tested with

failed=0
for target in "${targets[@]}"; do
  cargo build "${flags[@]}" --target "$target" -p lsr-core --features serde,defmt
  (
    cd "$package" # outside the workspace
    cargo rustc "${flags[@]}" --target "$target" --bin intra-inter-size -- \
      -C link-arg=--gc-sections -C link-arg=-e -C link-arg=lsr_intra_inter_loss
  )
  read -r text rodata data _ < <(python3 "$root/.ci/elf_sizes.py" "$CARGO_TARGET_DIR/$target/release/intra-inter-size")
  flash=$((text + rodata + data))
  echo "$target: intra+inter loss in f32: $flash bytes of flash ($text code, $rodata constants, $data initial values)"
  if [ "$target" = thumbv7em-none-eabihf ] && [ "$flash" -gt "$limit" ]; then
    echo "$target: $flash bytes are more than the limit of $limit" >&2
    failed=1
  fi
done
exit $failed
