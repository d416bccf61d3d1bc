"""What tests/gpu.sh runs: the doctor, the paper's set-up for 500 steps, PyTorch beside it, and the tests on the device."""

import argparse
import datetime
import json
import os
import re
import shlex
import subprocess
import sys
import time

import report
import watch

HERE = os.path.dirname(os.path.abspath(__file__))
# Growth of memory between the second and the last quarter of the steps, percent. What a process holds of its own ebbs and flows: three times
# 250 steps on a processor gave 0.3, 0.7 and 2.8 %. In less than 200 steps caches still fill, so that no bar holds there.
GPU_GROWTH, GROWTH, GROWTH_STEPS = ("<=", 2), ("<=", 5), 200
BUSY, WAIT, LOSS = (">", 90), ("<", 5), ("<", 3)
# Steps of which the parts are timed, and steps before any that is.
PART_STEPS, WARM_UP = 20, 5


class Session:
    def __init__(self, args):
        self.args, self.end = args, time.monotonic() + args.budget
        self.lsr = os.path.join(args.binaries, "lsr-train")
        self.is_gpu = args.device != "cpu"
        # nvidia-smi counts in the order of the bus; CUDA does so when it is told to.
        self.env = {**os.environ, "CUDA_DEVICE_ORDER": "PCI_BUS_ID", "LSR_GPU_DEVICE": args.device, "LSR_TRAIN_BIN": self.lsr}
        self.gpu = smi_name(args.device) if self.is_gpu else None
        self.step_ms = None

    def left(self):
        return max(0.0, self.end - time.monotonic())

    def run(self, name, command, limit_s=None, watched=False):
        """What the program writes is kept in NAME.log, whatever becomes of it."""
        done = watch.run(command, min(self.left(), limit_s or self.args.budget), self.gpu, watched, self.env)
        with open(os.path.join(self.args.output, f"{name}.log"), "w") as log:
            log.write(f"{shlex.join(command)}\n{done.out}\n{done.err}\nended with {done.code} after {done.seconds:.1f} s\n")
        return done

    def shape(self):
        flags = []
        for name in ("device", "batch", "groups", "size", "width", "depth"):
            flags += ["--" + name, str(getattr(self.args, name))]
        return flags

    def about(self):
        about = {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "device": self.args.device}
        if self.is_gpu:
            try:
                about["GPU"], about["driver"] = watch.smi("name,driver_version", self.gpu)
            except (OSError, ValueError, IndexError, subprocess.SubprocessError) as error:
                about["GPU"] = f"nvidia-smi does not say ({error})"
        about["commit"] = self.args.commit
        about["command"] = "tests/gpu.sh run " + " ".join(shlex.quote(word) for word in self.args.words)
        a = self.args
        about["set-up"] = f"{a.batch} blocks of {a.size} px in {a.groups} groups, width {a.width}, depth {a.depth}"
        return about


def smi_name(device):
    """What nvidia-smi calls a GPU that CUDA knows by its place in CUDA_VISIBLE_DEVICES."""
    index = int(device.partition(":")[2] or 0)
    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return visible[index] if index < len(visible) else str(index)


def doctor(session, out):
    """Whether the device can be used at all."""
    done = session.run("doctor", [session.lsr, "doctor", "--device", session.args.device, "--json"])
    try:
        found = json.loads(done.out)
    except ValueError:
        out.put("doctor", None, "", (">=", 1), report.MISSED, done.reason("lsr-train doctor"))
        return False
    processor, cuda = found["processor"], found["cuda"]
    out.about["lsr-train"] = found["lsr_train"]
    out.about["processor"] = f"{processor['name']}, {processor['cores']} cores, {processor['vectors']['name']}"
    if cuda:
        out.about["CUDA"] = f"build {cuda['built_for']}, driver {cuda['driver']}, NVRTC {cuda['compiler']}, headers {cuda['headers']}"
    kernels = found["kernels"]
    if kernels:
        for name in ("convolution", "product"):
            out.add(f"relative error of a {name}", kernels[name], bar=("<=", kernels["allowed"]))
    out.add("the device can be used", int(done.code == 0), bar=(">=", 1), note=found["problem"] or "")
    return done.code == 0


def tests(session, out):
    """The tests of tests/tests/gpu on the device."""
    command = [os.path.join(session.args.binaries, "gpu-tests"), "--include-ignored", "--nocapture", "--test-threads", "4"]
    done = session.run("tests", command)
    counts = re.search(r"(\d+) passed; (\d+) failed", done.out)
    out.lines = [line for line in done.out.splitlines() if line.strip() and not line.startswith("warning")]
    if counts is None:
        out.without("tests that fail", report.NOT_RUN, done.reason("gpu-tests"), ("<=", 0))
        return
    passed, failed = (int(count) for count in counts.groups())
    failures = re.findall(r"^test (\S+) \.\.\. FAILED|^    (\w+::\w+)$", done.out, re.MULTILINE)
    names = ", ".join(sorted({a or b for a, b in failures}))
    out.add("tests that pass", passed, bar=(">=", 1))
    out.add("tests that fail", failed, bar=("<=", 0), note=names)
    out.lines += [line for line in done.err.splitlines() if "panicked" in line or "relative error" in line]


def bench(session, name, flags, watched=False):
    """(figures, how it ended)"""
    done = session.run(name, [session.lsr, "bench", "--json", *session.shape(), "--warm-up", str(WARM_UP), *flags], watched=watched)
    return (json.loads(done.out) if done.code == 0 else None), done


def parts(session, out):
    """Parts of a step: what the loss takes of it."""
    figures, done = bench(session, "parts", ["--steps", str(PART_STEPS)])
    if figures is None:
        out.without("loss and its backward", report.NOT_RUN, done.reason("lsr-train bench"), LOSS, "% of a step")
        return None
    parts = figures["parts"]
    for name in ("forward", "loss", "backward", "optimizer"):
        out.add(f"{name} (median, waited for)", parts[name]["median_ms"], "ms")
    out.add("loss and its backward", 100 * parts["loss_share"], "% of a step", LOSS)
    session.step_ms = figures["step"]["median_ms"]
    # Of a bench without timed steps: what this one took less its steps, of which those with parts waited for are twice counted.
    return max(0.0, done.seconds - (2 * PART_STEPS + WARM_UP) * session.step_ms / 1e3)


def steps(session, out, start_s):
    """The paper's set-up, free running and watched."""
    wanted, names = session.args.steps, ["steps", "step (median)", "loader wait", "GPU busy", "GPU memory growth", "process memory growth"]
    if session.step_ms is None:
        fit = 0
    else:
        fit = min(wanted, int((0.9 * session.left() - start_s) * 1e3 / session.step_ms) - WARM_UP)
    bars = {"steps": (">=", wanted), "loader wait": WAIT, "process memory growth": GROWTH, "GPU busy": BUSY, "GPU memory growth": GPU_GROWTH}
    if fit < 1:
        for name in names:
            out.without(name, report.NOT_RUN, f"{session.left():.0f} s were left", bars.get(name))
        return
    figures, done = bench(session, "steps", ["--steps-only", "--steps", str(fit)], watched=True)
    if figures is None:
        for name in names:
            out.without(name, report.NOT_RUN, done.reason("lsr-train bench"), bars.get(name))
        return
    out.add("steps", len(figures["steps_ms"]), bar=bars["steps"], note="" if fit == wanted else "as many as the time allows")
    out.add("step (median)", figures["step"]["median_ms"], "ms")
    out.add("step (95th percentile)", figures["step"]["p95_ms"], "ms")
    out.add("images", figures["images_per_s"], "a second")
    out.add("multiply-accumulates", figures["gmacs_per_s"], "10^9 a second")
    out.add("loader wait", 100 * figures["waiting_share"], "% of the time", WAIT)
    begin, end = figures["began_unix_s"], figures["ended_unix_s"]
    seen = lambda key: watch.within(done.samples, begin, end, key)
    long = fit >= GROWTH_STEPS
    grown(out, "process memory growth", seen("rss_mb"), GROWTH if long else None)
    if figures["peak_rss_mb"] is not None:
        out.add("peak memory of the process", figures["peak_rss_mb"], "MB")
    if not session.is_gpu:
        for name in ("GPU busy", "GPU memory growth"):
            out.without(name, report.NOT_APPLICABLE, "no GPU", bars[name])
        return
    busy = seen("gpu_percent")
    if len(busy) < 10:
        out.without("GPU busy", report.NOT_RUN, f"nvidia-smi answered {len(busy)} times during the steps", BUSY)
    else:
        out.add("GPU busy", sum(busy) / len(busy), "%", BUSY, f"mean of {len(busy)} readings of nvidia-smi")
    grown(out, "GPU memory growth", seen("gpu_mib"), GPU_GROWTH if long else None)
    if figures.get("device_memory_mb") is not None:
        out.add("GPU memory in use", figures["device_memory_mb"], "MB")


def grown(out, name, values, bar):
    """Both ends of the steps compared."""
    growth = watch.growth_percent(values)
    if growth is None:
        out.without(name, report.NOT_RUN, f"only {len(values)} readings during the steps", bar)
    else:
        out.add(name, growth, "%", bar, f"{len(values)} readings" + ("" if bar else f"; no bar below {GROWTH_STEPS} steps"))


def pytorch(session, out):
    """The same training in PyTorch, in turns; its convolutions round to TF32 on a GPU, as they do unless told otherwise."""
    name = "step, lsr-train / PyTorch"
    ready = "import sys, torch; sys.exit(0 if sys.argv[1] == 'cpu' or torch.cuda.is_available() else 'torch sees no GPU')"
    done = session.run("pytorch", [session.args.python, "-c", ready, session.args.device], 60)
    if done.code != 0:
        out.without(name, report.NOT_RUN, done.reason(f"{os.path.basename(session.args.python)} -c 'import torch'"))
        return
    if session.left() < 45:
        out.without(name, report.NOT_RUN, f"{session.left():.0f} s were left")
        return
    script = os.path.join(HERE, "..", "compare", "train.py")
    figures = os.path.join(session.args.output, "pytorch.json")
    flags = ["--steps", str(min(PART_STEPS, session.args.steps)), "--warm-up", str(WARM_UP), "--rounds", "2", "--json", figures]
    done = session.run("pytorch", [session.args.python, script, "--lsr", session.lsr, *session.shape(), *flags])
    if done.code != 0:
        out.without(name, report.NOT_RUN, done.reason("train.py"))
        return
    found = json.load(open(figures))
    best, ratio = found[found["best"]], found["time_ratio"]
    out.add(f"step, {found['best']} {best['version']}", best["median_ms"], "ms")
    out.add(name, ratio["median"], note=f"{ratio['least']:.2f} to {ratio['most']:.2f} over two rounds; below 1 lsr-train is faster")
    for key, text in (("device_memory_mb", "GPU memory"), ("peak_rss_mb", "process memory")):
        ours, theirs = found["lsr-train"][key], best[key]
        if ours and theirs:
            out.add(f"{text}, lsr-train / PyTorch", ours / theirs, note=f"{ours:.0f} and {theirs:.0f} MB")


def main():
    parser = argparse.ArgumentParser(prog="tests/gpu.sh run", description=__doc__)
    for name in ("binaries", "commit"):
        parser.add_argument("--" + name, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--device", default="cuda:0", help="cuda:N, or cpu for a rehearsal [%(default)s]")
    parser.add_argument("--output", required=True, help="folder of gpu.json and gpu.md [that of the packed programs, target/gpu]")
    parser.add_argument("--budget", type=float, default=540, help="seconds that all of it may take [%(default)s]")
    parser.add_argument("--python", default=sys.executable, help="the Python that has PyTorch [this one]")
    for name, value in {"steps": 500, "batch": 30, "groups": 2, "size": 240, "width": 16, "depth": 4}.items():
        parser.add_argument("--" + name, type=int, default=value, help="[%(default)s]")
    args = parser.parse_args()
    # Without those that gpu.sh puts before them.
    args.words = sys.argv[7:]
    if not re.fullmatch(r"cpu|cuda(:\d+)?", args.device):
        parser.error(f"--device: expected cpu, cuda or cuda:N, found '{args.device}'")
    os.makedirs(args.output, exist_ok=True)
    session = Session(args)
    out = report.Report(session.about())
    if doctor(session, out):
        # A GPU that has never run these shapes compiles and tunes kernels for minutes, for the tests' many networks most of all: they come last.
        steps(session, out, parts(session, out))
        pytorch(session, out)
        tests(session, out)
    else:
        out.without("everything else", report.NOT_RUN, "the device cannot be used", (">=", 1))
    out.about["took"] = f"{args.budget - session.left():.0f} s"
    out.write(args.output)
    print(f"{os.path.join(args.output, 'gpu.md')}: {'every bar is met' if out.good() else 'a bar is missed or was not run'}")
    return 0 if out.good() else 1


if __name__ == "__main__":
    sys.exit(main())
