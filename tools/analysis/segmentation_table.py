# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Prints the mIoU of the segmenters beside the paper's, as in its Table 3.

Reads deeplab_<row>/metrics.json in the work directories, which tools/test.py --out writes; rows
that are not there yet are left open. docs/segmentation.md has the commands.
"""
from pathlib import Path

from egscit_arguments import parser_for


def parse_args():
    parser = parser_for(__doc__)
    parser.add_argument('work_dirs', nargs='?', default='work_dirs', type=Path,
                        help='folder of the work directories (default: work_dirs)')
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # answers --help and mistakes before the imports below, which take seconds

from egscit_mm.evaluation.paper import SEGMENTATION_MIOU
from egscit_mm.utils.cli import exit_with
from egscit_mm.utils.files import read_json
from egscit_mm.utils.tables import markdown_table


def table(work_dirs: Path) -> str:
    """Markdown; mIoU from 0 to 1."""
    rows = []
    for row, published in SEGMENTATION_MIOU.items():
        path = work_dirs / f'deeplab_{row.lower().replace("-", "")}' / 'metrics.json'
        measured = '-'
        if path.is_file():
            figures = read_json(path)
            if 'mIoU' not in figures:
                raise SystemExit(f'{path} has no mIoU, only {", ".join(figures)}: it was not '
                                 'written by a test of a segmentation config.')
            measured = f'{figures["mIoU"] / 100:.3f}'  # MMSegmentation gives percents
        rows.append([row, measured, f'{published:.3f}'])
    return markdown_table(['trained on', 'mIoU', 'paper'], rows)


def main():
    work_dirs = parse_args().work_dirs
    if not work_dirs.is_dir():
        raise SystemExit(f'{work_dirs} is not a folder of work directories.')
    print(table(work_dirs), end='')


if __name__ == '__main__':
    exit_with(main)
