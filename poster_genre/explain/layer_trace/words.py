"""What the steps are called, and what they do in a sentence, for somebody who has never seen a network."""

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
from poster_genre.explain.layer_trace.trace import Step


def title_of(steps: Sequence[Step], step: Step) -> str:
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
        return "Genres" if _is_last_dense(steps, step) else "Dense layer"
    if isinstance(layer, Parallel):
        return {"sum": "Sum", "concat": "Side by side", "multiply": "Product"}[layer.merge]
    names = {
        BatchNorm: "Normalisation",
        GlobalAveragePool2D: "Average of each map",
        GlobalMaxPool2D: "Maximum of each map",
        Dropout: "Dropout",
        Flatten: "Flatten",
    }
    return names.get(type(layer), type(layer).__name__)


def sentence_of(steps: Sequence[Step], step: Step) -> str:
    layer = step.layer
    source = steps[step.inputs[0]].shape if step.inputs else ()
    if layer is None:
        height, width, _ = step.shape
        return (
            f"The picture, squeezed to {width} × {height} pixels: red, green and blue, shifted and scaled so "
            "that a typical poster averages 0."
        )
    if isinstance(layer, Conv2D):
        return _convolution(layer, source)
    if isinstance(layer, (MaxPool2D, AveragePool2D)):
        kept = "only its largest number" if isinstance(layer, MaxPool2D) else "only its average"
        return (
            f"Of every {_by(layer.size)} window {kept} goes on: {source[1]} × {source[0]} pixels become "
            f"{step.shape[1]} × {step.shape[0]}."
        )
    if isinstance(layer, Dense):
        what = "genre's score (its log-odds)" if _is_last_dense(steps, step) else "number"
        return f"Each {what} is a weighted sum of all {source[-1]:,} numbers before it, plus a constant."
    if isinstance(layer, Residual):
        return "What the convolutions found is added, pixel by pixel, to what the shortcut brought."
    if isinstance(layer, Parallel):
        if layer.merge == "concat" and _joins_networks(steps, step):
            what = "last maps" if len(step.shape) == 3 else "numbers"
            return f"The {what} of all {len(step.inputs)} networks side by side: {step.shape[-1]:,} in all."
        return {
            "sum": "The branches are added, number by number.",
            "concat": "The branches' numbers are laid side by side, untouched.",
            "multiply": "The branches are multiplied, number by number.",
        }[layer.merge]
    return _elementwise(layer, source)


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


def _elementwise(layer: object, source: tuple[int, ...]) -> str:
    if isinstance(layer, BatchNorm):
        return (
            "Each map is brought to mean 0 and deviation 1, as measured in training, then scaled and "
            "shifted as learned."
        )
    if isinstance(layer, ReLU):
        return "Negative numbers become 0, positive ones stay: a feature is there, or it is not."
    if isinstance(layer, Sigmoid):
        return "Squeezes a score into a probability between 0 and 1."
    if isinstance(layer, Dropout):
        return f"In training {layer.rate:.0%} of the numbers are left out by chance; here all of them pass."
    if isinstance(layer, Flatten):
        return "All numbers in one row, for the dense layers."
    if isinstance(layer, GlobalAveragePool2D):
        return f"One number a map: the mean of its {source[0] * source[1]} pixels. How much of it is there?"
    if isinstance(layer, GlobalMaxPool2D):
        return f"One number a map: the largest of its {source[0] * source[1]} pixels. Is it there anywhere?"
    if isinstance(layer, (Activation, Softmax)):
        return "Bends every number by the same curve."
    return ""


def group_titles(steps: Sequence[Step]) -> list[str]:
    """A heading for each group of steps; where there are several networks, each counts its own blocks."""
    titles = []
    blocks: Counter[str] = Counter()
    hidden: Counter[str] = Counter()
    for group in range(steps[-1].group + 1):
        members = [step for step in steps if step.group == group]
        first = members[0]
        if first.layer is None:
            title = "The poster"
        elif any(isinstance(step.layer, Residual) for step in members):
            blocks[first.trunk] += 1
            title = f"Residual block {blocks[first.trunk]}"
        elif isinstance(first.layer, Conv2D) and not first.branch:
            title = _of_convolution([step for step in steps if step.trunk == first.trunk], first, blocks)
        elif any(isinstance(step.layer, Dense) and _is_last_dense(steps, step) for step in members):
            title = "The genres"
        elif any(isinstance(step.layer, Dense) for step in members):
            hidden[first.trunk] += 1
            title = f"Hidden layer {hidden[first.trunk]}"
        elif _joins_networks(steps, first):
            title = "All networks"
        else:
            title = "The summary"
        network = trunk_title(steps, first.trunk)
        titles.append(f"{network}: {title.lower()}" if network else title)
    return titles


def _of_convolution(trunk: Sequence[Step], first: Step, blocks: Counter[str]) -> str:
    """In a residual network, the first one looks at the poster, and one behind the blocks looks last."""
    if any(isinstance(step.layer, Residual) for step in trunk):
        return "Last look" if blocks[first.trunk] else "First look"
    blocks[first.trunk] += 1
    return f"Convolution block {blocks[first.trunk]}"


def trunk_title(steps: Sequence[Step], trunk: str) -> str:
    """What one of several networks is called, as in "Network 2"; "" for what belongs to none."""
    names = list(dict.fromkeys(step.trunk for step in steps if step.trunk))
    return f"Network {names.index(trunk) + 1}" if trunk else ""


def _joins_networks(steps: Sequence[Step], step: Step) -> bool:
    return isinstance(step.layer, Parallel) and any(steps[i].trunk != step.trunk for i in step.inputs)


def branch_title(branch: str) -> str:
    """What a branch of a residual block or of the head is called; "" for what stands outside."""
    first = branch.split(".")[0]
    return {"body": "Main path", "projection": "Shortcut"}.get(first, first.capitalize())


def _is_last_dense(steps: Sequence[Step], step: Step) -> bool:
    return isinstance(step.layer, Dense) and not any(
        isinstance(other.layer, Dense) for other in steps[step.index + 1 :]
    )


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} × {size[1]}"
