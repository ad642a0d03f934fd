"""Which runs may be resumed: those with the same settings, data and schedule, in an undamaged folder."""

import pytest

from minicnn.data import ArrayDataset, DataLoader
from minicnn.losses import BinaryCrossEntropyWithLogits
from minicnn.optim import Adam
from minicnn.schedules import Cosine, WarmUp
from minicnn.training.checkpoint import ResumeError, schedule_settings
from minicnn.training.trainer import Trainer
from tests.minicnn.training.small_run import (
    Tell,
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
