"""The network with everything around it that turns posters into genres; every command uses this."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minicnn import fusion
from minicnn.containers import Sequential
from minicnn.init import check_generator
from minicnn.layer import Layer
from minicnn.layers.activation import sigmoid
from poster_genre.errors import PosterGenreError
from poster_genre.evaluation.evaluate import fit_thresholds
from poster_genre.genres import GENRES, N_GENRES
from poster_genre.model.anatomy import dissect
from poster_genre.model.calibration import Calibration, fit_calibration
from poster_genre.model.networks import ModelSpec, build_network, model_spec

CHUNK = 64  # posters that go through the network together
ONE_AT_A_TIME = threading.Lock()  # parallel kernels may be entered by one thread only


class PosterGenreClassifier:
    """Genres of film posters, in the manner of scikit-learn: ``__init__`` stores, ``fit`` learns and returns
    self.

    model          "compact" or "original", or a ModelSpec of your own.
    epochs, batch_size, lr
                   None: what the model's recipe says.
    seed           the same seed gives the same weights on the same machine, versions and thread count.
    threads        how many the kernels use; None leaves that as it is.
    init           a model file whose weights training starts from; None starts from random ones.

    Posters ``X`` are a uint8 array (N, height, width, 3) at the model's input size, RGB, or a list of paths,
    bytes or PIL images. Labels ``y`` are (N, 25), 0 or 1, in the order of ``poster_genre.genres.GENRES``.

    Learned: ``spec_, model_, genres_, priors_ (25,), thresholds_ (25,), thresholds_from_, calibration_,
    history_, provenance_``. ``calibration_`` is None where there were no validation posters to fit it on.
    """

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

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **params: Any) -> PosterGenreClassifier:
        unknown = set(params) - set(self.get_params())
        if unknown:
            raise ValueError(f"PosterGenreClassifier has no parameter {', '.join(sorted(unknown))}")
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items())
        return f"PosterGenreClassifier({said})"

    # Learning.

    def specification(self) -> ModelSpec:
        """The model's specification with ``epochs``, ``batch_size`` and ``lr`` put into its recipe."""
        spec = model_spec(self.model) if isinstance(self.model, str) else self.model
        wanted = {"epochs": self.epochs, "batch_size": self.batch_size, "learning_rate": self.lr}
        given = {name: value for name, value in wanted.items() if value is not None}
        for name, value in given.items():
            whole = name != "learning_rate"
            if isinstance(value, bool) or (whole and not isinstance(value, (int, np.integer))):
                raise PosterGenreError(f"{name} must be a whole number, got {value!r}")
            if not 0 < value < np.inf:
                raise PosterGenreError(f"{name} must be greater than 0, got {value}")
        return spec.with_recipe(**given)

    def initial_network(self) -> Sequential:
        """The network as training starts it: random weights from ``seed``, or those of the file ``init``."""
        spec = self.specification()
        if self.init is None:
            rng = check_generator("PosterGenreClassifier", self.seed)
            return build_network(spec, rng=rng)
        start = type(self).load(self.init)
        if (start.spec_.name, start.spec_.arguments) != (spec.name, spec.arguments):
            raise PosterGenreError(
                f"{self.init} holds the network {start.spec_.name!r} {start.spec_.arguments}, training wants "
                f"{spec.name!r} {spec.arguments}: start from a file of the same network"
            )
        return start.model_

    def fit(
        self,
        X: Any,
        y: Any,
        validation: tuple[Any, Any] | None = None,
        *,
        checkpoint_dir: Path | None = None,
        resume: bool = False,
        callbacks: Sequence[Any] = (),
        configuration: dict[str, Any] | None = None,
    ) -> PosterGenreClassifier:
        """Train on posters and labels; ``validation`` calibrates the probabilities and sets the thresholds.

        Without it the probabilities stay as the network has them, and every threshold is 0.5.

        ``checkpoint_dir`` keeps last.npz and best.npz after every epoch; ``resume`` goes on from last.npz.
        """
        from poster_genre.training.fit import fit_network

        spec = self.specification()
        x, labels = as_pixels(X, spec), check_labels(y)
        if len(x) != len(labels):
            raise PosterGenreError(f"there are {len(x)} posters but {len(labels)} rows of labels")
        held_out = None
        if validation is not None:
            held_out = as_pixels(validation[0], spec), check_labels(validation[1])
        if self.threads is not None:
            from minicnn.kernels.runtime.threads import set_threads

            set_threads(self.threads)
        network = self.initial_network()
        self.history_ = fit_network(
            network,
            spec,
            x,
            labels,
            validation=held_out,
            seed=self.seed,
            checkpoint_dir=checkpoint_dir,
            resume=resume,
            callbacks=callbacks,
            configuration=configuration,
        )
        self.spec_, self.model_, self.genres_ = spec, network, GENRES
        self.priors_ = labels.mean(axis=0, dtype=np.float64)
        self.provenance_: dict[str, Any] = {"train_posters": len(x)}
        self.calibration_: Calibration | None = None
        if held_out is None:
            self.thresholds_ = np.full(N_GENRES, 0.5)
            self.thresholds_from_ = "0.5 for every genre: there were no validation posters"
        else:
            self.calibrate(*held_out)
        return self

    def calibrate(self, X: Any, y: Any) -> PosterGenreClassifier:
        """Calibrate the probabilities on posters that were not trained on, and set the thresholds on them."""
        x, labels = as_pixels(X, self.fitted_spec()), check_labels(y)
        raw = self.predict_proba(x, calibrated=False)
        self.calibration_ = fit_calibration(labels, raw, self.priors_)
        self.thresholds_ = fit_thresholds(labels, self.calibration_.apply(raw))
        self.thresholds_from_ = f"highest F1 on {len(x)} validation posters"
        return self

    # Predicting.

    def predict_proba(self, X: Any, *, calibrated: bool = True) -> np.ndarray:
        """Probabilities (N, 25), float32. Genres are not exclusive: a row does not sum to 1.

        Where the model's specification says ``flip_average``, the mean over the poster and its mirror image;
        then calibrated, if ``calibrated`` and there were validation posters to calibrate on.

        The network runs fused (``minicnn.fusion``), which changes probabilities by rounding only, less than
        1e-5; ``MINICNN_FUSION=off`` in the environment runs it layer by layer.
        """
        spec = self.fitted_spec()
        outputs = self._run(fusion.steps_of(self.fast_network()), as_pixels(X, spec))
        raw = probabilities(spec, outputs).mean(axis=1)
        if not calibrated or self.calibration_ is None:
            return raw
        return self.calibration_.apply(raw)

    def predict(self, X: Any) -> np.ndarray:
        """Decisions (N, 25), uint8: 1 where the probability reaches the genre's threshold."""
        return (self.predict_proba(X) >= self.thresholds_).astype(np.uint8)

    def top_genres(self, X: Any, k: int = 3) -> list[list[tuple[str, float]]]:
        """For each poster its ``k`` most probable genres and their probabilities, best first."""
        if not 1 <= k <= N_GENRES:
            raise PosterGenreError(f"k must be between 1 and {N_GENRES}, got {k}")
        return [top_of(row, k) for row in self.predict_proba(X)]

    def sure(self, probabilities: np.ndarray) -> np.ndarray | None:
        """(N,) bool: whether answers of ``predict_proba`` rest on more than the genres' frequencies.

        The rule is told in ``poster_genre.model.calibration``. None where there were no validation posters.
        """
        self.fitted_spec()
        return None if self.calibration_ is None else self.calibration_.sure(probabilities, self.priors_)

    def embed(self, X: Any) -> np.ndarray:
        """The network's own description of each poster, (N, d) float32: what its last dense layer reads.

        Where the specification says ``flip_average``, the mean over the poster and its mirror image, so both
        have one description. Compare descriptions (by their cosine, say) only where ``model_version`` is the
        same: of the same pixels they are then the same up to rounding.
        """
        spec = self.fitted_spec()
        last = dissect(self.model_, spec.input_size).genres
        steps = fusion.steps_of(self.fast_network())
        return self._run(steps[: steps.index(last)], as_pixels(X, spec)).mean(axis=1)

    def fast_network(self) -> Layer:
        """``model_`` as predictions run it: fused, or itself with ``MINICNN_FUSION=off``.

        It has the very layers of ``model_``, so that changed weights and statistics count at once.
        """
        if not fusion.enabled():
            return self.model_
        kept: tuple[Layer, Layer] | None = vars(self).get("_fused")
        if kept is None or kept[0] is not self.model_:
            kept = self._fused = (self.model_, fusion.fuse(self.model_))
        return kept[1]

    @property
    def model_version(self) -> str:
        """The network's name and the first 12 digits of a SHA-256 of all that its outputs depend on.

        The weights as they are in memory, the architecture and what is done to a poster before; not the
        calibration or the thresholds, which change no embedding.
        """
        from poster_genre.model.model_file import fingerprint

        return f"{self.fitted_spec().name}-{fingerprint(self)[:12]}"

    def _run(self, steps: Sequence[Layer], x: np.ndarray) -> np.ndarray:
        """What the steps, one after the other, make of every view of the posters: (N, views, outputs)."""
        views = (x, x[:, :, ::-1]) if self.spec_.flip_average else (x,)
        done = []
        for start in range(0, len(x), CHUNK):
            outputs = []
            for view in views:
                with ONE_AT_A_TIME:
                    y = to_input(self.spec_, view[start : start + CHUNK])
                    for step in steps:
                        y = step.forward(y)
                outputs.append(y)
            done.append(np.stack(outputs, axis=1))
        return np.concatenate(done)

    def fitted_spec(self) -> ModelSpec:
        """The specification of the network that was trained or loaded; PosterGenreError before that."""
        if not hasattr(self, "model_"):
            raise PosterGenreError(
                "this PosterGenreClassifier has learned nothing yet: call fit, or load a file"
            )
        return self.spec_

    # Files.

    def save(self, path: str | Path) -> None:
        """Write one file with everything that prediction and evaluation need."""
        from poster_genre.model.model_file import save_classifier

        self.fitted_spec()
        save_classifier(self, Path(path))

    @classmethod
    def load(cls, path: str | Path | None = None) -> PosterGenreClassifier:
        """Read a file that ``save`` wrote; without a path the weights that came with the package."""
        from poster_genre.model.model_file import load_classifier

        return load_classifier(cls, path)


def to_input(spec: ModelSpec, pixels: np.ndarray) -> np.ndarray:
    """uint8 pixels (N, h, w, 3) as the network sees them, float32. Training uses it too."""
    from poster_genre.data.transforms import Normalisation

    return Normalisation(spec.mean, spec.std).apply(np.ascontiguousarray(pixels))


def probabilities(spec: ModelSpec, outputs: np.ndarray) -> np.ndarray:
    """Probabilities from what the network puts out."""
    return sigmoid(outputs) if spec.logits else outputs


def top_of(row: np.ndarray, k: int) -> list[tuple[str, float]]:
    """The ``k`` most probable genres of one row of probabilities; equal ones in the order of GENRES."""
    return [(GENRES[i], float(row[i])) for i in np.argsort(-row, kind="stable")[:k]]


def as_pixels(X: Any, spec: ModelSpec) -> np.ndarray:
    """``X`` as a uint8 array (N, height, width, 3) at the model's input size; files are read and resized."""
    height, width = spec.input_size
    if isinstance(X, np.ndarray):
        if np.issubdtype(X.dtype, np.floating) and not np.isfinite(X).all():
            raise PosterGenreError("the array of posters holds NaN or infinity; give uint8 pixels, 0 to 255")
        if X.dtype != np.uint8:
            raise PosterGenreError(f"an array of posters must be uint8 pixels, 0 to 255; got {X.dtype}")
        if X.ndim != 4 or X.shape[1:] != (height, width, 3):
            raise PosterGenreError(
                f"an array of posters for {spec.name!r} must have the shape (N, {height}, {width}, 3), got "
                f"{X.shape}; resize with poster_genre.data.transforms.load_poster, or give file names"
            )
        if len(X) == 0:
            raise PosterGenreError("got an empty array of posters; give at least one")
        return X
    if isinstance(X, (str, bytes, Path)) or not isinstance(X, Iterable):
        raise PosterGenreError(
            f"posters must be a uint8 array or a list of paths, bytes or images, got {type(X).__name__}"
        )
    from poster_genre.data.transforms import load_poster

    posters = [load_poster(source, (height, width)) for source in X]
    if not posters:
        raise PosterGenreError("got an empty list of posters; give at least one")
    return np.stack(posters)


def check_labels(y: Any) -> np.ndarray:
    """Labels as a uint8 array (N, 25) of zeros and ones, or PosterGenreError."""
    labels = np.asarray(y)
    if labels.ndim != 2 or labels.shape[1] != N_GENRES:
        raise PosterGenreError(f"labels must have the shape (N, {N_GENRES}), got {labels.shape}")
    if labels.dtype == object or not np.isin(labels, (0, 1)).all():
        raise PosterGenreError("labels must be 0 or 1; got other values")
    return labels.astype(np.uint8)
