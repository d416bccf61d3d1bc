#!/usr/bin/env python3
"""Golden values of a tile's features (lsr_core::reference), by the formulas in their documentation and none of its code.

    make_reference.py --write reference.json     make the file
    make_reference.py --check reference.json     compare it with what this program gives

Pixels and probabilities are hashes of their places, so that the file holds none. Nothing but Python's standard library is needed.
"""

import json
import math
import sys

STAINS = [[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]]  # Ruifrok and Johnston (2001)
# name, width, height, columns of glass, how strongly pixels vary, side of a block, (eta, rho) of every label
CASES = [
    ("tissue everywhere", 40, 33, 0, 90, 16, [(0.2, 0.2), (0.85, 0.15)]),
    ("half glass", 36, 24, 18, 60, 12, [(0.05, 0.02), (0.5, 0.1), (0.95, 0.02)]),
    ("no prior", 24, 20, 3, 30, 64, []),
    ("even", 20, 18, 0, 0, 8, [(0.5, 0.01)]),
    ("narrow", 5, 60, 0, 120, 8, [(0.3, 0.1)]),
    ("hardly any tissue", 40, 20, 39, 50, 8, [(0.3, 0.1)]),
]


def noise(x, y, channel):
    """A byte from a place: 32-bit integers."""
    h = (x * 0x9E3779B1 ^ y * 0x85EBCA77 ^ channel * 0xC2B2AE3D) & 0xFFFFFFFF
    h = ((h ^ (h >> 15)) * 0x2C1B3C6D) & 0xFFFFFFFF
    h = ((h ^ (h >> 12)) * 0x297A2D39) & 0xFFFFFFFF
    return h >> 24


def pixel(x, y, glass, vary):
    if x < glass:
        return [250, 248, 251]
    # Four pixels share their colour, so that texture differs between distances.
    return [base + noise(x // 2, y // 2, c) * vary // 255 for c, base in enumerate([110, 60, 120])]


def probability(x, y):
    return noise(x // 8, y // 8, 7) * 3 // 4 + noise(x, y, 9) // 4


def inverse(m):
    a = [row[:] + [float(i == j) for j in range(3)] for i, row in enumerate(m)]
    for i in range(3):
        a[i] = [v / a[i][i] for v in a[i]]
        for j in range(3):
            if j != i:
                a[j] = [v - a[j][i] * w for v, w in zip(a[j], a[i])]
    return [row[3:] for row in a]


def mean(values):
    return math.fsum(values) / len(values)


def spread(values):
    m = mean(values)
    return math.sqrt(mean([(v - m) ** 2 for v in values]))


def features(width, height, glass, vary, block, targets):
    density = [[[-math.log((v + 1) / 256) for v in pixel(x, y, glass, vary)] for x in range(width)] for y in range(height)]
    tissue = [[sum(d) / 3 >= 0.1 for d in row] for row in density]
    places = [(x, y) for y in range(height) for x in range(width) if tissue[y][x]]
    share = len(places) / (width * height)
    if share < 0.05:
        return share, None
    unmix = inverse(STAINS)
    amounts = [[sum(density[y][x][c] * unmix[c][s] for c in range(3)) for x, y in places] for s in range(3)]
    found = [mean(a) for a in amounts] + [math.log(spread(a) + 0.02) for a in amounts]
    whole = spread([sum(density[y][x]) for x, y in places])
    for lag in (1, 4, 16):
        pairs = [(x, y, x + lag, y) for x, y in places] + [(x, y, x, y + lag) for x, y in places]
        pairs = [p for p in pairs if p[2] < width and p[3] < height and tissue[p[3]][p[2]]]
        differences = [abs(sum(density[y][x]) - sum(density[v][u])) for x, y, u, v in pairs]
        found.append(math.log((mean(differences) / whole if pairs and whole > 1e-9 else 0.0) + 0.02))

    def entropy(p):
        return 0.0 if p in (0.0, 1.0) else -p * math.log2(p) - (1 - p) * math.log2(1 - p)

    found.append(mean([entropy(probability(x, y) / 255) for x, y in places]))
    total = weight = 0.0
    columns, rows = min(block, width), min(block, height)
    for top in range(0, height - rows + 1, rows):
        for left in range(0, width - columns + 1, columns):
            inside = [(x, y) for y in range(top, top + rows) for x in range(left, left + columns)]
            p = [probability(x, y) / 255 for x, y in inside]
            mu, v = mean(p), math.fsum(q * (1 - q) for q in p) / len(p) ** 2
            if targets:
                nearest = min(abs(mu - eta) / math.sqrt(rho * rho + v) for eta, rho in targets)
                own = sum(tissue[y][x] for x, y in inside)
                total += own * max(0.0, nearest - 1)
                weight += own
    found.append(total / weight if weight else 0.0)
    return share, found


def main():
    mode, path = sys.argv[1:]
    cases = []
    for name, width, height, glass, vary, block, targets in CASES:
        share, found = features(width, height, glass, vary, block, targets)
        found = found and [round(v, 7) for v in found]
        head = {"name": name, "width": width, "height": height, "glass": glass, "vary": vary, "block": block}
        cases.append({**head, "targets": targets, "tissue": round(share, 7), "features": found})
    text = json.dumps({"cases": cases}, indent=1) + "\n"
    if mode == "--write":
        open(path, "w", encoding="utf-8").write(text)
    elif open(path, encoding="utf-8").read() != text:
        sys.exit(f"{path} is not what {sys.argv[0]} gives")


main()
