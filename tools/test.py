# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Evaluates a checkpoint on the test set of its config."""
import os.path as osp
from pathlib import Path
from typing import Optional

from egscit_arguments import add_config_options, config_options, parse_launched, parser_for


def parse_args():
    parser = parser_for(__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file; "none" for a model that is not '
                        'trained')
    parser.add_argument('--work-dir', help='where the log goes (default: work_dirs/<config name>)')
    parser.add_argument('--out', help='also write the figures to this JSON file, with '
                        'what the training took')
    add_config_options(parser)
    return parse_launched(parser)


if __name__ == '__main__':
    parse_args()  # answers --help and mistakes before the imports below, which take seconds

from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from egscit_mm.apis.model import checkpoint_file
from egscit_mm.apis.train import COST_FILE
from egscit_mm.compat import init_cpu_distributed
from egscit_mm.config import (
    check_config,
    naming_the_setting,
    read_config,
)
from egscit_mm.evaluation.results import nested
from egscit_mm.utils.cli import exit_with
from egscit_mm.utils.files import check_folder, check_outputs, read_json, write_json
from egscit_mm.utils.records import fingerprint


class MetricsFileHook(Hook):
    """Writes the figures of a test to a JSON file.

    A hook, because MMagic's test loop hands its figures to hooks only: ``runner.test()`` is None.

    Args:
        path (str): The file.
        checkpoint (str | None): What is tested. Its fingerprint is written, too, and what its
            training took, if tools/train.py left that beside it and it is the training's last.
    """

    def __init__(self, path: str, checkpoint: Optional[str]):
        self.path = path
        self.checkpoint = checkpoint

    @master_only
    def after_test_epoch(self, runner: Runner, metrics: dict) -> None:
        """Writes ``{'ssim_exemplar/A2B': {'mean': ..., 'std': ...}, ..., 'train_seconds': ..}``."""
        figures = nested(metrics)
        if self.checkpoint:
            figures['checkpoint'] = fingerprint(self.checkpoint)
            folder, name = osp.split(self.checkpoint)
            cost, last = Path(folder, COST_FILE), Path(folder, 'last_checkpoint')
            if cost.is_file() and last.is_file() and osp.basename(last.read_text()) == name:
                cost = read_json(cost)
                figures.update({name: cost[name] for name in ('train_seconds', 'peak_rss_mb')})
        write_json(figures, self.path)


def main():
    args = parse_args()
    if args.out:
        check_outputs([(Path(args.out), 'the figures')], [args.config, args.checkpoint])
    init_cpu_distributed(args.launcher)
    cfg = read_config(args.config, config_options(args.cfg_options))
    check_config(cfg, 'test')
    checkpoint = checkpoint_file(cfg, args.checkpoint)
    cfg.work_dir = args.work_dir or cfg.get('work_dir') or osp.join(
        'work_dirs', osp.splitext(osp.basename(args.config))[0])
    check_folder(cfg.work_dir, f'--work-dir {cfg.work_dir}')
    cfg.launcher = args.launcher
    cfg.load_from = checkpoint
    cfg.resume = False
    with naming_the_setting(cfg):
        runner = Runner.from_cfg(cfg)
        if args.out:
            runner.register_hook(MetricsFileHook(args.out, checkpoint))
        runner.test()


if __name__ == '__main__':
    exit_with(main)
