# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Trains a config, both stages with one command.

``python tools/train.py configs/egscit/egscit_<task>.py`` first runs stage 1 (the config's
``stage1_config``) where its final checkpoint is missing and ``model.feature_checkpoint`` is not
set.
"""

from egscit_arguments import add_config_options, config_options, parse_launched, parser_for


def parse_args():
    parser = parser_for(__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='where logs and checkpoints go '
                        '(default: work_dirs/<config name>); stage 1 gets a folder beside it, or '
                        'inside it if --work-dir is given')
    parser.add_argument('--resume', action='store_true',
                        help='continue from the latest checkpoint of the interrupted stage; rates '
                        'and other settings that you change hold')
    parser.add_argument('--overwrite', action='store_true',
                        help='start anew in a folder that holds checkpoints, and remove these')
    parser.add_argument('--amp', action='store_true',
                        help='mixed precision: AmpOptimWrapper on a GPU, bfloat16 on a CPU')
    add_config_options(parser, 'override settings of the config; those outside "model" and '
                       '"optim_wrapper" also hold in stage 1, where they fit it')
    return parse_launched(parser)


if __name__ == '__main__':
    parse_args()  # answers --help and mistakes before the imports below, which take seconds

from egscit_mm.apis import train
from egscit_mm.compat import init_cpu_distributed
from egscit_mm.config import read_config
from egscit_mm.utils.cli import exit_with


def main():
    args = parse_args()
    init_cpu_distributed(args.launcher)
    train(
        read_config(args.config),
        work_dir=args.work_dir,
        resume=args.resume,
        amp=args.amp,
        options=config_options(args.cfg_options),
        launcher=args.launcher,
        overwrite=args.overwrite)


if __name__ == '__main__':
    exit_with(main, 'The same command with --resume goes on from the latest checkpoint')
