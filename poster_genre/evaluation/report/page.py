"""The page around the report: its style, light and dark, and its frame."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

STYLE = """
:root { color-scheme: light dark; --ground: #f7f6f3; --panel: #ffffff; --ink: #1f2328; --soft: #6b7280;
  --rule: #e4e2dc; --c0: #3257c8; --c1: #d1622b; --c2: #2b8a6e; --c3: #8a4fbf; --good: #1f7a4d;
  --bad: #b3402e; }
@media (prefers-color-scheme: dark) { :root { --ground: #14161a; --panel: #1c1f25; --ink: #e7e8ea;
  --soft: #9aa2ad; --rule: #2d323b; --c0: #86a5ff; --c1: #f2935c; --c2: #63c7a5; --c3: #c79bf0;
  --good: #6fd3a0; --bad: #ff8f7a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1060px; margin: 0 auto; padding: 40px 24px 64px; }
h1 { font-size: 32px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -0.02em; }
h2 { font-size: 19px; margin: 0 0 14px; }
h3 { font-size: 15px; margin: 18px 0 8px; }
code { font: 13px ui-monospace, SFMono-Regular, Menlo, monospace; overflow-wrap: anywhere; }
section { background: var(--panel); border: 1px solid var(--rule); border-radius: 12px;
  padding: 22px 24px; margin-top: 20px; }
.muted { color: var(--soft); }
p.muted { margin: 10px 0 0; font-size: 13.5px; }
.about span + span::before { content: "\\00a0\\00b7\\00a0"; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px;
  margin-bottom: 18px; }
.tile { border: 1px solid var(--rule); border-radius: 10px; padding: 12px 16px; display: grid; }
.tile b { font-size: 28px; line-height: 1.25; font-variant-numeric: tabular-nums; }
.tile .what, .tile .muted { font-size: 13px; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 14px; }
th { text-align: left; font-weight: 500; }
td { text-align: right; }
th, td { padding: 4px 12px 4px 0; border-bottom: 1px solid var(--rule); white-space: nowrap; }
td + td { padding-left: 12px; }
thead th, thead td { color: var(--soft); font-size: 13px; }
td.has-bar { width: 240px; min-width: 160px; text-align: left; }
.bar { position: relative; height: 12px; }
.bar i { position: absolute; inset: 0 auto 0 0; background: var(--c0); border-radius: 3px; }
.bar u { position: absolute; top: -3px; bottom: -3px; width: 2px; background: var(--c1); }
figure { margin: 0; }
figcaption { font-size: 13px; text-align: center; }
.side { display: flex; flex-wrap: wrap; gap: 24px; align-items: center; }
.side p { max-width: 420px; }
.multiples { display: grid; grid-template-columns: repeat(auto-fill, minmax(140px, 1fr)); gap: 14px; }
.multiples svg { width: 100%; }
svg { max-width: 100%; height: auto; display: block; }
svg .grid { stroke: var(--rule); }
svg .frame { fill: none; stroke: var(--rule); }
svg .dashed { stroke: var(--soft); stroke-dasharray: 4 4; }
svg .tick { fill: var(--soft); font-size: 11px; }
svg .end { text-anchor: end; }
svg .middle { text-anchor: middle; }
svg .cell { fill: var(--c0); }
svg .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
svg .dot { fill-opacity: 0.85; }
.line.c0 { stroke: var(--c0); }
.line.c1 { stroke: var(--c1); }
.line.c2 { stroke: var(--c2); }
.line.c3 { stroke: var(--c3); }
.dot.c0 { fill: var(--c0); }
.dot.c1 { fill: var(--c1); }
.dot.c2 { fill: var(--c2); }
.dot.c3 { fill: var(--c3); }
.swatch { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 6px; }
.swatch.c0 { background: var(--c0); }
.swatch.c1 { background: var(--c1); }
.swatch.c2 { background: var(--c2); }
.swatch.c3 { background: var(--c3); }
.legend { font-size: 13px; padding-left: 48px; }
.key { margin-right: 16px; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 16px; }
.card { font-size: 13px; }
.card img { width: 100%; aspect-ratio: 2 / 3; object-fit: fill; border-radius: 6px; display: block; }
.card ul { list-style: none; margin: 6px 0 0; padding: 0; }
.card p { margin: 2px 0 0; }
.card li { display: flex; justify-content: space-between; }
.card li span { font-variant-numeric: tabular-nums; }
.right { color: var(--good); font-weight: 600; }
.right::before { content: "\\2713\\00a0"; }
.wrong::before { content: "\\00b7\\00a0"; }
.card li::before { flex: none; width: 14px; }
.card li span { margin-left: auto; }
.filters { display: flex; flex-wrap: wrap; gap: 6px; }
.filter { width: 42px; height: 42px; image-rendering: pixelated; border-radius: 3px; }
@media print { body { background: none; } section { break-inside: avoid; } }
"""


def section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def page(title: str, about: Sequence[str], command: str, sections: Sequence[str]) -> str:
    """A whole HTML document."""
    facts = "".join(f"<span>{escape(fact)}</span>" for fact in about)
    ran = f"<code>{escape(command)}</code>" if command else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>"
        f'<h1>{escape(title)}</h1><div class="about muted">{facts}</div>{ran}'
        f"{''.join(sections)}</main></body></html>\n"
    )
