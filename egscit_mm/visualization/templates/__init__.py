# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""The pages, as Jinja templates.

Everything is escaped on insertion. The pages load nothing, which their content security policy
enforces: pictures are data URIs, or files beside the page.
"""
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template


def page_template(name: str) -> Template:
    """The template of a page."""
    loader = FileSystemLoader(Path(__file__).parent)
    return Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                       loader=loader).get_template(f'{name}.html')
