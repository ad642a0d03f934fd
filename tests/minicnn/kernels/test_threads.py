"""Thread counts, and kernels that several threads run at once."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from minicnn.containers import Sequential
from minicnn.kernels.compiled import patches
from minicnn.kernels.runtime import blas, thread_pool
from minicnn.kernels.runtime.thread_count import get_threads, set_threads
from minicnn.layers.conv import Conv2D
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import GlobalAveragePool2D, MaxPool2D
from minicnn.optim import SGD
from tests.minicnn.geometry import numbers


@pytest.fixture(autouse=True)
def _restored():
    before, products = get_threads(), blas_threads()
    yield
    set_threads(before)
    for threads in products:
        blas.set_blas_threads(threads)


def blas_threads() -> set[int]:
    return {library.get_threads() for library in blas.libraries()}


def small_network() -> Sequential:
    return Sequential(
        [
            Conv2D(3, 8, 3, padding="same", rng=0),
            BatchNorm(8),
            MaxPool2D(),
            Conv2D(8, 8, 3, groups=8, rng=1),
            Conv2D(8, 5, 1, rng=2),
            GlobalAveragePool2D(),
        ]
    )


def gradients(threads: int) -> list[np.ndarray]:
    set_threads(threads)
    model = small_network()
    x = numbers((5, 8, 10, 3), np.float32)
    y = model.forward(x, training=True)
    return [y, model.backward(y), *(p.grad for p in model.parameters().values())]


def test_set_threads_sets_kernels_and_blas_together():
    set_threads(1)
    assert get_threads() == 1
    assert blas_threads() == {1}
    set_threads(2)
    assert get_threads() == 2
    assert blas_threads() == {2}


@pytest.mark.parametrize(
    ("n", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError)]
)
def test_set_threads_refuses_what_is_not_a_positive_integer(n, error):
    with pytest.raises(error, match="set_threads: n must be"):
        set_threads(n)


def test_compiled_kernels_give_the_same_bits_on_any_number_of_threads(monkeypatch):
    # Small pieces, so that a small network is work for several threads.
    monkeypatch.setattr(patches, "PATCH_BYTES", 4096)
    monkeypatch.setattr(thread_pool, "PIECE_BYTES", 2048)
    monkeypatch.setenv("MINICNN_BACKEND", "numba")
    expected = gradients(1)
    for threads in (2, 3):
        for actual, one in zip(gradients(threads), expected, strict=True):
            np.testing.assert_array_equal(actual, one)


def test_threads_predict_at_once_and_each_receives_its_own_result():
    set_threads(2)
    model = small_network()
    inputs = [numbers((2, 12, 10, 3), np.float32, seed) for seed in range(16)]
    expected = [model(x) for x in inputs]
    with ThreadPoolExecutor(4) as callers:
        for actual, one in zip(callers.map(model, inputs * 4), expected * 4, strict=True):
            np.testing.assert_array_equal(actual, one)


def test_blas_has_its_threads_back_after_a_convolution():
    set_threads(2)
    small_network()(numbers((2, 12, 10, 3), np.float32))
    assert blas_threads() == {2}


def test_blas_set_during_a_convolution_holds_afterwards():
    set_threads(1)
    with blas.serial_blas(), blas.serial_blas():
        set_threads(2)
        assert blas_threads() == {1}
    assert blas_threads() == {2}


def in_another_thread(function, *arguments):
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(function, *arguments).result()


def test_set_threads_holds_from_any_thread():
    set_threads(2)
    in_another_thread(set_threads, 1)
    assert blas_threads() == {1}


def test_products_of_another_thread_run_on_one_thread_each():
    set_threads(2)

    def inside() -> set[int]:
        with blas.serial_blas():
            return blas_threads()

    assert in_another_thread(inside) == {1}
    assert blas_threads() == {2}


def test_a_setting_that_each_thread_has_is_lowered_in_every_thread_that_makes_products(monkeypatch):
    # As an OpenBLAS built with OpenMP has it.
    own, both, seen = threading.local(), threading.Barrier(2), []
    library = blas.Library(lambda: getattr(own, "n", 4), lambda n: setattr(own, "n", n), by_thread=True)
    monkeypatch.setattr(blas, "_by_thread", lambda: [library])
    set_threads(2)

    def task(_: int) -> None:
        both.wait(timeout=60)
        seen.append(library.get_threads())

    blas.run_products(task, 2)
    assert seen == [1, 1]
    assert library.get_threads() == 2


def test_training_in_another_thread_ends_with_the_same_weights():
    set_threads(2)
    x = numbers((16, 36, 24, 64), np.float32)

    def trained() -> list[np.ndarray]:
        model = Sequential(
            [Conv2D(64, 64, 1, rng=0), Conv2D(64, 64, 3, groups=4, rng=1), GlobalAveragePool2D()]
        )
        optimizer = SGD(model.parameters(), 0.05)
        for _ in range(2):
            model.zero_grad()
            model.backward_parameters(model.forward(x, training=True))
            optimizer.step()
        return [parameter.data for parameter in model.parameters().values()]

    for actual, expected in zip(in_another_thread(trained), trained(), strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_another_thread_predicts_the_same_bits():
    set_threads(2)
    # So many channels that OpenBLAS gives other bits on two threads than on one.
    model = Conv2D(5000, 128, 1, groups=2, rng=0)
    x = numbers((4, 8, 8, 5000), np.float32)
    np.testing.assert_array_equal(in_another_thread(model.forward, x), model.forward(x))


def test_run_calls_every_task_once():
    set_threads(3)
    done = []
    thread_pool.run(done.append, 100)
    assert sorted(done) == list(range(100))


def test_run_works_on_several_threads():
    set_threads(2)
    both = threading.Barrier(2)
    thread_pool.run(lambda _: both.wait(timeout=60), 2)


def test_run_within_run_finishes():
    set_threads(2)
    done = []
    thread_pool.run(lambda i: thread_pool.run(lambda j: done.append((i, j)), 5), 5)
    assert len(set(done)) == 25


@pytest.mark.parametrize("threads", [1, 2])
def test_the_error_of_a_task_reaches_the_caller(threads):
    set_threads(threads)

    def task(i: int) -> None:
        if i == 7:
            raise ZeroDivisionError("task 7")

    with pytest.raises(ZeroDivisionError, match="task 7"):
        thread_pool.run(task, 20)


def test_tasks_obey_the_errstate_of_their_caller():
    set_threads(2)
    both = threading.Barrier(2)

    def task(_: int) -> None:
        both.wait(timeout=60)
        np.float32(1) / np.float32(0)

    with np.errstate(divide="ignore"):
        thread_pool.run(task, 2)
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        thread_pool.run(task, 2)


def test_stretches_cover_everything_once_whatever_their_length():
    seen = []
    thread_pool.run_stretches(lambda first, last: seen.extend(range(first, last)), 10, 3)
    assert sorted(seen) == list(range(10))
    assert thread_pool.stretch(10, 1) == 10
    assert thread_pool.stretch(10, 10 * thread_pool.PIECE_BYTES * 8) == 1


def test_omp_num_threads_lowers_the_number_at_the_start():
    program = "from minicnn.kernels.runtime.thread_count import get_threads; print(get_threads())"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    answer = subprocess.run(
        [sys.executable, "-c", program], check=True, env=environment, capture_output=True, text=True
    )
    assert answer.stdout == "1\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_forked_child_computes_what_its_parent_does():
    set_threads(2)
    model, x = small_network(), numbers((4, 20, 30, 3), np.float32)
    expected = model(x)
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=lambda: theirs.send(model(x)))
    child.start()
    assert ours.poll(60)
    np.testing.assert_array_equal(ours.recv(), expected)
    child.join(60)
    assert child.exitcode == 0
