"""The training loop: what a step does, and what history, validation and callbacks get."""

import math

import numpy as np
import pytest

from minicnn.data import ArrayDataset, DataLoader
from minicnn.losses import BinaryCrossEntropyWithLogits, MeanSquaredError
from minicnn.optim import SGD
from minicnn.schedules import Cosine
from minicnn.serialize import model_arrays
from minicnn.training.trainer import Trainer
from tests.minicnn.training.small_run import (
    Recorder,
    make_data,
    make_loader,
    make_model,
    make_trainer,
    same_weights,
    weights,
)


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
    recorder = Recorder("batch end", lambda trainer: rates.append(trainer.optimizer.lr))
    schedule = Cosine(0.1, 6)
    make_trainer(schedule=schedule, callbacks=[recorder]).fit(make_loader(), 2)
    assert rates == [schedule(step) for step in range(6)]


def test_gradients_are_clipped_to_the_norm():
    trainer = make_trainer(lr=1.0, clip_norm=1e-3)
    before = weights(trainer.model)
    trainer.fit(make_loader(n=8), 1)
    moved = [a - before[name] for name, a in model_arrays(trainer.model).items()]
    assert math.sqrt(sum(float((m**2).sum()) for m in moved)) == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.parametrize("clip_norm", [1e-3, math.inf])
def test_the_history_has_the_mean_norm_of_the_gradients_before_clipping(clip_norm):
    norms = []

    class Norms(SGD):
        """Measures the gradients that it receives, and does not move."""

        def step(self):
            norms.append(math.sqrt(sum(float((p.grad**2).sum()) for p in self.parameters.values())))

    def history(clip_norm):
        model = make_model()
        trainer = Trainer(
            model, BinaryCrossEntropyWithLogits(), Norms(model.parameters(), 0.1), clip_norm=clip_norm
        )
        return trainer.fit(make_loader(), 1)

    assert "gradient_norm" not in history(None)[0]
    expected = np.mean(norms)
    assert history(clip_norm)[0]["gradient_norm"] == pytest.approx(expected, rel=1e-5)
    assert max(norms[3:]) <= clip_norm * 1.001


def test_validation_and_prediction_use_the_average_and_leave_the_weights():
    trainer = make_trainer(ema=True)
    val_loader = make_loader(seed=1)
    row = trainer.fit(make_loader(), 3, val_loader=val_loader)[-1]
    raw = weights(trainer.model)
    x, y = make_data(seed=1)
    with trainer.ema.averaged():
        expected = trainer.model(x)
        loss = BinaryCrossEntropyWithLogits()(expected, y)
    assert np.abs(expected - trainer.model(x)).max() > 1e-2  # else the weights themselves would do as well
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


def test_callbacks_are_called_in_the_documented_order():
    recorder = Recorder()
    make_trainer(callbacks=[recorder]).fit(make_loader(n=16), 2)
    epoch = ["epoch begin", "batch end", "batch end", "columns", "epoch end"]
    assert recorder.calls == ["train begin", *epoch, *epoch, "train end", "close"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_callbacks_are_closed_after_an_exception(error):
    def fail(trainer):
        raise error

    recorder = Recorder("batch end", fail)
    with pytest.raises(error):
        make_trainer(callbacks=[recorder]).fit(make_loader(), 1)
    assert recorder.calls[-2:] == ["batch end", "close"]


def test_a_second_fit_is_a_new_run_from_the_present_weights():
    trainer = make_trainer()
    first = trainer.fit(make_loader(), 3)
    second = trainer.fit(make_loader(), 2)
    assert [row["epoch"] for row in second] == [1, 2]
    assert second[0]["loss"] < first[0]["loss"]
