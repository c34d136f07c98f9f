"""How a report's page looks, on screen and on A4."""

from __future__ import annotations

from typing import Final

CSS: Final = """
@page { size: A4; margin: 12mm 15mm 13mm; }
:root { --ink: #1f2933; --soft: #616e7c; --line: #d5dbe1; --pale: #f5f7f9; }
* { box-sizing: border-box; }
html { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
body { margin: 0 auto; padding: 14mm 15mm; width: 210mm; max-width: 100%; background: #fff; color: var(--ink);
  font: 10.5pt/1.5 "Helvetica Neue", Arial, "Noto Sans", "Liberation Sans", sans-serif; }
body:lang(zh) { font-family: "Noto Sans CJK SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", sans-serif;
  line-height: 1.65; }
header { border-bottom: 2.5pt solid var(--ink); padding-bottom: 9pt; margin-bottom: 14pt; }
header p { margin: 0; color: var(--soft); font-size: 9.5pt; }
h1 { font-size: 20pt; line-height: 1.25; margin: 3pt 0 5pt; overflow-wrap: anywhere; }
h2 { font-size: 13pt; line-height: 1.3; margin: 20pt 0 6pt; break-after: avoid; overflow-wrap: anywhere; }
h3 { font-size: 10.5pt; margin: 10pt 0 2pt; break-after: avoid; overflow-wrap: anywhere; }
p { margin: 0 0 6pt; overflow-wrap: anywhere; }
.question { font-size: 12pt; margin-bottom: 8pt; }
.answer { border-left: 3.5pt solid var(--ink); background: var(--pale); padding: 8pt 12pt 3pt; margin: 0 0 8pt; break-inside: avoid; }
.answer p { font-size: 11pt; margin-bottom: 4pt; }
.answer .lead { font-weight: 700; }
.note, figcaption, .small { color: var(--soft); font-size: 9pt; line-height: 1.45; }
ul.note { margin: 0; padding-left: 13pt; }
figure { margin: 0 0 10pt; break-inside: avoid; }
figure svg { display: block; width: 100%; height: auto; }
figure svg * { stroke-linejoin: round; stroke-linecap: butt; }
table { border-collapse: collapse; width: 100%; font-size: 9pt; line-height: 1.35; margin: 4pt 0 8pt; }
thead { display: table-header-group; }
th, td { padding: 3pt 5pt; text-align: left; vertical-align: top; border-bottom: .5pt solid var(--line); overflow-wrap: anywhere; }
thead th { border-bottom: 1pt solid var(--ink); font-weight: 600; vertical-align: bottom; }
tbody th { font-weight: 400; }
tr { break-inside: avoid; }
tr.group th { background: var(--pale); font-weight: 700; padding-top: 5pt; break-after: avoid; }
tr.group { break-after: avoid; }
td.n, th.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
td.interval { white-space: nowrap; color: var(--soft); text-align: right; font-variant-numeric: tabular-nums; }
.ends { color: var(--soft); font-size: 8pt; }
.measures tbody th { min-width: 38mm; }
td.unit { color: var(--soft); white-space: nowrap; }
.verdict, .code { white-space: nowrap; }
.better { color: #1b5e4b; font-weight: 600; }
.worse { color: #a3341f; font-weight: 600; }
.open { color: var(--soft); }
.swatch { display: inline-block; width: 8pt; height: 8pt; margin-right: 4pt; }
code { font: 8.5pt/1.4 "DejaVu Sans Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
pre { background: var(--pale); padding: 5pt 8pt; margin: 2pt 0 6pt; white-space: pre-wrap; overflow-wrap: anywhere; break-inside: avoid; }
.limits { break-inside: avoid; }
.limits ul { margin: 0; padding-left: 13pt; font-size: 9.5pt; line-height: 1.45; }
.inputs th { white-space: nowrap; }
@media print { body { padding: 0; width: auto; } h2 { margin-top: 11pt; } }
"""
