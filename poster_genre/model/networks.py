"""The registered networks: a name, the specification that goes with it, and the function that builds it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from minicnn.argument_checks import Pair
from minicnn.containers import Sequential
from minicnn.init import check_generator
from poster_genre.errors import PosterGenreError
from poster_genre.genres import N_GENRES
from poster_genre.model import compact, original
from poster_genre.model.spec import ModelSpec

Builder = Callable[..., Sequential]
"""``build(input_size, n_genres, rng, dtype, **spec.arguments)``: a network (N, h, w, 3) -> (N, n_genres)."""

SPECS: dict[str, ModelSpec] = {}
_BUILDERS: dict[str, Builder] = {}


def register_model(spec: ModelSpec, build: Builder) -> None:
    """Make ``spec.name`` a network that can be trained, saved and loaded.

    ``build`` is called as ``build(input_size, n_genres, rng, dtype, **spec.arguments)``; all its random
    weights must come from ``rng``. A model file stores the name and the arguments, not the function: the
    program that loads it must have registered the same name. PosterGenreError for a name that is taken.
    """
    if not isinstance(spec, ModelSpec) or not callable(build):
        raise TypeError(
            f"register_model takes a ModelSpec and a function, got {type(spec).__name__} and "
            f"{type(build).__name__}"
        )
    if spec.name in SPECS:
        raise PosterGenreError(f"there is a network {spec.name!r} already: register another name")
    SPECS[spec.name], _BUILDERS[spec.name] = spec, build


register_model(compact.SPEC, compact.build_compact)
register_model(original.SPEC, original.build_original)


def model_spec(model: str | ModelSpec) -> ModelSpec:
    """The specification of a registered network, by its name; a ModelSpec is returned as it is.

    PosterGenreError for a name that is not registered, TypeError for anything but a name or a ModelSpec.
    """
    if not isinstance(model, (str, ModelSpec)):
        raise TypeError(
            f"a model must be the name of a network ({', '.join(SPECS)}) or a ModelSpec, got "
            f"{type(model).__name__}"
        )
    name = model if isinstance(model, str) else model.name
    if name not in SPECS:
        raise PosterGenreError(
            f"there is no network {name!r}; choose one of {', '.join(SPECS)}, or add it with "
            "poster_genre.model.networks.register_model"
        )
    return SPECS[model] if isinstance(model, str) else model


def build_model(
    name: str,
    *,
    rng: np.random.Generator | int = 0,
    n_genres: int = N_GENRES,
    dtype: Any = np.float32,
    input_size: Pair | None = None,
    **arguments: Any,
) -> Sequential:
    """A freshly initialised network, (N, height, width, 3) -> (N, n_genres).

    ``compact`` puts out logits, ``original`` probabilities. ``arguments`` override those of the
    specification.
    """
    spec = model_spec(name)
    changed = replace(
        spec, input_size=input_size or spec.input_size, arguments={**spec.arguments, **arguments}
    )
    return build_network(changed, rng=rng, n_genres=n_genres, dtype=dtype)


def build_network(
    spec: ModelSpec,
    *,
    rng: np.random.Generator | int = 0,
    n_genres: int = N_GENRES,
    dtype: Any = np.float32,
) -> Sequential:
    """The network of a specification, freshly initialised; no argument but those in ``spec.arguments``.

    PosterGenreError where its name is not registered or the arguments do not fit.
    """
    registered = SPECS[model_spec(spec).name]
    if spec.logits != registered.logits:
        raise PosterGenreError(
            f"the network {spec.name!r} puts out {'logits' if registered.logits else 'probabilities'}: "
            "register one of another name with register_model"
        )
    build = _BUILDERS[spec.name]
    fixed = (spec.input_size, n_genres, check_generator("build_network", rng), dtype)
    try:
        inspect.signature(build).bind(*fixed, **spec.arguments)
    except TypeError as error:
        raise PosterGenreError(f"the model {spec.name!r} does not take these arguments: {error}") from None
    return build(*fixed, **spec.arguments)
