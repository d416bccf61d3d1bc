"""Rewrites a QDQ network, without changing any of its numbers, so that ONNX Runtime runs every layer of it in integers.

ONNX Runtime runs two kinds of layers in f32 between conversions, where sums are rounded, and then differs from integers by a step now and then:

- a transposed convolution 2x2 of stride 2. It becomes a 1x1 convolution with four times the outputs, and DepthToSpace.
- a convolution with a ReLU whose output has a zero point above 0. The output is quantised before the ReLU as well, with the same scale and zero
  point: max(q, zero point) is what quantising behind the ReLU gives.
"""

import numpy as np
from onnx import checker, helper, numpy_helper


def all_integer(model):
    """Rewrites it in place; gives the names of the layers that were changed."""
    graph = model.graph
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    makers = {node.output[0]: node for node in graph.node}
    nodes, changed = [], []

    def reader(tensor, kind):
        return next((node for node in graph.node if tensor in node.input and node.op_type == kind), None)

    def constant(name, array):
        graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def conversions(tensor, quantize, name):
        """Quantises a tensor as `quantize` does, and back; gives the result's name."""
        nodes.append(helper.make_node("QuantizeLinear", [tensor, *quantize.input[1:]], [f"{name}/q"], name=f"{name}/quantize"))
        nodes.append(helper.make_node("DequantizeLinear", [f"{name}/q", *quantize.input[1:]], [f"{name}/dq"], name=f"{name}/dequantize"))
        return f"{name}/dq"

    def four_times(dequantize, array, name):
        """Weights or a bias with four times the outputs: one after the other, the four pixels of a cell."""
        scale = np.tile(np.broadcast_to(arrays[dequantize.input[1]].reshape(-1), len(array) // 4), 4)
        inputs = [constant(f"{name}/values", array), constant(f"{name}/scale", scale), constant(f"{name}/zero", np.zeros(len(array), array.dtype))]
        nodes.append(helper.make_node("DequantizeLinear", inputs, [name], name=name, axis=0))
        return name

    for node in graph.node:
        name = node.name or node.output[0]
        if node.op_type == "ConvTranspose":
            weight, bias = (makers[tensor] for tensor in node.input[1:3])
            # [inputs, outputs, 2, 2] -> [4 outputs, inputs, 1, 1]
            values = arrays[weight.input[0]].transpose(2, 3, 1, 0)
            values = values.reshape(-1, values.shape[-1], 1, 1)
            weight = four_times(weight, values, f"{name}/weight")
            bias = four_times(bias, np.tile(arrays[bias.input[0]], 4), f"{name}/bias")
            nodes.append(helper.make_node("Conv", [node.input[0], weight, bias], [f"{name}/cells"], name=f"{name}/cells", kernel_shape=[1, 1]))
            cells = conversions(f"{name}/cells", reader(node.output[0], "QuantizeLinear"), f"{name}/cells")
            nodes.append(helper.make_node("DepthToSpace", [cells], node.output, name=name, blocksize=2, mode="DCR"))
            changed.append(name)
            continue
        quantize = reader(node.output[0], "QuantizeLinear") if node.op_type == "Relu" else None
        if quantize is not None and len(quantize.input) == 3 and arrays[quantize.input[2]].any():
            tensor = conversions(node.input[0], quantize, f"{name}/before")
            nodes.append(helper.make_node("Relu", [tensor], node.output, name=name))
            changed.append(name)
            continue
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    checker.check_model(model)
    return changed
