"""Titles and one-sentence descriptions of a network's steps, for readers who are new to neural networks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from minicnn.containers import Parallel, Residual
from minicnn.layers.activation import Activation, ReLU, Sigmoid, Softmax
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.dropout import Dropout
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import AveragePool2D, GlobalAveragePool2D, GlobalMaxPool2D, MaxPool2D
from minicnn.layers.reshape import Flatten
from poster_genre.explain.layer_trace.steps import Step


def step_title(steps: Sequence[Step], step: Step) -> str:
    """A step's title, as in "Convolution 3 × 3"; a layer without a title of its own has its class's name."""
    layer = step.layer
    if layer is None:
        return "Poster"
    if isinstance(layer, Conv2D):
        return f"Convolution {_by(layer.kernel_size)}"
    if isinstance(layer, MaxPool2D):
        return f"Max pooling {_by(layer.size)}"
    if isinstance(layer, AveragePool2D):
        return f"Average pooling {_by(layer.size)}"
    if isinstance(layer, Dense):
        return "Genres" if is_last_dense(steps, step) else "Dense layer"
    if isinstance(layer, Parallel):
        return {"sum": "Sum", "concat": "Concatenation", "multiply": "Product"}[layer.merge]
    titles = {
        BatchNorm: "Normalisation",
        GlobalAveragePool2D: "Average of each map",
        GlobalMaxPool2D: "Maximum of each map",
        Dropout: "Dropout",
        Flatten: "Flatten",
    }
    return titles.get(type(layer), type(layer).__name__)


def step_description(steps: Sequence[Step], step: Step) -> str:
    """What a step computes, in a sentence or two; "" for a layer that has no description."""
    layer = step.layer
    source = steps[step.inputs[0]].shape if step.inputs else ()
    if layer is None:
        height, width, _ = step.shape
        return (
            f"The picture, resized to {width} × {height} pixels: red, green and blue, shifted and scaled so "
            "that a typical poster averages 0."
        )
    if isinstance(layer, Conv2D):
        return _convolution(layer, source)
    if isinstance(layer, (MaxPool2D, AveragePool2D)):
        reduction = "maximum" if isinstance(layer, MaxPool2D) else "average"
        return (
            f"The {reduction} of every {_by(layer.size)} window: {source[1]} × {source[0]} pixels become "
            f"{step.shape[1]} × {step.shape[0]}."
        )
    if isinstance(layer, Dense):
        output = "genre's score (its log-odds)" if is_last_dense(steps, step) else "number"
        return f"Each {output} is a weighted sum of all {source[-1]:,} numbers before it, plus a constant."
    if isinstance(layer, Residual):
        return "The output of the main path and that of the shortcut are added, number by number."
    if isinstance(layer, Parallel):
        return _merge(layer, steps, step)
    return _one_input(layer, source)


def _convolution(layer: Conv2D, source: tuple[int, ...]) -> str:
    if layer.kernel_size == (1, 1):
        text = f"{layer.out_channels} weighted sums over the {source[2]} numbers at each single pixel"
    else:
        text = (
            f"{layer.out_channels} filters slide over all {source[2]} maps; each number is a weighted sum of "
            f"a {_by(layer.kernel_size)} window in every map"
        )
    if layer.stride != (1, 1):
        text += f". They move {layer.stride[1]} pixels at a time, so the picture shrinks"
    return text + "."


def _merge(layer: Parallel, steps: Sequence[Step], step: Step) -> str:
    if layer.merge == "concat" and _merges_members(steps, step):
        parts = "last maps" if len(step.shape) == 3 else "numbers"
        return f"The {parts} of all {len(step.inputs)} networks side by side: {step.shape[-1]:,} in all."
    return {
        "sum": "The branches are added, number by number.",
        "concat": "The branches' numbers are placed side by side, unchanged.",
        "multiply": "The branches are multiplied, number by number.",
    }[layer.merge]


def _one_input(layer: object, source: tuple[int, ...]) -> str:
    """The description of a layer that is neither convolution, windowed pooling, dense nor ``Parallel``."""
    if isinstance(layer, BatchNorm):
        return (
            "Each map is brought to mean 0 and deviation 1, as measured in training, then scaled and "
            "shifted as learned."
        )
    if isinstance(layer, ReLU):
        return "Negative numbers become 0, positive ones stay as they are."
    if isinstance(layer, Sigmoid):
        return "Maps a score to a probability between 0 and 1."
    if isinstance(layer, Dropout):
        return f"In training {layer.rate:.0%} of the numbers are set to 0 at random; in prediction none are."
    if isinstance(layer, Flatten):
        return "All numbers in one row, for the dense layers."
    if isinstance(layer, GlobalAveragePool2D):
        return f"One number a map: the mean of its {source[0] * source[1]} pixels."
    if isinstance(layer, GlobalMaxPool2D):
        return f"One number a map: the largest of its {source[0] * source[1]} pixels."
    if isinstance(layer, (Activation, Softmax)):
        return "Applies the same function to every number."
    return ""


def group_titles(steps: Sequence[Step]) -> list[str]:
    """A title for each group of steps; the members of an ensemble number their blocks separately."""
    titles = []
    blocks: Counter[str] = Counter()
    hidden: Counter[str] = Counter()
    for group in range(steps[-1].group + 1):
        members = [step for step in steps if step.group == group]
        first = members[0]
        if first.layer is None:
            title = "The poster"
        elif any(isinstance(step.layer, Residual) for step in members):
            blocks[first.member] += 1
            title = f"Residual block {blocks[first.member]}"
        elif isinstance(first.layer, Conv2D) and not first.branch:
            title = _convolution_title([step for step in steps if step.member == first.member], first, blocks)
        elif any(isinstance(step.layer, Dense) and is_last_dense(steps, step) for step in members):
            title = "The genres"
        elif any(isinstance(step.layer, Dense) for step in members):
            hidden[first.member] += 1
            title = f"Hidden layer {hidden[first.member]}"
        elif _merges_members(steps, first):
            title = "All networks"
        else:
            title = "The summary"
        network = member_title(steps, first.member)
        titles.append(f"{network}: {title.lower()}" if network else title)
    return titles


def _convolution_title(member: Sequence[Step], first: Step, blocks: Counter[str]) -> str:
    """The title of a group that begins with a convolution outside branches.

    In a residual network it is the first convolution, before the blocks, or the last one, behind them.
    """
    if any(isinstance(step.layer, Residual) for step in member):
        return "Last convolution" if blocks[first.member] else "First convolution"
    blocks[first.member] += 1
    return f"Convolution block {blocks[first.member]}"


def member_title(steps: Sequence[Step], member: str) -> str:
    """The title of an ensemble's member, as in "Network 2"; "" for "", the steps outside members."""
    names = list(dict.fromkeys(step.member for step in steps if step.member))
    return f"Network {names.index(member) + 1}" if member else ""


def _merges_members(steps: Sequence[Step], step: Step) -> bool:
    return isinstance(step.layer, Parallel) and any(steps[i].member != step.member for i in step.inputs)


def branch_title(branch: str) -> str:
    """The title of a branch of a residual block or of the head; "" for "", the steps outside branches."""
    first = branch.split(".")[0]
    return {"body": "Main path", "projection": "Shortcut"}.get(first, first.capitalize())


def is_last_dense(steps: Sequence[Step], step: Step) -> bool:
    """Whether the step is the last dense layer, whose output are the genres' log-odds."""
    return isinstance(step.layer, Dense) and not any(
        isinstance(other.layer, Dense) for other in steps[step.index + 1 :]
    )


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} × {size[1]}"
