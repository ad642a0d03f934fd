"""Run every notebook of this folder from top to bottom and compare what it prints with what is committed.

    python tutorials/execute.py            check: exits 1 where a cell fails or prints something else
    python tutorials/execute.py --write    run them and store the new outputs

Pictures are drawn again but not compared: they differ by a few bytes between versions of matplotlib.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

FOLDER = Path(__file__).resolve().parent


def printed(cell: nbformat.NotebookNode) -> str:
    """The text that a cell printed or returned, without pictures."""
    texts = []
    for output in cell.get("outputs", []):
        if output.output_type == "stream" and output.name == "stdout":
            texts.append(output.text)
        elif output.output_type == "execute_result":
            texts.append(output.data.get("text/plain", ""))
    return "".join(texts)


def executed(path: Path) -> nbformat.NotebookNode:
    """The notebook with the outputs of a new run. Raises CellExecutionError where a cell fails."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": FOLDER}}
    )
    client.execute()
    for cell in notebook.cells:  # entries that differ from run to run are not committed
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if not (o.output_type == "stream" and o.name == "stderr")]
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def main(arguments: list[str]) -> int:
    """Run all notebooks; the exit code is 0 where all agree with what is committed, 1 or 2 otherwise."""
    if arguments not in ([], ["--write"]):
        print(__doc__, file=sys.stderr)
        return 2
    failed = 0
    for path in sorted(FOLDER.glob("*.ipynb")):
        try:
            new = executed(path)
        except CellExecutionError as error:
            print(f"{path.name}: a cell failed\n{error}")
            failed += 1
            continue
        if arguments == ["--write"]:
            nbformat.write(new, path)
            print(f"{path.name}: executed, outputs written")
            continue
        old = nbformat.read(path, as_version=4)
        changed = [
            i for i, (a, b) in enumerate(zip(old.cells, new.cells, strict=True)) if printed(a) != printed(b)
        ]
        for i in changed:
            before, now = printed(old.cells[i]), printed(new.cells[i])
            print(f"{path.name}, cell {i}: committed output\n{before}now prints\n{now}")
        print(f"{path.name}: {'outputs differ' if changed else 'executed, outputs as committed'}")
        failed += bool(changed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
