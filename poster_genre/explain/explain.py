"""Where on the poster the evidence for a genre stands, by two methods that know nothing of each other.

**Grad-CAM** (Selvaraju et al. 2017) looks inside. A_k is channel k of the network's last image, y the genre's
logit:

    weight_k = mean over i, j of dy / dA_k[i, j]        map[i, j] = max(0, sum over k of weight_k A_k[i, j])

One forward and a short way backward; as coarse as that last image, and smooth between its cells. Where the
network is several trunks side by side, each has a last image of its own, and their maps add up as their
logits do.

**Occlusion** (Zeiler and Fergus 2014) asks from outside. A square of the network's mean colour covers one
place after the other; a place weighs what the genre's log-odds lose when it is covered, averaged over the
squares that cover it. Slower, and true of any network.

Both are for one genre and show what speaks for it; what speaks against it stays dark. Where the prediction
averages over the poster and its mirror image, so do the maps. A map is about this network, not the film.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from minicnn.containers import Sequential
from minicnn.saliency import input_gradient
from poster_genre.classifier import PosterGenreClassifier
from poster_genre.data.image_reader import ImageInput
from poster_genre.data.transforms import load_poster
from poster_genre.errors import UsageError
from poster_genre.genres import GENRES, INDEX, N_GENRES
from poster_genre.model.calibration import log_odds
from poster_genre.model.network_parts import network_parts

METHODS = ("grad-cam", "occlusion")
SQUARES = 12  # an occluding square moves by this part of the poster's longer side, and is twice as large
BATCH = 16  # occluded posters that go through the network together; between batches others may use it

Progress = Callable[[int, int], None]
"""Called with (done, of how many) while an occlusion map is computed."""


@dataclass(frozen=True, eq=False)
class ExplainResult:
    """A heat map for one poster and genre.

    ``probability``  what ``predict_proba`` says of that genre.
    ``heat``         (h, w) float32 at the network's input size, 0 (nothing) to 1 (the place that speaks for
                     the genre most); all zeros where no place speaks for it.
    ``strength``     what 1 stands for. Occlusion: log-odds lost. Grad-CAM: logits that the cell
                     contributes, if the network does nothing but average its last image.
    """

    genre: str
    probability: float
    heat: np.ndarray
    method: str
    strength: float


def explain(
    classifier: PosterGenreClassifier,
    poster: ImageInput,
    genre: str | None = None,
    *,
    method: str = "grad-cam",
    progress: Progress | None = None,
) -> ExplainResult:
    """Where ``poster`` (a path, bytes, a PIL image or uint8 pixels) speaks for ``genre``.

    ``genre`` in any case, as in "horror"; None: the poster's most probable one. ``method``: "grad-cam" or
    "occlusion", which reports its ``progress``. Nothing is written into the classifier, so threads may share
    it. Raises UsageError for an unknown genre or method, PosterGenreError for a poster that cannot be read.
    """
    wanted = None if genre is None else genre_index(genre)
    if method not in METHODS:
        raise UsageError(f"there is no method {method!r}; choose one of {', '.join(METHODS)}")
    pixels = load_poster(poster, classifier.trained().spec.input_size)
    row = classifier.predict_proba(pixels[None])[0]
    index = int(np.argmax(row)) if wanted is None else wanted
    if method == "grad-cam":
        grid = grad_cam(classifier, pixels, index)
    else:
        grid = occlusion(classifier, pixels, index, progress=progress)
    strength = float(grid.max())
    heat = grid / strength if strength > 0 else grid
    size = (pixels.shape[0], pixels.shape[1])
    return ExplainResult(GENRES[index], float(row[index]), enlarge(heat, size), method, strength)


def genre_index(genre: str) -> int:
    """The position of a genre, whatever its case. UsageError that lists the 25 names."""
    by_name = {name.casefold(): i for name, i in INDEX.items()}
    found = by_name.get(genre.strip().casefold())
    if found is None:
        raise UsageError(f"there is no genre {genre!r}; the {N_GENRES} are: {', '.join(GENRES)}")
    return found


def grad_cam(classifier: PosterGenreClassifier, pixels: np.ndarray, genre: int) -> np.ndarray:
    """Grad-CAM of uint8 pixels (h, w, 3): float32 (rows, columns) of the network's last image, at least 0.

    Only the layers behind that image are gone backward through. Of several last images the finest gives the
    rows and columns.
    """
    parts = network_parts(classifier.trained_.network, classifier.trained_.spec.input_size)
    wanted = np.zeros((1, N_GENRES), np.float32)
    wanted[0, genre] = 1
    maps = []
    for mirrored in (False, True) if classifier.trained_.spec.flip_average else (False,):
        view = pixels[None, :, ::-1] if mirrored else pixels[None]
        x = classifier.trained_.spec.to_input(view)
        images = [Sequential(trunk.layers).forward(x) if trunk.layers else x for trunk in parts.backbones]
        row = np.concatenate([image.reshape(1, -1) for image in images], axis=1)
        _, gradient = input_gradient([*parts.neck, parts.head], row, wanted)
        found = _added(
            [_evidence_in(image, dy) for image, dy in zip(images, _apart(gradient, images), strict=True)]
        )
        maps.append(found[:, ::-1] if mirrored else found)
    return np.maximum(np.mean(maps, axis=0), 0)


def _apart(row: np.ndarray, images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """A row (1, all numbers) in the shapes of the images that were laid out in it."""
    ends = np.cumsum([image.size for image in images])[:-1]
    return [part.reshape(image.shape) for part, image in zip(np.split(row[0], ends), images, strict=True)]


def _evidence_in(image: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """``sum over k of weight_k A_k``: what the cells of an image (1, h, w, C) speak for, (h, w)."""
    weights = gradient.mean(axis=(1, 2), keepdims=True)
    return (weights * image).sum(axis=3)[0]


def _added(maps: Sequence[np.ndarray]) -> np.ndarray:
    """The sum of maps at the cells of the finest; a coarse cell's evidence is shared among the fine ones."""
    if len(maps) == 1:
        return maps[0]
    size = max(each.shape[0] for each in maps), max(each.shape[1] for each in maps)
    cells = size[0] * size[1]
    return np.sum([enlarge(each, size) * np.float32(each.size / cells) for each in maps], axis=0)


def occlusion(
    classifier: PosterGenreClassifier,
    pixels: np.ndarray,
    genre: int,
    *,
    progress: Progress | None = None,
) -> np.ndarray:
    """Log-odds that covering each place of uint8 pixels (h, w, 3) costs the genre, at least 0; float32.

    The poster is divided into cells, 12 along its longer side; every 2x2 of them is covered in turn, those
    that hang over the edge too, so that each cell is covered four times.
    """
    height, width = pixels.shape[:2]
    step = max(1, -(-max(height, width) // SQUARES))
    rows, columns = -(-height // step), -(-width // step)
    colour = np.round(255 * np.array(classifier.trained_.spec.mean)).astype(np.uint8)
    places = [(i, j) for i in range(-1, rows) for j in range(-1, columns)]
    before = _evidence(classifier, pixels[None], genre)[0]
    lost = np.zeros((rows, columns))
    for start in range(0, len(places), BATCH):
        here = places[start : start + BATCH]
        covered = np.repeat(pixels[None], len(here), axis=0)
        for picture, (i, j) in zip(covered, here, strict=True):
            picture[max(i, 0) * step : (i + 2) * step, max(j, 0) * step : (j + 2) * step] = colour
        for (i, j), after in zip(here, _evidence(classifier, covered, genre), strict=True):
            lost[max(i, 0) : i + 2, max(j, 0) : j + 2] += (before - after) / 4
        if progress is not None:
            progress(start + len(here), len(places))
    return np.maximum(lost, 0).astype(np.float32)


def _evidence(classifier: PosterGenreClassifier, pixels: np.ndarray, genre: int) -> np.ndarray:
    return log_odds(classifier.predict_proba(pixels)[:, genre])


def enlarge(grid: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A map (rows, columns) at the pixels of ``size = (height, width)``, linear between cells' centres."""
    down, across = (_between(cells, pixels) for cells, pixels in zip(grid.shape, size, strict=True))
    return (down @ grid.astype(np.float64) @ across.T).astype(np.float32)


def _between(cells: int, pixels: int) -> np.ndarray:
    """(pixels, cells): how much of each cell's value a pixel takes. Beyond the outermost centres: theirs."""
    place = np.clip((np.arange(pixels) + 0.5) * cells / pixels - 0.5, 0, cells - 1)
    return np.maximum(1 - np.abs(place[:, None] - np.arange(cells)), 0)
