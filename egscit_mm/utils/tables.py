# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Tables as text."""
import re
from collections.abc import Iterable, Sequence


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table as Markdown.

    Examples:
        >>> print(markdown_table(['method', 'SSIM'], [['UNIT', '0.178'], ['MUNIT', '']]), end='')
        | method | SSIM |
        | --- | --- |
        | UNIT | 0.178 |
        | MUNIT | |
    """
    return ''.join(map(table_row, [header, ['---'] * len(header), *rows]))


def table_row(cells: Sequence[str]) -> str:
    """One row of such a table, for those that are printed as they come.

    Examples:
        >>> print(table_row(['UNIT', '0.178']), end='')
        | UNIT | 0.178 |
    """
    return re.sub('  +', ' ', f'| {" | ".join(cells)} |\n')
