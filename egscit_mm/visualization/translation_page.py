# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Translations beside their contents and exemplars as an HTML page that links to the files."""
import os
from pathlib import Path
from typing import Iterable, Sequence
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined

from ..utils.files import atomic_path

_TEMPLATE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{ title }}</title>
<style>
body { font: 15px/1.4 system-ui, sans-serif; margin: 2em auto; max-width: 80em; padding: 0 1em }
table { border-collapse: collapse; width: 100% }
th { position: sticky; top: 0; background: #fff; text-align: left }
td, th { padding: .3em }
img { width: 100%; image-rendering: {{ rendering }}; display: block }
td.name { width: 12em; overflow-wrap: anywhere; vertical-align: top }
</style>
<h1>{{ title }}</h1>
<table>
<tr><th>file</th>{% for name in columns %}<th>{{ name }}</th>{% endfor %}</tr>
{% for name, images in rows %}
<tr><td class="name">{{ name }}</td>{% for image in images %}<td>\
<a href="{{ image }}"><img loading="lazy" src="{{ image }}" alt=""></a></td>{% endfor %}</tr>
{% endfor %}
</table>
</html>
"""


def write_translation_page(path: Path, title: str, columns: Sequence[str],
                           rows: Iterable[Sequence[Path]], small: bool) -> None:
    """Writes the page next to the translations.

    The images stay in their files, so that 25,000 rows make a page of a few megabytes; a browser
    loads those that are in view.

    Args:
        path (Path): File to write.
        title (str): Its heading.
        columns (Sequence[str]): Name of each column.
        rows (Iterable[Sequence[Path]]): An image file per column; the last one names the row.
        small (bool): Whether the images are a few pixels wide, and pixels should stay squares.
    """
    def link(image: Path) -> str:
        return quote(os.fsencode(os.path.relpath(image, path.parent)))

    template = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True).from_string(_TEMPLATE)
    rows = ((os.fspath(images[-1].relative_to(path.parent)), [link(image) for image in images])
            for images in rows)
    with atomic_path(path) as temporary, open(temporary, 'w', encoding='utf-8',
                                              errors='replace') as file:
        template.stream(title=title, columns=columns, rows=rows,
                        rendering='pixelated' if small else 'auto').dump(file)
