"""``python -m benchmarks.results_table ROWS.json ... [--write]``: rows as a section of README.md.

If several files have a row of one name, the last counts. With ``--write`` the section replaces the one
between the two marks in README.md, otherwise it is printed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks.__main__ import targets
from benchmarks.harness import Row

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- results: begin -->\n", "<!-- results: end -->\n"
HEAD = ("", "ours", "unit", "ratio", "rounds", "peers", "MB", "error")


def markdown(rows: Sequence[Row]) -> str:
    """A line for each row: ours, the ratio to the better eager layout, and peers with their ratios."""
    lines = [HEAD, ("---",) * len(HEAD), *(_cells(row) for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cells(row: Row) -> tuple[str, ...]:
    ratio, spread = row["ratio_best_eager"], row["ratio_spread"] or ()
    peers = ", ".join(f"{peer} {value:g} ({row['ratios'][peer]:.2f})" for peer, value in row["peers"].items())
    memory = ", ".join(f"{side} {mb:.0f}" for side, mb in (row["peak_rss_mb"] or {}).items())
    error = ", ".join(f"{side} {e:.0e}" for side, e in row.get("relative_error", {}).items())
    return (
        f"`{row['name']}`",
        f"{row['ours']:g}",
        row["unit"],
        "" if ratio is None else f"**{ratio:.2f}**",
        " to ".join(f"{value:.2f}" for value in spread),
        peers,
        memory,
        error,
    )


def section(rows: Sequence[Row]) -> str:
    """The machines, the means over the frozen networks, and the table."""
    machines = sorted({row["machine"] for row in rows if "machine" in row})
    means = [f"* {line}" for line in targets(rows)]
    parts = ("\n".join(machines), "\n".join(means), markdown(rows))
    return "\n\n".join(part for part in parts if part) + "\n"


def write(text: str, readme: Path = README) -> None:
    """Put the section between the marks. ValueError if ``readme`` does not have both of them."""
    before, begin, rest = readme.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{readme}: expected the lines {BEGIN.strip()} and {END.strip()} around the results")
    readme.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the section, or write it into README.md."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.results_table", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="ROWS.json")
    parser.add_argument("--write", action="store_true", help="into benchmarks/README.md")
    options = parser.parse_args(arguments)
    rows = {row["name"]: row for file in options.files for row in json.loads(file.read_text())}
    text = section(list(rows.values()))
    if options.write:
        write(text)
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
