"""ONNX Runtime: layers forward and predictions, as graphs whose inputs are passed at each call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from tinymed.bench.contest import Attempt, CannotError
from tinymed.bench.workloads import Arrays, Conv, Network, Spec
from tinymed.kernels.threads import get_num_threads

__all__ = ["kernel", "workload"]

VERSION, FORMAT = 17, 9  # of the operators, and of the file: what runtimes since 2023 read


def kernel(name: str, arguments: tuple[Any, ...], variant: str) -> Attempt:
    """Return ONNX Runtime's attempt at a kernel."""
    if name not in _KERNELS:
        raise CannotError("not written for ONNX Runtime")
    return _KERNELS[name](*arguments)


def workload(spec: Spec, arrays: Arrays, variant: str) -> Attempt:
    """Return ONNX Runtime's attempt at a workload, if it is forward only."""
    if isinstance(spec, Conv) and not spec.backward:
        return _conv_layer(spec, arrays)
    if isinstance(spec, Network) and spec.model == "cnn" and not spec.training:
        return _cnn(arrays)
    raise CannotError("forward only")


def _run(
    nodes: list[Any], inputs: dict[str, Any], weights: dict[str, Any] | None = None
) -> Attempt:
    """Return runs of the graph that ends in "y"; weights are constants, as in a model's file."""
    constants = [
        numpy_helper.from_array(np.ascontiguousarray(w), n) for n, w in (weights or {}).items()
    ]
    kind = helper.np_dtype_to_tensor_dtype
    given = [helper.make_tensor_value_info(n, kind(a.dtype), a.shape) for n, a in inputs.items()]
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "bench", given, [result], constants)
    opset = [helper.make_opsetid("", VERSION)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=FORMAT)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = get_num_threads(), 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    inputs = {name: np.ascontiguousarray(array) for name, array in inputs.items()}
    return Attempt(lambda: session.run(None, inputs), lambda results: results)


def _geometry(weight: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> dict[str, Any]:
    return {
        "kernel_shape": weight.shape[2:],
        "strides": stride,
        "pads": [*padding, *padding],
        "dilations": dilation,
        "group": groups,
    }


def _conv(x: Any, weight: Any, bias: Any, *settings: Any) -> Attempt:
    *geometry, activation = settings
    inputs = {"x": x, "weight": weight} | ({} if bias is None else {"bias": bias})
    made = _geometry(weight, *geometry)
    nodes = [helper.make_node("Conv", list(inputs), ["z" if activation else "y"], **made)]
    if activation:
        nodes.append(helper.make_node(activation.capitalize(), ["z"], ["y"]))
    return _run(nodes, inputs)


def _product(a: Any, b: Any) -> Attempt:
    return _run([helper.make_node("MatMul", ["a", "b"], ["y"])], {"a": a, "b": b})


def _max_pool(x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, out: Any) -> Attempt:
    made = {"kernel_shape": kernel, "strides": stride, "pads": [*padding, *padding]}
    node = helper.make_node("MaxPool", ["x"], ["y"], dilations=dilation, **made)
    return _run([node], {"x": x})


def _first_layer(x: Any, weight: Any, bias: Any, padding: Any) -> Attempt:
    geometry = _geometry(weight, (1, 1), padding, (1, 1), 1)
    return _run(_conv_relu_pool(geometry), {"x": x}, {"weight": weight, "bias": bias})


def _conv_relu_pool(geometry: dict[str, Any]) -> list[Any]:
    return [
        helper.make_node("Conv", ["x", "weight", "bias"], ["a"], **geometry),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("MaxPool", ["b"], ["y"], kernel_shape=[2, 2], strides=[2, 2]),
    ]


_KERNELS: dict[str, Callable[..., Attempt]] = {
    "matmul.product": _product,
    "conv.forward": _conv,
    "conv_pool.forward": _first_layer,
    "pooling.max_forward": _max_pool,
}


def _conv_layer(spec: Conv, arrays: Arrays) -> Attempt:
    settings = ([spec.stride] * 2, [spec.padding] * 2, (1, 1), spec.groups)
    geometry = _geometry(arrays["weight"], *settings)
    inputs = {"x": arrays["x"]}
    weights = {name: arrays[name] for name in ("weight", "bias")}
    names = ["x", *weights]
    if not spec.pool:
        return _run([helper.make_node("Conv", names, ["y"], **geometry)], inputs, weights)
    return _run(_conv_relu_pool(geometry), inputs, weights)


def _cnn(arrays: Arrays) -> Attempt:
    """The lung CNN: three times conv, ReLU, pool; two linear layers."""
    weights = {f"w{number}": array for number, array in enumerate(arrays["parameters"])}
    nodes, last = [], "x"
    for layer in range(3):
        names = [last, f"w{2 * layer}", f"w{2 * layer + 1}"]
        pads = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
        nodes.append(helper.make_node("Conv", names, [f"a{layer}"], **pads))
        nodes.append(helper.make_node("Relu", [f"a{layer}"], [f"b{layer}"]))
        pool = {"kernel_shape": [2, 2], "strides": [2, 2]}
        last = f"c{layer}"
        nodes.append(helper.make_node("MaxPool", [f"b{layer}"], [last], **pool))
    nodes += [
        helper.make_node("Flatten", [last], ["d"]),
        helper.make_node("Gemm", ["d", "w6", "w7"], ["e"], transB=1),
        helper.make_node("Relu", ["e"], ["f"]),
        helper.make_node("Gemm", ["f", "w8", "w9"], ["y"], transB=1),
    ]
    return _run(nodes, {"x": arrays["x"]}, weights)
