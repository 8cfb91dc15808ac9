"""How the leaderboard's page looks."""

from __future__ import annotations

from typing import Final

from ray_pipeline.reports.leaderboard.against import COLOURS

STYLE: Final = f"""
:root {{ color-scheme: light dark; --better: {COLOURS["better"]}; --worse: {COLOURS["worse"]}; --line: #8886; --soft: #8881; --link: #0b5cad; }}
@media (prefers-color-scheme: dark) {{ :root {{ --link: #7db8f5; }} }}
* {{ box-sizing: border-box; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 0 auto; padding: 1rem; }}
a {{ color: var(--link); }}
:focus-visible {{ outline: 3px solid var(--link); outline-offset: 2px; }}
nav ul {{ display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; list-style: none; padding: 0; }}
h2 {{ margin-top: 2.5rem; border-bottom: 1px solid var(--line); }}
.wide {{ overflow-x: auto; margin: 1rem 0; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
caption {{ text-align: left; font-weight: 600; padding: .3rem 0; }}
th, td {{ text-align: right; padding: .2rem .8rem; border-bottom: 1px solid var(--line); white-space: nowrap; }}
th:first-child {{ text-align: left; white-space: normal; overflow-wrap: anywhere; min-width: 9rem; }}
tbody th {{ font-weight: 400; }}
tbody tr:hover {{ background: var(--soft); }}
.better {{ box-shadow: inset 4px 0 var(--better); background: color-mix(in srgb, var(--better) 14%, transparent); }}
.worse {{ box-shadow: inset 4px 0 var(--worse); background: color-mix(in srgb, var(--worse) 14%, transparent); }}
figure {{ margin: 1rem 0; }}
figure svg {{ max-width: 100%; height: auto; }}
dt {{ font-weight: 600; }}
code {{ overflow-wrap: anywhere; }}
@media print {{
  body {{ max-width: none; padding: 0; font-size: 10pt; }}
  nav {{ display: none; }}
  .wide {{ overflow: visible; }}
  tr, figure {{ break-inside: avoid; }}
  thead {{ display: table-header-group; }}
  .better, .worse {{ print-color-adjust: exact; }}
}}
"""
