"""``poster-genre ensemble``: the ensemble that it writes, and the models that it refuses."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.cli.main import main
from poster_genre.data.transforms import Normalisation, load_poster
from poster_genre.errors import UsageError
from poster_genre.model import networks
from poster_genre.model.model_file import load_model, save_model
from poster_genre.training.ensemble_run import run_ensemble


@pytest.fixture(scope="module")
def second_run(drawn_data, small_spec, tmp_path_factory):
    """The model file of a run with another seed than ``trained_run``."""
    out = tmp_path_factory.mktemp("second") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(networks.SPECS, "compact", small_spec)
        words = ["train", "--data", str(drawn_data), "--out", str(out), "--seed", "5", "--threads", "2"]
        assert main(words) == 0
    return str(out / "model.npz")


def test_an_ensemble_is_written_read_and_predicts(
    trained_run, second_run, drawn_data, posters, tmp_path, capsys
):
    first = str(trained_run / "model.npz")
    out = tmp_path / "ensemble"
    assert main(["ensemble", first, second_run, "--data", str(drawn_data), "--out", str(out)]) == 0
    capsys.readouterr()
    assert (out / "report.html").stat().st_size > 1000
    assert main(["predict", str(posters[0]), "--model-file", str(out / "model.npz"), "--json"]) == 0
    top = json.loads(capsys.readouterr().out)[0]["top"]
    ensemble = PosterGenreClassifier.load(out / "model.npz")
    assert [entry["genre"] for entry in top] == [name for name, _ in ensemble.top_genres([posters[0]])[0]]

    about = ensemble.trained_.provenance
    assert about["seed"] == [0, 5]
    assert [member["seed"] for member in about["members"]] == [0, 5]
    losses = [[row["loss"] for row in member["history"]] for member in about["members"]]
    assert [row["loss"] for row in ensemble.trained_.history] == pytest.approx(np.mean(losses, axis=0))

    # By hand: both members' logits for the poster and its mirror image, averaged before the sigmoid.
    x = Normalisation(ensemble.trained_.spec.mean, ensemble.trained_.spec.std).apply(
        load_poster(posters[0], (24, 16))[None]
    )
    members = [PosterGenreClassifier.load(file).trained_.network for file in (first, second_run)]
    views = [
        np.mean([m.forward(np.ascontiguousarray(v)) for m in members], axis=0) for v in (x, x[:, :, ::-1])
    ]
    by_hand = np.mean([1 / (1 + np.exp(-v.astype(np.float64))) for v in views], axis=0)
    np.testing.assert_allclose(ensemble.predict_proba([posters[0]], calibrated=False), by_hand, atol=2e-3)


@pytest.mark.parametrize("fingerprint", ["", 0, [1, 2]])
def test_models_without_a_usable_fingerprint_of_their_posters_are_refused(
    trained_run, drawn_data, tmp_path, fingerprint
):
    model = load_model(trained_run / "model.npz")
    files = [tmp_path / "a.npz", tmp_path / "b.npz"]
    for file in files:
        save_model(replace(model, provenance={**model.provenance, "data_fingerprint": fingerprint}), file)
    with pytest.raises(UsageError, match="does not record which posters it was trained on"):
        run_ensemble(files, drawn_data, tmp_path / "out")


def test_models_that_do_not_fit_together_are_refused(trained_run, second_run, drawn_data, tmp_path):
    first = trained_run / "model.npz"
    elsewhere = load_model(first)
    provenance = {**elsewhere.provenance, "data_fingerprint": "of other posters"}
    save_model(replace(elsewhere, provenance=provenance), tmp_path / "elsewhere.npz")
    out = tmp_path / "out"
    with pytest.raises(UsageError, match="at least 2"):
        run_ensemble([first], drawn_data, out)
    with pytest.raises(UsageError, match="the same weights"):
        run_ensemble([first, second_run, first], drawn_data, out)
    with pytest.raises(UsageError, match="other posters"):
        run_ensemble([first, tmp_path / "elsewhere.npz"], drawn_data, out)
    assert not out.exists()
    run_ensemble([first, second_run], drawn_data, out)
    with pytest.raises(UsageError, match="not empty"):
        run_ensemble([first, second_run], drawn_data, out)
    with pytest.raises(UsageError, match="not a single compact"):
        run_ensemble([first, out / "model.npz"], drawn_data, tmp_path / "again")


def test_models_that_do_not_record_their_training_posters_are_refused(
    small_spec, coloured_posters, drawn_data, tmp_path
):
    pixels, labels = coloured_posters
    files = [tmp_path / f"{seed}.npz" for seed in range(2)]
    for seed, file in enumerate(files):
        PosterGenreClassifier(small_spec, epochs=1, seed=seed).fit(pixels, labels).save(file)
    with pytest.raises(UsageError, match=r"0\.npz does not record which posters it was trained on"):
        run_ensemble(files, drawn_data, tmp_path / "out")
