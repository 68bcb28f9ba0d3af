# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Writes the tables of figures in the documentation from docs/results/*.json.

    python tools/analysis/results_tables.py            # writes
    python tools/analysis/results_tables.py --check    # names the pages that are out of date

docs/results.md is written whole: every table whose "page" is "results", one sentence above it and
how it was made below. On other pages a table stands between two comments:

    <!-- table NAME -->
    <!-- end of table -->

NAME is a JSON file without its suffix. "<!-- table NAME | columns: a b | rows: x y -->" takes these
columns, and the rows of these runs, only; "| how" adds how the table was made.

A JSON file has "page", "title", "sentence" (for docs/results.md, where "order" sorts the tables),
"row_title", "columns", "rows" and "runs". A value is a number, a text, or two numbers, for the
directions A to B and B to A; {"mean": ..., "std": ...} over several seeds. A row names its run, or
the source of figures that no run of ours made. A run has its commands, commit, machine, seeds, what
its perceptual features were trained with, and the commit that wrote its figures down; null is what
was not recorded.
"""
import argparse
import json
import re
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from egscit_arguments import parser_for

REPOSITORY = Path(__file__).parents[2]
RESULTS = Path('docs', 'results')
PAGE = Path('docs', 'results.md')
BLOCK = re.compile(r'(<!-- table ([^>]*?) -->\n).*?(<!-- end of table -->)', re.DOTALL)
INTRODUCTION = """\
<!-- Written by tools/analysis/results_tables.py from docs/results/*.json. Change those. -->
# Results

What was trained and what it reached: short, narrow trainings on CPUs. The paper's schedules (22,000
to 60,000 iterations at full width) were not run. The notebook behind these tables, with what was
tried and what failed, is [experiments.md](experiments.md).

Digits are real MNIST where nothing else is said, and SSIM is a mean over all test images. Where one
seed is named it is one training: **seeds differ by a tenth**, so smaller differences between single
rows say nothing.
"""


def parse_args() -> argparse.Namespace:
    parser = parser_for(__doc__)
    parser.add_argument('--check', action='store_true',
                        help='change nothing; exit with 1 if a page is out of date')
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # answers --help and mistakes before the imports below, which take seconds

from egscit_mm.utils.files import write_atomically
from egscit_mm.utils.tables import markdown_table as table_text


def load_tables(folder: Path) -> Dict[str, dict]:
    """All tables by name."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob('*.json'))}


def number(value: Any, digits: int) -> str:
    """A number as the tables have it; integers are exact, texts stay."""
    if isinstance(value, str):
        return value
    return f'{value:,}' if isinstance(value, int) else f'{value:.{digits}f}'


def cell(value: Any, digits: int) -> str:
    """A value of a row: empty, a number or text, two directions, or means and deviations."""
    if value is None:
        return ''
    if isinstance(value, dict):
        pairs = zip(value['mean'], value['std'])
        return ' / '.join(f'{mean:.{digits}f} ± {std:.{digits}f}' for mean, std in pairs)
    values = value if isinstance(value, list) else [value]
    return ' / '.join(number(item, digits) for item in values)


def markdown_table(table: dict, columns: Optional[Sequence[str]] = None,
                   runs: Optional[Sequence[str]] = None) -> str:
    """The table as Markdown.

    Args:
        table (dict): From a JSON file.
        columns (Sequence[str] | None): Keys of the columns to show; None means all.
        runs (Sequence[str] | None): Keys of the runs whose rows to show; None means all rows.

    Returns:
        str: Lines with their ends.
    """
    keys = [column['key'] for column in table['columns']]
    unknown = {*(columns or ())} - {*keys} | {*(runs or ())} - table['runs'].keys()
    if unknown:
        raise SystemExit(f'{table["title"]}: no columns or runs {sorted(unknown)}; there are '
                         f'{keys} and {list(table["runs"])}')
    shown = [column for column in table['columns'] if not columns or column['key'] in columns]
    titles = [column['title'] for column in shown]
    rows = []
    for row in table['rows']:
        if not runs or row.get('run') in runs:
            rows.append([row['name'], *(
                cell(row['values'].get(column['key']), column['digits']) for column in shown)])
    return table_text([table['row_title'], *titles], rows)


def how(table: dict) -> str:
    """How the rows were made, folded away."""
    lines = ['<details markdown="1"><summary>Commands, machines, seeds</summary>\n\n']
    same_commands: Dict[str, List[str]] = {}
    for key, run in table['runs'].items():
        rows = [row['name'] for row in table['rows'] if row.get('run') == key]
        all_rows = len(rows) == len(table['rows']) > 1
        names = 'All rows' if all_rows else '; '.join(dict.fromkeys(rows))
        same_commands.setdefault('\n'.join(run['commands'] or ()), []).append(
            f'**{names}**: {run_facts(run)}\n\n')
    for commands, facts in same_commands.items():
        lines += facts
        if commands:
            lines.append(f'```bash\n{commands}\n```\n\n')
    sources: Dict[str, List[str]] = {}
    for row in table['rows']:
        if 'source' in row:
            sources.setdefault(row['source'], []).append(row['name'])
    lines += [f'**{"; ".join(names)}**: {source}.\n\n' for source, names in sources.items()]
    return ''.join(lines) + '</details>\n'


def run_facts(run: dict) -> str:
    """Machine, seeds, features and commit of a run, as one line."""
    seeds = run['seeds'] and ', '.join(map(str, run['seeds']))
    commit = f'commit `{run["commit"]}`' if run['commit'] else 'commit not recorded'
    if run['recorded_in']:
        commit += f' (figures written down in `{run["recorded_in"]}`)'
    facts = [
        run['machine'] or 'machine not recorded',
        f'seed{"s" * (len(run["seeds"]) > 1)} {seeds}' if seeds else 'seed not recorded',
        {None: 'features not recorded', 'none': 'no perceptual features',
         'random': 'random perceptual features'}.get(
             run['features'], f'perceptual features trained with {run["features"]}'),
        commit,
    ]
    if not run['commands']:
        facts.append('commands not recorded')
    if run['note']:
        facts.append(run['note'])
    return '; '.join(facts) + '.'


def results_page(tables: Dict[str, dict]) -> str:
    """The whole of docs/results.md."""
    parts = [INTRODUCTION]
    chosen = (table for table in tables.values() if table['page'] == 'results')
    for table in sorted(chosen, key=lambda table: table['order']):
        parts.append(f'## {table["title"]}\n\n{table["sentence"]}\n\n{markdown_table(table)}')
        if 'image' in table:
            image = table['image']
            parts.append(f'![{image["alt"]}]({image["file"]})\n\n*{image["caption"]}*\n')
        parts.append(how(table))
    return '\n'.join(parts)


def with_tables(text: str, tables: Dict[str, dict]) -> str:
    """A page with the tables between its comments written anew."""

    def block(match: re.Match) -> str:
        name, *options = (part.strip() for part in match[2].split('|'))
        if name not in tables:
            raise SystemExit(f'docs/results/{name}.json does not exist: "{match[1].strip()}"')
        chosen = dict(option.split(':') for option in options if ':' in option)
        table = tables[name]
        body = markdown_table(table, chosen.get('columns', '').split(),
                              chosen.get('rows', '').split())
        if 'how' in options:
            body += '\n' + how(table)
        return f'{match[1]}\n{body}\n{match[3]}'

    return BLOCK.sub(block, text)


def pages(root: Path) -> Dict[Path, str]:
    """Every page with tables as it should be, by path relative to the repository."""
    tables = load_tables(root / RESULTS)
    wanted = {PAGE: results_page(tables)}
    for path in (root / 'README.md', root / 'configs' / 'egscit' / 'README.md',
                 *sorted((root / 'docs').glob('*.md'))):
        text = path.read_text()
        if path != root / PAGE and BLOCK.search(text):
            wanted[path.relative_to(root)] = with_tables(text, tables)
    return wanted


def main() -> None:
    args = parse_args()
    stale = [path for path, text in pages(REPOSITORY).items()
             if not (REPOSITORY / path).is_file() or (REPOSITORY / path).read_text() != text]
    if args.check and stale:
        raise SystemExit(f'Out of date: {", ".join(map(str, stale))}. Run '
                         '"python tools/analysis/results_tables.py".')
    for path in stale:
        write_atomically(REPOSITORY / path, pages(REPOSITORY)[path].encode())
        print(f'{path} written')


if __name__ == '__main__':
    main()
