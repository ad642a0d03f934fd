"""Compilation: announced once, stored on disk, never stale, and possible where nothing can be stored."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from minicnn.kernels.runtime import cache_folder, jit

PROGRAM = """
import numpy as np
from minicnn.kernels import dispatch
for dtype in {dtypes}:
    print(dispatch.relu_forward(np.array([-1, 2], dtype), "numba"))
"""


def environment(tmp_path: Path, **changes: str) -> dict[str, str]:
    others = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA_", "MINICNN_", "XDG_"))}
    return {**others, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), **changes}


def run(env: dict[str, str], dtypes: str = "['float32']") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(dtypes=dtypes)],
        check=True,
        env=env,
        capture_output=True,
        text=True,
    )


def test_the_first_compilation_is_announced_in_one_line_and_loading_from_disk_is_not(tmp_path):
    env = environment(tmp_path)
    first = run(env, "['float32', 'float64']")
    assert first.stderr.startswith("minicnn: compiling kernels for this machine, once")
    assert first.stderr.count("\n") == 1
    again = run(env, "['float32', 'float64']")
    assert again.stderr == ""
    assert again.stdout == first.stdout == "[0. 2.]\n" * 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_the_announcement_cannot_stop_the_work_or_reach_standard_output(tmp_path, redirection):
    program = PROGRAM.format(dtypes="['float32']")
    result = subprocess.run(
        ["sh", "-c", f'exec "$0" -c "$1" {redirection}', sys.executable, program],
        check=True,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert result.stdout == "[0. 2.]\n"


def test_a_damaged_cache_is_compiled_anew(tmp_path):
    env = environment(tmp_path)
    run(env)
    files = [path for path in (tmp_path / "cache").rglob("*.nb?") if path.is_file()]
    assert files
    for path in files:
        path.write_bytes(path.read_bytes()[:50])
    damaged = run(env)
    assert damaged.stdout == "[0. 2.]\n"
    assert "compiling" in damaged.stderr


def test_the_machine_code_lies_under_the_chosen_folder(tmp_path):
    run(environment(tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "chosen")))
    assert list((tmp_path / "chosen").rglob("*.nbc"))
    assert not (tmp_path / "cache").exists()


def test_where_home_cannot_be_written_a_temporary_folder_serves(tmp_path):
    (tmp_path / "cache").write_text("a file where a folder should be")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    result = run(environment(tmp_path, TMPDIR=str(temporary)))
    assert result.stdout == "[0. 2.]\n"
    assert list(temporary.rglob("*.nbc"))


@pytest.mark.skipif(sys.platform != "linux", reason="the XDG variables are those of Linux")
def test_without_a_chosen_folder_the_platform_decides(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder._user_cache() == Path("/xdg/minicnn")


def test_an_empty_home_is_not_the_root_of_the_file_system(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "")
    assert cache_folder._user_cache().is_relative_to(pytest.importorskip("pwd").getpwuid(os.getuid()).pw_dir)


def test_importing_minicnn_does_not_load_platformdirs():
    program = "import sys, minicnn, minicnn.kernels.dispatch; print('platformdirs' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert result.stdout == "False\n"


def test_where_nothing_can_be_written_kernels_still_run(tmp_path, monkeypatch):
    def refuse() -> Path:
        raise PermissionError("read-only")

    monkeypatch.setattr(cache_folder, "_bases", lambda: iter([refuse, refuse]))
    cache_folder.cache_folder.cache_clear()
    try:
        assert cache_folder.cache_folder() is None
        double = jit.jit(lambda x: 2 * x)
        assert double(np.float32(3)) == np.float32(6)
    finally:
        cache_folder.cache_folder.cache_clear()


def test_a_temporary_folder_that_others_can_write_to_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = cache_folder._temporary_cache()
    assert folder.parent == tmp_path
    folder.chmod(0o777)
    with pytest.raises(PermissionError, match="belongs to someone else"):
        cache_folder._temporary_cache()


@pytest.mark.parametrize("file", ["kernels/compiled/pooling.py", "kernels/dispatch.py", "shapes.py"])
def test_an_edit_to_a_kernel_or_to_the_geometries_changes_the_name_of_the_folder(tmp_path, monkeypatch, file):
    cache_folder.source_hash.cache_clear()
    before = cache_folder.source_hash()
    package = tmp_path / "minicnn"
    shutil.copytree(Path(cache_folder.__file__).parents[2], package)
    monkeypatch.setattr(cache_folder, "__file__", str(package / "kernels" / "runtime" / "cache_folder.py"))
    cache_folder.source_hash.cache_clear()
    try:
        assert cache_folder.source_hash() == before
        with open(package / file, "a") as source:
            source.write("\n")
        cache_folder.source_hash.cache_clear()
        assert cache_folder.source_hash() != before
    finally:
        cache_folder.source_hash.cache_clear()


def test_numba_settings_of_others_are_left_alone():
    numba = pytest.importorskip("numba")
    before = numba.config.CACHE_DIR
    jit.jit(lambda x: x)
    assert before == numba.config.CACHE_DIR


def test_plain_makes_strided_arrays_contiguous_and_copies_no_others():
    x = np.arange(6.0).reshape(2, 3)
    assert jit.plain(x) is x
    assert jit.plain(x.T).flags.c_contiguous
    np.testing.assert_array_equal(jit.plain(x.T), x.T)


def test_plain_unmarks_a_read_only_array_without_a_copy():
    x = np.arange(6.0).reshape(2, 3)
    x.flags.writeable = False
    unlocked = jit.plain(x)
    assert unlocked.flags.writeable
    assert np.shares_memory(unlocked, x)
    assert not x.flags.writeable


def test_with_jit_disabled_functions_stay_python(tmp_path):
    env = environment(tmp_path, NUMBA_DISABLE_JIT="1")
    result = run(env)
    assert result.stdout == "[0. 2.]\n"
    assert result.stderr == ""
