"""Runs a program within a time, and watches its memory and the GPU meanwhile."""

import os
import signal
import subprocess
import threading
import time

EVERY_S = 0.2


class Finished:
    """What a program wrote, and how it ended; code None where its time ran out."""

    def __init__(self, code, out, err, seconds, samples):
        self.code, self.out, self.err, self.seconds, self.samples = code, out, err, seconds, samples

    def reason(self, what):
        """Why it is no success."""
        if self.code is None:
            return f"{what} did not end within {self.seconds:.0f} s"
        last = [line for line in self.err.strip().splitlines() if line][-1:] or ["nothing on standard error"]
        return f"{what} ended with {self.code}: {last[0]}"


def run(command, limit_s, gpu=None, watched=False, env=None):
    """`gpu` is how nvidia-smi knows the GPU that is watched; without one only the program's own memory is."""
    began = time.monotonic()
    # A group of its own, so that what it started itself ends with it.
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, env=env)
    samples, over = [], threading.Event()
    watcher = threading.Thread(target=watch, args=(program.pid, gpu, samples, over), daemon=True)
    if watched:
        watcher.start()
    try:
        out, err = program.communicate(timeout=max(limit_s, 1))
        code = program.returncode
    except subprocess.TimeoutExpired:
        os.killpg(program.pid, signal.SIGKILL)
        out, err = program.communicate()
        code = None
    over.set()
    if watched:
        watcher.join()
    return Finished(code, out, err, time.monotonic() - began, samples)


def watch(pid, gpu, samples, over):
    """Appends what was seen, with the time at which it was asked for."""
    due = time.monotonic()
    while not over.is_set():
        sample = {"unix_s": time.time(), "rss_mb": rss_mb(pid)}
        if gpu is not None:
            sample.update(gpu_state(gpu))
        samples.append(sample)
        due += EVERY_S
        over.wait(max(0.0, due - time.monotonic()))


def rss_mb(pid):
    """Resident memory, megabytes (10^6 bytes); None once it is gone."""
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, IndexError, ValueError):
        return None


def gpu_state(gpu):
    """Utilisation in percent and used memory in MiB, as nvidia-smi has them; empty where it says nothing."""
    try:
        used, memory = smi("utilization.gpu,memory.used", gpu)
        return {"gpu_percent": float(used), "gpu_mib": float(memory)}
    except (OSError, ValueError, subprocess.SubprocessError):
        return {}


def smi(fields, gpu):
    """One line of nvidia-smi's, as a list."""
    command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader,nounits", "-i", gpu]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    return [value.strip() for value in done.stdout.strip().splitlines()[0].split(",")]


def within(samples, begin, end, key):
    """Values that were seen between two times."""
    return [s[key] for s in samples if begin <= s["unix_s"] <= end and s.get(key) is not None]


def growth_percent(values):
    """By how much the least of the last quarter is above that of the second: what is never given back lifts the least, and batches that come and
    go do not. In the first quarter caches and pools still fill."""
    quarter = len(values) // 4
    if quarter < 2:
        return None
    return 100 * (min(values[-quarter:]) / min(values[quarter : 2 * quarter]) - 1)
