#!/usr/bin/env python3
"""Golden values for the label-super-resolution losses, by a program that shares no line with the Rust code.

    python3 make_losses.py                 writes losses.json beside this script (needs mpmath)
    python3 make_losses.py --check FILE    recomputes every number of FILE from its probabilities, eta and rho

All arithmetic has 60 decimal digits; only the finished numbers are rounded, once, to the nearest double. Every gradient
comes twice: from the closed forms (chain rule over the moments) and from complex-step differentiation of the value,
Im f(p + ih) / h with h = 1e-25, whose error is of the order h^2. The two must agree to 40 digits, or nothing is written.

The statistics, with n pixels in block k and N blocks in the group:
    mu_k = mean p        v_k = sum p (1 - p) / n^2 (count_fraction)  or  sum p (1 - p) / n (bernoulli_mean)
    intra        each block by itself, the loss averaged over blocks
    inter        m = mean mu_k, S = mean (mu_k - m)^2
    intra_inter  m = mean mu_k, S = mean v_k + mean (mu_k - m)^2
The distances compare N(m, S) with N(eta, R), R = rho^2, d = eta - m, and carry no stabiliser; the presets carry the
constants that their authors published.
"""

import argparse
import json
import random
import sys
from pathlib import Path

from mpmath import mp, mpc, mpf

mp.dps = 60
STEP = mpf(10) ** -25
HALF = mpf(1) / 2
TWO_PI = 2 * mp.pi

# Where a value is compared with a file: the file's numbers are doubles, rounded once (2^-53 = 1.11e-16 relative).
CHECK_TOLERANCE = mpf("1.12e-16")
# Where the two gradients are compared: 60 digits less what cancellation may cost.
ROUTES_TOLERANCE = mpf("1e-40")

COMBINATIONS = [
    ("bernoulli_mean", "intra"),
    ("bernoulli_mean", "inter"),
    ("bernoulli_mean", "intra_inter"),
    ("count_fraction", "intra"),
    # inter does not use v_k: the second variance model would repeat the first.
    ("count_fraction", "intra_inter"),
]


# ---- distances: value (m and S may be complex), dD/dm, dD/dS ---------------------------------------------------------


def max_product(m, s, eta, r):
    return s * (eta - m) ** 2 / (2 * (r + s) ** 2) + HALF * mp.log(TWO_PI * s)


def max_product_slopes(m, s, eta, r):
    d = eta - m
    return -s * d / (r + s) ** 2, d**2 * (r - s) / (2 * (r + s) ** 3) + 1 / (2 * s)


def joint_max(m, s, eta, r):
    return (eta - m) ** 2 / (2 * (r + s)) + HALF * mp.log(TWO_PI * s) + HALF * mp.log(TWO_PI * r)


def joint_max_slopes(m, s, eta, r):
    d = eta - m
    return -d / (r + s), -(d**2) / (2 * (r + s) ** 2) + 1 / (2 * s)


def overlap(m, s, eta, r):
    return (eta - m) ** 2 / (2 * (r + s)) + HALF * mp.log(TWO_PI * (r + s))


def overlap_slopes(m, s, eta, r):
    d = eta - m
    return -d / (r + s), -(d**2) / (2 * (r + s) ** 2) + 1 / (2 * (r + s))


def kl_predicted_target(m, s, eta, r):
    return HALF * (mp.log(r / s) + (s + (eta - m) ** 2) / r - 1)


def kl_predicted_target_slopes(m, s, eta, r):
    return -(eta - m) / r, (1 / r - 1 / s) / 2


def kl_target_predicted(m, s, eta, r):
    return HALF * (mp.log(s / r) + (r + (eta - m) ** 2) / s - 1)


def kl_target_predicted_slopes(m, s, eta, r):
    d = eta - m
    return -d / s, (1 / s - (r + d**2) / s**2) / 2


def wasserstein2(m, s, eta, r):
    return (eta - m) ** 2 + (mp.sqrt(s) - mp.sqrt(r)) ** 2


def wasserstein2_slopes(m, s, eta, r):
    return -2 * (eta - m), 1 - mp.sqrt(r / s)


DISTANCES = {
    "max_product": (max_product, max_product_slopes),
    "joint_max": (joint_max, joint_max_slopes),
    "overlap": (overlap, overlap_slopes),
    "kl_predicted_target": (kl_predicted_target, kl_predicted_target_slopes),
    "kl_target_predicted": (kl_target_predicted, kl_target_predicted_slopes),
    "wasserstein2": (wasserstein2, wasserstein2_slopes),
}


# ---- presets: scheme, variance model, value and slopes; n is the block's number of pixels ----------------------------

MASS_FLOOR = mpf("1e-6")  # added to R + S
LOG_FLOOR = mpf("0.03")  # added to S in the logarithm
RHO_FLOOR = mpf("1e-4")  # of lsr_iclr


def paper_code(m, s, eta, rho, _n):
    return s * (eta - m) ** 2 / (rho**2 + s + MASS_FLOOR) ** 2 + mp.log(s + LOG_FLOOR)


def paper_code_slopes(m, s, eta, rho, _n):
    d, q = eta - m, rho**2 + s + MASS_FLOOR
    return -2 * s * d / q**2, d**2 / q**2 - 2 * s * d**2 / q**3 + 1 / (s + LOG_FLOOR)


def lsr_iclr(m, s, eta, rho, _n):
    rho = max(rho, RHO_FLOOR)
    d = eta - m
    outside = (d if mp.re(d) >= 0 else -d) - rho  # |d| - rho, beyond the dead zone of one rho
    h = outside if mp.re(outside) > 0 else mpf(0)
    return h**2 / (s + rho**2 + MASS_FLOOR) + mp.log(s + LOG_FLOOR)


def lsr_iclr_slopes(m, s, eta, rho, _n):
    rho = max(rho, RHO_FLOOR)
    d, q = eta - m, s + rho**2 + MASS_FLOOR
    h = max(abs(d) - rho, mpf(0))
    return -2 * h * mp.sign(d) / q, -(h**2) / q**2 + 1 / (s + LOG_FLOOR)


def lsr_early(m, s, eta, rho, n):
    return (eta - m) ** 2 / (s / n + rho**2 + MASS_FLOOR) + mp.log(s + LOG_FLOOR)


def lsr_early_slopes(m, s, eta, rho, n):
    d, q = eta - m, s / n + rho**2 + MASS_FLOOR
    return -2 * d / q, -(d**2) / (n * q**2) + 1 / (s + LOG_FLOOR)


PRESETS = {
    "paper_code": ("intra_inter", "count_fraction", paper_code, paper_code_slopes),
    "lsr_iclr": ("intra", "count_fraction", lsr_iclr, lsr_iclr_slopes),
    "lsr_early": ("intra", "bernoulli_mean", lsr_early, lsr_early_slopes),
}


# ---- statistics ------------------------------------------------------------------------------------------------------


def divisor(model, n):
    return mpf(n) if model == "bernoulli_mean" else mpf(n) ** 2


def block_sums(block):
    """n, sum p and sum p (1 - p): all that is needed of a block."""
    return len(block), mp.fsum(block), mp.fsum(p * (1 - p) for p in block)


def block_moments(sums, model):
    n, mass, spread = sums
    return mass / n, spread / divisor(model, n)


def group_moments(moments, scheme):
    means = [mean for mean, _ in moments]
    mean = sum(means) / len(means)
    variance = sum((x - mean) ** 2 for x in means) / len(means)
    if scheme == "intra_inter":
        variance += sum(v for _, v in moments) / len(moments)
    return mean, variance


def evaluate(sums, model, scheme, function):
    """The loss of a group from its blocks' sums; `function(m, S, n)` is the distance to the target."""
    moments = [block_moments(one, model) for one in sums]
    if scheme == "intra":
        return sum(function(m, v, one[0]) for (m, v), one in zip(moments, sums)) / len(sums)
    return function(*group_moments(moments, scheme), None)


def gradient_closed(blocks, sums, model, scheme, slopes):
    moments = [block_moments(one, model) for one in sums]
    count = len(blocks)
    mean, variance = group_moments(moments, scheme)
    result = []
    for block, (mu, v) in zip(blocks, moments):
        n = len(block)
        if scheme == "intra":
            by_mean, by_variance = slopes(mu, v, n)
        else:
            by_mean, by_variance = slopes(mean, variance, None)
        row = []
        for p in block:
            variance_slope = mpf(0)
            if scheme != "inter":
                variance_slope += (1 - 2 * p) / (count * divisor(model, n))
            if scheme != "intra":
                variance_slope += 2 * (mu - mean) / (count * n)
            row.append(by_mean / (count * n) + by_variance * variance_slope)
        result.append(row)
    return result


def gradient_complex_step(blocks, sums, model, scheme, function):
    result = []
    for k, block in enumerate(blocks):
        n, mass, spread = sums[k]
        row = []
        for p in block:
            stepped = mpc(p, STEP)
            changed = (n, mass - p + stepped, spread - p * (1 - p) + stepped * (1 - stepped))
            row.append(mp.im(evaluate(sums[:k] + [changed] + sums[k + 1 :], model, scheme, function)) / STEP)
        result.append(row)
    return result


def value_and_gradient(blocks, sums, model, scheme, function, slopes):
    closed = gradient_closed(blocks, sums, model, scheme, slopes)
    stepped = gradient_complex_step(blocks, sums, model, scheme, function)
    scale = max(abs(x) for row in closed for x in row)
    worst = max(abs(a - b) for one, other in zip(closed, stepped) for a, b in zip(one, other))
    if worst > ROUTES_TOLERANCE * max(scale, 1):
        raise SystemExit(f"{model} {scheme} {function}: the two gradients differ by {mp.nstr(worst, 3)}")
    return evaluate(sums, model, scheme, function), closed


# ---- one case --------------------------------------------------------------------------------------------------------


def compute(probabilities, eta, rho):
    """Every number of a case, with 60 digits. Inputs are the decimal numbers that stand in the file, not their doubles:
    a reader that parses 0.1 as a double differs by that rounding, 1e-16 relative, which cancellation then enlarges."""
    blocks = [[mpf(repr(p)) for p in block] for block in probabilities]
    eta, rho = mpf(repr(eta)), mpf(repr(rho))
    sums = [block_sums(block) for block in blocks]
    case = {"blocks": [], "groups": [], "losses": [], "presets": []}
    for model in ("bernoulli_mean", "count_fraction"):
        moments = [block_moments(one, model) for one in sums]
        mean, variance = zip(*moments)
        case["blocks"].append({"variance_model": model, "mean": list(mean), "variance": list(variance)})
        for scheme in ("inter", "intra_inter"):
            mean, variance = group_moments(moments, scheme)
            case["groups"].append({"variance_model": model, "scheme": scheme, "mean": mean, "variance": variance})
    for model, scheme in COMBINATIONS:
        for name, (function, slopes) in DISTANCES.items():
            value, gradient = value_and_gradient(
                blocks,
                sums,
                model,
                scheme,
                lambda m, s, _n: function(m, s, eta, rho**2),
                lambda m, s, _n: slopes(m, s, eta, rho**2),
            )
            entry = {"variance_model": model, "scheme": scheme, "distance": name, "value": value}
            case["losses"].append(entry | {"gradient": gradient})
    for name, (scheme, model, function, slopes) in PRESETS.items():
        value, gradient = value_and_gradient(
            blocks,
            sums,
            model,
            scheme,
            lambda m, s, n: function(m, s, eta, rho, n),
            lambda m, s, n: slopes(m, s, eta, rho, n),
        )
        case["presets"].append({"preset": name, "value": value, "gradient": gradient})
    return case


# ---- making the file -------------------------------------------------------------------------------------------------

# Table 1 as fractions: eta and rho of the cancer class in the ten bins of a block's cancer probability; then how the
# case's blocks look: their sizes in pixels, and how the probabilities spread.
CASES = [
    # bin      eta   rho    sizes of the blocks                                     kind
    ("0-20", 0.0, 0.001, [9, 12, 7, 16, 10], "low"),
    ("20-30", 0.01, 0.004, [1, 2, 3, 5, 8, 13, 21], "low"),
    ("30-40", 0.02, 0.004, [40, 33], "low"),
    ("40-50", 0.05, 0.008, [1, 1, 1, 1, 1, 1], "even"),
    ("50-60", 0.06, 0.01, [4, 6] * 5, "low"),
    ("60-70", 0.08, 0.01, [17, 1, 29], "even"),
    ("70-80", 0.10, 0.01, [8] * 12, "extreme"),
    ("80-90", 0.10, 0.01, [3, 4] * 12, "even"),
    ("90-95", 0.20, 0.02, [25, 40, 10], "extreme"),
    ("95-100", 0.70, 0.05, [6, 5, 9, 7, 8, 6, 4, 10, 5, 7, 3, 9, 6, 8, 7], "high"),
    # A group that is near its target in both moments, where the distances are at their flattest.
    ("95-100", 0.70, 0.05, [30, 36, 40], "target"),
    # A wide target, as of a bin with few examples.
    ("wide", 0.5, 0.3, [2, 3] * 15, "even"),
]


def probability(random_source, kind, eta):
    """One probability with six decimals, never 0 or 1: at those a block's variance vanishes and the logarithms end."""
    u = random_source.random()
    if kind == "even":
        p = u
    elif kind == "low":
        p = u**4
    elif kind == "high":
        p = 1 - u**3
    elif kind == "target":
        p = eta + 0.1 * (u - 0.5)
    else:  # extreme: saturated outputs, within 1e-6 to 1e-3 of 0 or 1
        near = 10 ** (-6 + 3 * u)
        p = near if random_source.random() < 0.6 else 1 - near
    return min(max(round(p, 6), 1e-6), 1 - 1e-6)


def make():
    random_source = random.Random(20190601)
    cases = []
    for _bin, eta, rho, sizes, kind in CASES:
        probabilities = [[probability(random_source, kind, eta) for _ in range(n)] for n in sizes]
        case = compute(probabilities, eta, rho)
        cases.append({"probabilities": probabilities, "eta": eta, "rho": rho} | rounded(case))
    return cases


def rounded(value):
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return float(value) if isinstance(value, mpf) else value


def write(path, cases):
    """One line for each block model, group, loss and preset, so that a change shows where it is."""
    lines = ['{"description": "Label-super-resolution statistics, losses and gradients, evaluated with 60 digits by '
             'make_losses.py.", "cases": [']
    for i, case in enumerate(cases):
        head = {key: case[key] for key in ("probabilities", "eta", "rho")}
        lines.append(json.dumps(head)[:-1] + ",")
        parts = ("blocks", "groups", "losses", "presets")
        for part in parts:
            lines.append(f'"{part}": [')
            lines.extend(json.dumps(entry) + ("," if j + 1 < len(case[part]) else "") for j, entry in enumerate(case[part]))
            lines.append("]" if part == parts[-1] else "],")
        lines.append("}," if i + 1 < len(cases) else "}")
    lines.append("]}")
    path.write_text("\n".join(lines) + "\n")


# ---- checking a file -------------------------------------------------------------------------------------------------


class Check:
    """Compares a file's numbers with computed ones, each relative to itself."""

    def __init__(self):
        self.numbers, self.worst, self.failures = 0, mpf(0), []

    def number(self, where, found, expected):
        self.numbers += 1
        error = abs(mpf(found) - expected) / max(abs(expected), mpf("1e-300"))
        self.worst = max(self.worst, error)
        if not error <= CHECK_TOLERANCE:
            self.failures.append(f"{where}: file {found!r}, computed {mp.nstr(expected, 20)}")

    def numbers_of(self, where, found, expected):
        if isinstance(expected, list):
            if len(found) != len(expected):
                self.failures.append(f"{where}: {len(found)} numbers, expected {len(expected)}")
            for i, (one, other) in enumerate(zip(found, expected)):
                self.numbers_of(f"{where}[{i}]", one, other)
        else:
            self.number(where, found, expected)

    def entries(self, where, found, expected):
        """Entries are told apart by their texts (model, scheme, distance, preset), in any order."""

        def name(entry):
            return " ".join(value for value in entry.values() if isinstance(value, str))

        by_name = {name(entry): entry for entry in expected}
        if sorted(map(name, found)) != sorted(by_name):
            self.failures.append(f"{where}: has {sorted(map(name, found))}, expected {sorted(by_name)}")
            return
        for entry in found:
            for key, value in by_name[name(entry)].items():
                if not isinstance(value, str):
                    self.numbers_of(f"{where} {name(entry)} {key}", entry[key], value)


def check(path):
    cases = json.loads(path.read_text())["cases"]
    result = Check()
    for i, case in enumerate(cases):
        expected = compute(case["probabilities"], case["eta"], case["rho"])
        for part, entries in expected.items():
            result.entries(f"case {i} {part}", case[part], entries)
    for failure in result.failures[:20]:
        print(failure, file=sys.stderr)
    print(
        f"{path.name}: {len(cases)} cases, {result.numbers} numbers, {len(result.failures)} beyond "
        f"{mp.nstr(CHECK_TOLERANCE, 3)}, largest relative difference {mp.nstr(result.worst, 3)}"
    )
    return 1 if result.failures or not cases else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", metavar="FILE", type=Path, help="compare FILE with what this program computes")
    arguments = parser.parse_args()
    if arguments.check:
        return check(arguments.check)
    path = Path(__file__).with_name("losses.json")
    write(path, make())
    print(f"{path.name}: {path.stat().st_size} bytes")
    return check(path)


if __name__ == "__main__":
    sys.exit(main())
