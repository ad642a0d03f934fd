"""What a refused request must look like."""

from __future__ import annotations

from typing import Any


def problem(answer: Any, status: int) -> str:
    """The detail of a problem, which must be a well-formed one."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    assert document["type"] == "about:blank"
    assert document["title"]
    return str(document["detail"])
