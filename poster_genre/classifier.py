"""The classifier, in the manner of scikit-learn: fit, predict, save and load.

The commands ``predict``, ``explain``, ``serve`` and ``demo`` use it.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from poster_genre.data.arrays import genre_labels, poster_pixels
from poster_genre.errors import PosterGenreError
from poster_genre.genres import N_GENRES
from poster_genre.model.model_file import load_model, save_model
from poster_genre.model.networks import model_spec
from poster_genre.model.spec import ModelSpec
from poster_genre.model.trained_model import TrainedModel, top_of, with_calibration


class Estimator:
    """What scikit-learn expects of an estimator: its parameters are the arguments of the constructor.

    ``__init__`` of a subclass stores every argument, unchecked, as an attribute of the same name.
    """

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments of the constructor by name, as scikit-learn's ``clone`` needs them."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **params: Any) -> Self:
        """Set arguments of the constructor. ValueError for a name that is none of them."""
        unknown = set(params) - set(self.get_params())
        if unknown:
            raise ValueError(f"{type(self).__name__} has no parameter {', '.join(sorted(unknown))}")
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items())
        return f"{type(self).__name__}({arguments})"


class PosterGenreClassifier(Estimator):
    """Genres of film posters. ``__init__`` stores, ``fit`` trains and returns self.

    model          "compact", "original" or another registered network, or a ModelSpec.
    epochs, batch_size, lr
                   None: those of the model's recipe.
    seed           the same seed gives the same weights on the same machine, versions and thread count.
    threads        the kernels' threads; None leaves their number as it is.
    init           a model file with pretrained weights to start from; None: random ones.

    Posters ``X`` are a uint8 array (N, height, width, 3) at the model's input size, RGB, or a list of paths,
    bytes or PIL images. Labels ``y`` are (N, 25), 0 or 1, in the order of ``poster_genre.genres.GENRES``.

    Learned: ``trained_``, a ``poster_genre.model.trained_model.TrainedModel`` with the network, priors,
    thresholds, calibration, history and provenance.
    """

    trained_: TrainedModel

    def __init__(
        self,
        model: str | ModelSpec = "compact",
        *,
        epochs: int | None = None,
        batch_size: int | None = None,
        lr: float | None = None,
        seed: int = 0,
        threads: int | None = None,
        init: str | Path | None = None,
    ) -> None:
        self.model = model
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.seed = seed
        self.threads = threads
        self.init = init

    def specification(self) -> ModelSpec:
        """The model's specification with ``epochs``, ``batch_size`` and ``lr`` put into its recipe."""
        return model_spec(self.model).with_recipe(
            epochs=self.epochs, batch_size=self.batch_size, learning_rate=self.lr
        )

    def fit(
        self,
        X: Any,
        y: Any,
        validation: tuple[Any, Any] | None = None,
        *,
        checkpoint_dir: Path | None = None,
        resume: bool = False,
        callbacks: Sequence[Any] = (),
    ) -> PosterGenreClassifier:
        """Train on posters and labels; ``validation`` calibrates the probabilities and sets the thresholds.

        See ``poster_genre.training.fit.train_model`` for ``checkpoint_dir``, ``resume`` and ``callbacks``.
        PosterGenreError for posters, labels or settings that cannot be used.
        """
        from minicnn.kernels.runtime.thread_count import set_threads
        from poster_genre.training.fit import pretrained_model, train_model

        spec = self.specification()
        train = _posters_and_labels(X, y, spec)
        held_out = None if validation is None else _posters_and_labels(*validation, spec)
        if self.threads is not None:
            set_threads(self.threads)
        self.trained_ = train_model(
            spec,
            train,
            held_out,
            network=None if self.init is None or resume else pretrained_model(spec, self.init).network,
            seed=self.seed,
            checkpoint_dir=checkpoint_dir,
            resume=resume,
            callbacks=callbacks,
        )
        return self

    def calibrate(self, X: Any, y: Any) -> PosterGenreClassifier:
        """Calibrate the probabilities on posters that were not trained on, and set the thresholds on them."""
        model = self.trained()
        self.trained_ = with_calibration(model, *_posters_and_labels(X, y, model.spec))
        return self

    def predict_proba(self, X: Any, *, calibrated: bool = True) -> np.ndarray:
        """Probabilities (N, 25), float32, see ``TrainedModel.probabilities``.

        Genres are not exclusive: a row does not sum to 1.
        """
        model = self.trained()
        return model.probabilities(poster_pixels(X, model.spec.input_size), calibrated=calibrated)

    def predict(self, X: Any) -> np.ndarray:
        """Decisions (N, 25), uint8: 1 where the probability reaches the genre's threshold."""
        return (self.predict_proba(X) >= self.trained().thresholds).astype(np.uint8)

    def top_genres(self, X: Any, k: int = 3) -> list[list[tuple[str, float]]]:
        """For each poster its ``k`` most probable genres and their probabilities, best first."""
        if not 1 <= k <= N_GENRES:
            raise PosterGenreError(f"k must be between 1 and {N_GENRES}, got {k}")
        return [top_of(row, k) for row in self.predict_proba(X)]

    def sure(self, probabilities: np.ndarray) -> np.ndarray | None:
        """(N,) bool: whether rows of ``predict_proba`` rest on more than the genres' frequencies.

        The rule is in ``poster_genre.model.confidence``. None where there were no validation posters.
        """
        return self.trained().sure(probabilities)

    def embed(self, X: Any) -> np.ndarray:
        """The embedding of each poster, (N, d) float32, see ``TrainedModel.embedding``.

        A poster and its mirror image have one embedding where the specification says ``flip_average``.
        Compare embeddings (by their cosine, say) only where ``model_version`` is the same.
        """
        model = self.trained()
        return model.embedding(poster_pixels(X, model.spec.input_size))

    @property
    def model_version(self) -> str:
        """The network's name and 12 digits of a fingerprint of all that an embedding depends on."""
        return self.trained().version

    def trained(self) -> TrainedModel:
        """``trained_``; PosterGenreError before ``fit`` or ``load``."""
        if not hasattr(self, "trained_"):
            raise PosterGenreError("this PosterGenreClassifier is not trained yet: call fit, or load a file")
        return self.trained_

    def save(self, path: str | Path) -> None:
        """Write one file with everything that prediction and evaluation need."""
        save_model(self.trained(), path)

    @classmethod
    def load(cls, path: str | Path | None = None) -> PosterGenreClassifier:
        """Read a file that ``save`` wrote; without a path the weights that came with the package."""
        return cls.of(load_model(path))

    @classmethod
    def of(cls, model: TrainedModel) -> PosterGenreClassifier:
        """A classifier that predicts with a trained model."""
        classifier = cls(model.spec.name)
        classifier.trained_ = model
        return classifier


def _posters_and_labels(X: Any, y: Any, spec: ModelSpec) -> tuple[np.ndarray, np.ndarray]:
    posters, labels = poster_pixels(X, spec.input_size), genre_labels(y)
    if len(posters) != len(labels):
        raise PosterGenreError(f"there are {len(posters)} posters but {len(labels)} rows of labels")
    return posters, labels
