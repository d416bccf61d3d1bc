#!/usr/bin/env python3
"""Golden values for the on-board monitor: fields, their counts, z-scores and alarms, by a program that shares no line with the Rust code.

    python3 make_monitor.py                 writes monitor.json beside this script (needs mpmath)
    python3 make_monitor.py --check FILE    recomputes every number of FILE from its prior, settings and fields

Sums are exact integers; everything else has 60 decimal digits and is rounded once, to the nearest double.

A field is a label and n pixels q in 0..255 with probabilities p = q / 255:
    mean = sum p / n        bernoulli_mean = sum p (1 - p) / n        count_fraction = sum p (1 - p) / n^2
    z    = (mean - eta) / sqrt(rho^2 + count_fraction)
Two-sided CUSUM of each label (Page 1954), from 0: upper = max(0, upper + z - k), lower = max(0, lower - z - k). Where upper exceeds h the label's
alarm is "above", else where lower does it is "below", and so it stays until it is acknowledged, which sets both sums to 0. A field that is
acknowledged first ends the alarm before it is judged. Group moments of all fields of a label: the mean of their means, the mean squared distance
from it, and the mean of both variances.

Pixels come as runs [[q, how many], ...] or from a generator: state = state * 6364136223846793005 + 1442695040888963407 mod 2^64, from the seed on,
once a pixel (Knuth's MMIX); with u the state's uppermost 8 bits and v = (the 32 bits below them) * 1000 >> 32, the pixel is 255 - (u >> 2) where
v < permille and u >> 5 elsewhere.
"""

import argparse
import json
import sys
from pathlib import Path

from mpmath import mp, mpf

mp.dps = 60

# Where a value is compared with a file: the file's numbers are doubles, rounded once (2^-53 = 1.11e-16 relative).
CHECK_TOLERANCE = mpf("1.12e-16")
# No sum comes so close to the threshold that a rounding in single precision could decide about an alarm (sums stay below some thousands).
MARGIN = mpf("0.02")

# Table 1, the cancer class, in percent: eta and rho of the ten labels.
TABLE_1 = [(0, "0.1"), (1, "0.4"), (2, "0.4"), (5, "0.8"), (6, 1), (8, 1), (10, 1), (10, 1), (20, 2), (70, 5)]
REFERENCE, THRESHOLD = 0.5, 8.045


def generate(seed, pixels, permille):
    state = seed
    for _ in range(pixels):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        u, v = state >> 56, (state >> 24 & 0xFFFFFFFF) * 1000 >> 32
        yield 255 - (u >> 2) if v < permille else u >> 5


def histogram(source):
    """How many pixels have each value."""
    counts = [0] * 256
    if "runs" in source:
        for value, count in source["runs"]:
            counts[value] += count
    else:
        for value in generate(source["seed"], source["pixels"], source["permille"]):
            counts[value] += 1
    return counts


def field_moments(counts):
    n = sum(counts)
    total = sum(q * count for q, count in enumerate(counts))
    squares = sum(q * q * count for q, count in enumerate(counts))
    p = [mpf(q) / 255 for q in range(256)]
    mean = mp.fsum(count * x for x, count in zip(p, counts)) / n
    spread = mp.fsum(count * x * (1 - x) for x, count in zip(p, counts))
    return {
        "pixels": n,
        "sum": total,
        "sum_of_squares": squares,
        "mean": mean,
        "bernoulli_mean": spread / n,
        "count_fraction": spread / mpf(n) ** 2,
    }


class Cusum:
    def __init__(self, k, h):
        self.k, self.h = k, h
        self.acknowledge()

    def acknowledge(self):
        self.upper, self.lower, self.alarm = mpf(0), mpf(0), None

    def push(self, z):
        self.upper = max(mpf(0), self.upper + z - self.k)
        self.lower = max(mpf(0), self.lower - z - self.k)
        if self.alarm is None:
            if min(abs(self.upper - self.h), abs(self.lower - self.h)) < MARGIN:
                raise SystemExit(f"a sum is too close to the threshold: {mp.nstr(self.upper, 8)}, {mp.nstr(self.lower, 8)}")
            self.alarm = "above" if self.upper > self.h else "below" if self.lower > self.h else None
        return self.alarm


def group_moments(label, fields):
    n = len(fields)
    mean = sum(field["mean"] for field in fields) / n
    return {
        "label": label,
        "fields": n,
        "mean": mean,
        "between_variance": sum((field["mean"] - mean) ** 2 for field in fields) / n,
        "count_fraction": sum(field["count_fraction"] for field in fields) / n,
        "bernoulli_mean": sum(field["bernoulli_mean"] for field in fields) / n,
    }


def compute(prior, reference, threshold, inputs):
    """Everything that follows from the fields. Decimal numbers are taken as they stand in the file."""
    targets = [(mpf(repr(row["eta"])), mpf(repr(row["rho"]))) for row in prior]
    monitors = [Cusum(mpf(repr(reference)), mpf(repr(threshold))) for _ in prior]
    fields = []
    for entry in inputs:
        label = entry["label"]
        eta, rho = targets[label]
        moments = field_moments(histogram(entry["source"]))
        if entry["acknowledge"]:
            monitors[label].acknowledge()
        z = (moments["mean"] - eta) / mp.sqrt(rho**2 + moments["count_fraction"])
        fields.append(moments | {"z_score": z, "alarm": monitors[label].push(z)})
    by_label = [[field for entry, field in zip(inputs, fields) if entry["label"] == label] for label in range(len(prior))]
    return fields, [group_moments(label, of_label) for label, of_label in enumerate(by_label)]


# ---- making the file -------------------------------------------------------------------------------------------------


def generated(seed, pixels, permille):
    return {"seed": seed, "pixels": pixels, "permille": permille}


def runs(*pairs):
    return {"runs": [list(pair) for pair in pairs]}


def inputs():
    """Label, source, and whether the label's alarm is acknowledged first."""
    found = []

    def add(label, source, acknowledge=False):
        found.append({"label": label, "acknowledge": acknowledge, "source": source})

    # A field of every label: about what the prior expects of it; 12 to 4,800 pixels.
    sizes = [4800, 240, 1000, 241, 37, 4800, 12, 239, 480, 2400]
    for label, (eta, _) in enumerate(TABLE_1):
        add(label, generated(1 + label, sizes[label], eta * 10))
    # One pixel.
    for label, value in [(0, 0), (9, 255), (4, 128), (5, 1), (9, 200)]:
        add(label, runs((value, 1)))
    # No cancer, nothing but cancer, nothing known.
    for label in (0, 3, 8, 9):
        add(label, runs((0, 960)))
    for label in (1, 6, 9):
        add(label, runs((255, 960)), acknowledge=True)
    for label in (2, 7):
        add(label, runs((127, 500), (128, 500)), acknowledge=True)
    # Label 9 fades by about a standard deviation more than the monitor ignores: it takes a number of fields to notice.
    for step in range(12):
        add(9, generated(100 + step, 720, 706), acknowledge=step == 0)
    # Label 8 shines: the other direction, with fewer pixels.
    for step in range(9):
        add(8, generated(200 + step, 300, 262), acknowledge=step == 0)
    # Images as cameras make them, up to what a count of 32 bits holds.
    add(5, runs((0, 53_000), (255, 4_600)), acknowledge=True)
    add(5, runs((3, 1_324_800), (251, 115_200)))
    add(7, runs((0, 14_745_600), (255, 2_031_616)), acknowledge=True)
    add(6, runs((25, 2_147_483_646), (26, 2_147_483_648)), acknowledge=True)
    # Everything but the extremes, once each and often.
    add(4, runs(*((value, 1) for value in range(256))), acknowledge=True)
    add(3, runs(*((value, 256 - value) for value in range(256))), acknowledge=True)
    # A few more of each label, so that its group has a spread.
    for label, (eta, _) in enumerate(TABLE_1):
        add(label, generated(300 + label, 600 + 60 * label, 10 * eta + 5), acknowledge=label % 3 == 0)
        add(label, generated(400 + label, 120, 12 * eta))
    return found


def rounded(value):
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return float(value) if isinstance(value, mpf) else value


def write(path):
    """One line for each label, field and group, so that a change shows where it is."""
    prior = [{"eta": float(mpf(eta) / 100), "rho": float(mpf(rho) / 100)} for eta, rho in TABLE_1]
    entries = inputs()
    fields, groups = compute(prior, REFERENCE, THRESHOLD, entries)
    parts = {"prior": prior, "fields": [a | b for a, b in zip(entries, rounded(fields))], "groups": rounded(groups)}
    head = {
        "description": "Fields as the monitor of a microscope judges them, evaluated with 60 digits by make_monitor.py.",
        "reference": REFERENCE,
        "threshold": THRESHOLD,
    }
    lines = [json.dumps(head)[:-1] + ","]
    for part, rows in parts.items():
        lines.append(f'"{part}": [')
        lines.extend(json.dumps(row) + ("," if j + 1 < len(rows) else "") for j, row in enumerate(rows))
        lines.append("]}" if part == "groups" else "],")
    path.write_text("\n".join(lines) + "\n")


# ---- checking a file -------------------------------------------------------------------------------------------------


def differences(where, found, expected):
    """The relative difference of every number; of anything else, whether it is the same."""
    for key, value in expected.items():
        if isinstance(value, mpf):
            yield f"{where} {key}", abs(mpf(found[key]) - value) / max(abs(value), mpf("1e-300"))
        else:
            yield f"{where} {key}", mpf(0 if found[key] == value and type(found[key]) is type(value) else 1)


def check(path):
    file = json.loads(path.read_text())
    fields, groups = compute(file["prior"], file["reference"], file["threshold"], file["fields"])
    own = [(mpf(eta) / 100, mpf(rho) / 100) for eta, rho in TABLE_1]
    all_differences = [
        difference
        for part, found, expected in (
            ("label", file["prior"], [{"eta": eta, "rho": rho} for eta, rho in own]),
            ("field", file["fields"], fields),
            ("group", file["groups"], groups),
        )
        for i, (one, other) in enumerate(zip(found, expected, strict=True))
        for difference in differences(f"{part} {i}", one, other)
    ]
    failures = [(where, error) for where, error in all_differences if not error <= CHECK_TOLERANCE]
    for where, error in failures[:20]:
        print(f"{where}: differs by {mp.nstr(error, 3)}", file=sys.stderr)
    alarms = sum(field["alarm"] is not None for field in fields)
    print(
        f"{path.name}: {len(fields)} fields ({alarms} with an alarm), {len(all_differences)} numbers, {len(failures)} beyond "
        f"{mp.nstr(CHECK_TOLERANCE, 3)}, largest relative difference {mp.nstr(max(error for _, error in all_differences), 3)}"
    )
    return 1 if failures or not fields else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", metavar="FILE", type=Path, help="compare FILE with what this program computes")
    arguments = parser.parse_args()
    if arguments.check:
        return check(arguments.check)
    path = Path(__file__).with_name("monitor.json")
    write(path)
    print(f"{path.name}: {path.stat().st_size} bytes")
    return check(path)


if __name__ == "__main__":
    sys.exit(main())
