"""Arrays and metadata in one file: an ``.npz`` archive that NumPy opens, without pickle.

The archive holds each array as ``NAME.npy``, uncompressed, and one ``metadata.json``:

    {"format": "minicnn", "version": 1, "library": "0.1.0", "arrays": ["parameter/0.weight"], "metadata": {}}

``np.load(path)["parameter/0.weight"]`` and ``unzip -p path metadata.json`` both work. Every file is written
beside its destination and renamed into place, so a reader opens the old file or the new one, never a part.
"""

from __future__ import annotations

import io
import json
import math
import os
import secrets
import struct
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from minicnn.layer import Layer
from minicnn.version import __version__

FORMAT = "minicnn"
VERSION = 1
METADATA = "metadata.json"
LEFTOVER = ".minicnn-tmp"
STORABLE = "biufc"  # dtype kinds: boolean, signed, unsigned, float, complex

PathLike = str | os.PathLike[str]


class SerializeError(ValueError):
    """A file that minicnn did not save or that is damaged, or arrays that do not fit; one sentence."""


# Writing files that are whole or absent.


@contextmanager
def atomic_write(path: PathLike) -> Iterator[BinaryIO]:
    """A binary file that appears at ``path`` only when the block ends without an exception.

    The bytes go to a temporary file in the same folder, reach the disk (fsync), and take the name in one step
    (rename); then the folder's entry reaches the disk too. A failure removes the temporary file and leaves an
    older file at ``path`` as it is. Raises OSError, of the subclass that its errno has, with advice.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}{LEFTOVER}")
    created = False
    try:
        with open(temporary, "xb") as file:
            created = True
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        created = False
        _sync_folder(path.parent)
    except BaseException as error:
        if created:
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OSError(
                error.errno,
                f"could not write {path.name} ({error.strerror or error}); check that the folder exists, is "
                "writable and has space left, then try again",
                str(path),
            ) from error
        raise


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # elsewhere a folder cannot be opened, and the rename is already durable
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def leftovers(folder: PathLike) -> list[Path]:
    """Temporary files that a killed process left in ``folder``."""
    return sorted(path for path in Path(folder).iterdir() if path.name.endswith(LEFTOVER))


def clear_leftovers(path: PathLike) -> None:
    """Remove the temporary files that killed writes of ``path`` left beside it."""
    path = Path(path)
    for leftover in leftovers(path.parent):
        if leftover.name.startswith(f".{path.name}."):
            leftover.unlink(missing_ok=True)


# Saving.


def save(path: PathLike, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, Any]) -> None:
    """Write ``arrays`` and ``metadata`` (values that JSON can hold) to one file, atomically.

    Raises SerializeError for an object array, a name that a zip archive would change, or metadata that JSON
    cannot hold, before anything is written; OSError where the disk or the folder refuses.
    """
    for name, array in arrays.items():
        _check_storable(name, array)
    text = to_json(
        {
            "format": FORMAT,
            "version": VERSION,
            "library": __version__,
            "arrays": list(arrays),
            "metadata": dict(metadata),
        }
    )
    with atomic_write(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(METADATA), text)
        for name, array in arrays.items():
            # A bare ZipInfo carries no clock time: equal content gives equal files.
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
                ordered = np.asarray(array, order="C")
                np.lib.format.write_array(entry, ordered, version=(1, 0), allow_pickle=False)


def _check_storable(name: Any, array: Any) -> None:
    if not isinstance(name, str) or not name or not name.isprintable() or "\\" in name:
        raise SerializeError(f"cannot save an array named {name!r}: use a printable text without backslashes")
    if not isinstance(array, np.ndarray):
        raise SerializeError(f"cannot save {name!r}: expected a NumPy array, got {type(array).__name__}")
    if array.dtype.kind not in STORABLE:
        raise SerializeError(
            f"cannot save {name!r}: arrays of dtype {array.dtype} would need pickle or text; "
            "use a numeric dtype, and metadata for the rest"
        )


def to_json(value: Any) -> str:
    """``value`` as JSON text; NumPy scalars become numbers, NaN and Infinity are written as Python does."""
    try:
        return json.dumps(value, default=_plain_number)
    except (TypeError, ValueError) as error:
        raise SerializeError(
            f"metadata and configurations must be dicts, lists, texts and numbers ({error})"
        ) from None


def _plain_number(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not JSON")


# Loading.


def load(path: PathLike) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """(arrays, metadata) as ``save`` wrote them; the arrays are new and writable.

    Every size is checked against the file's own before memory is taken, and every array against its checksum.
    Raises FileNotFoundError, or SerializeError where minicnn did not save the file, it is of another version,
    or it is damaged.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    if path.is_dir():
        raise SerializeError(f"{path} is a folder; expected a file that minicnn saved")
    with open(path, "rb") as file:
        _check_beginning(path, file.read(8))
        try:
            with zipfile.ZipFile(file) as archive:
                return _read_archive(path, archive, path.stat().st_size)
        except SerializeError:
            raise
        # What zipfile, struct and NumPy's header parser raise for damaged bytes.
        except (
            zipfile.BadZipFile,
            struct.error,
            EOFError,
            ValueError,
            TypeError,
            KeyError,
            SyntaxError,
            ArithmeticError,
            RecursionError,
            MemoryError,
            NotImplementedError,
            RuntimeError,
            OSError,
        ) as error:
            raise SerializeError(
                f"{path} is truncated or damaged ({error or type(error).__name__}); "
                "copy or download it again, or go back to an earlier file"
            ) from error


def _check_beginning(path: Path, head: bytes) -> None:
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return
    if not head:
        raise SerializeError(f"{path} is empty; expected a file that minicnn saved")
    if head[:1] == b"\x80" and head[1:2] <= b"\x05":
        raise SerializeError(
            f"{path} is a Python pickle, which can run any code when opened and which minicnn never opens; "
            "expected a file that minicnn saved"
        )
    raise SerializeError(f"{path} is not a file that minicnn saved: it does not begin like an .npz archive")


def _read_archive(path: Path, archive: zipfile.ZipFile, size: int) -> tuple[dict[str, np.ndarray], dict]:
    entries = {info.filename: info for info in archive.infolist()}
    if METADATA not in entries:
        raise SerializeError(f"{path} is an archive but not one that minicnn saved: it has no {METADATA}")
    if len(entries) != len(archive.infolist()):
        raise SerializeError(f"{path} is damaged or forged: it holds one name twice")
    for name, info in entries.items():
        # Stored entries cannot be larger than the file, so that no small file can fill the memory.
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            raise SerializeError(
                f"{path} was not saved by minicnn: its entry {name!r} is packed or encrypted"
            )
    if sum(info.file_size for info in entries.values()) > size:
        raise SerializeError(f"{path} is damaged or forged: its entries claim more bytes than the file has")

    header = json.loads(archive.read(METADATA))
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise SerializeError(f"{path} is an archive but not one that minicnn saved: its format is not named")
    if header.get("version") != VERSION:
        raise SerializeError(
            f"{path} has version {header.get('version')!r} of the file format and this minicnn reads version "
            f"{VERSION}; open it with minicnn {header.get('library', 'of that version')}"
        )
    names, metadata = header["arrays"], header["metadata"]
    if not isinstance(metadata, dict) or set(entries) != {METADATA, *(f"{name}.npy" for name in names)}:
        raise SerializeError(f"{path} is damaged or forged: its arrays are not those that its metadata lists")
    return {name: _parse_npy(archive.read(f"{name}.npy")) for name in names}, metadata


def _parse_npy(raw: bytes) -> np.ndarray:
    stream = io.BytesIO(raw)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("an array has an unknown header")
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.kind not in STORABLE or fortran_order:
        raise ValueError(f"an array has dtype {dtype}, which minicnn does not store")
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(raw) - stream.tell():
        raise ValueError(f"an array claims shape {shape} but its bytes do not add up to it")
    return np.frombuffer(raw, dtype, offset=stream.tell()).reshape(shape).copy()


# Models.


def model_arrays(model: Layer) -> dict[str, np.ndarray]:
    """The model's live arrays as "parameter/NAME" and "state/NAME" (running statistics)."""
    arrays = {f"parameter/{name}": parameter.data for name, parameter in model.parameters().items()}
    return arrays | {f"state/{name}": array for name, array in model.state().items()}


def check_saved_arrays(name: str, actual: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    """Raise ValueError unless ``actual`` has exactly the names, shapes and dtypes of ``expected``."""
    missing, unknown = sorted(expected.keys() - actual.keys()), sorted(actual.keys() - expected.keys())
    if missing or unknown:
        raise ValueError(
            f"{name}: the saved arrays do not belong to this model and these settings; "
            f"missing: {', '.join(missing[:5]) or 'none'}; unknown: {', '.join(unknown[:5]) or 'none'}"
        )
    for key, array in expected.items():
        saved = np.asarray(actual[key])
        if saved.shape != array.shape or saved.dtype != array.dtype:
            raise ValueError(
                f"{name}: {key!r} must be {array.dtype} of shape {array.shape}, "
                f"got {saved.dtype} of shape {saved.shape}"
            )


def load_model_arrays(model: Layer, arrays: Mapping[str, np.ndarray]) -> None:
    """Copy ``arrays`` into the model, all or nothing.

    Raises SerializeError unless names, shapes and dtypes are the model's, and for a running variance that is
    negative, NaN or infinite.
    """
    own = model_arrays(model)
    try:
        check_saved_arrays(type(model).__name__, dict(arrays), own)
    except ValueError as error:
        raise SerializeError(str(error)) from None
    for name, array in arrays.items():
        if name.endswith("running_var") and not ((array >= 0) & np.isfinite(array)).all():
            raise SerializeError(f"{name!r} must hold finite variances of at least 0, got {array.min():g}")
    for name, array in own.items():
        array[...] = arrays[name]


def save_weights(path: PathLike, model: Layer, metadata: Mapping[str, Any] | None = None) -> None:
    """The model's weights and running statistics in one file."""
    save(path, model_arrays(model), metadata or {})


def load_weights(path: PathLike, model: Layer) -> dict[str, Any]:
    """Fill ``model`` with what ``save_weights`` wrote; returns the metadata. Raises what ``load`` does."""
    arrays, metadata = load(path)
    try:
        load_model_arrays(model, arrays)
    except SerializeError as error:
        raise SerializeError(f"{path}: {error}") from None
    return metadata
