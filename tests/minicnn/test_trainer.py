"""The training loop: what a step does, what a run keeps, and how it fails."""

import math

import numpy as np
import pytest

from minicnn.callbacks import Callback
from minicnn.checkpoint import ResumeError, RunFolderError, schedule_settings
from minicnn.containers import Sequential
from minicnn.data import ArrayDataset, DataLoader
from minicnn.ema import ExponentialMovingAverage
from minicnn.layers.activation import ReLU
from minicnn.layers.dense import Dense
from minicnn.layers.dropout import Dropout
from minicnn.losses import BinaryCrossEntropyWithLogits, MeanSquaredError
from minicnn.optim import SGD, Adam
from minicnn.schedules import Cosine, WarmUp
from minicnn.serialize import LEFTOVER, SerializeError, load, load_weights, model_arrays
from minicnn.trainer import DivergedError, Trainer


def make_data(n=24, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 3)).astype(np.float32)
    return x, (x[:, :2] > 0).astype(np.float32)


def make_loader(n=24, batch_size=8, seed=0, **options):
    return DataLoader(ArrayDataset(*make_data(n, seed)), batch_size, **options)


def make_model(dropout=0.0):
    return Sequential([Dense(3, 6, rng=0), ReLU(), Dropout(dropout, rng=1), Dense(6, 2, rng=2)])


def make_trainer(lr=0.1, model=None, loss=None, ema=False, **options):
    model = model or make_model()
    average = ExponentialMovingAverage(model, 0.5) if ema else None
    optimizer = SGD(model.parameters(), lr, momentum=0.9)
    return Trainer(model, loss or BinaryCrossEntropyWithLogits(), optimizer, ema=average, **options)


def weights(model):
    return {name: array.copy() for name, array in model_arrays(model).items()}


def same_weights(first, second):
    assert first.keys() == second.keys()
    return all(first[name].tobytes() == second[name].tobytes() for name in first)


class Tell(Callback):
    """Notes which moments came, and runs a function at one of them."""

    def __init__(self, at=None, do=None):
        self.moments, self.at, self.do = [], at, do

    def _note(self, moment, trainer=None):
        self.moments.append(moment)
        if moment == self.at:
            self.do(trainer)

    def on_train_begin(self, trainer):
        self._note("train begin", trainer)

    def on_epoch_begin(self, trainer):
        self._note("epoch begin", trainer)

    def on_batch_end(self, trainer, loss, samples):
        self._note("batch end", trainer)

    def columns(self, trainer):
        self._note("columns", trainer)
        return {"told": len(self.moments)}

    def on_epoch_end(self, trainer, row):
        self._note("epoch end", trainer)

    def on_train_end(self, trainer):
        self._note("train end", trainer)

    def close(self):
        self._note("close")


def test_an_epoch_is_the_plain_loop_written_out():
    trainer = make_trainer(lr=0.2)
    model, loss = make_model(), BinaryCrossEntropyWithLogits()
    velocity = {name: np.zeros_like(p.data) for name, p in model.parameters().items()}
    losses = []
    for x, y in make_loader(n=20).epoch(0):
        model.zero_grad()
        losses.append(loss(model(x, training=True), y) * len(x))
        model.backward(loss.backward())
        for name, p in model.parameters().items():
            velocity[name] = np.float32(0.9) * velocity[name] + p.grad
            p.data -= np.float32(0.2) * velocity[name]
    history = trainer.fit(make_loader(n=20), 1)
    assert history[0]["loss"] == pytest.approx(sum(losses) / 20)
    for name, array in model_arrays(trainer.model).items():
        np.testing.assert_allclose(array, model_arrays(model)[name], rtol=1e-5)


def test_training_lowers_the_loss():
    history = make_trainer().fit(make_loader(shuffle=True), 30)
    assert history[-1]["loss"] < history[0]["loss"] / 3


def test_a_history_row_has_these_columns_in_this_order():
    metrics = {"hits": lambda y, p: ((p > 0.5) == y).mean(dtype=np.float32)}
    rows = make_trainer().fit(
        make_loader(),
        2,
        val_loader=make_loader(seed=1),
        val_metrics=lambda y, p: {k: f(y, p) for k, f in metrics.items()},
    )
    assert [row["epoch"] for row in rows] == [1, 2]
    assert list(rows[0]) == ["epoch", "loss", "val_loss", "val_hits", "lr", "images_per_second", "seconds"]
    assert all(type(value) in (int, float) for value in rows[0].values())


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    ends = []
    for seed in (3, 3, 4):
        trainer = make_trainer(model=make_model(dropout=0.5), seed=seed)
        trainer.fit(make_loader(shuffle=True), 3)
        ends.append(weights(trainer.model))
    assert same_weights(ends[0], ends[1])
    assert not same_weights(ends[0], ends[2])


def test_the_schedule_sets_the_rate_of_each_step():
    rates = []
    tell = Tell("batch end", lambda trainer: rates.append(trainer.optimizer.lr))
    schedule = Cosine(0.1, 6)
    make_trainer(schedule=schedule, callbacks=[tell]).fit(make_loader(), 2)
    assert rates == [schedule(step) for step in range(6)]


def test_gradients_are_clipped_to_the_norm():
    trainer = make_trainer(lr=1.0, clip_norm=1e-3)
    before = weights(trainer.model)
    trainer.fit(make_loader(n=8), 1)
    moved = [a - before[name] for name, a in model_arrays(trainer.model).items()]
    assert math.sqrt(sum(float((m**2).sum()) for m in moved)) == pytest.approx(1e-3, rel=1e-3)


def test_validation_and_prediction_use_the_average_and_leave_the_weights():
    trainer = make_trainer(ema=True)
    val_loader = make_loader(seed=1)
    row = trainer.fit(make_loader(), 3, val_loader=val_loader)[-1]
    raw = weights(trainer.model)
    x, y = make_data(seed=1)
    with trainer.ema.averaged():
        expected = trainer.model(x)
        loss = BinaryCrossEntropyWithLogits()(expected, y)
    np.testing.assert_allclose(trainer.predict(x, batch_size=5), expected, rtol=1e-5)
    np.testing.assert_allclose(trainer.predict(val_loader), expected, rtol=1e-5)
    assert row["val_loss"] == pytest.approx(loss)
    assert same_weights(raw, weights(trainer.model))


def test_validation_weighs_a_short_last_batch_by_its_samples():
    x, y = make_data(n=10)
    trainer = make_trainer()
    found = trainer.evaluate(DataLoader(ArrayDataset(x, y), 7))
    assert found["val_loss"] == pytest.approx(BinaryCrossEntropyWithLogits()(trainer.model(x), y))


def test_metrics_get_probabilities_or_the_prediction_where_the_loss_knows_none():
    x, y = make_data()
    loader = DataLoader(ArrayDataset(x, y), 10)
    for loss, expected in (
        (BinaryCrossEntropyWithLogits(), lambda z: 1 / (1 + np.exp(-z))),
        (MeanSquaredError(), lambda z: z),
    ):
        trainer, received = make_trainer(loss=loss), []
        trainer.evaluate(loader, lambda y, p, received=received: received.extend([y, p]) or {})
        np.testing.assert_array_equal(received[0], y)
        np.testing.assert_allclose(received[1], expected(trainer.model(x)), rtol=1e-5)


@pytest.mark.parametrize("options", [{"shuffle": True}, {"drop_last": True}])
def test_prediction_refuses_a_loader_that_loses_the_order_or_the_end(options):
    with pytest.raises(ValueError, match="shuffle=False and drop_last=False"):
        make_trainer().predict(make_loader(**options))


def test_prediction_refuses_an_empty_array():
    with pytest.raises(ValueError, match="at least one sample"):
        make_trainer().predict(np.zeros((0, 3), np.float32))


def test_callbacks_are_called_in_the_documented_order():
    tell = Tell()
    make_trainer(callbacks=[tell]).fit(make_loader(n=16), 2)
    epoch = ["epoch begin", "batch end", "batch end", "columns", "epoch end"]
    assert tell.moments == ["train begin", *epoch, *epoch, "train end", "close"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_callbacks_are_closed_after_an_exception(error):
    def fail(trainer):
        raise error

    tell = Tell("batch end", fail)
    with pytest.raises(error):
        make_trainer(callbacks=[tell]).fit(make_loader(), 1)
    assert tell.moments[-2:] == ["batch end", "close"]


def test_a_second_fit_is_a_new_run_from_the_present_weights():
    trainer = make_trainer()
    first = trainer.fit(make_loader(), 3)
    second = trainer.fit(make_loader(), 2)
    assert [row["epoch"] for row in second] == [1, 2]
    assert second[0]["loss"] < first[0]["loss"]


# Failures.


def test_a_loss_that_is_not_finite_stops_the_run_with_the_place_and_the_advice():
    with pytest.raises(
        DivergedError, match=r"epoch \d+ at step \d+ with learning rate 1e\+30.*lower learning"
    ):
        make_trainer(lr=1e30).fit(make_loader(), 5)


def test_divergence_keeps_the_last_good_checkpoint(tmp_path):
    def explode(trainer):
        if trainer.epoch == 2:
            trainer.model["0"].weight.data[0, 0] = np.nan

    trainer = make_trainer(callbacks=[Tell("epoch begin", explode)])
    with pytest.raises(DivergedError, match=r"last\.npz still holds the state after epoch 2"):
        trainer.fit(make_loader(), 5, checkpoint_dir=tmp_path)
    arrays, metadata = load(tmp_path / "last.npz")
    assert metadata["epoch"] == 2
    assert all(np.isfinite(array).all() for array in arrays.values())


def test_weights_that_are_not_finite_never_reach_a_checkpoint(tmp_path):
    def explode(trainer):
        if trainer.step == 6:
            trainer.model["3"].bias.data[1] = np.inf

    trainer = make_trainer(callbacks=[Tell("batch end", explode)])
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


# The folder of a run.


def test_best_holds_the_averaged_weights_of_the_best_epoch(tmp_path):
    values = iter([3.0, 1.0, 2.0, 1.0])
    kept = {}

    def keep(trainer):
        kept[trainer.epoch] = trainer.inference_arrays()

    trainer = make_trainer(ema=True, callbacks=[Tell("epoch end", keep)])
    trainer.fit(
        make_loader(),
        4,
        val_loader=make_loader(seed=1),
        val_metrics=lambda y, p: {"score": next(values)},
        monitor="val_score",
        checkpoint_dir=tmp_path,
    )
    model = make_model()
    metadata = load_weights(tmp_path / "best.npz", model)
    assert (metadata["epoch"], metadata["monitor"], metadata["value"]) == (2, "val_score", 1.0)
    assert same_weights(weights(model), kept[2])
    assert not same_weights(kept[2], kept[4])


@pytest.mark.parametrize(("mode", "best"), [("min", 3), ("max", 2)])
def test_a_value_that_is_nan_is_never_the_best(tmp_path, mode, best):
    values = iter([math.nan, 5.0, 4.0, math.nan])
    trainer = make_trainer()
    trainer.fit(
        make_loader(),
        4,
        val_loader=make_loader(),
        val_metrics=lambda y, p: {"score": next(values)},
        monitor="val_score",
        mode=mode,
        checkpoint_dir=tmp_path,
    )
    assert load(tmp_path / "best.npz")[1]["epoch"] == best
    assert trainer.best["epoch"] == best


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_that_is_not_empty_is_not_touched(tmp_path, resume):
    (tmp_path / "thesis.txt").write_text("the only copy")
    with pytest.raises(RunFolderError, match="no run to resume" if resume else "not empty.*thesis"):
        make_trainer().fit(make_loader(), 1, checkpoint_dir=tmp_path, resume=resume)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_resuming_where_there_is_no_folder_makes_none(tmp_path):
    with pytest.raises(ResumeError, match="no run to resume"):
        make_trainer().fit(make_loader(), 1, checkpoint_dir=tmp_path / "none", resume=True)
    assert not list(tmp_path.iterdir())


def test_a_folder_with_only_the_remains_of_a_killed_start_counts_as_empty(tmp_path):
    (tmp_path / f".last.npz.1-2{LEFTOVER}").write_bytes(b"half")
    make_trainer().fit(make_loader(), 1, checkpoint_dir=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.npz", "last.npz"]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "run").touch()
    with pytest.raises(RunFolderError, match="is a file"):
        make_trainer().fit(make_loader(), 1, checkpoint_dir=tmp_path / "run")


def test_a_configuration_that_json_cannot_hold_fails_before_the_run(tmp_path):
    with pytest.raises(SerializeError, match="object is not JSON"):
        make_trainer(configuration={"a": object()}).fit(make_loader(), 1, checkpoint_dir=tmp_path / "run")
    assert not list(tmp_path.iterdir())


CHANGES = {
    "seed was 0 and is now 1": {"seed": 1},
    "configuration.size was 32 and is now 64": {"configuration": {"size": 64, "names": ("a", "b")}},
    "optimizer.lr was 0.1 and is now 0.2": {"lr": 0.2},
    "clip_norm was None and is now 1.0": {"clip_norm": 1.0},
    "schedule was None": {"schedule": Cosine(0.1, 10)},
    "ema was None": {"ema": True},
    "model.3 was .*Dropout.*0.0.*Dropout.*0.5": {"model": make_model(dropout=0.5)},
    "loss.label_smoothing was 0.0 and is now 0.1": {
        "loss": BinaryCrossEntropyWithLogits(label_smoothing=0.1)
    },
    "epochs was 1 and is now 2": {"epochs": 2},
    "training data.batch_size was 8 and is now 6": {"loader": make_loader(batch_size=6)},
    "training data.checksum": {"loader": make_loader(seed=3)},
    "validation data was None": {"val_loader": make_loader()},
    "monitor.1 was 'min' and is now 'max'": {"mode": "max"},
}


@pytest.mark.parametrize(("words", "change"), CHANGES.items())
def test_resuming_with_another_setting_names_it_and_touches_nothing(tmp_path, words, change):
    configuration = {"size": 32, "names": ("a", "b")}
    make_trainer(configuration=configuration).fit(make_loader(), 1, checkpoint_dir=tmp_path)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.iterdir()}
    rest = {"configuration": configuration, **change}
    call = {key: rest.pop(key) for key in ("epochs", "val_loader", "mode") if key in rest}
    loader = rest.pop("loader", make_loader())
    trainer = make_trainer(**rest)
    start = weights(trainer.model)
    with pytest.raises(ResumeError, match=words):
        trainer.fit(loader, **{"epochs": 1, **call}, checkpoint_dir=tmp_path, resume=True)
    assert same_weights(start, weights(trainer.model))
    assert before == {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.iterdir()}


def test_another_optimiser_is_another_setting(tmp_path):
    make_trainer().fit(make_loader(), 1, checkpoint_dir=tmp_path)
    model = make_model()
    trainer = Trainer(model, BinaryCrossEntropyWithLogits(), Adam(model.parameters(), 0.1))
    with pytest.raises(ResumeError, match=r"optimizer\.type was 'SGD' and is now 'Adam'"):
        trainer.fit(make_loader(), 1, checkpoint_dir=tmp_path, resume=True)


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


@pytest.mark.parametrize("moment", ["batch end", "columns", "epoch end"])
@pytest.mark.parametrize("ema", [False, True])
def test_after_ctrl_c_the_same_trainer_resumes_to_the_same_bits(tmp_path, moment, ema):
    def interrupt(trainer):
        if trainer.step > 4 and trainer.epoch >= 1:
            tell.at = None
            raise KeyboardInterrupt

    def make(*callbacks):
        return make_trainer(
            model=make_model(dropout=0.3), schedule=Cosine(0.1, 12), ema=ema, callbacks=callbacks
        )

    def run(trainer, **options):
        loader = make_loader(n=32, shuffle=True, seed=2)
        return trainer.fit(loader, 3, val_loader=make_loader(seed=1), **options)

    tell = Tell(moment, interrupt)
    whole, trainer = make(), make(tell)
    run(whole)
    with pytest.raises(KeyboardInterrupt):
        run(trainer, checkpoint_dir=tmp_path)
    history = run(trainer, checkpoint_dir=tmp_path, resume=True)
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert same_weights(weights(whole.model), weights(trainer.model))
    assert same_weights(whole.inference_arrays(), trainer.inference_arrays())


# A run refused at its first step must not stand in the way of the next attempt.


def misfit_loader():
    x, y = make_data()
    return DataLoader(ArrayDataset(x[:, :2], y), 8)


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize(
    "call", [{"train_loader": misfit_loader()}, {"val_loader": misfit_loader()}, {"monitor": "auc"}]
)
def test_a_run_refused_in_its_first_epoch_leaves_the_folder_free(tmp_path, existing, call):
    folder = tmp_path / "run"
    if existing:
        folder.mkdir()
    with pytest.raises(ValueError, match=r"expected shape|no column"):
        make_trainer().fit(**{"train_loader": make_loader(), "epochs": 1, **call}, checkpoint_dir=folder)
    assert folder.exists() == existing
    make_trainer().fit(make_loader(), 1, checkpoint_dir=folder)
    assert (folder / "last.npz").is_file()


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_a_run_killed_in_its_first_epoch_keeps_its_checkpoint(tmp_path, error):
    def fail(trainer):
        raise error

    with pytest.raises(error):
        make_trainer(callbacks=[Tell("batch end", fail)]).fit(make_loader(), 1, checkpoint_dir=tmp_path)
    assert load(tmp_path / "last.npz")[1]["epoch"] == 0


def test_a_run_refused_later_keeps_what_it_has_learnt(tmp_path):
    def fail(trainer):
        if trainer.epoch == 1:
            raise ValueError("the disk is full")

    with pytest.raises(ValueError, match="the disk is full"):
        make_trainer(callbacks=[Tell("epoch begin", fail)]).fit(make_loader(), 2, checkpoint_dir=tmp_path)
    assert load(tmp_path / "last.npz")[1]["epoch"] == 1


def test_a_refused_run_leaves_files_that_are_not_its_own(tmp_path):
    note = tmp_path / "run" / "note.txt"
    tell = Tell("train begin", lambda trainer: note.write_text("mine"))
    with pytest.raises(ValueError, match="expected shape"):
        make_trainer(callbacks=[tell]).fit(misfit_loader(), 1, checkpoint_dir=note.parent)
    assert [path.name for path in note.parent.iterdir()] == ["note.txt"]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"clip_norm": 0}, ValueError, "Trainer: clip_norm must be a finite number above 0, got 0"),
        ({"clip_norm": math.nan}, ValueError, "Trainer: clip_norm"),
        ({"clip_norm": "1"}, TypeError, "Trainer: clip_norm must be a number"),
        ({"seed": -1}, ValueError, "Trainer: seed must be an integer of at least 0, got -1"),
        ({"seed": None}, ValueError, "Trainer: seed must be an integer"),
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
