# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Model index, metafile and README of the configs agree with the configs."""
import re
from functools import lru_cache
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config

REPOSITORY = Path(__file__).parents[1]
CONFIG_DIR = REPOSITORY / 'configs' / 'egscit'
README = CONFIG_DIR / 'README.md'
METAFILE = CONFIG_DIR / 'metafile.yml'
LEAVES = sorted(
    path.relative_to(CONFIG_DIR).as_posix() for path in CONFIG_DIR.rglob('*.py')
    if '_base_' not in path.relative_to(CONFIG_DIR).parts)
# By the first part of a config's name.
COLLECTIONS = dict(
    vaegan='EGSC-IT',
    egscit='EGSC-IT',
    unit='UNIT',
    munit='MUNIT',
    drit='DRIT',
    neural='Neural style transfer',
    adain='AdaIN',
    wct='WCT',
    cyclegan='CycleGAN',
    augmented='Augmented CycleGAN',
    cddit='CDD-IT',
    deeplab='DeepLabV3')
LINK = re.compile(r'\[[^]]*\]\(([^)]+)\)')


@lru_cache
def load_config(path):
    # The segmenters' imports need MMSegmentation, their settings do not.
    return Config.fromfile(path, import_custom_modules=False)


def load_yaml(path):
    return yaml.safe_load(path.read_text(encoding='utf-8'))


def minibatch(cfg):
    """Images of a domain per update; a model without such numbers has one batch per iteration."""
    updates = sum(value for key, value in cfg.model.items() if key.endswith('_steps'))
    if not cfg.model.get('split_batch', True):
        updates = 1  # all on one minibatch
    return cfg.train_dataloader.batch_size / (updates or 1)


def table_rows(first_column):
    """Rows of the README's table that starts with this column, as dicts by column."""
    lines = iter(README.read_text(encoding='utf-8').splitlines())
    header = next(line for line in lines if line.startswith(f'| {first_column} |'))
    next(lines)  # the rule below the header
    rows = []
    for line in lines:
        if not line.startswith('|'):
            break
        rows.append(cells(line))
    return [dict(zip(cells(header), row, strict=True)) for row in rows]


def cells(line):
    return [cell.strip() for cell in line.strip().strip('|').split('|')]


def anchors(path):
    """The anchors that GitHub gives the headings of a Markdown file."""
    headings = re.findall(r'^#+ (.+)$', path.read_text(encoding='utf-8'), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}


MODELS = load_yaml(METAFILE)['Models']
TASKS = table_rows('Task')


def test_the_model_index_imports_the_metafile():
    assert load_yaml(REPOSITORY / 'model-index.yml') == {
        'Import': [METAFILE.relative_to(REPOSITORY).as_posix()]
    }


def test_collections_are_used_and_have_their_readme():
    collections = load_yaml(METAFILE)['Collections']
    assert sorted(collection['Name'] for collection in collections) == sorted(
        {model['In Collection'] for model in MODELS})
    assert all(REPOSITORY / collection['README'] == README for collection in collections)


def test_every_config_is_listed_once():
    listed = [(REPOSITORY / model['Config']).relative_to(CONFIG_DIR) for model in MODELS]
    assert sorted(path.as_posix() for path in listed) == LEAVES


@pytest.mark.parametrize('model', MODELS, ids=lambda model: model['Name'])
def test_metadata_agree_with_the_config(model):
    path = REPOSITORY / model['Config']
    assert path.stem == model['Name']
    assert model['In Collection'] == COLLECTIONS[path.stem.split('_')[0]]
    cfg = load_config(path)
    if cfg.get('train_cfg') is None:  # it is not trained
        assert 'Metadata' not in model
    else:
        assert model['Metadata']['Iterations'] == cfg.train_cfg.max_iters
        assert model['Metadata']['Batch Size'] == minibatch(cfg)
    # Stage 1 is a step on the way, tested nowhere.
    assert ('Results' in model) == (cfg.model.type != 'VAEGAN')


@pytest.mark.parametrize('row', TASKS, ids=lambda row: row['Task'])
def test_the_readme_agrees_with_the_configs(row):
    stages = [CONFIG_DIR / LINK.match(row[f'Stage {number}'])[1] for number in (1, 2)]
    cfg = load_config(stages[1])
    assert cfg.stage1_config == stages[0].name
    assert float(row['λ<sub>s</sub>']) == cfg.model.perceptual_loss.style_weight
    assert float(row['λ<sub>c</sub>']) == cfg.model.perceptual_loss.content_weight
    for cfg in map(load_config, stages):
        assert int(row['Iterations']) == cfg.train_cfg.max_iters
        assert int(row['Minibatch']) == minibatch(cfg)
        for side in ('generators', 'discriminators'):
            assert float(row['Learning rate']) == cfg.optim_wrapper[side].optimizer.lr
        size = [int(number) for number in row['Size (H x W)'].split('x')]
        assert all(number % 2**cfg.model.generator.encoder.num_downsamples == 0 for number in size)


def test_the_table_has_every_task():
    """Short variants, ablations and other methods are not tasks of their own."""
    tasks = {LINK.match(row['Stage 2'])[1] for row in TASKS}
    assert tasks == {
        name for name in LEAVES
        if name.startswith('egscit_') and not re.search('quickstart|reduced|_wo_', name)
    }


def test_links_of_the_readme_lead_somewhere():
    links = {link for link in LINK.findall(README.read_text(encoding='utf-8'))
             if not link.startswith('https://')}
    assert set(LEAVES) <= links
    for link in links:
        name, _, anchor = link.partition('#')
        assert (CONFIG_DIR / name).is_file(), link
        assert not anchor or anchor in anchors(CONFIG_DIR / name), link
