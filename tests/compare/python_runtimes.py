"""Runs one network in ONNX Runtime or OpenVINO, one field each time it is asked; compare.py starts it, in a process for each network.

    python python_runtimes.py RUNTIME MODEL FIELD SIDE THREADS [bf16]        RUNTIME: onnxruntime or openvino

FIELD holds normalised little-endian f32 in the order [3, SIDE, SIDE]; bf16 lets OpenVINO round what is f32 in the file. Questions and answers are
those of worker/src/main.rs.
"""

import os
import sys
import time

import numpy as np


def onnxruntime_network(model, shape, threads, _):
    """A function from an image to logits, and what it runs with."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # Threads that spin between two operations count as work; one thread has nothing to wait for.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0" if threads == 1 else "1")
    # The size is known beforehand, as it is to the others.
    for name, axis in (("batch", 0), ("height", 2), ("width", 3)):
        options.add_free_dimension_override_by_name(name, shape[axis])
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    image = session.get_inputs()[0].name
    return lambda x: session.run(None, {image: x})[0], f"onnxruntime {onnxruntime.__version__}"


def openvino_network(model, shape, threads, floats):
    """The same with OpenVINO."""
    import openvino

    core = openvino.Core()
    network = core.read_model(model)
    network.reshape(list(shape))
    # Unless told, numbers are f32 where the file says so: on some processors OpenVINO would take bfloat16 by itself. Threads are not tied to
    # processors, since the others' are not, and the machine may be in use.
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": floats,
        "ENABLE_CPU_PINNING": False,
    }
    request = core.compile_model(network, "CPU", settings).create_infer_request()

    def run(x):
        # Neither the image nor the logits are copied.
        return request.infer({0: x}, share_inputs=True, share_outputs=True)[0]

    return run, f"openvino {openvino.__version__}"


NETWORKS = {"onnxruntime": onnxruntime_network, "openvino": openvino_network}


def status_bytes(key):
    """A line of Linux's account of this process, bytes."""
    with open("/proc/self/status") as status:
        return next((int(line.split()[1]) * 1024 for line in status if line.startswith(key)), 0)


def main():
    runtime, model, field, side, threads, *floats = sys.argv[1:]
    shape = (1, 3, int(side), int(side))
    image = np.fromfile(field, "<f4").reshape(shape)
    # The runtime's own code and that of Python are in memory before any network is: `before` is what they take.
    __import__(runtime)
    before = status_bytes("VmRSS:")
    network, detail = NETWORKS[runtime](model, shape, int(threads), floats[0] if floats else "f32")
    logits = network(image)
    # Answers have the pipe for themselves: a runtime that prints would break them.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(text):
        answers.write(text + "\n")
        answers.flush()

    answer(f"ready {before} {detail}")
    for line in sys.stdin:
        command, _, rest = line.strip().partition(" ")
        if command == "go":
            cpu, start = time.process_time(), time.perf_counter()
            logits = network(image)
            wall = time.perf_counter() - start
            answer(f"{wall * 1e3} {(time.process_time() - cpu) * 1e3}")
        elif command == "output":
            np.ascontiguousarray(logits, "<f4").tofile(rest)
            answer("done")
        elif command == "end":
            answer(str(status_bytes("VmHWM:")))
            return
        else:
            raise SystemExit(f"no command {command!r}")


if __name__ == "__main__":
    main()
