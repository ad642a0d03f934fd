"""The split of a poster, train, val or test: a function of its Id alone, so that no table can change it."""

from __future__ import annotations

import hashlib

SPLITS = ("train", "val", "test")


def bucket(poster_id: str) -> int:
    """A number from 0 to 99: the SHA-1 of the Id, read as an integer, modulo 100."""
    return int(hashlib.sha1(poster_id.encode()).hexdigest(), 16) % 100


def split_of(poster_id: str) -> str:
    """ "train" for the buckets 0-69, "val" for 70-84, "test" for 85-99."""
    number = bucket(poster_id)
    return "train" if number < 70 else "val" if number < 85 else "test"
