# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Measures translations that need no model, as the methods of a config are measured.

    python tools/analysis/yardsticks.py configs/egscit/egscit_streets.py --out yardsticks.json

They are the content itself, the exemplar itself, the content with the exemplar's mean and standard
deviation in Lab (Reinhard et al. 2001), and the ground truths. A figure of a method says something
where it is better than theirs. Any config of a task with a test will do; its model is not built.
"""
from pathlib import Path

from egscit_arguments import add_config_options, config_options, parser_for


def parse_args():
    parser = parser_for(__doc__)
    parser.add_argument('config', help='config of the task, of any method')
    parser.add_argument('--out', type=Path, help='also write all figures to this JSON file')
    add_config_options(parser)
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # answers --help and mistakes before the imports below, which take seconds

from egscit_mm.config import check_config, read_config
from egscit_mm.evaluation.comparison import mean_std
from egscit_mm.evaluation.yardsticks import measure_yardsticks
from egscit_mm.utils.cli import exit_with
from egscit_mm.utils.files import check_outputs, write_json
from egscit_mm.utils.tables import markdown_table


def main() -> None:
    args = parse_args()
    cfg = read_config(args.config, config_options(args.cfg_options))
    check_config(cfg, 'test')
    if args.out:
        check_outputs([(args.out, 'the figures')], [args.config])
    figures = measure_yardsticks(cfg)
    names = dict.fromkeys(name for values in figures.values() for name in values)
    print(markdown_table(['', *figures], [
        [name, *(mean_std(values.get(name)) for values in figures.values())] for name in names]),
        end='')
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        write_json(figures, args.out)


if __name__ == '__main__':
    exit_with(main)
