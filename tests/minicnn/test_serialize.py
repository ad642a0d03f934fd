"""One-file storage: what comes back, what is refused, and what a failure leaves behind."""

import io
import json
import os
import pickle
import resource
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minicnn import serialize
from minicnn.containers import Sequential
from minicnn.layers.activation import ReLU
from minicnn.layers.dense import Dense
from minicnn.layers.normalization import BatchNorm
from minicnn.serialize import SerializeError, check_saved_arrays, load, load_weights, save, save_weights
from tests.unwritable import unwritable_folder

ARRAYS = {"parameter/0.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "count": np.array(7)}


def make_model(seed=0, width=4):
    return Sequential([Dense(3, width, rng=seed), BatchNorm(width), ReLU(), Dense(width, 2, rng=seed + 1)])


def archive(path, entries, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in entries.items():
            file.writestr(name, content)


def header(**changes):
    return json.dumps({"format": "minicnn", "version": 1, "arrays": [], "metadata": {}, **changes})


def npy(array, **options):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, **options)
    return stream.getvalue()


numeric = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(),
    hnp.unsigned_integer_dtypes(),
    hnp.floating_dtypes(sizes=(16, 32, 64)),
    hnp.complex_number_dtypes(sizes=(64, 128)),
)
arrays = hnp.arrays(numeric, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
names = st.text(st.characters(codec="utf-8", exclude_characters="\\"), min_size=1).filter(str.isprintable)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(names, arrays, max_size=4), st.dictionaries(st.text(), json_values, max_size=3))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_saved_comes_back_bit_for_bit(tmp_path, contents, metadata):
    save(tmp_path / "file.npz", contents, metadata)
    arrays_read, metadata_read = load(tmp_path / "file.npz")
    assert metadata_read == metadata
    assert list(arrays_read) == list(contents)
    for name, array in contents.items():
        assert arrays_read[name].dtype == array.dtype
        assert arrays_read[name].shape == array.shape
        assert arrays_read[name].tobytes() == array.tobytes()
        assert arrays_read[name].flags.writeable


def test_numpy_opens_the_file_without_pickle(tmp_path):
    save(tmp_path / "file.npz", ARRAYS, {"epoch": 3})
    with np.load(tmp_path / "file.npz", allow_pickle=False) as file:
        np.testing.assert_array_equal(file["parameter/0.weight"], ARRAYS["parameter/0.weight"])
        assert json.loads(file["metadata.json"])["metadata"] == {"epoch": 3}


def test_equal_contents_give_equal_files(tmp_path):
    for name in ("a", "b"):
        save(tmp_path / name, ARRAYS, {"x": 0.1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_transposed_arrays_and_numpy_numbers_are_stored_by_value(tmp_path):
    save(tmp_path / "f", {"a": np.arange(6).reshape(2, 3).T}, {"auc": np.float32(0.5), "n": np.int64(3)})
    arrays_read, metadata = load(tmp_path / "f")
    np.testing.assert_array_equal(arrays_read["a"], np.arange(6).reshape(2, 3).T)
    assert metadata == {"auc": 0.5, "n": 3}


@pytest.mark.parametrize(
    ("contents", "metadata", "words"),
    [
        ({"a": np.array([object()])}, {}, "'a'.*object.*pickle"),
        ({"a": np.array(["text"])}, {}, "numeric dtype"),
        ({"a": [1, 2]}, {}, "expected a NumPy array, got list"),
        ({"": np.zeros(1)}, {}, "printable text"),
        ({"a\x00b": np.zeros(1)}, {}, "printable text"),
        ({"a\\b": np.zeros(1)}, {}, "printable text"),
        ({}, {"f": print}, "builtin_function_or_method is not JSON"),
    ],
)
def test_what_would_need_pickle_is_refused_before_anything_is_written(tmp_path, contents, metadata, words):
    with pytest.raises(SerializeError, match=words):
        save(tmp_path / "f", contents, metadata)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"Id,Genre\n1,Drama\n", "is not a file that minicnn saved"),
        (npy(np.zeros(3)), "is not a file that minicnn saved"),
        (pickle.dumps({"weights": [1, 2]}), "pickle, which can run any code"),
        (pickle.dumps([1], protocol=2), "pickle, which can run any code"),
        (b"PK\x03\x04 and nothing else", "truncated or damaged"),
    ],
)
def test_files_of_other_kinds_are_named_for_what_they_are(tmp_path, content, words):
    path = tmp_path / "model.npz"
    path.write_bytes(content)
    with pytest.raises(SerializeError, match=words) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"data.pkl": pickle.dumps(1)}, "not one that minicnn saved"),
        ({"arr_0.npy": npy(np.zeros(2))}, "not one that minicnn saved"),
        ({"metadata.json": "[]"}, "its format is not named"),
        ({"metadata.json": "{"}, "damaged"),
        ({"metadata.json": "[" * 100_000}, "damaged"),
        ({"metadata.json": header(format="other")}, "its format is not named"),
        ({"metadata.json": header(version=2, library="9.1")}, "version 2 .* reads version 1.*minicnn 9.1"),
        ({"metadata.json": header(version=None)}, "version None"),
        ({"metadata.json": header(arrays=["a"])}, "not those that its metadata lists"),
        ({"metadata.json": header(), "a.npy": npy(np.zeros(2))}, "not those that its metadata lists"),
        ({"metadata.json": header(metadata=[])}, "not those"),
        ({"metadata.json": header(arrays=["a"]), "a.npy": b"\x80\x04pickle"}, "damaged"),
        (
            {"metadata.json": header(arrays=["a"]), "a.npy": npy(np.array([{}]), allow_pickle=True)},
            "dtype object",
        ),
        ({"metadata.json": header(arrays=["a"]), "a.npy": npy(np.zeros(2), version=(2, 0))}, "header"),
        ({"metadata.json": header(arrays=["a"]), "a.npy": npy(np.zeros(2))[:-1]}, "do not add up"),
    ],
)
def test_archives_that_are_not_ours_get_one_sentence(tmp_path, entries, words):
    path = tmp_path / "model.npz"
    archive(path, entries)
    with pytest.raises(SerializeError, match=words) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_bombs_are_refused_without_taking_their_memory(tmp_path):
    packed = tmp_path / "packed.npz"
    archive(packed, {"metadata.json": header(), "a.npy": bytes(50_000_000)}, zipfile.ZIP_DEFLATED)
    claims = tmp_path / "claims.npz"
    content = npy(np.zeros(1000)).replace(b"(1000,), }      ", b"(1000000000,), }")
    archive(claims, {"metadata.json": header(arrays=["a"]), "a.npy": content})
    tracemalloc.start()
    for path, words in ((packed, "packed"), (claims, "do not add up")):
        with pytest.raises(SerializeError, match=words):
            load(path)
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()


def test_a_file_cut_anywhere_is_refused(tmp_path):
    save(tmp_path / "whole", ARRAYS, {"epoch": 1})
    content = (tmp_path / "whole").read_bytes()
    for end in range(len(content)):
        (tmp_path / "cut").write_bytes(content[:end])
        with pytest.raises(SerializeError):
            load(tmp_path / "cut")


@given(st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_changed_byte_is_noticed_or_harmless(tmp_path, data):
    save(tmp_path / "whole", ARRAYS, {"epoch": 1})
    content = bytearray((tmp_path / "whole").read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "changed").write_bytes(content)
    try:
        arrays_read, metadata = load(tmp_path / "changed")
    except SerializeError:
        return
    assert metadata == {"epoch": 1}
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays_read[name], array)


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        load(tmp_path / "none.npz")
    with pytest.raises(SerializeError, match="is a folder"):
        load(tmp_path)


def test_a_full_disk_is_reported_and_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "model.npz"
    save(path, ARRAYS, {"epoch": 1})
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"could not write model.npz \(File too large\).*space left"):
            save(path, {"a": np.zeros(100_000)}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_does_not_exist_is_reported(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"could not write f \(No such file or directory\)"):
        save(tmp_path / "missing" / "f", ARRAYS, {})


def test_an_unwritable_folder_is_reported(tmp_path):
    folder = unwritable_folder(tmp_path)
    with pytest.raises(PermissionError, match="could not write f"):
        save(folder / "f", ARRAYS, {})


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failure_at_the_last_moment_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, call):
    path = tmp_path / "model.npz"
    save(path, ARRAYS, {"epoch": 1})

    def refuse(*_):
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, refuse)
        with pytest.raises(OSError, match=r"could not write model\.npz") as caught:
            save(path, {}, {"epoch": 2})
    assert caught.value.errno == 30
    assert list(tmp_path.iterdir()) == [path]
    assert load(path)[1] == {"epoch": 1}


def test_the_bytes_are_on_disk_before_the_name_and_the_name_before_the_return(tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, name=name, real=real: (calls.append(name), real(*a))[1])
    save(tmp_path / "f", ARRAYS, {})
    assert calls == ["fsync", "replace", "fsync"]


def test_a_new_file_has_the_permissions_that_the_process_gives(tmp_path):
    save(tmp_path / "ours", ARRAYS, {})
    (tmp_path / "plain").touch()
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_model_gets_its_weights_and_statistics_back(tmp_path):
    model, other = make_model(0), make_model(5)
    model.forward(np.random.default_rng(0).standard_normal((8, 3)).astype(np.float32), training=True)
    save_weights(tmp_path / "w", model, {"by": "hand"})
    assert load_weights(tmp_path / "w", other) == {"by": "hand"}
    x = np.random.default_rng(1).standard_normal((4, 3)).astype(np.float32)
    np.testing.assert_array_equal(model.forward(x), other.forward(x))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a.pop("parameter/0.bias"), "missing: parameter/0.bias"),
        (lambda a: a.update(extra=np.zeros(2)), "unknown: extra"),
        (lambda a: a.update({"state/1.running_var": np.zeros(9)}), "running_var.*shape"),
        (lambda a: a.update({"parameter/0.bias": np.zeros(4)}), "bias.*float32.*float64"),
        *(
            (
                lambda a, v=v: a["state/1.running_var"].__setitem__(2, v),
                "state/1.running_var' must hold finite",
            )
            for v in (-0.5, np.nan, np.inf)
        ),
    ],
)
def test_arrays_that_do_not_fit_are_named_and_change_nothing(change, words):
    model = make_model(0)
    before = {name: array.copy() for name, array in serialize.model_arrays(model).items()}
    given_arrays = serialize.model_arrays(make_model(5))
    change(given_arrays)
    with pytest.raises(SerializeError, match=words):
        serialize.load_model_arrays(model, given_arrays)
    for name, array in serialize.model_arrays(model).items():
        np.testing.assert_array_equal(array, before[name])


def test_weights_of_another_architecture_are_refused_with_the_file_named(tmp_path):
    save_weights(tmp_path / "wide.npz", make_model(width=6))
    with pytest.raises(SerializeError, match=r"wide\.npz.*shape"):
        load_weights(tmp_path / "wide.npz", make_model(width=4))


def test_arrays_must_agree_in_names_shapes_and_dtypes():
    expected = {"a": np.zeros(3), "b": np.zeros((), np.int64)}
    check_saved_arrays("X", {"a": np.ones(3), "b": np.array(4)}, expected)
    for actual, message in (
        ({"a": np.ones(3)}, "missing: b"),
        ({**expected, "c": np.ones(1)}, "unknown: c"),
        ({**expected, "a": np.ones(4)}, r"'a' must be float64 of shape \(3,\), got float64 of shape \(4,\)"),
        ({**expected, "a": np.ones(3, np.float32)}, "got float32"),
    ):
        with pytest.raises(ValueError, match=message):
            check_saved_arrays("X", actual, expected)
