# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import json

import pytest
from tool import Tool

from egscit_mm.evaluation import TranslationSSIM, paper
from egscit_mm.evaluation.results import nested
from egscit_mm.utils.errors import UserError
from egscit_mm.utils.records import fingerprint


class TestNested:

    def test_groups_statistics_and_keeps_the_rest(self):
        flat = {
            'ssim_exemplar/A2B_mean': 0.4,
            'letters/ssim_exemplar/A2B_std': 0.3,
            'ssim_exemplar/A2B_std': 0.1,
            'fid/A2B': 12.5,
            'mean': 7,
        }
        assert nested(flat) == {
            'ssim_exemplar/A2B': {'mean': 0.4, 'std': 0.1},
            'letters/ssim_exemplar/A2B': {'std': 0.3},
            'fid/A2B': 12.5,
            'mean': 7,
        }

    def test_takes_what_the_metrics_give(self):
        results = [{'ssim_ground_truth/A2B': value} for value in (0.25, 0.75)]
        assert nested(TranslationSSIM().compute_metrics(results)) == {
            'ssim_ground_truth/A2B': {'mean': 0.5, 'std': 0.25}
        }


def test_hook_of_the_tool_writes_the_file(tmp_path):
    path, checkpoint = tmp_path / 'metrics.json', tmp_path / 'iter_1.pth'
    checkpoint.write_bytes(b'weights')
    hook = Tool('test.py').module.MetricsFileHook(str(path), str(checkpoint))
    hook.after_test_epoch(None, {'ssim/A2B_mean': 0.5, 'ssim/A2B_std': 0.})
    assert json.loads(path.read_text()) == {
        'ssim/A2B': {'mean': 0.5, 'std': 0.}, 'checkpoint': fingerprint(checkpoint)}


def test_only_the_last_checkpoint_took_the_whole_training(tmp_path):
    (tmp_path / 'training.json').write_text('{"train_seconds": 9.0, "peak_rss_mb": 1.0}')
    (tmp_path / 'last_checkpoint').write_text('elsewhere/iter_2.pth')
    for name, seconds in (('iter_1.pth', None), ('iter_2.pth', 9.)):
        (tmp_path / name).write_bytes(b'weights')
        hook = Tool('test.py').module.MetricsFileHook(
            str(tmp_path / 'metrics.json'), str(tmp_path / name))
        hook.after_test_epoch(None, {})
        figures = json.loads((tmp_path / 'metrics.json').read_text())
        assert figures.get('train_seconds') == seconds
    (tmp_path / 'training.json').write_text('{"train_')
    with pytest.raises(UserError, match='training.json is damaged: delete it and run again'):
        hook.after_test_epoch(None, {})


class TestPaper:

    def test_every_figure_has_directions_mean_and_source(self):
        assert paper.SSIM.keys() == paper.SOURCES.keys()
        for task, figures in paper.SSIM.items():
            assert figures.keys() == paper.SOURCES[task].keys()
            for name, values in figures.items():
                for by_direction in [values] if name == 'ceiling_exemplar' else values.values():
                    assert list(by_direction) == ['A2B', 'B2A']
                    assert all(0 < value['mean'] < 1 for value in by_direction.values())

    def test_table_2_has_egscit_at_its_ceiling(self):
        # The finding that the two names of SSIM rest on.
        single = paper.SSIM['MNIST-Single']
        for direction, value in single['ssim_exemplar']['EGSC-IT'].items():
            assert value['mean'] == pytest.approx(
                single['ceiling_exemplar'][direction]['mean'], abs=0.01)
