"""Times lsr-edge against general runtimes on the same network, in turns, each in a process of its own.

    python compare.py --int8 MODEL.int8.onnx --float MODEL.onnx [--sizes 240 512 1200] [--threads 1] [--json PATH]

One round lets every runtime run one field; the order changes from round to round. So whatever else the machine does hits all alike, and ratios
hold where milliseconds do not. lsr-edge starts from RGB bytes and ends at probabilities as bytes; the others get a float image that is already
normalised, in memory, and end at logits: their share of that work is not counted.

Needs numpy and a Rust toolchain; runs with onnxruntime and openvino as far as they are installed (Pillow with --image).
"""

import argparse
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import fields

# Name in the table, runtime, which of the two files, and for lsr-edge the instruction set (None: its own choice), for OpenVINO the float type.
ROWS = [
    ("lsr-edge int8", "lsr", "int8", None),
    ("lsr-edge int8 avx2", "lsr", "int8", "avx2"),
    ("ONNX Runtime int8", "onnxruntime", "int8", None),
    ("ONNX Runtime f32", "onnxruntime", "float", None),
    ("OpenVINO int8", "openvino", "int8", None),
    ("OpenVINO f32", "openvino", "float", None),
    ("OpenVINO bf16", "openvino", "float", "bf16"),
    ("tract int8", "tract", "int8", None),
    ("tract f32", "tract", "float", None),
    ("rten int8", "rten", "int8", None),
    ("rten f32", "rten", "float", None),
]


class Failed(Exception):
    """A runtime that cannot go on, and what it said."""


class Process:
    """A runtime with a network, waiting to be asked."""

    def __init__(self, name, command):
        self.name, self.walls, self.cpus = name, [], []
        self.said = tempfile.TemporaryFile("w+")
        # Libraries that start threads by themselves, as numpy's do, have no part in this.
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "RUST_BACKTRACE": "0"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self.said}
        self.process = subprocess.Popen(command, text=True, env=environment, **pipes)
        word, before, *detail = self.answer().split()
        if word != "ready":
            raise Failed(f"expected 'ready', found {word!r}")
        self.before_bytes, self.detail = int(before), " ".join(detail)

    def answer(self):
        line = self.process.stdout.readline()
        if line:
            return line.strip()
        self.process.wait()
        self.said.seek(0)
        words = self.said.read().split()
        raise Failed(" ".join(words)[-300:] or f"ended with code {self.process.returncode}")

    def ask(self, question):
        self.process.stdin.write(question + "\n")
        self.process.stdin.flush()
        return self.answer()

    def field(self):
        wall, cpu = map(float, self.ask("go").split())
        self.walls.append(wall)
        self.cpus.append(cpu)

    def output(self, kind):
        """What the last field gave."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "output"
            self.ask(f"output {path}")
            return np.fromfile(path, kind)

    def end(self):
        """Ends it; gives the most memory that it held."""
        peak = int(self.ask("end"))
        self.close()
        return peak

    def close(self):
        self.process.kill()
        self.process.wait()


def command(row, worker, models, folder, side, threads):
    _, runtime, precision, kind = row
    field = folder / ("rgb" if runtime == "lsr" else "f32")
    rest = [runtime, models[precision], field, side, threads] + ([kind] if kind else [])
    if runtime in ("onnxruntime", "openvino"):
        start = [sys.executable, fields.HERE / "python_runtimes.py"]
    else:
        start = [worker, "time"]
    return [str(part) for part in start + rest]


def measure(rows, worker, models, about, pixels, options):
    """All runtimes on one field: results, and what could not be run."""
    side, missing, running = len(pixels), {}, []
    metadata = about["card"]["metadata"]
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        pixels.tofile(folder / "rgb")
        fields.normalised(pixels, metadata).astype("<f4").tofile(folder / "f32")
        for row in rows:
            try:
                running.append((row, Process(row[0], command(row, worker, models, folder, side, options.threads))))
            except Failed as failed:
                missing[row[0]] = f"at {side} px: {failed}"
    load_before, start, rounds = os.getloadavg(), time.monotonic(), 0
    order = random.Random(0)
    while running and (rounds < options.least_rounds or time.monotonic() - start < options.seconds):
        turn = list(running)
        order.shuffle(turn)
        for pair in turn:
            row, process = pair
            try:
                process.field()
            except Failed as failed:
                missing[row[0]] = f"at {side} px: {failed}"
                running.remove(pair)
        rounds += 1
        if sys.stderr.isatty():
            print(f"\r{side} px: {rounds} rounds, {time.monotonic() - start:.0f} s ", end="", file=sys.stderr, flush=True)
    load = {"load_before": load_before, "load_after": os.getloadavg()}
    reference, results = None, []
    for row, process in running:
        name, runtime, precision, kind = row
        if runtime == "lsr":
            # A logit of 0 becomes 128.
            mask = process.output(np.uint8) >= 128
            reference = mask if reference is None else reference
        else:
            logits = process.output("<f4").reshape(-1, side * side)
            mask = fields.class_margin(logits, about["mask_class"]) >= 0
        results.append(
            {
                "size": side,
                "threads": options.threads,
                "name": name,
                "precision": "int8" if precision == "int8" else kind or "f32",
                "detail": process.detail,
                "rounds": rounds,
                "median_ms": statistics.median(process.walls),
                "least_ms": min(process.walls),
                "cpu_ms": statistics.median(process.cpus),
                "least_cpu_ms": min(process.cpus),
                "mask_agreement": None if reference is None else float(np.mean(mask == reference)),
                "before_mb": process.before_bytes / 1e6,
                "peak_mb": process.end() / 1e6,
            }
        )
    # Ratios within a round, then their median: a slow moment of the machine is in both numbers of a pair.
    if results and running[0][0][1] == "lsr":
        own = running[0][1]
        for result, (_, process) in zip(results, running):
            result["wall_ratio"] = statistics.median(a / b for a, b in zip(process.walls, own.walls))
            result["cpu_ratio"] = statistics.median(a / b for a, b in zip(process.cpus, own.cpus))
    return results, missing, load


def versions(about):
    """Of everything that is compared."""
    found = {"lsr-edge": about["lsr_edge"], "python": platform.python_version()}
    lock = (fields.HERE / "worker" / "Cargo.lock").read_text()
    found |= {name.removesuffix("-onnx"): re.search(rf'name = "{name}"\nversion = "(.*)"', lock)[1] for name in ("tract-onnx", "rten")}
    for name in ("onnxruntime", "openvino", "numpy"):
        if importlib.util.find_spec(name):
            found[name] = importlib.metadata.version(name)
    return found


def processor():
    with open("/proc/cpuinfo") as lines:
        found = dict(line.strip().replace("\t", "").split(": ", 1) for line in lines if ": " in line)
    flags = found.get("flags", found.get("Features", "")).split()
    x86 = {"avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8"}
    features = [flag for flag in flags if flag in x86 | {"asimddp", "i8mm", "bf16"}]
    name = found.get("model name", platform.machine())
    return {"name": name, "family": found.get("cpu family"), "model": found.get("model"), "features": features}


def table(results):
    head = f"{'size':>5} {'runtime':<20} {'wall ms':>9} {'CPU ms':>9} {'x wall':>7} {'x CPU':>7} {'peak MB':>8} {'before':>7} {'mask %':>7}"
    lines = [head]
    for r in results:
        ratios = f"{r.get('wall_ratio', float('nan')):7.2f} {r.get('cpu_ratio', float('nan')):7.2f}"
        mask = "" if r["mask_agreement"] is None else f"{100 * r['mask_agreement']:7.2f}"
        lines.append(
            f"{r['size']:5} {r['name']:<20} {r['median_ms']:9.2f} {r['cpu_ms']:9.2f} {ratios} {r['peak_mb']:8.1f} {r['before_mb']:7.1f} {mask}"
        )
    return "\n".join(lines)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--int8", required=True, type=Path, help="the quantised network, a QDQ file")
    parser.add_argument("--float", type=Path, help="the network that it was made from; without, f32 is not timed")
    parser.add_argument("--sizes", type=int, nargs="+", default=[240, 512, 1200], help="sides of square fields, pixels; rounded up")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60, help="for each size, at least")
    parser.add_argument("--least-rounds", type=int, default=10, help="for each size, however long they take")
    parser.add_argument("--image", type=Path, help="take fields from this image; without, from noise at several scales")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="only rows whose name holds one of these words, and lsr-edge")
    parser.add_argument("--worker", help="the Rust worker, built before; without, it is built")
    parser.add_argument("--json", type=Path, help="write all figures here")
    return parser.parse_args()


def main():
    options = arguments()
    worker = options.worker or fields.build_worker()
    about = fields.describe(worker, options.int8)
    if about["card"]["execution"]["arithmetic"] != "int8":
        sys.exit(f"{options.int8}: not run in integers: {about['card']['execution'].get('not_integer')}")
    models = {"int8": options.int8, "float": options.float}
    rows, missing = [], {}
    for row in ROWS:
        name, runtime, precision, kind = row
        if options.only and runtime != "lsr" and not any(word.lower() in name.lower() for word in options.only):
            continue
        if models[precision] is None:
            missing[name] = "no --float given"
        elif runtime in ("onnxruntime", "openvino") and not importlib.util.find_spec(runtime):
            missing[name] = f"{runtime} is not installed"
        elif kind == "bf16" and not {"avx512_bf16", "amx_bf16", "bf16"} & set(processor()["features"]):
            missing[name] = "the processor has no arithmetic in bfloat16"
        elif kind == "avx2" and "avx2" not in processor()["features"]:
            missing[name] = "the processor has no AVX2"
        else:
            rows.append(row)
    alignment, results, loads = about["card"]["metadata"]["alignment"], [], []
    source = fields.read_image(options.image) if options.image else None
    for size in options.sizes:
        side = -(-size // alignment) * alignment
        pixels = fields.smooth_field(side) if source is None else fields.square(source, side)
        found, failed, load = measure(rows, worker, models, about, pixels, options)
        results += found
        missing |= failed
        loads.append({"size": side} | load)
    print(f"{processor()['name']}, {options.threads} thread(s); {', '.join(map(' '.join, versions(about).items()))}")
    print(table(results))
    for name, reason in missing.items():
        print(f"not run: {name}: {reason}")
    for load in loads:
        print(f"load average at {load['size']} px: {load['load_before'][0]:.1f} before, {load['load_after'][0]:.1f} after")
    if options.json:
        hashes = {kind: hashlib.sha256(path.read_bytes()).hexdigest() for kind, path in models.items() if path}
        report = {
            "versions": versions(about),
            "processor": processor(),
            "models": {kind: {"file": models[kind].name, "sha256": sha256} for kind, sha256 in hashes.items()},
            "field": "noise" if source is None else options.image.name,
            "load": loads,
            "results": results,
            "not_run": missing,
        }
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
