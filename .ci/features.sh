#!/usr/bin/env bash
# lsr-edge with all its features: OpenSlide and CharLS for slides, GStreamer for cameras, MQTT, from Debian's packages (as root, unless they are there);
# and a broker to test it with. target/features/binary then names the program.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
if ! command -v cmake > /dev/null || ! command -v mosquitto > /dev/null || ! command -v mosquitto_sub > /dev/null || ! pkg-config --exists openslide gstreamer-app-1.0 gstreamer-video-1.0 2> /dev/null ||
  ! ls /usr/lib/llvm-*/lib/libclang*.so* > /dev/null 2>&1 || ! ls /usr/lib/*/gstreamer-1.0/libgstpng.so > /dev/null 2>&1; then
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends libopenslide-dev libclang-dev cmake pkg-config libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev \
    gstreamer1.0-plugins-base gstreamer1.0-plugins-good mosquitto mosquitto-clients > /dev/null
fi
# A test is named so that features are unified as in `cargo test --workspace`: nothing but lsr-edge and what the features need is compiled for it.
cargo build --locked --workspace --features lsr-edge/slides,lsr-edge/camera,lsr-edge/mqtt --bin lsr-edge --test tiles
mkdir -p "$target/features"
# Under a name of its own: the next build without them replaces target/debug/lsr-edge.
cp "$target/debug/lsr-edge" "$target/features/lsr-edge"
echo "$target/features/lsr-edge" > "$target/features/binary"
