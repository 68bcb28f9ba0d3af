# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What the documentation says of configs, files and commands holds."""
import re
from pathlib import Path

import pytest
from mmengine.config import Config

REPOSITORY = Path(__file__).parents[1]
DOCS = REPOSITORY / 'docs'
PAGES = [REPOSITORY / 'README.md', REPOSITORY / 'configs' / 'egscit' / 'README.md',
         *sorted(DOCS.glob('*.md'))]
# Written at the same time as these tests; remove a name when its page is there.
EXPECTED_PAGES = ('translate.md', 'export.md', 'demo.md')


def table_keys(page):
    """Backticked dotted keys in the first column of the page's tables."""
    rows = re.findall(r'^\| ?(.*?) \|', page.read_text(), flags=re.MULTILINE)
    return [key for row in rows for key in re.findall(r'`([\w.]+)`', row)]


def leaves(value, prefix=''):
    """Dotted keys of a config down to plain values and lists."""
    for key, entry in value.items():
        if isinstance(entry, dict):
            yield from leaves(entry, f'{prefix}{key}.')
        else:
            yield f'{prefix}{key}'


def follow(cfg, key):
    for part in key.split('.'):
        cfg = cfg[int(part)] if part.isdigit() else cfg[part]
    return cfg


@pytest.fixture(scope='module')
def config():
    path = REPOSITORY / 'configs' / 'egscit' / 'egscit_gta2bdd.py'
    return Config.fromfile(path, import_custom_modules=False).to_dict()


def test_keys_of_the_config_page_exist(config):
    keys = table_keys(DOCS / 'config.md')
    assert len(keys) > 80
    for key in keys:
        follow(config, key)


def test_the_config_page_leaves_no_key_out(config):
    explained = set(table_keys(DOCS / 'config.md'))
    for key in leaves(config):
        parents = {key[:end] for end in (match.start() for match in re.finditer(r'\.|$', key))}
        listed = any(name.startswith(f'{key}.') for name in explained)
        assert key.startswith('_') or listed or parents & explained, key


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_somewhere(page):
    text = re.sub(r'```.*?```', '', page.read_text(), flags=re.DOTALL)
    for link in re.findall(r'\]\(([^)\s]+)\)', text):
        target, _, anchor = link.partition('#')
        if re.match(r'[a-z]+:', target):
            continue
        path = page if not target else (page.parent / target).resolve()
        if path.parent == DOCS and path.name in EXPECTED_PAGES:
            continue
        assert path.exists(), f'{page.name}: {link}'
        if anchor and path.suffix == '.md':
            assert anchor in anchors(path), f'{page.name}: {link}'


def anchors(page):
    """Anchors of the headings, as GitHub makes them."""
    text = re.sub(r'```.*?```', '', page.read_text(), flags=re.DOTALL)
    headings = re.findall(r'^#+ (.+)$', text, flags=re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}
