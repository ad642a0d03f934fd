"""Which runs may be resumed: those with the same settings, data and schedule, in an undamaged folder."""

import re
import shutil
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest

from minicnn.containers import Sequential
from minicnn.data import ArrayDataset, DataLoader
from minicnn.kernels import dispatch
from minicnn.layers.activation import ReLU
from minicnn.layers.dense import Dense
from minicnn.layers.normalization import BatchNorm
from minicnn.losses import BinaryCrossEntropyWithLogits
from minicnn.optim import Adam
from minicnn.schedules import Cosine, WarmUp
from minicnn.training.callbacks import Callback
from minicnn.training.checkpoint_folder import ResumeError
from minicnn.training.run_settings import schedule_settings
from minicnn.training.trainer import Trainer
from tests.minicnn.training.small_run import (
    Recorder,
    StopAfter,
    make_data,
    make_loader,
    make_model,
    make_trainer,
    same_weights,
    weights,
)

CHANGES = {
    "seed was 0 and is now 1": {"seed": 1},
    "configuration.size was 32 and is now 64": {"configuration": {"size": 64, "names": ("a", "b")}},
    "optimizer.lr was 0.1 and is now 0.2": {"lr": 0.2},
    "clip_norm was None and is now 1.0": {"clip_norm": 1.0},
    "schedule was None": {"schedule": Cosine(0.1, 10)},
    "ema was None": {"ema": True},
    r"layers\.2\.rate was 0\.0 and is now 0\.5": {"model": make_model(dropout=0.5)},
    "loss.label_smoothing was 0.0 and is now 0.1": {
        "loss": BinaryCrossEntropyWithLogits(label_smoothing=0.1)
    },
    "epochs was 1 and is now 2": {"epochs": 2},
    "training data.batch_size was 8 and is now 6": {"loader": make_loader(batch_size=6)},
    "training data.checksum": {"loader": make_loader(seed=3)},
    "validation data was None": {"val_loader": make_loader()},
    "monitor.1 was 'min' and is now 'max'": {"mode": "max"},
}


class Shift:
    """An augmentation without ``settings``: its constructor's argument is what there is to see."""

    def __init__(self, by):
        self._by = by

    def __call__(self, x, rng):
        return x + np.float32(self._by)


@dataclass(frozen=True)
class Scale:
    factor: float = 1.0

    def __call__(self, x):
        return x * np.float32(self.factor)


class Noise:
    def __init__(self, rate):
        self._table = [rate]

    def settings(self):
        return {"rate": self._table[0]}

    def __call__(self, x, y, rng):
        return x, y


def add(x, rng, amount=1):
    return x + np.float32(amount)


def normed(**settings):
    return Sequential([Dense(3, 6, rng=0), BatchNorm(6, **settings), ReLU(), Dense(6, 2, rng=2)])


def without_decay():
    model = make_model()
    model["0"].weight.decay = False
    return model


def adding(amount):
    return lambda x, rng: x + np.float32(amount)


PAIRS = {
    "layers.1.momentum was 0.1 and is now 0.2": ({"model": normed()}, {"model": normed(momentum=0.2)}),
    "layers.1.eps was 1e-05 and is now 0.001": ({"model": normed()}, {"model": normed(eps=1e-3)}),
    "layers.1.unbiased_running_variance was True and is now False": (
        {"model": normed()},
        {"model": normed(unbiased_running_variance=False)},
    ),
    "layers.1.backend was None and is now 'numpy'": ({"model": normed()}, {"model": normed(backend="numpy")}),
    "parameters.0.weight.decay was True and is now False": ({}, {"model": without_decay()}),
    "training data.to_input was None": ({}, {"loader": make_loader(to_input=Scale())}),
    "training data.to_input.factor was 1.0 and is now 2.0": (
        {"loader": make_loader(to_input=Scale())},
        {"loader": make_loader(to_input=Scale(2.0))},
    ),
    "validation data.to_input.factor was 1.0 and is now 2.0": (
        {"val_loader": make_loader(to_input=Scale())},
        {"val_loader": make_loader(to_input=Scale(2.0))},
    ),
    "training data.augment.by was 0.1 and is now 0.2": (
        {"loader": make_loader(augment=Shift(0.1))},
        {"loader": make_loader(augment=Shift(0.2))},
    ),
    "training data.augment.keywords.amount was 1 and is now 2": (
        {"loader": make_loader(augment=partial(add, amount=1))},
        {"loader": make_loader(augment=partial(add, amount=2))},
    ),
    "training data.augment.captured.amount was 1 and is now 2": (
        {"loader": make_loader(augment=adding(1))},
        {"loader": make_loader(augment=adding(2))},
    ),
    "training data.augment.code was": (
        {"loader": make_loader(augment=lambda x, rng: x * np.float32(2))},
        {"loader": make_loader(augment=lambda x, rng: x * np.float32(3))},
    ),
    "training data.batch_augment.rate was 0.1 and is now 0.3": (
        {"loader": make_loader(batch_augment=Noise(0.1))},
        {"loader": make_loader(batch_augment=Noise(0.3))},
    ),
    "validation metrics.code was": (
        {"val_loader": make_loader(), "val_metrics": lambda y, p: {"score": 1}},
        {"val_loader": make_loader(), "val_metrics": lambda y, p: {"score": 2}},
    ),
}


def run(folder, resume=False, **settings):
    """A run of one epoch with these arguments of the trainer, of ``fit``, or called "loader"."""
    call = {
        key: settings.pop(key) for key in ("epochs", "val_loader", "val_metrics", "mode") if key in settings
    }
    loader = settings.pop("loader", make_loader())
    trainer = make_trainer(**settings)
    start = weights(trainer.model)
    try:
        trainer.fit(loader, **{"epochs": 1, **call}, checkpoint_dir=folder, resume=resume)
    except ResumeError:
        assert same_weights(start, weights(trainer.model))
        raise


def content(folder):
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


@pytest.mark.parametrize(("words", "change"), CHANGES.items())
def test_resuming_with_another_setting_names_it_and_touches_nothing(tmp_path, words, change):
    configuration = {"configuration": {"size": 32, "names": ("a", "b")}}
    run(tmp_path, **configuration)
    before = content(tmp_path)
    with pytest.raises(ResumeError, match=words):
        run(tmp_path, resume=True, **{**configuration, **change})
    assert before == content(tmp_path)


@pytest.mark.parametrize(("words", "pair"), PAIRS.items())
def test_a_setting_inside_a_layer_a_parameter_or_a_function_is_a_setting(tmp_path, words, pair):
    before, after = pair
    run(tmp_path, **before)
    with pytest.raises(ResumeError, match=re.escape(words)):
        run(tmp_path, resume=True, **after)
    run(tmp_path, resume=True, **before)


@pytest.mark.parametrize(
    ("variable", "before", "after", "words"),
    [
        ("MINICNN_FUSION", "on", "off", "MINICNN_FUSION was 'on' and is now 'off'"),
        ("MINICNN_CONVOLUTION", "", "patches", "MINICNN_CONVOLUTION was '' and is now 'patches'"),
        ("MINICNN_BACKEND", "numpy", "naive", "backend was 'numpy' and is now 'naive'"),
    ],
)
def test_the_environment_is_a_setting(tmp_path, monkeypatch, variable, before, after, words):
    monkeypatch.setenv(variable, before)
    run(tmp_path)
    monkeypatch.setenv(variable, after)
    with pytest.raises(ResumeError, match=words):
        run(tmp_path, resume=True)


def test_the_backend_of_set_backend_is_a_setting(tmp_path):
    try:
        dispatch.set_backend("numpy")
        run(tmp_path)
        dispatch.set_backend("naive")
        with pytest.raises(ResumeError, match="backend was 'numpy' and is now 'naive'"):
            run(tmp_path, resume=True)
    finally:
        dispatch.set_backend(None)


def test_parameters_that_the_optimiser_leaves_out_are_a_setting(tmp_path):
    def trainer(names):
        model = make_model()
        chosen = {name: p for name, p in model.parameters().items() if name in names}
        return Trainer(model, BinaryCrossEntropyWithLogits(), Adam(chosen, 0.1))

    trainer(("0.weight", "3.weight")).fit(make_loader(), 1, checkpoint_dir=tmp_path)
    with pytest.raises(ResumeError, match=r"parameters\.0\.weight\.optimized was True and is now False"):
        trainer(("3.weight",)).fit(make_loader(), 1, checkpoint_dir=tmp_path, resume=True)


def test_another_optimiser_is_another_setting(tmp_path):
    make_trainer().fit(make_loader(), 1, checkpoint_dir=tmp_path)
    model = make_model()
    trainer = Trainer(model, BinaryCrossEntropyWithLogits(), Adam(model.parameters(), 0.1))
    with pytest.raises(ResumeError, match=r"optimizer\.type was 'SGD' and is now 'Adam'"):
        trainer.fit(make_loader(), 1, checkpoint_dir=tmp_path, resume=True)


def test_a_setting_of_the_optimiser_that_changed_after_the_trainer_was_made_is_noticed(tmp_path):
    make_trainer().fit(make_loader(), 1, checkpoint_dir=tmp_path)
    trainer = make_trainer()
    trainer.optimizer.weight_decay = 0.5
    with pytest.raises(ResumeError, match=r"optimizer\.weight_decay was 0\.0 and is now 0\.5"):
        trainer.fit(make_loader(), 1, checkpoint_dir=tmp_path, resume=True)


def test_a_learning_rate_that_a_callback_lowers_does_not_keep_a_run_from_being_resumed(tmp_path):
    class Halve(Callback):
        def on_epoch_end(self, run, row):
            run.optimizer.lr /= 2

    whole = make_trainer(callbacks=[Halve()])
    whole.fit(make_loader(), 3, checkpoint_dir=tmp_path / "whole")
    trainer = make_trainer(callbacks=[Halve(), StopAfter(2)])
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(make_loader(), 3, checkpoint_dir=tmp_path / "parts")
    trainer.callbacks.pop()
    trainer.fit(make_loader(), 3, checkpoint_dir=tmp_path / "parts", resume=True)
    assert same_weights(weights(trainer.model), weights(whole.model))


@pytest.mark.parametrize("harm", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"\x80\x04pickle"])
def test_a_damaged_checkpoint_is_not_resumed(tmp_path, harm):
    make_trainer().fit(make_loader(), 1, checkpoint_dir=tmp_path)
    last = tmp_path / "last.npz"
    last.write_bytes(harm(last.read_bytes()))
    with pytest.raises(ResumeError, match=r"cannot resume: .*last\.npz"):
        make_trainer().fit(make_loader(), 1, checkpoint_dir=tmp_path, resume=True)


def test_a_folder_that_lost_its_best_weights_is_not_resumed(tmp_path):
    make_trainer().fit(make_loader(), 1, checkpoint_dir=tmp_path)
    (tmp_path / "best.npz").unlink()
    with pytest.raises(ResumeError, match=r"best\.npz is missing"):
        make_trainer().fit(make_loader(), 1, checkpoint_dir=tmp_path, resume=True)


def test_the_best_weights_in_place_of_the_last_checkpoint_are_refused(tmp_path):
    make_trainer().fit(make_loader(), 1, checkpoint_dir=tmp_path)
    shutil.copy(tmp_path / "best.npz", tmp_path / "last.npz")
    with pytest.raises(
        ResumeError, match=r"last\.npz is not a checkpoint of a run .* weights of a best\.npz"
    ):
        make_trainer().fit(make_loader(), 1, checkpoint_dir=tmp_path, resume=True)


@pytest.mark.parametrize("moment", ["batch end", "columns", "epoch end"])
@pytest.mark.parametrize("ema", [False, True])
def test_after_ctrl_c_the_same_trainer_resumes_to_the_same_bits(tmp_path, moment, ema):
    def interrupt(trainer):
        if trainer.step > 4 and trainer.epoch >= 1:
            recorder.at = None
            raise KeyboardInterrupt

    def make(*callbacks):
        return make_trainer(
            model=make_model(dropout=0.3), schedule=Cosine(0.1, 12), ema=ema, callbacks=callbacks
        )

    def run(trainer, **options):
        loader = make_loader(n=32, shuffle=True, seed=2)
        return trainer.fit(loader, 3, val_loader=make_loader(seed=1), **options)

    recorder = Recorder(moment, interrupt)
    whole, trainer = make(), make(recorder)
    run(whole)
    with pytest.raises(KeyboardInterrupt):
        run(trainer, checkpoint_dir=tmp_path)
    history = run(trainer, checkpoint_dir=tmp_path, resume=True)
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert same_weights(weights(whole.model), weights(trainer.model))
    assert same_weights(whole.inference_arrays(), trainer.inference_arrays())


# What tells one schedule from another.


def test_a_schedule_that_differs_at_one_step_in_between_is_not_resumed(tmp_path):
    def constant(step):
        return 0.1

    def dented(step):
        return 0.2 if step == 4 else 0.1

    dented.__name__ = "constant"
    make_trainer(schedule=constant).fit(make_loader(), 9, checkpoint_dir=tmp_path)
    with pytest.raises(ResumeError, match="schedule was 'constant, checksum of 27 rates"):
        make_trainer(schedule=dented).fit(make_loader(), 9, checkpoint_dir=tmp_path, resume=True)
    make_trainer(schedule=constant).fit(make_loader(), 9, checkpoint_dir=tmp_path, resume=True)


def test_another_schedule_is_named_with_its_settings(tmp_path):
    make_trainer(schedule=WarmUp(Cosine(0.1, 3), 1)).fit(make_loader(), 1, checkpoint_dir=tmp_path)
    words = r"schedule was 'WarmUp\(schedule=Cosine\(lr=0.1, .* and is now 'WarmUp\(schedule=Cosine\(lr=0.2, "
    with pytest.raises(ResumeError, match=words):
        make_trainer(schedule=WarmUp(Cosine(0.2, 3), 1)).fit(
            make_loader(), 1, checkpoint_dir=tmp_path, resume=True
        )


def test_a_schedule_around_a_function_is_known_by_its_rates():
    first, second = (schedule_settings(WarmUp(lambda step: 0.1, 2), 5) for _ in range(2))
    assert first == second
    assert first != schedule_settings(WarmUp(lambda step: 0.3, 2), 5)


@pytest.mark.parametrize("part", [0, 1])
def test_data_that_differs_in_one_number_is_not_resumed(tmp_path, part):
    make_trainer().fit(make_loader(), 1, checkpoint_dir=tmp_path)
    data = make_data()
    data[part][7, 1] = 0.5
    loader = DataLoader(ArrayDataset(*data), 8)
    with pytest.raises(ResumeError, match=r"training data\.checksum"):
        make_trainer().fit(loader, 1, checkpoint_dir=tmp_path, resume=True)
