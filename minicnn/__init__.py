"""Convolutional networks in NumPy and Numba, with every backward pass written by hand.

The names that most programs need are attributes of this package; the rest is in its modules:
``minicnn.gradcheck``, ``minicnn.metrics``, ``minicnn.serialize``, ``minicnn.visualize``, ``minicnn.kernels``,
``minicnn.training.callbacks``, ...

>>> import numpy as np
>>> import minicnn as mc
>>> model = mc.Sequential([mc.Conv2D(3, 8, 3, padding="same", rng=0), mc.ReLU(), mc.GlobalAveragePool2D()])
>>> model.forward(np.zeros((2, 6, 4, 3), np.float32)).shape
(2, 8)

A name loads its module when it is first used, so that ``import minicnn`` takes little longer than NumPy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

# Not at first use, because the module has the same name: loaded later, it would replace the function.
from minicnn.summary import summary
from minicnn.version import __version__

if TYPE_CHECKING:
    from minicnn.containers import Parallel, Residual, Sequential
    from minicnn.data import ArrayDataset, DataLoader
    from minicnn.kernels.runtime.thread_count import get_threads, set_threads
    from minicnn.layer import Layer, Parameter
    from minicnn.layers import (
        AveragePool2D,
        BatchNorm,
        Conv2D,
        Dense,
        Dropout,
        Flatten,
        GlobalAveragePool2D,
        GlobalMaxPool2D,
        Identity,
        LeakyReLU,
        MaxPool2D,
        ReLU,
        Sigmoid,
        SiLU,
        Softmax,
        Tanh,
    )
    from minicnn.losses import (
        AsymmetricLoss,
        BinaryCrossEntropy,
        BinaryCrossEntropyWithLogits,
        Loss,
        MeanSquaredError,
        SoftmaxCrossEntropy,
    )
    from minicnn.optim import SGD, Adam, AdamW, RMSProp, clip_gradients
    from minicnn.schedules import Constant, Cosine, OneCycle, StepDecay, WarmUp
    from minicnn.training.ema import ExponentialMovingAverage
    from minicnn.training.lr_finder import find_learning_rate
    from minicnn.training.trainer import Trainer

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "ArrayDataset",
    "AsymmetricLoss",
    "AveragePool2D",
    "BatchNorm",
    "BinaryCrossEntropy",
    "BinaryCrossEntropyWithLogits",
    "Constant",
    "Conv2D",
    "Cosine",
    "DataLoader",
    "Dense",
    "Dropout",
    "ExponentialMovingAverage",
    "Flatten",
    "GlobalAveragePool2D",
    "GlobalMaxPool2D",
    "Identity",
    "Layer",
    "LeakyReLU",
    "Loss",
    "MaxPool2D",
    "MeanSquaredError",
    "OneCycle",
    "Parallel",
    "Parameter",
    "RMSProp",
    "ReLU",
    "Residual",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "SoftmaxCrossEntropy",
    "StepDecay",
    "Tanh",
    "Trainer",
    "WarmUp",
    "__version__",
    "clip_gradients",
    "find_learning_rate",
    "get_threads",
    "set_threads",
    "summary",
]

# The public names by the module that defines them.
_NAMES = {
    "containers": ("Parallel", "Residual", "Sequential"),
    "data": ("ArrayDataset", "DataLoader"),
    "training.ema": ("ExponentialMovingAverage",),
    "layer": ("Layer", "Parameter"),
    "layers": (
        "AveragePool2D",
        "BatchNorm",
        "Conv2D",
        "Dense",
        "Dropout",
        "Flatten",
        "GlobalAveragePool2D",
        "GlobalMaxPool2D",
        "Identity",
        "LeakyReLU",
        "MaxPool2D",
        "ReLU",
        "Sigmoid",
        "SiLU",
        "Softmax",
        "Tanh",
    ),
    "losses": (
        "AsymmetricLoss",
        "BinaryCrossEntropy",
        "BinaryCrossEntropyWithLogits",
        "Loss",
        "MeanSquaredError",
        "SoftmaxCrossEntropy",
    ),
    "training.lr_finder": ("find_learning_rate",),
    "optim": ("SGD", "Adam", "AdamW", "RMSProp", "clip_gradients"),
    "schedules": ("Constant", "Cosine", "OneCycle", "StepDecay", "WarmUp"),
    "kernels.runtime.thread_count": ("get_threads", "set_threads"),
    "training.trainer": ("Trainer",),
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names}
_MODULES = (
    *(module for module in _NAMES if "." not in module),
    "training",
    "fusion",
    "gradcheck",
    "init",
    "kernels",
    "metrics",
    "saliency",
    "serialize",
    "shapes",
    "visualize",
)


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        value = globals()[name] = getattr(import_module(f"minicnn.{_MODULE_OF[name]}"), name)
        return value
    if name in _MODULES:
        return import_module(f"minicnn.{name}")
    raise AttributeError(f"module 'minicnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
