"""The command ``python -m minicnn.gradcheck``: a table of gradients, their errors and verdicts."""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence

from minicnn.gradcheck.catalogue import Case, cases
from minicnn.gradcheck.checks import Result
from minicnn.gradcheck.float32 import Float32Case, float32_cases
from minicnn.kernels import dispatch

HEADINGS = ("layer", "setting", "backend", "dtype", "algorithm", "gradient", "error", "verdict")
WIDTHS = (28, 27, 7, 7, 9, 18, 7, 7)
EPILOG = """\
The error of a gradient is max|a - n| / max(max|a|, max|n|, 1e-3), with a from the backward pass. Where dtype
is float64, n comes from central differences, and the error must be at most 1e-6. Where it is float32, as in
training, n is the gradient of a float64 layer of NumPy kernels, whose own rows are above, and the error must
be at most 1e-4 (float32 has 7 digits, and sums cost one or two); "y" is the output itself. A second step
without zero_grad must double every parameter's gradient. The exit code is 0 if all is so, 1 if not.

example: python -m minicnn.gradcheck --layer Conv2D --backend numpy
"""


AnyCase = Case | Float32Case


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        dispatch.current_backend()
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    chosen: list[AnyCase] = [*cases(), *float32_cases()]
    names = list(dict.fromkeys(case.subject for case in chosen))
    if options.layer is not None:
        chosen = [case for case in chosen if case.subject.lower() == options.layer.lower()]
        if not chosen:
            print(f"error: --layer {options.layer!r} is none of {', '.join(names)}", file=sys.stderr)
            return 2
    backends = [options.backend] if options.backend else list(dispatch.BACKENDS)
    if not any(_backends(case, backends) for case in chosen):
        print(f"error: {chosen[0].subject} has no {options.backend} kernels", file=sys.stderr)
        return 2
    try:
        return _table(chosen, backends, options.plant_bug)
    except BrokenPipeError:  # the reader has closed the pipe, as head does; the rest goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m minicnn.gradcheck",
        description="Check every hand-written gradient against central differences.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--layer", metavar="NAME", help="check only this layer, container or loss")
    parser.add_argument("--backend", choices=dispatch.BACKENDS, help="check only this kind of kernel")
    parser.add_argument(
        "--plant-bug",
        action="store_true",
        help="check the checker: disturb one gradient at a time; each must read FAIL and the exit code is 1, "
        "or 0 if one escapes",
    )
    return parser


def _table(chosen: list[AnyCase], backends: list[str], plant_bug: bool) -> int:
    _print_row(HEADINGS)
    began = time.monotonic()
    results = []
    for case in chosen:
        for backend in _backends(case, backends):
            for result in _check(case, backend, plant_bug):
                results.append((case, result))
                algorithm = case.algorithm(backend, result.tensor)
                row = (case.subject, case.setting, backend or "-", case.dtype, algorithm, result.tensor)
                _print_row((*row, f"{result.error:.1e}", result.verdict))
    seconds = time.monotonic() - began
    failed = [result for _, result in results if not result.passed]
    if plant_bug:
        escaped = len(results) - len(failed)
        print(f"\n{len(results)} bugs planted, {len(failed)} caught, {escaped} escaped, in {seconds:.1f} s")
        if escaped:
            print("error of the checker: a planted bug that reads ok was not noticed")
        return 0 if escaped else 1
    # The one nearest to its tolerance or furthest beyond it; nan is the largest of all.
    case, worst = max(results, key=lambda pair: (math.isnan(pair[1].error), _share(pair[1])))
    print(
        f"\n{len(results)} gradients checked, {len(failed)} failed, in {seconds:.1f} s; the largest error "
        f"for its dtype is {worst.error:.1e}, of {case.subject} ({case.setting or 'default'}, {case.dtype}), "
        f"{worst.tensor}"
    )
    return 1 if failed else 0


def _share(result: Result) -> float:
    """The error in units of its tolerance."""
    return result.error / result.tolerance


def _backends(case: AnyCase, requested: Sequence[str]) -> list[str | None]:
    """Those of the backends that the case has kernels for; [None] where the layer has no choice."""
    if isinstance(case, Float32Case):
        return ["numba"] if "numba" in requested else []
    return list(requested) if case.choices else [None]


def _check(case: AnyCase, backend: str | None, plant_bug: bool) -> Iterator[Result]:
    if not plant_bug:
        yield from case.run(backend)
        return
    for tensor in case.tensors():
        yield from case.run(backend, bug=tensor)


def _print_row(cells: Sequence[str]) -> None:
    print(
        "  ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)).rstrip(), flush=True
    )


if __name__ == "__main__":
    sys.exit(main())
