# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Translations beside their contents and exemplars as an HTML page that links to the files."""
import os
from pathlib import Path
from typing import Iterable, Sequence
from urllib.parse import quote

from ..utils.files import atomic_path
from .templates import page_template


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

    template = page_template('translations')
    rows = ((os.fspath(images[-1].relative_to(path.parent)), [link(image) for image in images])
            for images in rows)
    with atomic_path(path) as temporary, open(temporary, 'w', encoding='utf-8',
                                              errors='replace') as file:
        template.stream(title=title, columns=columns, rows=rows,
                        rendering='pixelated' if small else 'auto').dump(file)
