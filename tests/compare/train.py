"""Training steps of lsr-train against PyTorch: the same U-Net, loss and optimiser, in short turns.

    python3 -m venv venv && venv/bin/pip install torch
    venv/bin/python tests/compare/train.py --lsr target/release/lsr-train --json figures.json

Each turn is a process of its own with all threads: warm-up steps, then timed ones. lsr-train, PyTorch and PyTorch with
channels_last take turns, in an order that rotates, so that whatever else the machine does hits all alike. PyTorch's images
and targets wait in memory and are uploaded in each step; lsr-train reads and augments its own, which is its loss. Peak memory
is the high-water mark of a process that only trains. The ratio is of medians within a round; its spread is over the rounds.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import time


def peak_rss_mb():
    with open("/proc/self/status") as status:
        kib = re.search(r"VmHWM:\s+(\d+) kB", status.read()).group(1)
    return int(kib) * 1024 / 1e6


def unet(torch, width, depth):
    nn = torch.nn

    def stage(inputs, outputs):
        layers = []
        for channels in (inputs, outputs):
            layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        return nn.Sequential(*layers)

    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            channels = [width << i for i in range(depth + 1)]
            self.encoder = nn.ModuleList(stage(3 if i == 0 else channels[i - 1], channels[i]) for i in range(depth))
            self.bottom = stage(channels[depth - 1], channels[depth])
            self.decoder = nn.ModuleList(stage(channels[i + 1] + channels[i], channels[i]) for i in reversed(range(depth)))
            self.head = nn.Conv2d(width, 1, 1)

        def forward(self, x):
            skips = []
            for encoder in self.encoder:
                x = encoder(x)
                skips.append(x)
                x = nn.functional.max_pool2d(x, 2)
            x = self.bottom(x)
            for decoder, skip in zip(self.decoder, reversed(skips)):
                x = nn.functional.interpolate(x, scale_factor=2, mode="nearest")
                x = decoder(torch.cat([x, skip], 1))
            return self.head(x)

    return UNet()


def count_loss(torch, logits, mean, std, groups):
    """Preset `paper`: intra_inter, variance of a count fraction, max_product, variance floor 1e-8."""
    p = torch.sigmoid(logits).reshape(groups, -1, logits[0].numel())
    counts = p.mean(2)
    within = (p * (1 - p)).mean(2) / p.shape[2]
    variance = (counts.var(1, unbiased=False) + within.mean(1)).clamp_min(1e-8)
    square = (mean - counts.mean(1)) ** 2
    term = 0.5 * variance * square / (std**2 + variance) ** 2 + 0.5 * torch.log(2 * torch.pi * variance)
    return term.mean()


def train(args):
    import torch

    torch.manual_seed(0)
    if args.threads:
        torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    layout = torch.channels_last if args.channels_last else torch.contiguous_format
    network = unet(torch, args.width, args.depth).to(device, memory_format=layout)
    forward = torch.compile(network) if args.compile else network
    optimizer = torch.optim.RMSprop(network.parameters(), lr=1e-3, alpha=0.9, eps=1e-8)
    pixels = torch.randint(0, 256, (args.batch, args.size, args.size, 3), dtype=torch.uint8)
    mean, std = torch.full((args.groups,), 0.3), torch.full((args.groups,), 0.05)

    def step():
        images = (pixels.to(device).permute(0, 3, 1, 2).float() - 128) / 64
        logits = forward(images.contiguous(memory_format=layout))
        loss = count_loss(torch, logits, mean.to(device), std.to(device), args.groups)
        optimizer.zero_grad()
        loss.backward()
        value = loss.item()
        optimizer.step()
        return value

    times = []
    for i in range(args.warm_up + args.steps):
        if i == args.warm_up and device.type == "cuda":
            torch.cuda.synchronize()
        began = time.perf_counter()
        step()
        if i + 1 == args.warm_up + args.steps and device.type == "cuda":
            torch.cuda.synchronize()
        if i >= args.warm_up:
            times.append((time.perf_counter() - began) * 1e3)
    used = torch.cuda.max_memory_reserved() / 1e6 if device.type == "cuda" else None
    threads, name = torch.get_num_threads(), torch.__version__
    print(json.dumps({"steps_ms": times, "peak_rss_mb": peak_rss_mb(), "device_memory_mb": used, "threads": threads, "version": name}))


def turn(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed: {done.stderr.strip()}")
    return json.loads(done.stdout)


def shape(args):
    flags = []
    for name in ("device", "batch", "groups", "size", "width", "depth", "steps", "warm_up"):
        flags += ["--" + name.replace("_", "-"), str(getattr(args, name))]
    return flags + (["--threads", str(args.threads)] if args.threads else [])


def compare(args):
    torch = [sys.executable, __file__, "--worker", *shape(args)] + (["--compile"] if args.compile else [])
    commands = {
        "lsr-train": [args.lsr, "bench", "--json", "--steps-only", *shape(args)],
        "torch": torch,
        "torch channels_last": torch + ["--channels-last"],
    }
    turns = {name: [] for name in commands}
    for i in range(args.rounds):
        names = list(commands)
        for name in names[i % 3 :] + names[: i % 3]:
            turns[name].append(turn(commands[name]))
            print(f"round {i + 1}/{args.rounds}: {name} {statistics.median(turns[name][-1]['steps_ms']):.1f} ms", file=sys.stderr)
    result = {"settings": {k: v for k, v in vars(args).items() if k not in ("lsr", "json", "worker", "channels_last")}}
    for name, all_turns in turns.items():
        steps = [ms for one in all_turns for ms in one["steps_ms"]]
        result[name] = {
            "version": all_turns[0].get("version") or all_turns[0]["lsr_train"],
            "threads": all_turns[0]["threads"],
            "median_ms": statistics.median(steps),
            "peak_rss_mb": max(one["peak_rss_mb"] for one in all_turns),
            "device_memory_mb": max((one.get("device_memory_mb") or 0 for one in all_turns)) or None,
            "steps_ms": steps,
        }
    best = min(("torch", "torch channels_last"), key=lambda name: result[name]["median_ms"])
    ours, theirs = result["lsr-train"], result[best]
    pairs = zip(turns["lsr-train"], turns[best])
    ratios = [statistics.median(a["steps_ms"]) / statistics.median(b["steps_ms"]) for a, b in pairs]
    result["best"] = best
    result["time_ratio"] = {"median": statistics.median(ratios), "least": min(ratios), "most": max(ratios)}
    result["memory_ratio"] = ours["peak_rss_mb"] / theirs["peak_rss_mb"]
    text = json.dumps(result, indent=1)
    if args.json:
        with open(args.json, "w") as file:
            file.write(text + "\n")
    print(text)
    print(
        f"lsr-train {ours['version']}: {ours['median_ms']:.1f} ms, {ours['peak_rss_mb']:.0f} MB; {best} {theirs['version']}: "
        f"{theirs['median_ms']:.1f} ms, {theirs['peak_rss_mb']:.0f} MB; time ratio {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f} over {len(ratios)} rounds), memory ratio {result['memory_ratio']:.2f}",
        file=sys.stderr,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lsr", default="target/release/lsr-train", help="lsr-train's binary")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    defaults = {"batch": 30, "groups": 2, "size": 240, "width": 16, "depth": 4, "steps": 5, "warm-up": 2, "rounds": 3, "threads": None}
    for name, value in defaults.items():
        parser.add_argument("--" + name, type=int, default=value)
    parser.add_argument("--compile", action="store_true", help="let PyTorch compile the network")
    parser.add_argument("--json", help="file to write")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--channels-last", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    (train if args.worker else compare)(args)


if __name__ == "__main__":
    main()
