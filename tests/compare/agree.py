"""Compares lsr-edge's integers with ONNX Runtime's, logit by logit, and its masks with OpenVINO's.

    python agree.py MODEL.int8.onnx IMAGE...

Fails (exit code 1) where fewer than 99.9 % of ONNX Runtime's logits lie within one quantisation step of ours, or where OpenVINO has no more than
99.5 % of pixels on the same side of the mask's border. Images are cut to the network's alignment.

Layers that ONNX Runtime would run in f32 are rewritten for it, with the same numbers, so that it runs them in integers (all_integer.py says which
and how); --as-is leaves the file as it is. --literal has it run each QuantizeLinear and DequantizeLinear by itself and all convolutions between
them in f32, which is the standard's word.

Needs numpy, onnx, onnxruntime, Pillow and a Rust toolchain; openvino where it is installed.
"""

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

import fields
from all_integer import all_integer

WITHIN_ONE_STEP = 0.999
SAME_MASK = 0.995


def ends(path):
    """Scale and zero point of the image and of the logits."""
    graph = onnx.load(path).graph
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}

    def parameters(node):
        scale, zero = (constants[name] for name in (list(node.input) + [None])[1:3])
        return np.float32(scale.item()), int(zero.item())

    image, logits = graph.input[0].name, graph.output[0].name
    quantize = next(node for node in graph.node if node.op_type == "QuantizeLinear" and node.input[0] == image)
    dequantize = next(node for node in graph.node if node.op_type == "DequantizeLinear" and node.output[0] == logits)
    return parameters(quantize), parameters(dequantize)


def own_logits(worker, model, pixels, scale, zero, isa):
    """lsr-edge's logits as bytes, [channels, height, width]."""
    height, width, _ = pixels.shape
    with tempfile.TemporaryDirectory() as folder:
        field, out = Path(folder) / "rgb", Path(folder) / "logits"
        pixels.tofile(field)
        # Nine digits bring an f32 back exactly.
        command = [worker, "logits", model, field, height, width, f"{scale:.9g}", zero, out] + ([isa] if isa else [])
        said = subprocess.run([str(part) for part in command], stderr=subprocess.PIPE, text=True)
        if said.returncode:
            sys.exit(said.stderr.strip())
        return np.fromfile(out, np.uint8).reshape(height, width, -1).transpose(2, 0, 1)


def openvino_network(model):
    """A function from an image to logits, where OpenVINO is installed."""
    if not importlib.util.find_spec("openvino"):
        print("openvino is not installed: masks are not compared")
        return None
    import openvino

    # f32 between the integer layers: bfloat16, which some processors would take, is not what the file says.
    compiled = openvino.Core().compile_model(str(model), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda image: compiled(image)[0]


def mask(logits, mask_class):
    return fields.class_margin(logits.reshape(len(logits), -1), mask_class) >= 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("images", type=Path, nargs="+", help="PNG, TIFF or JPEG")
    parser.add_argument("--isa", help="lsr-edge's kernels; all give the same bytes")
    parser.add_argument("--as-is", action="store_true", help="ONNX Runtime gets the file as it is")
    parser.add_argument("--literal", action="store_true", help="ONNX Runtime without any optimisation of the graph")
    parser.add_argument("--worker", help="the Rust worker, built before; without, it is built")
    options = parser.parse_args()
    worker = options.worker or fields.build_worker()
    about = fields.describe(worker, options.model)
    metadata, mask_class = about["card"]["metadata"], about["mask_class"]
    (scale, zero), (logit_scale, logit_zero) = ends(options.model)
    settings = onnxruntime.SessionOptions()
    if options.literal:
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    theirs = onnx.load(options.model)
    if not options.literal and not options.as_is and (changed := all_integer(theirs)):
        print(f"rewritten for ONNX Runtime: {', '.join(changed)}")
    session = onnxruntime.InferenceSession(theirs.SerializeToString(), settings, providers=["CPUExecutionProvider"])
    openvino_logits = openvino_network(options.model)
    counts = {"logits": 0, "equal": 0, "within": 0, "pixels": 0, "onnxruntime masks": 0, "openvino masks": 0}
    farthest = 0
    print(f"{'image':<24} {'size':>11} {'equal %':>9} {'<=1 step %':>10} {'farthest':>8} {'cancer %':>8} {'ORT mask %':>10} {'OV mask %':>9}")
    for path in options.images:
        pixels, step = fields.read_image(path), metadata["alignment"]
        height, width = (side // step * step for side in pixels.shape[:2])
        if not height or not width:
            sys.exit(f"{path}: smaller than the network's alignment of {step} px")
        pixels = np.ascontiguousarray(pixels[:height, :width])
        image = fields.normalised(pixels, metadata)
        own = own_logits(worker, options.model, pixels, scale, zero, options.isa)
        theirs = session.run(None, {session.get_inputs()[0].name: image})[0][0]
        distance = np.abs(np.rint(theirs / logit_scale).astype(int) + logit_zero - own)
        own_mask = mask((own.astype(np.float32) - logit_zero) * logit_scale, mask_class)
        same = own_mask == mask(theirs, mask_class)
        openvino_same = own_mask == mask(openvino_logits(image)[0], mask_class) if openvino_logits else np.zeros(0, bool)
        found = (distance.size, np.sum(distance == 0), np.sum(distance <= 1), same.size, same.sum(), openvino_same.sum())
        counts = {name: counts[name] + int(number) for name, number in zip(counts, found)}
        farthest = max(farthest, int(distance.max()))
        openvino_share = f"{100 * openvino_same.mean():9.3f}" if openvino_logits else ""
        print(
            f"{path.name:<24} {width:>5}x{height:<5} {100 * found[1] / found[0]:9.3f} {100 * found[2] / found[0]:10.3f} {distance.max():8}"
            f" {100 * own_mask.mean():8.2f} {100 * same.mean():10.3f} {openvino_share}"
        )
    equal, within = (counts[name] / counts["logits"] for name in ("equal", "within"))
    total = counts["logits"]
    print(f"ONNX Runtime: {100 * equal:.4f} % of {total} logits equal, {100 * within:.4f} % within one step, at most {farthest} apart")
    print(f"ONNX Runtime: {100 * counts['onnxruntime masks'] / counts['pixels']:.4f} % of the mask equal")
    failed = within < WITHIN_ONE_STEP
    if openvino_logits:
        share = counts["openvino masks"] / counts["pixels"]
        print(f"OpenVINO: {100 * share:.4f} % of the mask equal")
        failed |= share <= SAME_MASK
    if failed:
        sys.exit(f"expected at least {100 * WITHIN_ONE_STEP} % of logits within one step, and more than {100 * SAME_MASK} % of OpenVINO's mask")


if __name__ == "__main__":
    main()
