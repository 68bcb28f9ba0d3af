# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What the documentation says of configs, files and commands holds."""
import re
from pathlib import Path

import pytest
from mmengine.config import Config

REPOSITORY = Path(__file__).parents[1]
DOCS = REPOSITORY / 'docs'
PAGES = [REPOSITORY / 'README.md', REPOSITORY / 'configs' / 'egscit' / 'README.md',
         *sorted(DOCS.rglob('*.md'))]


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
        assert path.exists(), f'{page.name}: {link}'
        if anchor and path.suffix == '.md':
            assert anchor in anchors(path), f'{page.name}: {link}'


def anchors(page):
    """Anchors of the headings, as GitHub makes them."""
    text = re.sub(r'```.*?```', '', page.read_text(), flags=re.DOTALL)
    headings = re.findall(r'^#+ (.+)$', text, flags=re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}


def scripts(text):
    """Scripts (or modules, or -c) that lines starting with python or bash run."""
    command = r'^\s*(?:python|bash) +(-c|-m +[\w.]+|[\w./-]+\.(?:py|sh))'
    return set(re.findall(command, text, flags=re.MULTILINE))


def commands_of(page):
    blocks = re.findall(r'^```bash\n(.*?)^```', page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return scripts('\n'.join(blocks))


def test_all_kinds_of_commands_are_seen():
    assert scripts('python a/b.py x\n  bash c.sh # d\npython -m e.f g\npython -c "h"\npip i') == {
        'a/b.py', 'c.sh', '-m e.f', '-c'}
    seen = set().union(*map(commands_of, PAGES))
    assert {'tools/train.py', 'tools/quickstart.sh', '-m egscit_mm.run'} <= seen


def test_scripts_of_the_pages_exist():
    for page in PAGES:
        for script in commands_of(page):
            assert script.startswith('-') or (REPOSITORY / script).is_file(), (page.name, script)


def test_every_page_is_in_the_list_of_pages():
    listed = set(re.findall(r'\]\((\w+\.md)\)', (DOCS / 'README.md').read_text()))
    assert listed == {page.name for page in DOCS.glob('*.md')} - {'README.md'}


def test_the_readme_is_short():
    assert len((REPOSITORY / 'README.md').read_text().splitlines()) <= 150


@pytest.mark.parametrize('page', ['README.md', 'configs/egscit/README.md'])
def test_the_page_on_paper_and_release_is_linked(page):
    assert 'docs/paper.md)' in (REPOSITORY / page).read_text()


def test_the_changelog_has_the_version():
    from egscit_mm.version import __version__
    assert f'## [{__version__}]' in (DOCS / 'changelog.md').read_text()


def test_all_registered_parts_are_listed():
    listed = (DOCS / 'architecture.md').read_text().partition('## Registered parts')[2]
    sources = [path.read_text() for path in (REPOSITORY / 'egscit_mm').rglob('*.py')]
    parts = [name for source in sources for name in re.findall(
        r'^@[A-Z_]+\.register_module\(.*\)\n(?:class|def) (\w+)', source, re.MULTILINE)]
    assert len(parts) > 50 and [name for name in parts if f'`{name}`' not in listed] == []
