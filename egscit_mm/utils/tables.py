# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Tables as text."""
import re
from collections.abc import Iterable, Sequence


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table as Markdown.

    Args:
        header (Sequence[str]): Headings of the columns.
        rows (Iterable[Sequence[str]]): Cells of each row.

    Returns:
        str: Lines with their ends.

    Examples:
        >>> print(markdown_table(['method', 'SSIM'], [['UNIT', '0.178'], ['MUNIT', '']]), end='')
        | method | SSIM |
        | --- | --- |
        | UNIT | 0.178 |
        | MUNIT | |
    """
    lines = [header, ['---'] * len(header), *rows]
    return ''.join(re.sub('  +', ' ', f'| {" | ".join(line)} |\n') for line in lines)
