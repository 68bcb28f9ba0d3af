# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What the dataset converters share: reading, resizing, writing and keeping the books.

A converter plans one :class:`Job` per domain and hands them to :func:`convert`, which writes
CycleGAN's layout (``trainA``, ``testA``, ..., label maps beside them in ``trainA_labels19``,
``trainA_labels8``) with these promises:

- Every file appears complete or not at all, and an image never without its label maps.
- An input that cannot be read stops nothing: it is named at the end, and the exit code is 1. Where
  none of a sample can be used, the conversion stops at once: the sources are not the right ones.
- The same command again skips what is done, and goes on after an interruption or a full disk.
- ``manifest.json`` says per domain what was made from what.

The digit tasks have no images to convert: see :mod:`egscit_mm.datasets.digits`.
"""
from ...utils.cli import KEPT, exit_with
from ...utils.errors import BadInputError
from ...utils.files import write_output
from ...utils.images import DECODED_FORMATS, decode, decode_rgb, to_rgb
from ...utils.listing import IMAGE_SUFFIXES
from .errors import ConversionError, LeftOutError
from .images import FORMATS, crop, encode, stretch
from .jobs import convert
from .labels import categories_of_train_ids, render_labelled, stretch_labels, train_ids_of_colours
from .plans import Job, Task, by_stem, draw_test_names, output_paths
from .sources import Files

__all__ = [
    'DECODED_FORMATS', 'FORMATS', 'IMAGE_SUFFIXES', 'KEPT', 'BadInputError', 'ConversionError',
    'Files', 'Job', 'LeftOutError', 'Task', 'by_stem', 'categories_of_train_ids', 'convert',
    'crop', 'decode', 'decode_rgb', 'draw_test_names', 'encode', 'exit_with', 'output_paths',
    'render_labelled', 'stretch', 'stretch_labels', 'to_rgb', 'train_ids_of_colours',
    'write_output'
]
