"""The id that git gives to a folder, recomputed from its content: one number that verifies a whole data set.

The id of a file (a blob) is the SHA-1 of "blob <length>\\0<bytes>". The id of a folder (a tree) is the SHA-1
of "tree <length>\\0" and its entries "<mode> <name>\\0<20 bytes of id>", sorted by name, a folder's name
followed by "/" ("Pro Git", chapter "Git Internals - Git Objects").
"""

from __future__ import annotations

import hashlib
import stat
import zipfile
import zlib
from pathlib import Path
from typing import Any

from poster_genre.errors import PosterGenreError, printable
from poster_genre.progress import progress_bar

Tree = dict[str, Any]
"""Name -> (mode, id) of a file, or the tree of a folder."""

_GIT_FILE, _GIT_EXECUTABLE, _GIT_LINK, _GIT_FOLDER = b"100644", b"100755", b"120000", b"40000"


def git_tree_id(archive: Path, folder: str, progress: bool = True) -> str:
    """The git tree id of a folder in a zip, in hexadecimal. PosterGenreError where the zip cannot be read."""
    prefix = "" if folder in ("", ".") else folder.rstrip("/") + "/"
    tree: Tree = {}
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [m for m in opened.infolist() if m.filename.startswith(prefix) and not m.is_dir()]
            with progress_bar("Verifying", len(members), " files", progress) as bar:
                for member in members:
                    *folders, name = member.filename[len(prefix) :].split("/")
                    parent = tree
                    for subfolder in folders:
                        parent = parent.setdefault(subfolder, {})
                    parent[name] = (_git_mode(member), _git_id(b"blob", opened.read(member)))
                    bar.update()
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise PosterGenreError(
            f"{printable(str(archive))} is not a complete zip archive ({error}); download it again"
        ) from error
    return _tree_id(tree).hex()


def _tree_id(tree: Tree) -> bytes:
    entries = []
    for name, content in tree.items():
        raw = name.encode()
        if isinstance(content, dict):
            entries.append((raw + b"/", _GIT_FOLDER + b" " + raw + b"\0" + _tree_id(content)))
        else:
            mode, blob = content
            entries.append((raw, mode + b" " + raw + b"\0" + blob))
    return _git_id(b"tree", b"".join(entry for _, entry in sorted(entries)))


def _git_id(kind: bytes, content: bytes) -> bytes:
    return hashlib.sha1(b"%s %d\0" % (kind, len(content)) + content).digest()


def _git_mode(member: zipfile.ZipInfo) -> bytes:
    mode = member.external_attr >> 16
    if stat.S_ISLNK(mode):
        return _GIT_LINK
    return _GIT_EXECUTABLE if mode & 0o111 else _GIT_FILE
