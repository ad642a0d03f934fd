"""The folder of a run: what it holds, one run at a time, and that no other files are touched."""

import math
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from minicnn.data import ArrayDataset, DataLoader
from minicnn.serialize import LEFTOVER, SerializeError, load, load_weights
from minicnn.training.checkpoint_folder import ResumeError, RunFolder, RunFolderError
from tests.minicnn.training.small_run import (
    Recorder,
    make_data,
    make_loader,
    make_model,
    make_trainer,
    same_weights,
    weights,
)


def test_best_holds_the_averaged_weights_of_the_best_epoch(tmp_path):
    values = iter([3.0, 1.0, 2.0, 1.0])
    kept = {}

    def keep(trainer):
        kept[trainer.epoch] = trainer.inference_arrays()

    trainer = make_trainer(ema=True, callbacks=[Recorder("epoch end", keep)])
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
        make_trainer(callbacks=[Recorder("batch end", fail)]).fit(make_loader(), 1, checkpoint_dir=tmp_path)
    assert load(tmp_path / "last.npz")[1]["epoch"] == 0


def test_a_run_refused_later_keeps_what_it_has_learnt(tmp_path):
    def fail(trainer):
        if trainer.epoch == 1:
            raise ValueError("the disk is full")

    with pytest.raises(ValueError, match="the disk is full"):
        make_trainer(callbacks=[Recorder("epoch begin", fail)]).fit(make_loader(), 2, checkpoint_dir=tmp_path)
    assert load(tmp_path / "last.npz")[1]["epoch"] == 1


def test_a_refused_run_leaves_files_that_are_not_its_own(tmp_path):
    note = tmp_path / "run" / "note.txt"
    recorder = Recorder("train begin", lambda trainer: note.write_text("mine"))
    with pytest.raises(ValueError, match="expected shape"):
        make_trainer(callbacks=[recorder]).fit(misfit_loader(), 1, checkpoint_dir=note.parent)
    assert [path.name for path in note.parent.iterdir()] == ["note.txt"]


# One run at a time.


def test_a_second_run_in_the_folder_of_a_running_one_is_refused_with_one_sentence(tmp_path):
    def second(trainer):
        with pytest.raises(RunFolderError, match=r"^another run is writing to the folder .*run; wait [^.]*$"):
            make_trainer().fit(make_loader(), 1, checkpoint_dir=tmp_path / "run")

    recorder = Recorder("batch end", second)
    make_trainer(callbacks=[recorder]).fit(make_loader(), 1, checkpoint_dir=tmp_path / "run")
    assert recorder.calls.count("batch end") == 3
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["best.npz", "last.npz"]


def test_a_running_run_is_not_resumed_a_second_time(tmp_path):
    make_trainer().fit(make_loader(), 1, checkpoint_dir=tmp_path)
    with RunFolder(tmp_path).locked(), pytest.raises(RunFolderError, match="another run is writing"):
        make_trainer().fit(make_loader(), 1, checkpoint_dir=tmp_path, resume=True)


def test_of_runs_that_begin_together_in_a_new_folder_one_begins(tmp_path):
    together, refused = threading.Barrier(8), threading.Semaphore(0)

    def begin(number):
        folder = RunFolder(tmp_path / "run")
        together.wait(60)
        try:
            with folder.locked():
                folder.begin()
                folder.last.write_text(str(number))
                for _ in range(7):  # until all others were refused
                    assert refused.acquire(timeout=60)
        except RunFolderError:
            refused.release()
            return 0
        return 1

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(begin, range(8))) == 1


def test_the_lock_ends_with_a_killed_process(tmp_path):
    program = (
        "import sys, time\n"
        "from minicnn.training.checkpoint_folder import RunFolder\n"
        "with RunFolder(sys.argv[1]).locked():\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    folder = RunFolder(tmp_path / "run")
    process = subprocess.Popen([sys.executable, "-c", program, folder.path], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    with pytest.raises(RunFolderError, match="another run is writing"), folder.locked():
        pass
    process.send_signal(signal.SIGKILL)
    process.communicate()
    make_trainer().fit(make_loader(), 1, checkpoint_dir=folder)
    assert sorted(path.name for path in folder.path.iterdir()) == ["best.npz", "last.npz"]


def test_a_program_that_holds_the_folder_trains_in_it(tmp_path):
    folder = RunFolder(tmp_path / "run")
    with folder.locked():
        make_trainer().fit(make_loader(), 1, checkpoint_dir=folder)
        with pytest.raises(RunFolderError, match="another run is writing"), RunFolder(folder.path).locked():
            pass
    assert sorted(path.name for path in folder.path.iterdir()) == ["best.npz", "last.npz"]


def test_a_folder_made_for_nothing_is_removed(tmp_path):
    with RunFolder(tmp_path / "run").locked():
        pass
    assert not list(tmp_path.iterdir())
