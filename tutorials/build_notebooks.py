"""Make the notebooks of the course from their sources, run them, and compare them with what is committed.

    python tutorials/build_notebooks.py                    check: exits 1 where a notebook differs
    python tutorials/build_notebooks.py --write            make and run them, store them with their outputs
    python tutorials/build_notebooks.py --write 05 06      only the chapters 5 and 6

A source, chapters/NN_name.md, becomes NN_name.ipynb for students and solutions/NN_name.ipynb. In the first,
what stands between ``### BEGIN SOLUTION`` and ``### END SOLUTION`` is replaced by a stub. The check makes
and runs every notebook again: its cells must be those of the source, what it prints must be what is stored,
and it must be done within the time limit. Numbers may differ by one in the last printed digit; in cells with
the tag "trained", whose numbers come from float32 training, by a tenth; cells with the tag "measured" (times)
are not compared. Cells for the real posters print that they are not there, whether they are or not. Cells
with the tag "live" (sliders) are run, but their outputs are not stored. Pictures must be there, but are not
compared: they differ by a few bytes between versions of matplotlib.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

FOLDER = Path(__file__).resolve().parent
CHAPTERS, SOLUTIONS = FOLDER / "chapters", FOLDER / "solutions"
LIMIT = 120
"""Seconds of processor time that a notebook may take, so that it takes no longer on two idle cores."""
PATIENCE = 900
"""Seconds after which a cell is given up."""

SOLUTION = re.compile(r"^( *)### BEGIN SOLUTION\n(.*?)^ *### END SOLUTION\n?", re.DOTALL | re.MULTILINE)
STUB = r"\1# Your code here.\n\1raise NotImplementedError\n"
OUTPUTS = ("stream", "display_data", "execute_result", "error")
ANSI = re.compile(r"\x1b\[[0-9;]*m")
NUMBER = re.compile(r"[-+]?\d[\d,]*\.?\d*(?:e[-+]?\d+)?")
SEARCH_PATH = """# The checks of the exercises are one folder up.
import sys

sys.path.insert(0, "..")"""


class CellError(Exception):
    """A cell failed, or did not end in time; the text has the cell and what it raised."""


def targets(source: Path) -> tuple[Path, Path]:
    """The notebook for students and the one with solutions that a source becomes."""
    return FOLDER / f"{source.stem}.ipynb", SOLUTIONS / f"{source.stem}.ipynb"


def made(source: Path, *, solutions: bool) -> nbformat.NotebookNode:
    """The notebook of a source, not yet run."""
    notebook = jupytext.reads(source.read_text(encoding="utf-8"), fmt="md:myst")
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = SOLUTION.sub(r"\2" if solutions else STUB, cell.source + "\n").rstrip()
    if solutions:
        title, newline, rest = notebook.cells[0].source.partition("\n")
        notebook.cells[0].source = f"{title} (with solutions){newline}{rest}"
        notebook.cells.insert(1, nbformat.v4.new_code_cell(SEARCH_PATH))
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


def run(notebook: nbformat.NotebookNode, folder: Path) -> float:
    """Run a notebook, fill in its outputs and return the seconds of processor time that its kernel took.

    Raises CellError where a cell fails or does not end in time.
    """
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(folder))
    try:
        for cell in notebook.cells:
            if cell.cell_type == "code":
                execute(client, cell)
        asked = client.execute_interactive("", user_expressions={"used": "__import__('time').process_time()"})
        seconds = float(asked["content"]["user_expressions"]["used"]["data"]["text/plain"])
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            live = "live" in tags(cell)
            cell.outputs = [] if live else [kept(o) for o in cell.outputs if o.get("name") != "stderr"]
    return seconds


def execute(client: BlockingKernelClient, cell: nbformat.NotebookNode) -> None:
    """Run a cell and store its outputs; texts that it prints one after the other become one output."""
    outputs: list[nbformat.NotebookNode] = []

    def receive(message: dict[str, Any]) -> None:
        if message["header"]["msg_type"] not in OUTPUTS:
            return
        output = nbformat.v4.output_from_msg(message)
        if outputs and output.output_type == "stream" and outputs[-1].get("name") == output.name:
            outputs[-1].text += output.text
        else:
            outputs.append(output)

    try:
        reply = client.execute_interactive(
            cell.source, timeout=PATIENCE, allow_stdin=False, output_hook=receive
        )["content"]
    except TimeoutError:
        raise CellError(f"it did not end within {PATIENCE} seconds:\n{cell.source}") from None
    cell.outputs, cell.execution_count = outputs, reply["execution_count"]
    if reply["status"] != "ok":
        trace = "\n".join(reply.get("traceback", ["the kernel stopped"]))
        raise CellError(f"{cell.source}\n{ANSI.sub('', trace)}")


def kept(output: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """An output without the memory addresses that differ between runs."""
    for holder, key in ((output, "text"), (output.get("data", {}), "text/plain")):
        if key in holder:
            holder[key] = re.sub(r" at 0x[0-9a-f]+", "", holder[key])
    return output


def tags(cell: nbformat.NotebookNode) -> list[str]:
    """The tags of a cell."""
    return list(cell.metadata.get("tags", []))


def printed(cell: nbformat.NotebookNode) -> str:
    """The text that a cell printed or returned, and "[picture]" for each picture."""
    texts = []
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            texts.append(output.text)
        elif "image/png" in output.get("data", {}):
            texts.append("[picture]\n")
        else:
            texts.append(output.get("data", {}).get("text/plain", "") + "\n")
    return "".join(texts)


def same_text(before: str, now: str, tolerance: float = 0.0) -> bool:
    """Whether two texts are equal but for spaces and for the tolerances of their numbers."""
    words = [NUMBER.sub("#", text).split() for text in (before, now)]
    numbers = [NUMBER.findall(text) for text in (before, now)]
    return words[0] == words[1] and all(same_number(a, b, tolerance) for a, b in zip(*numbers, strict=True))


def same_number(before: str, now: str, tolerance: float) -> bool:
    """Whether two printed numbers differ by one in the last digit of ``before``, or relatively by less."""
    if before == now:
        return True
    mantissa, _, exponent = before.replace(",", "").partition("e")
    if not tolerance and "." not in mantissa and not exponent:
        return False  # a whole number is a count
    unit = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    a, b = float(before.replace(",", "")), float(now.replace(",", ""))
    return abs(a - b) <= max(1.01 * unit, tolerance * abs(a))


def differences(stored: nbformat.NotebookNode, new: nbformat.NotebookNode) -> list[str]:
    """What in a stored notebook is not as in a new one."""
    if [cell.source for cell in stored.cells] != [cell.source for cell in new.cells]:
        return ["its cells are not those of its source; run build_notebooks.py --write"]
    found = []
    for number, (old, now) in enumerate(zip(stored.cells, new.cells, strict=True)):
        if old.metadata.get("tags", []) != now.metadata.get("tags", []):
            found.append(f"cell {number} has other tags")
        if old.cell_type == "code" and "measured" not in tags(now):
            before, after = printed(old), printed(now)
            if not same_text(before, after, 0.1 if "trained" in tags(now) else 0.0):
                found.append(f"cell {number} is stored with\n{before}\nand now prints\n{after}")
    return found


def build(source: Path, *, solutions: bool, write: bool) -> tuple[bool, str]:
    """Make and run one notebook, then store it or compare it: whether all is well, and a line on it."""
    path = targets(source)[solutions]
    path.parent.mkdir(exist_ok=True)
    name = path.relative_to(FOLDER)
    notebook = made(source, solutions=solutions)
    try:
        seconds = run(notebook, path.parent)
    except CellError as error:
        return False, f"{name}: a cell failed\n{error}"
    if seconds > LIMIT:
        return False, f"{name}: took {seconds:.0f} seconds, more than {LIMIT}"
    if write:
        nbformat.write(notebook, path)
        return True, f"{name}: written, {seconds:.0f} s"
    if not path.exists():
        return False, f"{name}: is missing; run build_notebooks.py --write"
    found = differences(nbformat.read(path, as_version=4), notebook)
    return not found, f"{name}: " + ("\n".join(found) or f"as committed, {seconds:.0f} s")


def main(arguments: list[str]) -> int:
    """Build the chapters that are named, or all; 0 where all is well, else 1."""
    parser = argparse.ArgumentParser(description="Make, run and check the notebooks of the course.")
    parser.add_argument(
        "chapters", nargs="*", metavar="NN", help="numbers of chapters, such as 05; default: all"
    )
    parser.add_argument("--write", action="store_true", help="store the notebooks with their outputs")
    parser.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="notebooks to run at once (default: 1)"
    )
    chosen = parser.parse_args(arguments)
    sources = [
        p for p in sorted(CHAPTERS.glob("*.md")) if not chosen.chapters or p.stem[:2] in chosen.chapters
    ]
    if not sources:
        parser.error(f"no chapter has a number among {', '.join(chosen.chapters)}")
    os.environ.pop("POSTER_GENRE_DATA", None)  # what is stored must not depend on who has the real posters
    os.environ.update(
        MPLBACKEND="module://matplotlib_inline.backend_inline", PYDEVD_DISABLE_FILE_VALIDATION="1"
    )
    jobs = [(source, solutions) for source in sources for solutions in (False, True)]
    well = True
    with ThreadPoolExecutor(chosen.jobs) as pool:
        built = pool.map(lambda job: build(job[0], solutions=job[1], write=chosen.write), jobs)
        for good, line in built:
            print(line, flush=True)
            well &= good
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
