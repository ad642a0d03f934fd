"""Settings for the whole suite.

Oracle tests compare with PyTorch and onnx and skip where those are not installed. With REQUIRE_ORACLES=1
in the environment such a skip fails the run, so that it cannot happen unnoticed.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

settings.register_profile("suite", deadline=None, print_blob=True)
settings.load_profile("suite")

_skipped_oracles: list[str] = []


def _note_skipped_oracle(report: pytest.TestReport | pytest.CollectReport) -> None:
    reason = str(report.longrepr) if report.skipped else ""
    if "torch" in reason or "onnx" in reason:
        _skipped_oracles.append(f"{report.nodeid}: {reason}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _note_skipped_oracle(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    _note_skipped_oracle(report)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _skipped_oracles and os.environ.get("REQUIRE_ORACLES"):
        print("\noracle tests were skipped although REQUIRE_ORACLES is set:", *_skipped_oracles, sep="\n  ")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
