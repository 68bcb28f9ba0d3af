# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Translates a file or folder of content images after one or several exemplars.

Content i takes exemplar i, and exemplars are reused in turn where there are fewer; or every content
takes one drawn at random. Names are kept, so that labels of the contents fit their translations.
"""
import argparse
import os
import random
import sys
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from egscit_mm.apis import EGSCITInferencer
from egscit_mm.apis.inferencer import load_image

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.ppm', '.bmp', '.tif', '.tiff')


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config of stage 2')
    parser.add_argument('checkpoint', help='its checkpoint')
    parser.add_argument('--content', required=True, help='image, or folder of images')
    parser.add_argument('--exemplar', required=True, help='image, or folder of images')
    parser.add_argument('--out', required=True, help='folder for the translations')
    parser.add_argument('--pairing', choices=['in-turn', 'random'], default='in-turn',
                        help='which exemplar a content takes (default: in-turn)')
    parser.add_argument('--seed', type=int, default=0, help='of the random pairing')
    parser.add_argument('--target-domain', help="domain of the exemplars (default: the model's)")
    parser.add_argument('--batch-size', type=int, default=8)
    parser.add_argument('--device', help='default: a GPU where there is one')
    return parser.parse_args()


def images_of(path: str) -> list:
    """The image itself, or all images below a folder, sorted."""
    path = Path(path)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise SystemExit(f'{path} does not exist.')
    files = sorted(file for file in path.rglob('*') if file.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise SystemExit(f'{path} holds no images ({", ".join(IMAGE_SUFFIXES)}).')
    return files


def pair(contents: list, exemplars: list, pairing: str, seed: int) -> list:
    """One exemplar for each content."""
    if pairing == 'random':
        return random.Random(seed).choices(exemplars, k=len(contents))
    return [exemplars[index % len(exemplars)] for index in range(len(contents))]


def save(image, path: Path) -> None:
    """Writes the picture under a temporary name first, so that no half-written file is left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'.{path.name}.part')
    try:
        kind = Image.registered_extensions()[path.suffix.lower()]
        Image.fromarray(image).save(temporary, format=kind)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def main():
    args = parse_args()
    contents = images_of(args.content)
    exemplars = pair(contents, images_of(args.exemplar), args.pairing, args.seed)
    inferencer = EGSCITInferencer(args.config, args.checkpoint, args.device)
    root = Path(args.content) if Path(args.content).is_dir() else Path(args.content).parent
    unreadable = []
    with tqdm(total=len(contents), unit='image') as progress:
        for start in range(0, len(contents), args.batch_size):
            batch = []
            stop = start + args.batch_size
            for path, exemplar in zip(contents[start:stop], exemplars[start:stop]):
                try:
                    batch.append((path, load_image(path), load_image(exemplar)))
                except ValueError as error:
                    unreadable.append(str(error))
                progress.update()
            if not batch:
                continue
            paths, images, styles = zip(*batch)
            results = inferencer(images, styles, args.target_domain, args.batch_size)
            for path, image in zip(paths, results):
                save(image, Path(args.out) / path.relative_to(root))
    if unreadable:
        sys.exit('\n'.join([f'{len(unreadable)} not translated:', *unreadable]))
    print(f'{len(contents)} translations in {args.out}')


if __name__ == '__main__':
    main()
