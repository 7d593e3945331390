"""How a user's own CNN wants its photos: the default of `preprocessing`, with the reason in a few words.

Reads a model's dataflow and names, returns (rule, reason). May touch: the model's graph, read only (throw-away
subprocesses). docs/adr/0012: a model that scales its input itself gets photos as they are, one of keras.applications
what it was trained with, and any other photos as they are; the user is told which, and can say `preprocessing: tf`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from vista_nb.executor.cnn.dataflow import Dataflow, Step
from vista_nb.executor.cnn.graph import step_flops

__all__ = ["default_scaling"]

_SCALING = frozenset({"Rescaling", "Normalization", "Divide", "TrueDivide", "Multiply", "Subtract", "Add"})

# names that keras.applications gives its models, and keras.applications.*.preprocess_input of each
_FAMILIES = (
    (r"resnet(50|101|152)v2", "tf"),
    (r"resnet(50|101|152)", "caffe"),
    (r"vgg(16|19)", "caffe"),
    (r"densenet(121|169|201)", "torch"),
    (r"mobilenet_\d\.\d+_\d+|mobilenetv2_\d\.\d+_\d+|mobilenetv3(large|small)", "tf"),
    (r"xception|inception_v3|inception_resnet_v2|nasnet(_mobile|_large)?", "tf"),
    (r"efficientnetv2-(b[0-3]|s|m|l)", "tf"),
)


def default_scaling(flow: Dataflow, model_name: str) -> tuple[str, str]:
    """`none` where a layer before the first kernel scales the photo; else by the family's name; else `none`."""
    before, first = _below_first_kernel(flow)
    scaling = next((step for step in before if step.kind in _SCALING), None)
    if scaling is not None:
        return "none", f"the model scales its input itself ({scaling.kind} {scaling.name})"
    for name in (model_name, *_models_around(first)):
        rule = next((rule for pattern, rule in _FAMILIES if re.fullmatch(pattern, name, re.IGNORECASE)), None)
        if rule is not None:
            return rule, f"what keras.applications trains {name} with"
    return "none", "nothing in the model says how its input was scaled"


def _below_first_kernel(flow: Dataflow) -> tuple[Sequence[Step], Step | None]:
    """The steps up to the first one with a kernel, and that one."""
    for place, step in enumerate(flow.steps):
        if step_flops(step, flow):
            return flow.steps[:place], step
    return flow.steps, None


def _models_around(step: Step | None) -> tuple[str, ...]:
    """Names of the nested models that a step lies in, outermost first."""
    return tuple(step.name.split("/")[:-1]) if step is not None else ()
