"""The model file: what it holds, and which files are refused."""

from __future__ import annotations

import pickle
import tracemalloc
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from minicnn.serialize import load, save
from poster_genre.errors import PosterGenreError
from poster_genre.model.model_file import PACKAGED, load_model, save_model
from poster_genre.model.networks import build_network, model_spec
from poster_genre.model.trained_model import BATCH, TrainedModel
from poster_genre.model.weight_budget import ARRAYS_BESIDES, NUMBERS_BESIDES, WeightBudget


def untrained(spec):
    return TrainedModel.uncalibrated(spec, build_network(spec, rng=0), np.full(25, 0.1), {})


def untrained_file(spec, path):
    save_model(untrained(spec), path)
    return path


def truncated(path):
    path.write_bytes(path.read_bytes()[:-300])


def emptied(path):
    path.write_bytes(b"")


def pickled(path):
    path.write_bytes(pickle.dumps({"weights": [1, 2, 3]}))


def rewritten(**changes):
    def spoil(path):
        arrays, metadata = load(path)
        save(path, arrays, metadata | changes)

    return spoil


def without_an_array(path):
    arrays, metadata = load(path)
    arrays.pop("parameter/genres.weight")
    save(path, arrays, metadata)


def with_nan(path):
    arrays, metadata = load(path)
    arrays["parameter/genres.weight"][0, 0] = np.nan
    save(path, arrays, metadata)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (truncated, "truncated or damaged"),
        (emptied, "empty"),
        (pickled, "pickle"),
        (rewritten(model_version=99), "format 99"),
        (rewritten(kind="cake"), "not a model file"),
        (rewritten(genres=["Action"]), "25"),
        (rewritten(network={"name": "vgg", "input_size": [8, 8]}), "vgg"),
        (rewritten(provenance=None), "contradicts itself"),
        (without_an_array, "contradicts itself"),
        (with_nan, "NaN"),
        (lambda path: path.unlink(), "there is no model file"),
    ],
)
def test_a_file_that_is_no_sound_model_is_refused_in_a_sentence(fitted, tmp_path, spoil, says):
    path = tmp_path / "model.npz"
    save_model(fitted.trained_, path)
    spoil(path)
    with pytest.raises(PosterGenreError, match=says) as caught:
        load_model(path)
    assert "model.npz" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_is_not_a_model_file(tmp_path):
    with pytest.raises(PosterGenreError, match="is a folder"):
        load_model(tmp_path)


def test_a_model_is_not_written_where_there_is_no_folder(fitted, tmp_path):
    with pytest.raises(PosterGenreError, match="cannot write"):
        save_model(fitted.trained_, tmp_path / "nowhere" / "model.npz")
    assert list(tmp_path.iterdir()) == []


def test_without_the_packaged_weights_the_error_says_what_to_do(monkeypatch):
    monkeypatch.setattr("poster_genre.model.model_file.PACKAGED", "no-such-file.npz")
    with pytest.raises(PosterGenreError, match="poster-genre train"):
        load_model()
    assert PACKAGED == "compact.npz"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda arrays, network: network.update(std=[0, 0, 0]),
        lambda arrays, network: network.update(input_size=[4096, 4096]),
        lambda arrays, network: network.update(input_size=[2, 2]),
        lambda arrays, network: arrays.update(priors=arrays["priors"] - 5),
        lambda arrays, network: arrays.update(thresholds=arrays["thresholds"] + 1),
    ],
    ids=["std 0", "too large", "too small", "priors", "thresholds"],
)
def test_a_model_file_with_impossible_values_is_refused_by_its_name(spoil, fitted, tmp_path):
    path = tmp_path / "model.npz"
    save_model(fitted.trained_, path)
    arrays, metadata = load(path)
    spoil(arrays, metadata["network"])
    save(path, arrays, metadata)
    with pytest.raises(PosterGenreError, match=r"model\.npz contradicts itself"):
        load_model(path)


def forged(fitted, path, spoil):
    """Write a model file, and again with what ``spoil(arrays, network, metadata)`` changes."""
    save_model(fitted.trained_, path)
    arrays, metadata = load(path)
    spoil(arrays, metadata["network"], metadata)
    save(path, arrays, metadata)
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        {"blocks": [10_000_000, 1]},
        {"widths": [4, 10**7]},
        {"widths": [10**5, 10**5]},
        {"members": 10**9},
        {"stem": 10**9},
        {"last": 10**9},
        {"widths": [1] * 10**6, "blocks": [1] * 10**6},
        {"widths": [4, 10**400]},
    ],
    ids=lambda arguments: "-".join(arguments),
)
def test_an_architecture_larger_than_the_files_arrays_is_refused_before_it_takes_memory(
    fitted, tmp_path, arguments
):
    path = forged(
        fitted, tmp_path / "model.npz", lambda arrays, network, _: network["arguments"].update(arguments)
    )
    tracemalloc.start()
    try:
        with pytest.raises(PosterGenreError, match="more weights than the file holds") as caught:
            load_model(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 30 * path.stat().st_size + 2**20
    assert len(str(caught.value)) < 1000


def test_a_budget_is_used_up_by_more_numbers_or_more_arrays_than_the_file_has_and_a_little():
    few = {"weight": np.zeros((3, 4))}
    with pytest.raises(ValueError, match="more weights"):
        WeightBudget(few).normal(size=12 + NUMBERS_BESIDES + 1)
    budget = WeightBudget(few)
    for _ in range(1 + ARRAYS_BESIDES):
        budget.normal(size=1)
    with pytest.raises(ValueError, match="more weights"):
        budget.normal(size=1)


@pytest.mark.parametrize(
    "arguments",
    [
        {"widths": [1], "blocks": [1], "stem": 1000},
        {"widths": [1000, 1], "blocks": [1, 1], "stem": 1},
    ],
    ids=["stem", "widths"],
)
def test_a_network_whose_activations_would_fill_the_memory_is_refused(tmp_path, arguments):
    spec = model_spec("compact")
    arguments = {**spec.arguments, "last": 1, "stem_stride": 1, **arguments}
    spec = replace(spec, input_size=(1024, 1024), arguments=arguments)
    with pytest.raises(PosterGenreError, match="one poster would take arrays of"):
        load_model(untrained_file(spec, tmp_path / "model.npz"))


def test_few_posters_go_through_a_network_of_large_activations_together():
    small, large = (model_spec("compact") for _ in range(2))
    large = replace(large, input_size=(1024, 1024), arguments={**large.arguments, "stem_stride": 1})
    assert untrained(small)._batch == BATCH
    assert 1 <= untrained(large)._batch < 8


def test_a_deflated_archive_is_refused(fitted, tmp_path):
    path = tmp_path / "model.npz"
    save_model(fitted.trained_, path)
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content + bytes(10**7))
    with pytest.raises(PosterGenreError, match="packed"):
        load_model(path)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda a, n, m: a["state/stem_norm.running_var"].__isub__(100), "variance below 0"),
        (lambda a, n, m: n.update(input_size=[0, 8]), "0x8"),
        (lambda a, n, m: n.update(std=[1e-30, 1, 1]), "std"),
        (lambda a, n, m: n.update(mean=[1e30, 0, 0]), "mean"),
        (lambda a, n, m: n.update(std=[float("nan"), 1, 1]), "std"),
        (lambda a, n, m: a.update({"calibration/slope": np.full(25, 1e300)}), "calibration/slope"),
        (lambda a, n, m: a.update({"calibration/offset": np.full(25, -1e300)}), "calibration/offset"),
        (lambda a, n, m: m["calibration"].update(sure_above_bits=float("nan")), "impossible limit"),
        (lambda a, n, m: m["calibration"].update(sure_above_bits=-1), "impossible limit"),
        (lambda a, n, m: m["calibration"].update(posters=0), "impossible limit"),
        (lambda a, n, m: a.update(priors=a["priors"].astype(complex)), "priors"),
        (lambda a, n, m: a.update(thresholds=a["thresholds"] * np.nan), "thresholds"),
        (lambda a, n, m: m["provenance"].update(train_posters=float("nan")), "training posters"),
        (lambda a, n, m: m["provenance"].update(train_posters="many"), "training posters"),
        (lambda a, n, m: m["provenance"].update(history=[{"loss": 1.0}]), "history"),
        (lambda a, n, m: m["provenance"].update(history=[{"epoch": 1, "loss": "low"}]), "history"),
        (lambda a, n, m: m["provenance"].update(history=[{"epoch": 1, "loss": 10**400}]), "history"),
        (lambda a, n, m: n["arguments"].update(dropout=float("nan")), "rate"),
        (lambda a, n, m: n["arguments"].update(stem_stride=0), "stem_stride"),
    ],
)  # fmt: skip
def test_values_that_would_make_nan_or_nonsense_are_refused(fitted, tmp_path, spoil, says):
    path = forged(fitted, tmp_path / "model.npz", spoil)
    with pytest.raises(PosterGenreError, match=rf"contradicts itself \(.*{says}") as caught:
        load_model(path)
    assert "\n" not in str(caught.value)


def test_a_long_name_in_a_forged_file_is_not_echoed_whole(fitted, tmp_path):
    path = forged(fitted, tmp_path / "model.npz", lambda a, network, m: network.update(name="x" * 10**6))
    with pytest.raises(PosterGenreError, match="holds the network 'xxx") as caught:
        load_model(path)
    assert len(str(caught.value)) < 1000


def test_a_model_file_holds_the_calibration(fitted, tmp_path):
    save_model(fitted.trained_, tmp_path / "model.npz")
    loaded = load_model(tmp_path / "model.npz").calibration
    for name, value in vars(fitted.trained_.calibration).items():
        np.testing.assert_array_equal(getattr(loaded, name), value)


def test_a_model_file_whose_calibration_makes_no_sense_is_refused(fitted, tmp_path):
    path = tmp_path / "model.npz"
    save_model(fitted.trained_, path)
    arrays, metadata = load(path)
    for name, forged_value in (("slope", -1.0), ("slope", np.nan), ("offset", np.inf)):
        worse = {**arrays, f"calibration/{name}": np.full(25, forged_value)}
        save(path, worse, metadata)
        with pytest.raises(PosterGenreError, match="contradicts itself"):
            load_model(path)
