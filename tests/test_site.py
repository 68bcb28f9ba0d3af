# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""The documentation as a site: no dead link or anchor, every module in the API pages."""
import importlib.util
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import egscit_mm

REPOSITORY = Path(__file__).parents[1]
MISSING = [name for name in ('mkdocs', 'material', 'mkdocstrings_handlers')
           if importlib.util.find_spec(name) is None]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=(
    f'THE SITE IS NOT TESTED: {", ".join(MISSING)} not installed. '
    'pip install -c requirements/constraints.txt -r requirements/docs.txt'))


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp('site')
    built = subprocess.run(
        [sys.executable, '-m', 'mkdocs', 'build', '--strict', '--quiet', '--site-dir', out],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=300,
        env={**os.environ, 'NO_MKDOCS_2_WARNING': '1'})
    assert built.returncode == 0, built.stdout + built.stderr
    return out


def text_of(site, page):
    return (site / page / 'index.html').read_text()


def test_the_site_has_every_page(site):
    docs = REPOSITORY / 'docs'
    for page in docs.rglob('*.md'):
        if page.name != 'README.md':
            assert (site / page.relative_to(docs).with_suffix('') / 'index.html').is_file(), page
    assert 'Try it' in text_of(site, '.')
    assert 'Ablations and other methods' in text_of(site, 'configs')


def test_the_api_pages_have_every_module(site):
    pages = ''.join(path.read_text() for path in (site / 'api').rglob('index.html'))
    for module in pkgutil.walk_packages(egscit_mm.__path__, 'egscit_mm.'):
        if not module.ispkg and not module.name.endswith('.__main__'):  # a command, not an API
            assert f'id="{module.name}"' in pages, module.name


def test_an_api_page_reads_as_text(site):
    page = text_of(site, 'api/egscit_mm.models.layers')
    assert 'id="egscit_mm.models.layers.adain.AdaIN.forward"' in page
    assert '&gt;&gt;&gt;' in page  # an example
    pages = ''.join(path.read_text() for path in (site / 'api').rglob('index.html'))
    assert not re.search(r':(class|func|meth|mod):', pages)
    assert '=====' not in pages  # a table of reStructuredText


def test_links_out_of_docs_lead_to_files_of_the_site(site):
    links = re.findall(r'href="([^":#]+)"', text_of(site, 'configs'))
    configs = [link for link in links if link.endswith('.py')]
    assert len(configs) > 20
    for link in configs:
        assert (site / 'configs' / link).resolve().is_file(), link


def test_nothing_is_loaded_from_other_servers(site):
    for page in site.rglob('*.html'):
        loaded = re.findall(r'<(?:script|img|link)[^>]*(?:src|href)="(https?:[^"]+)"',
                            page.read_text())
        assert not loaded, (page, loaded)
