"""Convolutional networks in NumPy and Numba, with every backward pass written by hand.

The names most programs need stand here; the rest is in the modules: ``minicnn.gradcheck``,
``minicnn.metrics``, ``minicnn.serialize``, ``minicnn.visualize``, ``minicnn.kernels``, ...

>>> import numpy as np
>>> import minicnn as mc
>>> model = mc.Sequential([mc.Conv2D(3, 8, 3, padding="same", rng=0), mc.ReLU(), mc.GlobalAveragePool2D()])
>>> model.forward(np.zeros((2, 6, 4, 3), np.float32)).shape
(2, 8)
"""

from minicnn.containers import Parallel, Residual, Sequential
from minicnn.data import ArrayDataset, DataLoader
from minicnn.ema import ExponentialMovingAverage
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
from minicnn.lr_finder import find_learning_rate
from minicnn.optim import SGD, Adam, AdamW, RMSProp, clip_gradients
from minicnn.schedules import Constant, Cosine, OneCycle, StepDecay, WarmUp
from minicnn.summary import summary
from minicnn.threads import get_threads, set_threads
from minicnn.trainer import Trainer
from minicnn.version import __version__

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
