"""Small models in the ONNX format whose answers are known: what comes out of them was put in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = npt.NDArray[Any]
Dims = Sequence[int | str]
Constant = Callable[[str, Array], str]


@dataclass
class Output:
    """What one output gives for each picture: `fixed`, and what the picture's first channel adds.

    `share` has the shape of `fixed`, and is multiplied by the mean of the tensor's first channel.
    """

    fixed: Array
    share: Array | None = None
    per_batch: bool = False
    """Whether it is one for the whole batch, with no axis for the picture."""


def save(  # noqa: PLR0913 (all but two have defaults)
    path: Path,
    outputs: Mapping[str, Output | Array],
    *,
    shape: Dims = ("n", 3, 640, 640),
    dtype: type = np.float32,
    inputs: Mapping[str, Dims] | None = None,
    metadata: Mapping[str, str] | None = None,
    mean_of: str = "images",
) -> Path:
    """Write a model whose outputs are these, each with the axis of the batch in front."""
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    taken = [helper.make_tensor_value_info(mean_of, kind, shape)]
    for name, dims in (inputs or {}).items():
        taken.append(helper.make_tensor_value_info(name, TensorProto.INT64, dims))
    channels, axes = ([1], [2, 3]) if shape[1] == 3 else ([3], [1, 2])
    nodes: list[onnx.NodeProto] = []
    given = []

    def constant(name: str, value: Array) -> str:
        tensor = numpy_helper.from_array(value, name)
        nodes.append(helper.make_node("Constant", [], [name], value=tensor))
        return name

    starts, ends = constant("starts", np.array([0])), constant("ends", np.array([1]))
    of = constant("of", np.array(channels))
    nodes.append(helper.make_node("Cast", [mean_of], ["numbers"], to=TensorProto.FLOAT))
    nodes.append(helper.make_node("Slice", ["numbers", starts, ends, of], ["first"]))
    over = constant("axes", np.array(axes))
    nodes.append(helper.make_node("ReduceMean", ["first", over], ["mean"], keepdims=1))
    for name, output in outputs.items():
        one = output if isinstance(output, Output) else Output(output)
        fixed = one.fixed if one.per_batch else one.fixed[None]
        if one.per_batch:
            nodes.append(helper.make_node("Identity", [constant(f"{name}_", fixed)], [name]))
        else:
            share = np.zeros_like(fixed) if one.share is None else one.share[None]
            nodes += _sum(name, fixed, share, constant)
        axes_of = [f"{name}{n}" for n in range(fixed.ndim)]
        type_of = helper.np_dtype_to_tensor_dtype(fixed.dtype)
        given.append(helper.make_tensor_value_info(name, type_of, axes_of))
    graph = helper.make_graph(nodes, "graph", taken, given)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    if metadata:
        helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def _sum(name: str, fixed: Array, share: Array, constant: Constant) -> list[onnx.NodeProto]:
    """Nodes for `fixed + share * mean`, with the picture's axis in front."""
    float_type = TensorProto.FLOAT
    kind = helper.np_dtype_to_tensor_dtype(fixed.dtype)
    flat = constant(f"{name}_flat", np.array([-1] + [1] * (fixed.ndim - 1)))
    parts = [
        constant(f"{name}_{n}", part.astype(np.float32)) for n, part in enumerate((fixed, share))
    ]
    return [
        helper.make_node("Reshape", ["mean", flat], [f"{name}_mean"]),
        helper.make_node("Mul", [parts[1], f"{name}_mean"], [f"{name}_share"]),
        helper.make_node("Add", [parts[0], f"{name}_share"], [f"{name}_sum"]),
        helper.make_node("Cast", [f"{name}_sum"], [name], to=kind if kind != float_type else 1),
    ]
