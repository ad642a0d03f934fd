"""Data sets and the loader."""

import gc
import threading
import time
import traceback

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minicnn.data.datasets
from minicnn.data import ArrayDataset, DataLoader


def numbers(n):
    """A data set whose inputs and targets tell which sample they are."""
    return ArrayDataset(np.arange(n, dtype=np.int64), np.arange(n, dtype=np.int64) * 10)


def noisy(x, rng):
    return x + rng.integers(1_000_000)


def swap(x, y, rng):
    order = rng.permutation(len(x))
    return x[order], y[order]


def loader_threads():
    return [thread for thread in threading.enumerate() if thread.name == "minicnn-loader"]


def same(first, second):
    assert len(first) == len(second)
    for (x1, y1), (x2, y2) in zip(first, second, strict=True):
        np.testing.assert_array_equal(x1, x2)
        np.testing.assert_array_equal(y1, y2)


sizes = st.tuples(st.integers(1, 40), st.integers(1, 12))


@given(sizes, st.booleans(), st.integers(0, 3), st.integers(0, 2**40), st.integers(0, 100))
@settings(max_examples=60)
def test_each_sample_comes_once_an_epoch_with_its_own_target(size, shuffle, prefetch, seed, epoch):
    n, batch_size = size
    loader = DataLoader(numbers(n), batch_size, shuffle=shuffle, prefetch=prefetch, seed=seed)
    batches = list(loader.epoch(epoch))
    x, y = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    assert sorted(x) == list(range(n))
    np.testing.assert_array_equal(y, x * 10)
    np.testing.assert_array_equal(x, loader.order(epoch))
    assert len(batches) == len(loader)
    assert loader.samples == n


@given(sizes, st.booleans())
@settings(max_examples=40)
def test_drop_last_leaves_only_whole_batches_and_no_repeats(size, shuffle):
    n, batch_size = max(size), min(size)
    loader = DataLoader(numbers(n), batch_size, shuffle=shuffle, drop_last=True)
    batches = [x for x, _ in loader.epoch(0)]
    assert {len(x) for x in batches} == {batch_size}
    assert len(batches) == len(loader) == n // batch_size
    assert len(set(np.concatenate(batches))) == loader.samples == n // batch_size * batch_size


@given(sizes, st.integers(0, 1000), st.integers(0, 50), st.sampled_from([1, 2, 4]))
@settings(max_examples=40)
def test_batches_do_not_depend_on_prefetch_or_on_earlier_epochs(size, seed, epoch, prefetch):
    n, batch_size = size

    def make(ahead):
        return DataLoader(
            numbers(n), batch_size, shuffle=True, seed=seed, augment=noisy, batch_augment=swap, prefetch=ahead
        )

    used = make(prefetch)
    list(used.epoch(epoch + 1))
    next(used.epoch(epoch))
    same(list(used.epoch(epoch)), list(make(0).epoch(epoch)))


def test_without_shuffle_the_order_is_that_of_the_data_set():
    np.testing.assert_array_equal(DataLoader(numbers(7), 3).order(5), np.arange(7))


def test_epochs_and_seeds_shuffle_differently():
    orders = [DataLoader(numbers(50), 5, shuffle=True, seed=s).order(e) for s in (0, 1) for e in (0, 1)]
    assert len({tuple(order) for order in orders}) == 4


def test_an_augmentation_draws_anew_for_each_sample_and_epoch():
    loader = DataLoader(numbers(30), 7, augment=lambda x, rng: rng.integers(2**60))
    draws = np.concatenate([x for epoch in range(3) for x, _ in loader.epoch(epoch)])
    assert len(set(draws)) == 90


def test_a_samples_augmentation_does_not_depend_on_the_batch_size():
    one, many = (DataLoader(numbers(12), size, shuffle=True, augment=noisy) for size in (1, 5))
    np.testing.assert_array_equal(
        np.concatenate([x for x, _ in one.epoch(2)]), np.concatenate([x for x, _ in many.epoch(2)])
    )


def test_to_input_comes_last():
    loader = DataLoader(
        numbers(3), 3, augment=lambda x, rng: x + 1, to_input=lambda x: x.astype(np.float32) / 2
    )
    x, _ = next(loader.epoch(0))
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x, [0.5, 1, 1.5])


def test_an_augmentation_cannot_change_the_data_set():
    def careless(x, rng):
        x += 1
        return x

    images = np.zeros((4, 2, 2))
    with pytest.raises(ValueError, match="read-only"):
        list(DataLoader(ArrayDataset(images, np.arange(4)), 2, augment=careless))
    assert not images.any()
    assert images.flags.writeable


@pytest.mark.parametrize("prefetch", [0, 1, 4])
def test_what_the_worker_raises_reaches_the_consumer_with_its_traceback_and_sample(prefetch):
    def breaks_on_eight(x, rng):
        if x == 8:
            raise LookupError("no such poster")
        return x

    received = []
    loader = DataLoader(numbers(20), 3, augment=breaks_on_eight, prefetch=prefetch)
    with pytest.raises(LookupError, match="no such poster") as caught:
        received.extend(int(i) for x, _ in loader.epoch(1) for i in x)
    assert received == [0, 1, 2, 3, 4, 5]
    text = "".join(traceback.format_exception(caught.value))
    assert "breaks_on_eight" in text
    assert "sample 8 in epoch 2" in text
    assert not loader_threads()


@pytest.mark.parametrize("prefetch", [1, 2, 8])
@pytest.mark.parametrize("taken", [1, 3, 10])
def test_no_thread_outlives_its_iterator(prefetch, taken):
    loader = DataLoader(numbers(40), 4, prefetch=prefetch)

    batches = loader.epoch(0)
    for _ in range(taken):
        next(batches)
    batches.close()
    assert not loader_threads()

    for count, _ in enumerate(loader.epoch(0), start=1):
        if count == taken:
            break
    gc.collect()
    assert not loader_threads()

    forgotten = loader.epoch(0)
    next(forgotten)
    del forgotten
    gc.collect()
    assert not loader_threads()


def test_an_iterator_never_used_starts_no_thread():
    batches = DataLoader(numbers(4), 2).epoch(0)
    assert not loader_threads()
    batches.close()


def test_the_worker_stays_at_most_prefetch_batches_ahead():
    read = []

    def note(x, rng):
        read.append(int(x))
        return x

    batches = DataLoader(numbers(50), 1, augment=note, prefetch=3).epoch(0)
    next(batches)
    for _ in range(200):
        if len(read) == 5:
            break
        time.sleep(0.005)
    time.sleep(0.02)
    # One handed over, three waiting, one in the worker's hands.
    assert len(read) == 5
    batches.close()


def test_the_next_batch_is_prepared_while_the_consumer_works():
    second = threading.Event()

    def note(x, rng):
        if x == 1:
            second.set()
        return x

    batches = DataLoader(numbers(3), 1, augment=note, prefetch=1).epoch(0)
    next(batches)
    assert second.wait(30)
    batches.close()


def test_settings_tell_data_apart_that_differs_in_content_only():
    x, y = np.zeros((9, 2)), np.zeros(9)
    other = x.copy()
    other[4, 1] = 1
    first, second = (DataLoader(ArrayDataset(a, y), 2).settings() for a in (x, other))
    assert first != second


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1"),
        ({"batch_size": 2.0}, TypeError, "batch_size must be an integer"),
        ({"batch_size": 9, "drop_last": True}, ValueError, "drop_last leaves no batch"),
        ({"batch_size": 2, "seed": -1}, ValueError, "seed must be an integer of at least 0"),
        ({"batch_size": 2, "prefetch": -1}, ValueError, "prefetch must be an integer of at least 0"),
        ({"batch_size": 2, "dataset": numbers(0)}, ValueError, "data set is empty"),
    ],
)
def test_settings_that_cannot_work_are_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        DataLoader(**{"dataset": numbers(4), **arguments})


def test_inputs_and_targets_must_be_arrays_of_one_length():
    with pytest.raises(ValueError, match="x has 3 samples and y has 2"):
        ArrayDataset(np.zeros(3), np.zeros(2))
    with pytest.raises(TypeError, match="y must be an array of samples, got list"):
        ArrayDataset(np.zeros(3), [1, 2, 3])


@pytest.mark.parametrize("part", ["x", "y"])
@pytest.mark.parametrize("index", [0, 1, 777, 998, 999])
def test_settings_tell_data_apart_that_differs_in_any_one_number(part, index):
    arrays = {"x": np.zeros((1000, 3), np.uint8), "y": np.zeros((1000, 2), np.float32)}
    before = DataLoader(ArrayDataset(**arrays), 2).settings()
    arrays[part][index, 1] = 1
    assert DataLoader(ArrayDataset(**arrays), 2).settings() != before


def test_the_checksum_does_not_depend_on_how_an_array_lies_in_memory(monkeypatch, tmp_path):
    x, y = np.arange(700).reshape(100, 7), np.arange(100)
    mapped = np.memmap(tmp_path / "x", x.dtype, "w+", shape=x.shape)
    mapped[:] = x
    sums = {ArrayDataset(a, y).checksum() for a in (x, mapped, np.asfortranarray(x), np.repeat(x, 2, 0)[::2])}
    monkeypatch.setattr(minicnn.data.datasets, "_CHUNK_BYTES", 100)
    sums.add(ArrayDataset(x, y).checksum())
    assert len(sums) == 1


def test_the_checksum_knows_the_shape_and_the_type():
    y = np.zeros(8)
    xs = [np.zeros((8, 4), np.uint8), np.zeros((8, 2, 2), np.uint8), np.zeros((8, 1), np.float32)]
    assert len({ArrayDataset(x, y).checksum() for x in xs}) == 3


def test_arrays_of_objects_have_a_checksum_by_their_content():
    def made():
        x = np.empty(2, object)
        x[:] = [np.zeros(3), np.ones(4)]
        return ArrayDataset(x, np.zeros(2)).checksum()

    assert made() == made()


class Listed:
    """A data set that is no pair of arrays."""

    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


def test_settings_of_a_data_set_without_arrays_compare_samples():
    items = [(np.full(3, i), i) for i in range(50)]
    before = DataLoader(Listed(items), 2).settings()
    assert DataLoader(Listed(list(items)), 2).settings() == before
    items[17] = (items[17][0], -1)
    assert DataLoader(Listed(items), 2).settings() != before


@pytest.mark.parametrize(("part", "what"), [(0, "input"), (1, "target")])
def test_a_sample_of_another_shape_is_named(part, what):
    items = [[np.zeros(3), np.zeros(2)] for _ in range(6)]
    items[4][part] = np.zeros(5)
    with pytest.raises(ValueError, match=rf"the {what} of sample 4 has shape \(5,\) and that of sample 3"):
        list(DataLoader(Listed(items), 3))
