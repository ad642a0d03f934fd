"""What a trainer refuses, and how a run that goes wrong says so."""

import math

import numpy as np
import pytest

from minicnn.containers import Sequential
from minicnn.data import ArrayDataset, DataLoader
from minicnn.layers.dense import Dense
from minicnn.serialize import load
from minicnn.training.divergence import DivergedError
from tests.minicnn.training.small_run import Recorder, make_data, make_loader, make_trainer


@pytest.mark.parametrize("options", [{"shuffle": True}, {"drop_last": True}])
def test_prediction_refuses_a_loader_that_loses_the_order_or_the_end(options):
    with pytest.raises(ValueError, match="shuffle=False and drop_last=False"):
        make_trainer().predict(make_loader(**options))


def test_prediction_refuses_an_empty_array():
    with pytest.raises(ValueError, match="at least one sample"):
        make_trainer().predict(np.zeros((0, 3), np.float32))


def test_a_loss_that_is_not_finite_stops_the_run_with_the_place_and_the_advice():
    with pytest.raises(
        DivergedError, match=r"epoch \d+ at step \d+ with learning rate 1e\+30.*lower learning"
    ):
        make_trainer(lr=1e30).fit(make_loader(), 5)


def test_divergence_keeps_the_last_good_checkpoint(tmp_path):
    def explode(trainer):
        if trainer.epoch == 2:
            trainer.model["0"].weight.data[0, 0] = np.nan

    trainer = make_trainer(callbacks=[Recorder("epoch begin", explode)])
    with pytest.raises(DivergedError, match=r"last\.npz still holds the state after epoch 2"):
        trainer.fit(make_loader(), 5, checkpoint_dir=tmp_path)
    arrays, metadata = load(tmp_path / "last.npz")
    assert metadata["epoch"] == 2
    assert all(np.isfinite(array).all() for array in arrays.values())


def test_weights_that_are_not_finite_never_reach_a_checkpoint(tmp_path):
    def explode(trainer):
        if trainer.step == 6:
            trainer.model["3"].bias.data[1] = np.inf

    trainer = make_trainer(callbacks=[Recorder("batch end", explode)])
    with pytest.raises(DivergedError, match=r"parameter/3\.bias became NaN or infinite"):
        trainer.fit(make_loader(), 5, checkpoint_dir=tmp_path)
    assert load(tmp_path / "last.npz")[1]["epoch"] == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", [0, 1])
def test_a_sample_that_is_not_finite_is_named(value, part):
    data = make_data()
    data[part][17, 1] = value
    loader = DataLoader(ArrayDataset(*data), 5, shuffle=True)
    batch = int(np.flatnonzero(loader.order(0) == 17)[0]) // 5 + 1
    what = ("input", "target")[part]
    with pytest.raises(ValueError, match=rf"{what} of sample 17 .*training batch {batch} of epoch 1\)"):
        make_trainer().fit(loader, 1)
    clean = make_loader()
    with pytest.raises(ValueError, match=rf"{what} of sample 17 .*validation batch 4"):
        make_trainer().fit(clean, 1, val_loader=DataLoader(ArrayDataset(*data), 5))


def test_large_finite_inputs_whose_sum_overflows_are_not_called_infinite():
    x = np.full((4, 3), 3e38, np.float32)
    x[1:3] *= -1
    model = Sequential([Dense(3, 2, rng=0)])
    model["0"].weight.data[...] = 0
    assert np.isfinite(make_trainer(model=model).predict(x)).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"monitor": "val_loss"}, "need a val_loader"),
        ({"val_metrics": lambda y, p: {}}, "need a val_loader"),
        ({"mode": "lowest"}, 'mode must be "min" or "max"'),
        ({"monitor": "auc"}, "no column 'auc' to monitor; there are epoch, loss"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"resume": True}, "needs the checkpoint_dir"),
    ],
)
def test_arguments_that_cannot_work_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        make_trainer().fit(make_loader(), **{"epochs": 1, **options})


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"clip_norm": 0}, ValueError, "Trainer: clip_norm must be a finite number above 0, got 0"),
        ({"clip_norm": math.nan}, ValueError, "Trainer: clip_norm"),
        ({"clip_norm": "1"}, TypeError, "Trainer: clip_norm must be a number"),
        ({"seed": -1}, ValueError, "Trainer: seed must be an integer of at least 0, got -1"),
        ({"seed": None}, TypeError, "Trainer: seed must be an integer"),
        ({"schedule": 0.1}, TypeError, "Trainer: schedule must be a function of the step, got 0.1"),
    ],
)
def test_settings_of_a_trainer_that_cannot_work_are_refused_at_once(options, error, words):
    with pytest.raises(error, match=words):
        make_trainer(**options)


@pytest.mark.parametrize("what", ["train_loader", "val_loader"])
def test_a_loader_must_be_a_data_loader(what):
    loaders = {"train_loader": make_loader(), what: list(make_loader())}
    with pytest.raises(TypeError, match=f"Trainer.fit: {what} must be a DataLoader, got list"):
        make_trainer().fit(**loaders, epochs=1)
