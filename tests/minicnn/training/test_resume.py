"""A run killed with SIGKILL and continued ends, bit for bit, as one that was left alone."""

import csv
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import minicnn
from minicnn.serialize import LEFTOVER, load

EPOCHS = 4
STEPS = 8

# A whole training program: python program.py FOLDER fresh|resume [CALL NUMBER]. With CALL and NUMBER it kills
# itself just before its NUMBERth os.replace or os.fsync, the moments at which a checkpoint can be torn.
PROGRAM = f"""
import os, signal, sys
import numpy as np
from minicnn.training.callbacks import EarlyStopping, HistoryCSV, LearningRateLog
from minicnn.containers import Sequential
from minicnn.data import ArrayDataset, DataLoader
from minicnn.training.ema import ExponentialMovingAverage
from minicnn.layers.activation import ReLU
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.dropout import Dropout
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import GlobalAveragePool2D
from minicnn.losses import BinaryCrossEntropyWithLogits
from minicnn.optim import SGD
from minicnn.schedules import Cosine
from minicnn.training.trainer import Trainer

folder, how, *kill = sys.argv[1:]
if kill:
    call, left = getattr(os, kill[0]), int(kill[1])
    def counted(*arguments):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments)
    setattr(os, kill[0], counted)

rng = np.random.default_rng(0)
x = rng.integers(0, 256, (8 * {STEPS} + 3, 8, 8, 3), dtype=np.uint8)
y = (x.mean(axis=(1, 2)) > 127).astype(np.float32)
def jitter(image, rng):
    return np.roll(image, rng.integers(8), axis=rng.integers(2))
def mixup(x, y, rng):
    share, order = rng.random(), rng.permutation(len(x))
    return share * x + (1 - share) * x[order], (share * y + (1 - share) * y[order]).astype(np.float32)
def scale(x):
    return np.asarray(x / 255, np.float32)
data = ArrayDataset(x, y)
loader = DataLoader(data, 8, shuffle=True, drop_last=True, seed=1, augment=jitter, batch_augment=mixup,
                    to_input=scale)
model = Sequential([Conv2D(3, 6, 3, padding="same", rng=1), BatchNorm(6), ReLU(), Dropout(0.3, rng=2),
                    Conv2D(6, 6, 3, rng=3), BatchNorm(6), ReLU(), GlobalAveragePool2D(), Dropout(0.2, rng=4),
                    Dense(6, 3, rng=5)])
trainer = Trainer(model, BinaryCrossEntropyWithLogits(), SGD(model.parameters(), 0.1, momentum=0.9),
                  schedule=Cosine(0.1, {EPOCHS * STEPS}), ema=ExponentialMovingAverage(model, 0.9),
                  clip_norm=1.0, seed=7, configuration={{"who": "test"}},
                  callbacks=[HistoryCSV(folder + "/history.csv"), LearningRateLog(folder + "/lr.csv"),
                             EarlyStopping(patience={EPOCHS}, restore_best=True)])
print("ready", flush=True)
trainer.fit(loader, {EPOCHS}, val_loader=DataLoader(data, 16, to_input=scale), checkpoint_dir=folder,
            resume=how == "resume")
"""


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Starts the program in a process of its own."""
    program = tmp_path_factory.mktemp("program") / "program.py"
    program.write_text(PROGRAM)
    # NumPy kernels only: what is tested is the run, and compiling would take most of the time.
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(minicnn.__file__).parents[1]),
        "MINICNN_BACKEND": "numpy",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }

    def run(folder, *kill):
        how = "resume" if (folder / "last.npz").exists() else "fresh"
        return subprocess.Popen(
            [sys.executable, str(program), str(folder), how, *map(str, kill)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return run


def finish(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err


@pytest.fixture(scope="module")
def uninterrupted(start, tmp_path_factory):
    """The folder of a run left alone, and the seconds it took after its imports."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    process = start(folder)
    process.stdout.readline()
    began = time.monotonic()
    finish(process)
    return folder, time.monotonic() - began


def without_clock(history):
    return [
        {key: v for key, v in row.items() if key not in ("seconds", "images_per_second")} for row in history
    ]


def check_equal(folder, expected):
    for name in ("last.npz", "best.npz"):
        (arrays, metadata), (other, expected_metadata) = load(folder / name), load(expected / name)
        assert list(arrays) == list(other)
        different = [key for key in arrays if arrays[key].tobytes() != other[key].tobytes()]
        assert not different, f"{name}: {different}"
        if name == "last.npz":
            assert without_clock(metadata.pop("history")) == without_clock(expected_metadata.pop("history"))
        assert metadata == expected_metadata
    with open(folder / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == [str(epoch) for epoch in range(1, EPOCHS + 1)]
    assert (folder / "lr.csv").read_bytes() == (expected / "lr.csv").read_bytes()
    assert sorted(p.name for p in folder.iterdir()) == ["best.npz", "history.csv", "last.npz", "lr.csv"]


def test_two_uninterrupted_runs_are_equal(start, uninterrupted, tmp_path):
    finish(start(tmp_path / "run"))
    check_equal(tmp_path / "run", uninterrupted[0])


@pytest.mark.parametrize("chance", range(3))
def test_killed_at_random_moments_and_resumed_it_ends_the_same(start, uninterrupted, tmp_path, chance):
    expected, seconds = uninterrupted
    moments, folder = random.Random(chance), tmp_path / "run"
    for _ in range(3):
        process = start(folder)
        process.stdout.readline()
        time.sleep(moments.uniform(0, seconds))
        process.kill()
        process.communicate()
    finish(start(folder))
    check_equal(folder, expected)


# A fresh run renames last.npz; then, each epoch, history.csv, lr.csv, best.npz if it improved, last.npz.
@pytest.mark.parametrize(
    ("call", "number", "epochs_kept"),
    [
        ("replace", 1, None),
        ("replace", 2, 0),
        ("replace", 4, 0),
        ("replace", 5, 0),
        ("replace", 6, 1),
        ("replace", 8, 1),
        ("fsync", 9, 0),
    ],
)
def test_killed_while_a_file_is_replaced_it_ends_the_same(
    start, uninterrupted, tmp_path, call, number, epochs_kept
):
    folder = tmp_path / "run"
    process = start(folder, call, number)
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    assert any(path.name.endswith(LEFTOVER) for path in folder.iterdir())
    last = folder / "last.npz"
    assert (load(last)[1]["epoch"] if last.exists() else None) == epochs_kept
    finish(start(folder))
    check_equal(folder, uninterrupted[0])


def test_resuming_a_finished_run_changes_no_weights_and_no_rows(start, uninterrupted, tmp_path):
    folder = tmp_path / "run"
    finish(start(folder))
    last = (folder / "last.npz").read_bytes()
    finish(start(folder))
    assert (folder / "last.npz").read_bytes() == last
    check_equal(folder, uninterrupted[0])
