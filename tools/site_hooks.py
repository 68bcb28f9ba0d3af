# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What mkdocs.yml cannot say: pages from outside docs/, links that leave it, and API pages.

The pages are written for the repository, where README.md and the configs stand beside docs/. On the
site README.md is the start, configs/egscit/README.md is configs.md, and every other file of the
repository that a page links to is copied below files/.
"""
import os
import re
from pathlib import Path
from typing import Dict, List, Optional

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

REPOSITORY = Path(__file__).parents[1]
PACKAGE = 'egscit_mm'
# Site pages of Markdown files outside docs/; docs/README.md lists the pages, as the menu does.
PAGES = {'README.md': 'index.md', 'docs/README.md': 'index.md',
         'configs/egscit/README.md': 'configs.md'}
LINK = re.compile(r'(?<=\]\()([^)\s#]+)(?=[)#])')
CODE = re.compile(r'(^```.*?^```)', re.DOTALL | re.MULTILINE)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Puts the API pages into the menu."""
    config.nav.append({'API': [{name: f'api/{name}.md'} for name in packages()]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages from outside docs/, the API pages and the files that pages link to."""
    for source, target in PAGES.items():
        if not source.startswith('docs/'):
            files.append(File.generated(config, target, content=(REPOSITORY / source).read_text()))
    for name, modules in packages().items():
        text = f'# {name}\n\n' + ''.join(f'::: {module}\n\n' for module in modules)
        files.append(File.generated(config, f'api/{name}.md', content=text))
    linked = set()
    for page in files.documentation_pages():
        source = repository_path(page.src_uri)
        if source is not None:
            text = (REPOSITORY / source).read_text()
            linked |= {site_path(source, link) for link in LINK.findall(CODE.sub('', text))}
    for path in sorted(linked):
        if path.startswith('files/'):
            files.append(File.generated(
                config, path, abs_src_path=str(REPOSITORY / path.removeprefix('files/'))))
    return files


def on_page_markdown(markdown: str, page: Page, **kwargs) -> str:
    """Turns links of the repository into links of the site."""
    source = repository_path(page.file.src_uri)
    if source is None:
        return markdown
    parts = CODE.split(markdown)
    parts[::2] = [LINK.sub(lambda match: site_path(source, match[1]), part) for part in parts[::2]]
    return ''.join(parts)


def on_page_content(html: str, page: Page, **kwargs) -> str:
    """Removes what is reStructuredText in docstrings: roles, and the second colon before code."""
    if not page.file.src_uri.startswith('api/'):
        return html
    html = re.sub(r':(?:attr|class|data|func|meth|mod):<code>~?', '<code>', html)
    return html.replace('::</p>', ':</p>')


def packages() -> Dict[str, List[str]]:
    """Public modules by package, by their names."""
    found: Dict[str, List[str]] = {}
    for path in sorted((REPOSITORY / PACKAGE).rglob('*.py')):
        module = path.relative_to(REPOSITORY).with_suffix('')
        if not module.name.startswith('_'):
            found.setdefault('.'.join(module.parts[:-1]), []).append('.'.join(module.parts))
    return dict(sorted(found.items()))


def repository_path(src_uri: str) -> Optional[str]:
    """Where a page of the site is in the repository; None for API pages."""
    if src_uri.startswith('api/'):
        return None
    for source, target in PAGES.items():
        if target == src_uri:
            return source
    return f'docs/{src_uri}'


def site_path(source: str, link: str) -> str:
    """A link of a page in the repository, as the site has it.

    Args:
        source (str): The page, relative to the repository.
        link (str): Without an anchor; an address or a path relative to the page.

    Returns:
        str: The address, or the path relative to docs/, where all these pages are on the site.
    """
    if re.match(r'[a-z]+:', link):
        return link
    path = os.path.normpath(os.path.join(os.path.dirname(source), link))
    if path in PAGES:
        return PAGES[path]
    return path.removeprefix('docs/') if path.startswith('docs/') else f'files/{path}'
