"""Fields, and what both scripts know of the worker and of a network's ends."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def build_worker():
    """Builds the Rust worker, where CARGO_TARGET_DIR says or beside its sources, and gives its path."""
    command = ["cargo", "build", "--release", "--locked", "--message-format", "json", "--manifest-path", HERE / "worker" / "Cargo.toml"]
    built = subprocess.run(command, cwd=HERE / "worker", stdout=subprocess.PIPE, text=True)
    if built.returncode:
        sys.exit("the worker does not build")
    messages = (json.loads(line) for line in built.stdout.splitlines())
    return next(message["executable"] for message in messages if message.get("executable"))


def describe(worker, model):
    """What lsr-edge says about a model."""
    said = subprocess.run([worker, "describe", model], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if said.returncode:
        sys.exit(f"{model}: {said.stderr.strip()}")
    return json.loads(said.stdout)


def smooth_field(side, seed=1):
    """Noise at several scales as RGB bytes: colours and blobs as tissue has them, without a file."""
    rng = np.random.default_rng(seed)
    cells = [np.kron(rng.normal(0, 1, (-(-side // s), -(-side // s), 3)), np.ones((s, s, 1)))[:side, :side] for s in (4, 16, 64)]
    return np.clip(128 + 64 * sum(cells) / np.sqrt(3), 0, 255).astype(np.uint8)


def read_image(path):
    """An image file as RGB bytes."""
    from PIL import Image

    return np.asarray(Image.open(path).convert("RGB"))


def square(pixels, side):
    """A field of that side from the middle of an image; beyond its borders the image is mirrored."""
    for axis in (0, 1):
        have = pixels.shape[axis]
        if have >= side:
            pixels = np.take(pixels, range((have - side) // 2, (have - side) // 2 + side), axis)
        else:
            steps = np.arange(side) % (2 * have)
            pixels = np.take(pixels, np.minimum(steps, 2 * have - 1 - steps), axis)
    return np.ascontiguousarray(pixels)


def normalised(pixels, metadata):
    """The float image that a network expects: [1, 3, height, width]."""
    mean, std = np.array(metadata["pixel_mean"], np.float32), np.array(metadata["pixel_std"], np.float32)
    return np.ascontiguousarray(((pixels.astype(np.float32) - mean) / std).transpose(2, 0, 1)[None])


def class_margin(logits, mask_class):
    """A number for each pixel that is 0 or more where the class is at least as likely as not, from logits [channels, pixels]."""
    if len(logits) == 1:
        # A single logit speaks for the second of two classes.
        return logits[0] if mask_class == 1 else -logits[0]
    own, others = logits[mask_class].astype(np.float64), np.delete(logits, mask_class, 0).astype(np.float64)
    top = others.max(0)
    return own - top - np.log(np.exp(others - top).sum(0))
