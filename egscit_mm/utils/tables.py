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
    lines = [header, ['---'] * len(header), *rows]
    return ''.join(re.sub('  +', ' ', f'| {" | ".join(line)} |\n') for line in lines)
