"""What happens beside the loop."""

import csv
import io
import math
from contextlib import suppress

import numpy as np
import pytest

from minicnn.containers import Parallel, Residual, Sequential
from minicnn.data import ArrayDataset, DataLoader
from minicnn.layers.activation import ReLU
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.losses import MeanSquaredError
from minicnn.optim import SGD
from minicnn.schedules import Cosine
from minicnn.serialize import LEFTOVER, model_arrays
from minicnn.training.callbacks import (
    Callback,
    DeadUnits,
    EarlyStopping,
    HistoryCSV,
    HistoryPlot,
    LearningRateLog,
    ProgressBar,
    fired_channels,
)
from minicnn.training.ema import ExponentialMovingAverage
from minicnn.training.trainer import Trainer
from tests.minicnn.training.small_run import StopAfter

POINTS = np.random.default_rng(0).standard_normal((32, 3)).astype(np.float32)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def make_loader():
    rng = np.random.default_rng(0)
    data = rng.standard_normal((16, 3)).astype(np.float32)
    return DataLoader(ArrayDataset(data, data[:, :2]), 4)


def make_trainer(*callbacks, ema=False, schedule=None):
    model = Sequential([Dense(3, 4, rng=0), ReLU(), Dense(4, 2, rng=1)])
    average = ExponentialMovingAverage(model, 0.9) if ema else None
    optimizer = SGD(model.parameters(), 0.05)
    return Trainer(model, MeanSquaredError(), optimizer, ema=average, schedule=schedule, callbacks=callbacks)


def fit_with_scores(trainer, scores, epochs=None, **options):
    """A run whose column val_score takes these values, one an epoch."""
    values = iter(scores)
    return trainer.fit(
        make_loader(),
        epochs or len(scores),
        val_loader=make_loader(),
        val_metrics=lambda y, p: {"score": next(values)},
        **options,
    )


# History files.


def test_the_csv_holds_the_history(tmp_path):
    history = make_trainer(HistoryCSV(tmp_path / "h.csv")).fit(make_loader(), 3, val_loader=make_loader())
    with open(tmp_path / "h.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [list(row) for row in rows] == [list(row) for row in history]
    assert [float(row["val_loss"]) for row in rows] == [row["val_loss"] for row in history]


def test_the_csv_holds_an_epoch_as_soon_as_it_is_over(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        make_trainer(HistoryCSV(tmp_path / "h.csv"), StopAfter(2)).fit(make_loader(), 5)
    assert len((tmp_path / "h.csv").read_text().splitlines()) == 3


def test_the_plot_is_a_png_and_nothing_else_is_left(tmp_path):
    make_trainer(HistoryPlot(tmp_path / "h.png")).fit(make_loader(), 2, val_loader=make_loader())
    assert (tmp_path / "h.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["h.png"]


def test_files_that_killed_writes_left_are_cleared_and_others_are_not(tmp_path):
    for name in ("h.csv", "h.png", "lr.csv", "other.csv"):
        (tmp_path / f".{name}.123-ab{LEFTOVER}").touch()
    files = [
        HistoryCSV(tmp_path / "h.csv"),
        HistoryPlot(tmp_path / "h.png"),
        LearningRateLog(tmp_path / "lr.csv"),
    ]
    make_trainer(*files).fit(make_loader(), 1)
    assert [p.name for p in tmp_path.iterdir() if p.name[0] == "."] == [f".other.csv.123-ab{LEFTOVER}"]


def test_the_learning_rate_of_every_step_is_kept(tmp_path):
    schedule = Cosine(0.1, 8)
    log = LearningRateLog(tmp_path / "lr.csv")
    make_trainer(log, schedule=schedule).fit(make_loader(), 2)
    assert log.rates == [schedule(step) for step in range(8)]
    with open(tmp_path / "lr.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(int(row["step"]), float(row["lr"])) for row in rows] == list(enumerate(log.rates))


# Early stopping.


@pytest.mark.parametrize(
    ("options", "scores", "epochs"),
    [
        ({"patience": 2}, [5, 4, 4, 4, 1, 1], 4),
        ({"patience": 2}, [5, 4, 4, 3, 3, 3], 6),
        ({"patience": 1, "mode": "max"}, [1, 2, 3, 2, 9], 4),
        ({"patience": 2, "min_delta": 0.5}, [5, 4.8, 4.6, 1], 3),
        ({"patience": 2}, [5, math.nan, math.nan, 1], 3),
        ({"patience": 2}, [math.nan, 5, 4, 3], 4),
    ],
)
def test_a_run_stops_after_patience_epochs_without_improvement(options, scores, epochs):
    trainer = make_trainer(EarlyStopping("val_score", **options))
    assert len(fit_with_scores(trainer, scores)) == epochs


@pytest.mark.parametrize("ema", [False, True])
def test_restore_best_ends_with_the_weights_of_the_best_epoch(ema):
    seen = {}

    class Keep(Callback):
        def on_epoch_end(self, trainer, row):
            seen[trainer.epoch] = trainer.inference_arrays()

    trainer = make_trainer(Keep(), EarlyStopping("val_score", 2, restore_best=True), ema=ema)
    fit_with_scores(trainer, [5, 3, 4, 4, 4])
    for name, array in model_arrays(trainer.model).items():
        np.testing.assert_array_equal(array, seen[2][name])
    x = np.ones((1, 3), np.float32)
    np.testing.assert_array_equal(trainer.predict(x), trainer.model(x))


def test_patience_counts_on_after_a_resume(tmp_path):
    scores = [5, 3, 4, 4, 4, 4]

    def make(*others):
        return make_trainer(EarlyStopping("val_score", 3, restore_best=True), *others)

    with pytest.raises(KeyboardInterrupt):
        fit_with_scores(make(StopAfter(4)), scores, checkpoint_dir=tmp_path)
    resumed = make()
    history = fit_with_scores(resumed, scores[3:], len(scores), checkpoint_dir=tmp_path, resume=True)
    assert len(history) == 5
    whole = make()
    fit_with_scores(whole, scores)
    for name, array in model_arrays(whole.model).items():
        np.testing.assert_array_equal(model_arrays(resumed.model)[name], array)


def test_a_column_that_does_not_exist_is_named():
    with pytest.raises(ValueError, match="EarlyStopping: no column 'auc'; there are epoch, loss"):
        make_trainer(EarlyStopping("auc")).fit(make_loader(), 1)


@pytest.mark.parametrize("options", [{"patience": 0}, {"mode": "up"}])
def test_early_stopping_refuses_settings_that_cannot_work(options):
    with pytest.raises(ValueError, match="EarlyStopping: "):
        EarlyStopping(**options)


# Progress.


def test_without_a_terminal_progress_is_one_line_an_epoch(capsys):
    make_trainer(ProgressBar()).fit(make_loader(), 3, val_loader=make_loader())
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert len(lines) == 3
    assert "\r" not in captured.err
    for number, line in enumerate(lines, start=1):
        assert line.startswith(f"epoch {number}/3: loss ")
        assert all(word in line for word in ("val_loss ", " images/s", " left"))
    assert lines[-1].endswith("0:00 left")


def test_on_a_terminal_a_bar_shows_the_whole_run_and_the_lines_remain():
    stream = Terminal()
    make_trainer(ProgressBar(stream=stream)).fit(make_loader(), 3)
    shown = stream.getvalue()
    assert "/12 [" in shown
    assert "epoch 3/3: loss " in shown


def test_what_the_first_step_prints_stands_on_a_line_of_its_own():
    stream = Terminal()

    class Printing(Callback):
        def on_epoch_begin(self, trainer):
            if trainer.step == 0:
                print("compiling", file=stream)

    make_trainer(ProgressBar(stream=stream), Printing()).fit(make_loader(), 1)
    assert stream.getvalue().startswith("compiling\n")


def test_training_goes_on_when_the_stream_of_its_progress_is_full():
    with open("/dev/full", "w", buffering=1) as full:
        trainer = make_trainer(ProgressBar(stream=full))
        trainer.fit(make_loader(), 2)
        assert len(trainer.history) == 2
        with suppress(OSError):
            full.close()


@pytest.mark.parametrize("terminal", [True, False])
def test_training_goes_on_when_the_stream_of_its_progress_is_closed(terminal):
    stream = Terminal() if terminal else io.StringIO()

    class Closing(Callback):
        def on_batch_end(self, trainer, loss, samples):
            stream.close()

    trainer = make_trainer(ProgressBar(stream=stream), Closing())
    trainer.fit(make_loader(), 2)
    assert len(trainer.history) == 2


def test_a_disabled_bar_is_silent(capsys):
    make_trainer(ProgressBar(enabled=False)).fit(make_loader(), 2)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_a_bar_is_closed_when_the_run_is_interrupted():
    bar = ProgressBar(stream=Terminal())
    with pytest.raises(KeyboardInterrupt):
        make_trainer(bar, StopAfter(1)).fit(make_loader(), 2)
    assert bar._bar is None


def test_a_resumed_bar_starts_where_the_run_was(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        make_trainer(StopAfter(3)).fit(make_loader(), 3, checkpoint_dir=tmp_path)
    stream = Terminal()
    make_trainer(ProgressBar(stream=stream)).fit(make_loader(), 3, checkpoint_dir=tmp_path, resume=True)
    assert "8/12 [" in stream.getvalue()
    assert "epoch 1/3: " not in stream.getvalue()


# Dead units.


def test_channels_are_dead_when_no_sample_and_no_position_fires():
    model = Sequential({"conv": Conv2D(1, 3, 1, rng=0), "relu": ReLU()})
    model["conv"].weight.data[...] = np.array([1, -1, 1], np.float32)
    model["conv"].bias.data[...] = np.array([0, 0, -5], np.float32)
    x = np.zeros((2, 3, 3, 1), np.float32)
    x[1, 2, 2] = 4
    np.testing.assert_array_equal(fired_channels(model, x)["relu"], [True, False, False])


def test_relus_inside_branches_and_residuals_see_what_a_forward_pass_gives_them():
    rng = np.random.default_rng(0)
    relus = [ReLU() for _ in range(4)]
    model = Sequential(
        {
            "in": Dense(3, 5, rng=1),
            "two": Parallel({"a": relus[0], "b": Sequential([Dense(5, 4, rng=2), relus[1]])}, merge="concat"),
            "res": Residual(Sequential([Dense(9, 9, rng=3), relus[2], Dense(9, 9, rng=4)])),
            "out": relus[3],
        }
    )
    x = rng.standard_normal((2, 3)).astype(np.float32)
    outputs = {}
    for name, layer in model.layers():
        if isinstance(layer, ReLU):

            def forward(x, training=False, record=None, *, name=name):
                outputs[name] = np.maximum(x, 0)
                return outputs[name]

            layer.forward = forward
    model.forward(x)
    expected = {name: (y > 0).any(axis=0) for name, y in outputs.items()}
    fired = fired_channels(model, x)
    assert list(fired) == ["two.a", "two.b.1", "res.body.1", "out"]
    for name, channels in fired.items():
        np.testing.assert_array_equal(channels, expected[name])


@pytest.mark.parametrize("make_callback", [ProgressBar, lambda stream: DeadUnits(POINTS, stream)])
def test_a_stream_that_is_closed_from_the_start_does_not_stop_training(make_callback):
    stream = io.StringIO()
    stream.close()
    trainer = make_trainer(make_callback(stream=stream))
    trainer.model["0"].bias.data[1] = -100
    assert len(trainer.fit(make_loader(), 2)) == 2


def test_dead_units_are_a_column_and_are_listed_at_the_end():
    stream = io.StringIO()
    watch = DeadUnits(POINTS, stream)
    trainer = make_trainer(watch)
    trainer.model["0"].bias.data[1] = -100
    history = trainer.fit(make_loader(), 2)
    assert [row["dead_units"] for row in history] == [0.25, 0.25]
    assert watch.fractions == {"1": 0.25}
    assert stream.getvalue() == "ReLU channels that never fired: 1 25%\n"


def test_a_model_without_dead_units_is_not_talked_about(capsys):
    trainer = make_trainer(DeadUnits(np.zeros((1, 3), np.float32)))
    trainer.model["0"].bias.data[...] = 1
    assert trainer.fit(make_loader(), 1)[0]["dead_units"] == 0
    assert capsys.readouterr().err == ""
