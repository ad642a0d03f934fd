"""``python -m benchmarks.table ROWS.json ...``: rows as a table in Markdown, as README.md shows them.

Of a row that several files have, the last counts.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import Row

HEAD = ("", "ours", "unit", "ratio", "rounds", "peers", "MB")


def markdown(rows: Sequence[Row]) -> str:
    """One line a row: ours, the ratio to the better eager layout with its spread, peers with their ratios."""
    lines = [HEAD, ("---",) * len(HEAD), *(_cells(row) for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cells(row: Row) -> tuple[str, ...]:
    ratio, spread = row["ratio_best_eager"], row["ratio_spread"] or ()
    peers = ", ".join(f"{peer} {value:g} ({row['ratios'][peer]:.2f})" for peer, value in row["peers"].items())
    memory = ", ".join(f"{side} {mb:.0f}" for side, mb in (row["peak_rss_mb"] or {}).items())
    return (
        f"`{row['name']}`",
        f"{row['ours']:g}",
        row["unit"],
        "" if ratio is None else f"**{ratio:.2f}**",
        " to ".join(f"{value:.2f}" for value in spread),
        peers,
        memory,
    )


def main(files: Sequence[str]) -> None:
    rows = {row["name"]: row for file in files for row in json.loads(Path(file).read_text())}
    print(markdown(list(rows.values())))


if __name__ == "__main__":
    main(sys.argv[1:])
