"""A functional Keras model as a flat list of steps: which tensors each call reads and gives, nested models unfolded.

Reads a built Keras model, returns a `Dataflow`; or refuses, with the reason and what to do. May touch: the model's
graph, read only. Runs only in throw-away subprocesses and tests (DESIGN.md sections 8 and 12).
A layer that is called twice is two steps (`name` and `name@2`); a layer of a nested model bears its path
(`backbone/conv1`). Anything whose inside cannot be seen (a subclassed block) is one step. Tensors are numbered in the
order in which the forward pass makes them: 0 is the photo.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from inspect import signature
from typing import Any

from vista_nb.errors import VistaDataError

__all__ = ["IMAGE", "Dataflow", "Step", "Tensor", "dataflow"]

IMAGE = "image"  # the name of the input tensor in a stored cut

_ADVICE = "build it with keras.Input and layers (a functional or Sequential model), or take a CNN of the roster"


@dataclass(frozen=True)
class Tensor:
    """A value of the forward pass. shape leaves the batch axis out; None: not known before a photo is seen."""

    number: int
    name: str
    shape: tuple[int | None, ...]
    dtype: str

    @property
    def is_static(self) -> bool:
        return None not in self.shape


@dataclass(frozen=True)
class Step:
    """One call of a layer or operation. arguments: Keras' symbolic call; binding: its tensors' ids -> our numbers."""

    number: int
    name: str
    operation: Any
    arguments: Any
    binding: Mapping[int, int]
    outputs: tuple[int, ...]

    @property
    def kind(self) -> str:
        return type(self.operation).__name__

    @cached_property
    def inputs(self) -> tuple[int, ...]:
        return tuple(sorted(set(self.binding.values())))

    def call(self, values: Mapping[int, Any]) -> list[Any]:
        """The outputs for the values of the inputs, in inference mode."""
        import keras

        args, kwargs = self.arguments.fill_in({key: values[number] for key, number in self.binding.items()})
        if self._knows_training:
            kwargs = {**kwargs, "training": False}
        return list(keras.tree.flatten(self.operation(*args, **kwargs)))

    @cached_property
    def _knows_training(self) -> bool:
        import keras

        return isinstance(self.operation, keras.Layer) and "training" in signature(self.operation.call).parameters


@dataclass(frozen=True)
class Dataflow:
    """tensors[i].number == i; steps in the order of the forward pass; aliases: other names of a tensor, by number."""

    tensors: tuple[Tensor, ...]
    steps: tuple[Step, ...]
    outputs: tuple[int, ...]
    aliases: Mapping[int, tuple[str, ...]]

    @cached_property
    def maker(self) -> Mapping[int, Step]:
        """The step that gives a tensor; the photo has none."""
        return {number: step for step in self.steps for number in step.outputs}

    @cached_property
    def below(self) -> Mapping[int, int]:
        """Step -> the set of steps it rests on, itself among them, as a bit mask."""
        masks: dict[int, int] = {}
        for step in self.steps:
            mask = 1 << step.number
            for number in step.inputs:
                if number in self.maker:
                    mask |= masks[self.maker[number].number]
            masks[step.number] = mask
        return masks

    def under(self, tensor: int) -> int:
        """The steps that must run to have a tensor, as a bit mask; none for the photo."""
        return self.below[self.maker[tensor].number] if tensor in self.maker else 0

    def find(self, name: str) -> Tensor | None:
        """The tensor of that name or alias."""
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> Mapping[str, Tensor]:
        names = {alias: self.tensors[number] for number, aliases in self.aliases.items() for alias in aliases}
        return names | {tensor.name: tensor for tensor in self.tensors}


def dataflow(model: Any) -> Dataflow:
    """The model's forward pass as steps. Raises VST344 (not functional), VST345 (its input is no photo)."""
    graph = _functional(model)
    if graph is None:
        raise VistaDataError("VST344", f"{_called(model)}: {_no_graph(model)}", _ADVICE)
    photo = _photo_input(graph, model)
    reader = _Reader()
    made = reader.read(graph, [reader.tensor(IMAGE, photo)], "")
    return Dataflow(tuple(reader.tensors), tuple(reader.steps), tuple(dict.fromkeys(made)), reader.aliases())


def _called(model: Any) -> str:
    return f"the CNN {getattr(model, 'name', type(model).__name__)!r} ({type(model).__name__})"


def _functional(model: Any) -> Any | None:
    """The graph inside a functional or Sequential model whose forward pass is that graph, else None."""
    import keras

    graph = getattr(model, "_functional", None) if isinstance(model, keras.Sequential) else model
    if not isinstance(graph, keras.Model) or not hasattr(graph, "_nodes_by_depth"):
        return None
    kinds = {type(model).call, type(graph).call}
    return graph if kinds <= {keras.Sequential.call, _functional_class().call} else None


def _functional_class() -> Any:
    import keras

    x = keras.Input((1,))
    return type(keras.Model(x, x))


def _no_graph(model: Any) -> str:
    import keras

    if not isinstance(model, keras.Model):
        return "it is no Keras model"
    if isinstance(model, keras.Sequential):
        return "it has not been built yet, so that its shapes are unknown (give its first layer a keras.Input)"
    return "its forward pass is Python code (a subclassed model), so that its layers cannot be seen or cut"


def _photo_input(graph: Any, model: Any) -> Any:
    """The one input, (batch, height, width, channels) with fixed sizes."""
    if len(graph.inputs) != 1:
        names = ", ".join(tensor.name for tensor in graph.inputs)
        raise VistaDataError("VST345", f"{_called(model)} has {len(graph.inputs)} inputs ({names}), not one", _ADVICE)
    (photo,) = graph.inputs
    shape = tuple(photo.shape[1:])
    if len(shape) == 3 and None not in shape and shape[2] in (1, 3):
        return photo
    if len(shape) == 3 and None in shape[:2] and shape[2] in (1, 3):
        reason = f"takes photos of any size {photo.shape}; layer shapes would depend on each photo"
        fix = "give it a fixed size, e.g. clone it with keras.Input((224, 224, 3)) or load it with input_shape="
    else:
        reason = f"takes {photo.shape}, not photos (batch, height, width, 3 or 1)"
        fix = "channels come last, 3 (RGB) or 1 (gray)"
    raise VistaDataError("VST345", f"{_called(model)} {reason}", fix)


class _Reader:
    """Collects tensors and steps while the graph is walked in the order of Keras' own forward pass."""

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []
        self.steps: list[Step] = []
        self._nicknames: dict[int, list[str]] = {}
        self._calls: dict[str, int] = {}

    def tensor(self, name: str, symbolic: Any) -> int:
        number = len(self.tensors)
        shape = tuple(None if n is None else int(n) for n in symbolic.shape[1:])
        self.tensors.append(Tensor(number, name, shape, str(symbolic.dtype)))
        return number

    def read(self, graph: Any, inputs: Sequence[int], path: str) -> list[int]:
        """Adds the graph's calls below the tensors `inputs`; the numbers of its outputs."""
        known = dict(zip(map(id, graph.inputs), inputs, strict=True))
        for depth in sorted(graph._nodes_by_depth, reverse=True):
            for node in graph._nodes_by_depth[depth]:
                if not node.is_input and all(id(x) in known for x in node.input_tensors):
                    known |= zip(map(id, node.outputs), self._node(node, known, path), strict=True)
        return [known[id(output)] for output in graph.outputs]

    def _node(self, node: Any, known: Mapping[int, int], path: str) -> list[int]:
        name = self._numbered(path + node.operation.name)
        inner = _functional(node.operation) if _is_model(node.operation) else None
        given = [known[id(x)] for x in _call_inputs(node)]
        if inner is not None and _same_tensors([self.tensors[number] for number in given], inner.inputs):
            made = self.read(inner, given, f"{name}/")
            for place, number in enumerate(made):
                self._nicknames.setdefault(number, []).append(_output_name(name, place, len(made)))
            return made
        return self._step(name, node, known)

    def _step(self, name: str, node: Any, known: Mapping[int, int]) -> list[int]:
        binding = {id(x): known[id(x)] for x in node.input_tensors}
        names = [_output_name(name, place, len(node.outputs)) for place in range(len(node.outputs))]
        made = [self.tensor(own, symbolic) for own, symbolic in zip(names, node.outputs, strict=True)]
        self.steps.append(Step(len(self.steps), name, node.operation, node.arguments, binding, tuple(made)))
        return made

    def _numbered(self, name: str) -> str:
        """A layer called again is another step: `name@2`."""
        self._calls[name] = count = self._calls.get(name, 0) + 1
        return name if count == 1 else f"{name}@{count}"

    def aliases(self) -> Mapping[int, tuple[str, ...]]:
        """Names of nested models for their outputs; bare layer names where only one layer bears them."""
        found: dict[int, list[str]] = {number: list(names) for number, names in self._nicknames.items()}
        taken = {tensor.name for tensor in self.tensors} | {name for names in found.values() for name in names}
        bare: dict[str, list[int]] = {}
        for tensor in self.tensors:
            if "/" in tensor.name:
                bare.setdefault(tensor.name.rsplit("/", 1)[1], []).append(tensor.number)
        for name, numbers in bare.items():
            if len(numbers) == 1 and name not in taken:
                found.setdefault(numbers[0], []).append(name)
        return {number: tuple(_unique(names)) for number, names in found.items()}


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _output_name(name: str, place: int, count: int) -> str:
    return name if count == 1 else f"{name}:{place}"


def _is_model(operation: Any) -> bool:
    import keras

    return isinstance(operation, keras.Model)


def _call_inputs(node: Any) -> list[Any]:
    """The tensors given to a nested model, in the order of its inputs (Keras flattens a dict by key)."""
    import keras

    args, kwargs = node.arguments.args, node.arguments.kwargs
    given = keras.tree.flatten(args[0] if args else kwargs.get("inputs"))
    return [x for x in given if isinstance(x, keras.KerasTensor)]


def _same_tensors(given: Sequence[Tensor], wanted: Sequence[Any]) -> bool:
    """Whether the nested model takes its inputs as they are; where it casts or squeezes them it stays one step."""
    return len(given) == len(wanted) and all(
        len(tensor.shape) == len(symbolic.shape) - 1 and tensor.dtype == str(symbolic.dtype)
        for tensor, symbolic in zip(given, wanted, strict=True)
    )
