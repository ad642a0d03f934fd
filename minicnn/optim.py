"""Optimisers: from gradients to new weights, and gradient clipping.

Each formula is stated as PyTorch defines it, with w the weights, g = dL/dw, t = 1, 2, ... the number of the
step. Everything is updated in place. A frozen parameter is passed over: neither it nor its moments move.

Weight decay leaves out parameters with ``decay`` False (biases and norms) unless ``decay_all`` is set:
shrinking a weight matrix limits the functions a layer can compute, shrinking an offset only biases it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from minicnn.argument_checks import real
from minicnn.kernels.runtime.chunks import Scratch, chunks
from minicnn.layer import Parameter
from minicnn.serialize import check_saved_arrays

Parameters = Mapping[str, Parameter]
Array = np.ndarray
Arrays = tuple[np.ndarray, ...]


class Optimizer:
    """Base class: calls ``update`` on cache-sized chunks of each parameter.

    ``lr`` may be assigned between steps (a schedule does); 0 is allowed then, as the end of a schedule.
    ``slots`` names the arrays stored for each parameter, in the order in which ``update`` receives them.
    """

    slots: tuple[str, ...] = ()

    def __init__(self, parameters: Parameters, lr: float, *, weight_decay: float, decay_all: bool) -> None:
        kind = type(self).__name__
        if not isinstance(parameters, Mapping) or not all(
            isinstance(parameter, Parameter) for parameter in parameters.values()
        ):
            raise TypeError(f"{kind}: expected a dict of parameters by name; pass model.parameters()")
        if not parameters:
            raise ValueError(f"{kind}: expected at least one parameter, got none")
        self.parameters = dict(parameters)
        self.lr = real(kind, "lr", lr, above=0)
        self.weight_decay = real(kind, "weight_decay", weight_decay, at_least=0)
        self.decay_all = decay_all
        self._steps: dict[str, Array] = {name: np.zeros((), np.int64) for name in self.parameters}
        self._slots = {
            name: tuple(np.zeros_like(parameter.data) for _ in self.slots)
            for name, parameter in self.parameters.items()
        }
        self._scratch = (Scratch(), Scratch())

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""
        return self._lr

    @lr.setter
    def lr(self, value: float) -> None:
        self._lr = real(type(self).__name__, "lr", value, at_least=0)

    def step(self) -> None:
        """Move every trainable parameter once, along its ``grad``."""
        for name, parameter in self.parameters.items():
            if not parameter.trainable:
                continue
            self._steps[name] += 1
            t = int(self._steps[name])
            decay = self.weight_decay if parameter.decay or self.decay_all else 0.0
            for w, g, *moments in chunks(parameter.data, parameter.grad, *self._slots[name]):
                free = tuple(scratch.like(w) for scratch in self._scratch)
                self.update(w, g, tuple(moments), decay, t, free)

    def update(self, w: Array, g: Array, moments: Arrays, decay: float, t: int, free: Arrays) -> None:
        """One step of a chunk of a parameter, in place.

        ``w`` the weights and ``moments`` the arrays named by ``slots`` change; ``g`` = dL/dw does not.
        ``decay`` is the weight decay of this parameter, ``t`` the number of its step from 1, ``free`` two
        scratch arrays like w. TypeError in a class that does not define it.
        """
        raise TypeError(f"{type(self).__name__} does not define update")

    def settings(self) -> dict[str, Any]:
        """The arguments of the constructor other than the parameters; a resumed run must have the same."""
        public = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        return {"lr": self.lr} | {n: v for n, v in public.items() if n not in ("parameters", "slots")}

    def state(self) -> dict[str, np.ndarray]:
        """Copies of everything that changes from step to step, for an exact resume."""
        return {name: array.copy() for name, array in self._arrays().items()}

    def load_state(self, arrays: dict[str, np.ndarray]) -> None:
        """Take over what ``state`` gave. Names, shapes and dtypes must match exactly, else ValueError."""
        own = self._arrays()
        check_saved_arrays(type(self).__name__, arrays, own)
        self.lr = float(arrays["lr"])
        for name, array in own.items():
            array[...] = arrays[name]

    def _arrays(self) -> dict[str, np.ndarray]:
        arrays: dict[str, np.ndarray] = {"lr": np.array(self.lr, np.float64)}
        for name in self.parameters:
            arrays[f"step/{name}"] = self._steps[name]
            arrays.update(
                {f"{slot}/{name}": array for slot, array in zip(self.slots, self._slots[name], strict=True)}
            )
        return arrays

    def __repr__(self) -> str:
        return f"{type(self).__name__}(lr={self.lr:g}, {len(self.parameters)} parameters)"


def _with_decay(w: Array, g: Array, decay: float, a: Array) -> Array:
    """g + decay * w, the gradient of the loss with an L2 penalty; ``g`` itself where there is none."""
    if not decay:
        return g
    np.multiply(w, decay, out=a)
    a += g
    return a


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum (Polyak 1964) or Nesterov's (Sutskever et al. 2013).

    g = g + weight_decay * w
    v = momentum * v + g                      v = 0 at the start
    w = w - lr * v                            plain momentum
    w = w - lr * (g + momentum * v)           nesterov=True
    """

    def __init__(
        self,
        parameters: Parameters,
        lr: float,
        *,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        decay_all: bool = False,
    ) -> None:
        self.momentum = real("SGD", "momentum", momentum, at_least=0, below=1)
        if nesterov and not momentum:
            raise ValueError("SGD: nesterov needs a momentum above 0")
        self.nesterov = nesterov
        self.slots = ("velocity",) if self.momentum else ()
        super().__init__(parameters, lr, weight_decay=weight_decay, decay_all=decay_all)

    def update(self, w: Array, g: Array, moments: Arrays, decay: float, t: int, free: Arrays) -> None:
        """The class's formula; ``moments``: (v,) with momentum, else (). See ``Optimizer.update``."""
        a, b = free
        g = direction = _with_decay(w, g, decay, a)
        if self.momentum:
            (v,) = moments
            v *= self.momentum
            v += g
            direction = v
            if self.nesterov:
                direction = np.multiply(v, self.momentum, out=b)
                direction += g
        np.multiply(direction, self.lr, out=b)
        w -= b


class RMSProp(Optimizer):
    """Divide the gradient by a running average of its size. Hinton 2012, lecture 6e of "Neural Networks".

    g = g + weight_decay * w
    s = alpha * s + (1 - alpha) * g**2        s = 0 at the start
    v = momentum * v + g / (sqrt(s) + eps)
    w = w - lr * v
    """

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 0.01,
        *,
        alpha: float = 0.99,
        eps: float = 1e-8,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        decay_all: bool = False,
    ) -> None:
        self.alpha = real("RMSProp", "alpha", alpha, at_least=0, below=1)
        self.eps = real("RMSProp", "eps", eps, above=0)
        self.momentum = real("RMSProp", "momentum", momentum, at_least=0, below=1)
        self.slots = ("square", "velocity") if self.momentum else ("square",)
        super().__init__(parameters, lr, weight_decay=weight_decay, decay_all=decay_all)

    def update(self, w: Array, g: Array, moments: Arrays, decay: float, t: int, free: Arrays) -> None:
        """The class's formula; ``moments``: (s, v) with momentum, else (s,). See ``Optimizer.update``."""
        (a, b), s = free, moments[0]
        g = _with_decay(w, g, decay, a)
        s *= self.alpha
        np.multiply(g, g, out=b)
        b *= 1 - self.alpha
        s += b
        np.sqrt(s, out=b)
        b += self.eps
        np.divide(g, b, out=b)
        if self.momentum:
            v = moments[1]
            v *= self.momentum
            v += b
            np.multiply(v, self.lr, out=b)
        else:
            b *= self.lr
        w -= b


class Adam(Optimizer):
    """Adaptive moments with bias correction. Kingma and Ba 2015, algorithm 1.

        g = g + weight_decay * w
        m = beta1 * m + (1 - beta1) * g           m = 0 at the start
        v = beta2 * v + (1 - beta2) * g**2        v = 0 at the start
        w = w - lr * m / (1 - beta1**t) / (sqrt(v / (1 - beta2**t)) + eps)

    t counts the steps of each parameter: one that is unfrozen late starts its own correction then.
    """

    slots = ("first_moment", "second_moment")

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decay_all: bool = False,
    ) -> None:
        kind = type(self).__name__
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise TypeError(f"{kind}: betas must be a pair of numbers, got {betas!r}")
        first, second = (real(kind, "each of betas", beta, at_least=0, below=1) for beta in betas)
        self.betas = (first, second)
        self.eps = real(kind, "eps", eps, above=0)
        super().__init__(parameters, lr, weight_decay=weight_decay, decay_all=decay_all)

    def update(self, w: Array, g: Array, moments: Arrays, decay: float, t: int, free: Arrays) -> None:
        """The class's formula; ``moments`` is (m, v). See ``Optimizer.update``."""
        self._descend(w, _with_decay(w, g, decay, free[0]), moments, t, free[1])

    def _descend(self, w: Array, g: Array, moments: Arrays, t: int, b: Array) -> None:
        (m, v), (beta1, beta2) = moments, self.betas
        m *= beta1
        np.multiply(g, 1 - beta1, out=b)
        m += b
        v *= beta2
        np.multiply(g, g, out=b)
        b *= 1 - beta2
        v += b
        np.sqrt(v, out=b)
        b *= 1 / math.sqrt(1 - beta2**t)
        b += self.eps
        np.divide(m, b, out=b)
        b *= self.lr / (1 - beta1**t)
        w -= b


class AdamW(Adam):
    """Adam with decoupled weight decay. Loshchilov and Hutter 2019, algorithm 2.

        w = w - lr * weight_decay * w             first, then Adam's step with the bare gradient

    In Adam the penalty's gradient is divided by sqrt(v) like the rest, so that weights with large gradients
    barely decay; in AdamW every weight decays at the same rate.
    """

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        decay_all: bool = False,
    ) -> None:
        super().__init__(parameters, lr, betas=betas, eps=eps, weight_decay=weight_decay, decay_all=decay_all)

    def update(self, w: Array, g: Array, moments: Arrays, decay: float, t: int, free: Arrays) -> None:
        """The decay, then Adam's step without one; ``moments`` is (m, v). See ``Optimizer.update``."""
        if decay:
            w *= 1 - self.lr * decay
        self._descend(w, g, moments, t, free[1])


def clip_gradients(parameters: Parameters, max_norm: float) -> float:
    """Scale all gradients by one factor so that their global norm is at most ``max_norm``.

    The norm is that of all trainable gradients laid end to end, sqrt(sum g**2), summed in float64.
    Pascanu et al. 2013, algorithm 1. Returns the norm before scaling. Where that is infinite or NaN the
    gradients are left as they are: no factor makes them finite, and the caller must skip the step.
    ``max_norm`` may be ``math.inf``, to measure only.
    """
    if max_norm != math.inf:
        max_norm = real("clip_gradients", "max_norm", max_norm, above=0)
    gradients = [parameter.grad for parameter in parameters.values() if parameter.trainable]
    norm = math.sqrt(sum(_sum_of_squares(g) for g in gradients))
    if max_norm < norm < math.inf:
        for g in gradients:
            g *= max_norm / norm
    return norm


def _sum_of_squares(array: Array) -> float:
    total = 0.0
    with np.errstate(over="ignore"):
        for (chunk,) in chunks(array):
            total += float(np.square(chunk, dtype=np.float64).sum())
    return total
