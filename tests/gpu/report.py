"""Figures with their bars: gpu.json for programs and gpu.md for people. What each program wrote lies in its log beside them."""

import json
import os

PASS, MISSED, NOT_RUN, NOT_APPLICABLE, NO_BAR = "pass", "missed", "not run", "not applicable", ""


class Report:
    def __init__(self, about):
        self.about, self.figures, self.lines = about, [], []

    def add(self, name, value, unit="", bar=None, note=""):
        """`bar` is ("<", limit), ("<=", limit), (">", limit) or (">=", limit)."""
        status = NO_BAR
        if bar is not None:
            sign, limit = bar
            met = {"<": value < limit, "<=": value <= limit, ">": value > limit, ">=": value >= limit}[sign]
            status = PASS if met else MISSED
        self.put(name, value, unit, bar, status, note)

    def without(self, name, status, note, bar=None, unit=""):
        """A figure that there is none of, and why."""
        self.put(name, None, unit, bar, status, note)

    def put(self, name, value, unit, bar, status, note):
        bar = f"{bar[0]} {bar[1]:g}" if bar else None
        self.figures.append({"name": name, "value": value, "unit": unit, "bar": bar, "status": status, "note": note})
        shown = "" if value is None else f" {shown_value(value)} {unit}".rstrip()
        print(f"{name}:{shown}{f' (bar {bar})' if bar else ''}{f' {status}' if status else ''}{f': {note}' if note else ''}", flush=True)

    def good(self):
        """Whether every bar is met and nothing that could be run was left out."""
        return all(figure["status"] not in (MISSED, NOT_RUN) or figure["bar"] is None for figure in self.figures)

    def write(self, folder):
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "gpu.json"), "w") as file:
            json.dump({"about": self.about, "good": self.good(), "figures": self.figures, "tests": self.lines}, file, indent=1)
            file.write("\n")
        with open(os.path.join(folder, "gpu.md"), "w") as file:
            file.write(self.markdown())

    def markdown(self):
        text = "# Checked and measured on a GPU\n\n"
        if self.about["device"] == "cpu":
            text = "# A rehearsal on a processor of what is checked and measured on a GPU\n\n"
        text += "".join(f"- {name.replace('_', ' ')}: {value}\n" for name, value in self.about.items())
        text += "\n| figure | value | bar | |\n|---|---|---|---|\n"
        for f in self.figures:
            value = "–" if f["value"] is None else f"{shown_value(f['value'])} {f['unit']}".rstrip()
            end = ": ".join(part for part in (f["status"], f["note"]) if part)
            text += "| " + " | ".join(cell.replace("|", "\\|") for cell in (f["name"], value, f["bar"] or "", end)) + " |\n"
        if self.lines:
            text += "\nWhat the tests say:\n\n```text\n" + "\n".join(self.lines) + "\n```\n"
        return text


def shown_value(value):
    return f"{value:.4g}" if isinstance(value, float) else str(value)
