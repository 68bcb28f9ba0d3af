# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Translates content images after exemplars with a trained model.

--content and --exemplar take files, folders and glob patterns (in quotes). Names, folders and
formats are kept, so that labels of the contents fit their translations. The same command again
skips what is there, unless what it was made of has changed. Images that cannot be read stop
nothing: they are listed at the end, and the exit code is 1.

  each    content i after exemplar i, exemplars reused in turn where there are fewer
  random  every content after an exemplar drawn by --seed and its name
  all     every content after every exemplar, into OUT/EXEMPLAR/
  matrix  the same as one picture, OUT/matrix.png, contents at the left and exemplars on top
"""
import argparse
import io
import os
import sys
from functools import lru_cache
from pathlib import Path

from egscit_arguments import positive

MATRIX, PAGE = 'matrix.png', 'index.html'
MAX_MATRIX = 1024  # translations in one picture, which lies in memory
EXEMPLARS_KEPT = 32  # decoded images; where all contents share a few, they are read once
SMALL = 64  # pixels: narrower images are enlarged by the browser without smoothing


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config of the model, for EGSC-IT that of stage 2')
    parser.add_argument('checkpoint', help='its checkpoint, or a published file')
    parser.add_argument('--content', required=True, nargs='+', metavar='PATH')
    parser.add_argument('--exemplar', required=True, nargs='+', metavar='PATH')
    parser.add_argument('--out', required=True, type=Path, help='folder for the translations')
    parser.add_argument('--pairing', choices=['each', 'random', 'all', 'matrix'],
                        default='each', help='default: each')
    parser.add_argument('--seed', type=int, default=0, help='of the random pairing (default: 0)')
    parser.add_argument('--source-domain', help='domain of the contents (default: with two '
                        'domains the other one)')
    parser.add_argument('--target-domain', help="domain of the exemplars (default: the model's)")
    parser.add_argument('--batch-size', type=positive, default=8, help='default: 8')
    parser.add_argument('--masks', action='store_true',
                        help='write the feature masks of the contents, too, into OUT/masks/')
    parser.add_argument('--html', action='store_true',
                        help='write OUT/index.html: contents, exemplars and translations')
    parser.add_argument('--device', help='default: a GPU where there is one')
    parser.add_argument('--amp', action='store_true', help='compute in bfloat16')
    args = parser.parse_args()
    if args.pairing == 'matrix' and (args.masks or args.html):
        parser.error('--masks and --html do not go with --pairing matrix, which is one picture')
    return args


if __name__ == '__main__':
    parse_args()  # answers --help and mistakes before the imports below, which take seconds

import numpy as np
from PIL import Image
from tqdm import tqdm

from egscit_mm.apis import EGSCITInferencer
from egscit_mm.apis.inferencer import load_image
from egscit_mm.apis.matrix import translation_matrix
from egscit_mm.apis.translate import pair_images
from egscit_mm.config_check import read_config
from egscit_mm.utils.cli import exit_with
from egscit_mm.utils.errors import UserError
from egscit_mm.utils.files import check_outputs, write_output
from egscit_mm.utils.listing import find_images
from egscit_mm.utils.records import RECORD, fingerprint, keep_record, recipe
from egscit_mm.visualization.translation_page import write_translation_page


def encoded(image: np.ndarray, suffix: str) -> bytes:
    """Content of an image file of the format that the suffix names."""
    kind = Image.registered_extensions()[suffix.lower()]
    options = dict(quality=95, subsampling=0) if kind == 'JPEG' else {}
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format=kind, **options)
    return buffer.getvalue()


def mask_path(args, pair) -> Path:
    return args.out / 'masks' / pair.name.with_suffix('.png')


def outputs(args, pairs: list) -> list:
    """All files of this run, with what each of them is."""
    if args.pairing == 'matrix':
        files = [(args.out / MATRIX, 'the matrix')]
    else:
        files = [(args.out / pair.name, f'the translation of {pair.content}') for pair in pairs]
    if args.masks:
        files += [(mask_path(args, pair), f'the mask of {pair.content}') for pair in pairs]
    if args.html:
        files.append((args.out / PAGE, 'the results page'))
    return [*files, (args.out / RECORD, 'the record of what is there')]


def recipes(args, pairs: list, contents: list, exemplars: list) -> dict:
    """What each picture of this run is made of, by its name in the output folder."""
    model = (fingerprint(args.checkpoint), read_config(args.config).model, args.source_domain,
             args.target_domain, args.amp)
    paths = dict.fromkeys([*contents, *exemplars])
    known = {path: fingerprint(path) for path in tqdm(paths, 'fingerprints', leave=False)}
    if args.pairing == 'matrix':
        return {MATRIX: recipe(model, *[[known[path] for path in side]
                                        for side in (contents, exemplars)])}
    model = recipe(model)  # once, not for each of many thousand pairs
    made_of = {pair.name.as_posix(): recipe(model, known[pair.content], known[pair.exemplar])
               for pair in pairs}
    if args.masks:
        made_of.update({mask_path(args, pair).relative_to(args.out).as_posix():
                        recipe(model, known[pair.content]) for pair in pairs})
    return made_of


def is_done(args, pair) -> bool:
    return (args.out / pair.name).is_file() and (not args.masks or mask_path(args, pair).is_file())


def translate_pairs(args, inferencer: EGSCITInferencer, pairs: list) -> list:
    """Translates pairs into files; returns what could not be read."""
    known = Image.registered_extensions()
    exemplar_image = lru_cache(EXEMPLARS_KEPT)(load_image)
    unreadable = []
    todo = [pair for pair in pairs if not is_done(args, pair)]
    with tqdm(total=len(pairs), initial=len(pairs) - len(todo), unit='image') as progress:
        for start in range(0, len(todo), args.batch_size):
            batch = []
            for pair in todo[start:start + args.batch_size]:
                try:
                    if known.get(pair.name.suffix.lower()) not in Image.SAVE:
                        raise ValueError(f'{pair.content}: unknown image format '
                                         f'{pair.name.suffix!r}; rename it, to .png for example')
                    batch.append((pair, load_image(pair.content), exemplar_image(pair.exemplar)))
                except ValueError as error:
                    unreadable.append(str(error))
            if batch:
                done, contents, exemplars = zip(*batch)
                results = inferencer(contents, exemplars, args.target_domain, args.masks,
                                     batch_size=args.batch_size, source_domain=args.source_domain)
                results, masks = results if args.masks else (results, [None] * len(done))
                for pair, image, mask in zip(done, results, masks):
                    # The mask first: a translation that is there has its mask.
                    if args.masks:
                        write_output(mask_path(args, pair), encoded(mask, '.png'))
                    write_output(args.out / pair.name, encoded(image, pair.name.suffix))
            progress.update(len(todo[start:start + args.batch_size]))
    return unreadable


def write_matrix(args, inferencer: EGSCITInferencer, contents: list, exemplars: list) -> None:
    """All contents after all exemplars as one picture."""
    images = [[load_image(path) for path in paths] for paths in (contents, exemplars)]
    picture = translation_matrix(inferencer, *images, args.target_domain, args.batch_size,
                                 args.source_domain)
    write_output(args.out / MATRIX, encoded(picture, '.png'))


def write_page(args, pairs: list) -> None:
    rows = [
        (pair.content, pair.exemplar, *([mask_path(args, pair)] if args.masks else []),
         args.out / pair.name) for pair in pairs if is_done(args, pair)
    ]
    if rows:
        columns = ['content', 'exemplar', *(['feature mask'] if args.masks else []), 'translation']
        with Image.open(rows[0][0]) as first:
            small = first.width < SMALL
        write_translation_page(args.out / PAGE, f'Translations in {args.out.name}', columns,
                               rows, small)
        print(f'Page: {args.out / PAGE}')


def main() -> int:
    args = parse_args()
    contents, exemplars = find_images(args.content), find_images(args.exemplar)
    is_matrix = args.pairing == 'matrix'
    pairs = [] if is_matrix else pair_images(contents, exemplars, args.pairing, args.seed)
    out = os.path.realpath(args.out)  # Path.resolve() raises where links lead in circles
    inside = [path for path in contents.values()
              if Path(out) in Path(os.path.realpath(path)).parents]
    if inside and not is_matrix:
        raise UserError(f'The content {inside[0]} lies in --out {args.out}, where its '
                              'translation could replace it: choose another folder.')
    check_outputs(outputs(args, pairs), [*contents.values(), *exemplars.values(), args.config,
                                         args.checkpoint])
    inferencer = EGSCITInferencer(args.config, args.checkpoint, args.device, args.amp)
    source, target = inferencer.model.direction(args.source_domain, args.target_domain)
    if len(inferencer.model.domains) > 2:  # else the target says it, also in older folders
        args.source_domain, args.target_domain = source, target
    if args.masks and not inferencer.has_masks:
        raise UserError(f'{args.config} has a model without feature masks: leave --masks '
                              'out.')
    if is_matrix and len(contents) * len(exemplars) > MAX_MATRIX:
        raise UserError(f'A matrix of {len(contents)} contents and {len(exemplars)} exemplars'
                              f' is too large for one picture (at most {MAX_MATRIX} translations); '
                              'give fewer, or use --pairing all.')
    keep_record(args.out, recipes(args, pairs, list(contents.values()), list(exemplars.values())))
    if is_matrix:
        if not (args.out / MATRIX).exists():
            write_matrix(args, inferencer, list(contents.values()), list(exemplars.values()))
        print(f'{args.out / MATRIX}: {len(contents)} contents after {len(exemplars)} exemplars')
        return 0
    unreadable = translate_pairs(args, inferencer, pairs)
    if args.html:
        write_page(args, pairs)
    if unreadable:
        print('\n'.join([f'{len(unreadable)} not translated:', *unreadable]), file=sys.stderr)
        return 1
    print(f'{len(pairs)} translations in {args.out}')
    return 0


if __name__ == '__main__':
    exit_with(main)
