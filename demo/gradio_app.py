# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Web page that translates uploaded images after uploaded exemplars.

It listens on this machine only, unless --host says otherwise, and writes uploads and results to
Gradio's folder of temporary files, which it empties of what is older than an hour.
"""
import os
import sys
from contextlib import contextmanager
from pathlib import Path

from egscit_arguments import add_mean_argument, parser_for, paths_by_domain, positive

MAX_SIDE_OF_MATRIX = 6  # images
MAX_WAITING = 20  # requests in the queue; one is translated at a time
CACHE_SECONDS = 3600
BRUSH_SIDE = 400  # pixels of the longer side of what one paints on, whatever the content has
BRUSH_HEIGHT = 460  # of the editor around it
BRUSH_COLOUR = '#e6194b'
# Small images, such as digits, fill their frame.
CSS = '.image-frame img, .image-container img { width: 100%; height: 100%; object-fit: contain }'

# Gradio's page asks for a script and fonts of other servers, which it does not need.
CONTENT_POLICY = ("default-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
                  "script-src 'self' 'unsafe-inline' 'unsafe-eval'; worker-src blob:")


def parse_args():
    parser = parser_for(__doc__)
    parser.add_argument('--config', required=True, help='config of the model')
    parser.add_argument('--checkpoint', required=True, help='its checkpoint or published file')
    parser.add_argument('--examples', type=Path, help='folder with content/ and exemplar/, images '
                        'to try it on (demo/digits for the digit model)')
    add_mean_argument(parser)
    parser.add_argument('--device', help='default: a GPU where there is one')
    parser.add_argument('--host', default='127.0.0.1', help='0.0.0.0 lets other machines in')
    parser.add_argument('--port', type=positive, default=7860, help='default: 7860')
    parser.add_argument('--max-upload-mb', type=positive, default=20, help='per file, default: 20')
    parser.add_argument('--max-pixels', type=positive, default=4_000_000,
                        help='of an image, default: 4,000,000')
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # answers --help and mistakes before the imports below, which take seconds

import numpy as np
from PIL import Image, UnidentifiedImageError

from egscit_mm.apis import EGSCITInferencer
from egscit_mm.apis.inferencer import load_image
from egscit_mm.apis.translate import translation_matrix
from egscit_mm.models.layers.styles import MAX_STRENGTH
from egscit_mm.utils.cli import exit_with
from egscit_mm.utils.errors import UserError
from egscit_mm.utils.images import DECODED_FORMATS, decode
from egscit_mm.utils.listing import find_images, list_images

os.environ['GRADIO_ANALYTICS_ENABLED'] = 'False'  # read when Gradio is imported
try:
    import gradio as gr
    from starlette.middleware import Middleware
    from starlette.responses import PlainTextResponse
except ModuleNotFoundError:
    sys.exit("The web page needs Gradio: pip install -c requirements/constraints.txt -e '.[demo]'")


class OwnContentOnly:
    """ASGI middleware: for this page, browsers load nothing from other servers.

    Nor are they sent there, which the address of Gradio's files does on demand (CVE-2026-59806).
    """

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        """Adds the policy to every response, and refuses addresses that lead elsewhere."""
        if scope['type'] == 'http' and '/file=http' in scope['path'].lower():
            await PlainTextResponse('Not found', status_code=404)(scope, receive, send)
            return

        async def send_with_policy(message):
            if message['type'] == 'http.response.start':
                policy = (b'content-security-policy', CONTENT_POLICY.encode())
                message = {**message, 'headers': [*message['headers'], policy]}
            await send(message)

        await self.app(scope, receive, send_with_policy)


class Translator:
    """What the buttons of the page do. Errors are sentences for its visitor."""

    def __init__(self, inferencer: EGSCITInferencer, max_pixels: int):
        self.inferencer = inferencer
        self.max_pixels = max_pixels
        generators = inferencer.model.inference_generators
        self.directions = {f'{source} → {target}': (source, target)
                           for source, target in generators.directions}
        self.has_strength = any(
            generators.mean_style(domain) is not None for domain in inferencer.model.domains)

    def translate(self, content: str, exemplar: str, direction: str) -> tuple:
        """Translation and feature mask (None where the model has none) of uploaded files."""
        images = self.read(content, 'content'), self.read(exemplar, 'exemplar')
        source, target = self.domains(direction)
        if not self.inferencer.has_masks:
            return self.inferencer(*images, target, source_domain=source), None
        return self.inferencer(*images, target, return_masks=True, source_domain=source)

    def mix(self, content: str, exemplar: str, other: str, region: str, share: float,
            strength: float, direction: str):
        """Translation to a mixture of two exemplars, of the whole content or of one region.

        Args:
            content (str): Uploaded file, and so are the next three.
            exemplar (str): The first exemplar.
            other (str): The second one; without it, there is nothing to mix.
            region (str): Painted layer, opaque where the mixture goes; elsewhere the first
                exemplar's style does. Where nothing is painted, all of it is.
            share (float): Of the second exemplar, 0..1.
            strength (float): Of all styles, 0..1.5.
            direction (str): As the page calls it.
        """
        image, exemplars = self.read(content, 'content'), [self.read(exemplar, 'first exemplar')]
        source, target = self.domains(direction)
        try:
            if other:
                exemplars.append(self.read(other, 'second exemplar'))
            weights = [1 - share, share] if other else [1]
            styles = {1: self.inferencer.style(exemplars, weights, strength, target)}
            labels = self.painted(region, image.size) if region else np.zeros(1)
            if not labels.any():  # nothing is painted: all of it
                return self.inferencer.translate_to_style(
                    image, styles[1], target, source_domain=source)
            styles[0] = self.inferencer.style(exemplars[0], None, strength, target)
            return self.inferencer.translate_to_style(
                image, styles, target, source_domain=source, regions=labels)
        except UserError as error:
            raise gr.Error(str(error)) from error

    def canvas(self, content: str):
        """An uploaded content in the size in which it is painted on; None without one."""
        if not content:
            return None
        image = self.read(content, 'content')
        factor = min(BRUSH_SIDE, self.max_pixels**0.5) / max(image.size)
        size = [max(int(side * factor), 1) for side in image.size]
        return dict(background=image.resize(size), layers=[], composite=None)

    def matrix(self, contents: list, exemplars: list, direction: str):
        """Picture of all contents after all exemplars."""
        sides = []
        for files, role in ((contents, 'contents'), (exemplars, 'exemplars')):
            if not 1 <= len(files or []) <= MAX_SIDE_OF_MATRIX:
                raise gr.Error(f'Give 1 to {MAX_SIDE_OF_MATRIX} {role}, not {len(files or [])}.')
            sides.append([self.read(path, role) for path in files])
        source, target = self.domains(direction)
        return translation_matrix(self.inferencer, *sides, target, source_domain=source)

    def domains(self, direction: str) -> tuple:
        """Source and target of a direction of the page."""
        if direction not in self.directions:
            raise gr.Error(f'Choose one of the directions {", ".join(self.directions)}.')
        return self.directions[direction]

    def read(self, path: str, role: str) -> Image.Image:
        """An uploaded image, if it is one and not too large."""
        if not path:
            raise gr.Error(f'Choose an image as {role} first.')
        with self.checked(path):
            return load_image(path)

    def painted(self, layer: str, size: tuple) -> np.ndarray:
        """Label map (H, W) for a content of this size (W, H): 1 where a layer is opaque."""
        with self.checked(layer):
            opaque = decode(Path(layer).read_bytes()).convert('RGBA').getchannel('A')
        return (np.asarray(opaque.resize(size, Image.Resampling.NEAREST)) > 127).astype(np.uint8)

    @contextmanager
    def checked(self, path: str):
        """Reads the header of a file, then lets it be decoded; refuses what is not to be."""
        name = Path(path).name
        try:
            with Image.open(path, formats=DECODED_FORMATS) as image:
                width, height = image.size
            if width * height > self.max_pixels:
                raise gr.Error(f'{name} has {width} x {height} pixels; at most '
                               f'{self.max_pixels:,} are allowed here. Make it smaller.')
            yield
        except gr.Error:  # a ValueError
            raise
        except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError) as error:
            print(f'refused {path}: {error}', file=sys.stderr)
            raise gr.Error(f'{name} is not an image that can be read here.') from error


def examples(folder: Path) -> dict:
    """Files of content/ and exemplar/, by name of the folder."""
    found = {
        name: [str(folder / name / file) for file in list_images(folder / name)]
        if (folder / name).is_dir() else [] for name in ('content', 'exemplar')
    }
    if not all(found.values()):
        sys.exit(f'--examples {folder}: images are expected in {folder}/content and '
                 f'{folder}/exemplar.')
    return found


def region_brush(label: str) -> gr.ImageEditor:
    """An editor on whose background one paints a region, without tools that change its size."""
    editor = gr.ImageEditor(
        label=label, sources=[], transforms=[], layers=False, buttons=[], format='png',
        brush=gr.Brush(default_size=BRUSH_SIDE // 20, colors=[BRUSH_COLOUR], color_mode='fixed'),
        height=BRUSH_HEIGHT, elem_id='brush')
    # Gradio would open the files first. The page uploads them as all others; the older way, which
    # keeps them in memory, is closed.
    editor.preprocess = lambda sent: sent and sent.layers and sent.layers[0].path
    editor.accept_blobs = None
    return editor


def build_page(translator: Translator, samples: dict) -> gr.Blocks:
    """The page: tabs for one pair of images, for two exemplars, and for all with all."""
    directions = list(translator.directions)

    def upload(label):
        image = gr.Image(label=label, type='filepath', sources=['upload'], height=300)
        # Gradio would open the file first and hide the reason where that fails.
        image.preprocess = lambda upload: upload and upload.path
        return image

    def result(label, visible=True, height=300, **kwargs):
        return gr.Image(label=label, format='png', interactive=False, visible=visible,
                        height=height, buttons=['download', 'fullscreen'], **kwargs)

    with gr.Blocks(title='EGSC-IT', analytics_enabled=False,
                   delete_cache=(CACHE_SECONDS, CACHE_SECONDS)) as page:
        gr.Markdown('# Exemplar-guided image translation\n'
                    'The content of one image in the style of another.')
        direction = gr.Radio(directions, value=directions[0], label='Direction: content → exemplar')
        with gr.Tab('One image'):
            with gr.Row():
                content, exemplar = upload('Content'), upload('Exemplar')
                translation = result('Translation')
                mask = result('Feature mask', translator.inferencer.has_masks)
            button = gr.Button('Translate', variant='primary', elem_id='translate')
            button.click(translator.translate, [content, exemplar, direction], [translation, mask],
                         api_name='translate')
            if samples:
                with gr.Row():
                    gr.Examples(samples['content'], content, label='Contents to try')
                    gr.Examples(samples['exemplar'], exemplar, label='Exemplars to try')
        with gr.Tab('Two exemplars'):
            with gr.Row():
                content, exemplar = upload('Content'), upload('First exemplar')
                other = upload('Second exemplar')
            with gr.Row():
                region = region_brush('Paint where it goes')
                translation = result('Translation', height=BRUSH_HEIGHT, elem_id='mixed')
            with gr.Row():
                share = gr.Slider(0, 1, 0.5, label='Share of the second exemplar')
                strength = gr.Slider(0, MAX_STRENGTH, 1, label='Strength: 0 is the mean style',
                                     interactive=translator.has_strength)
            content.change(translator.canvas, content, region, show_progress='hidden',
                           api_name=False)
            button = gr.Button('Mix', variant='primary', elem_id='mix')
            button.click(translator.mix,
                         [content, exemplar, other, region, share, strength, direction],
                         translation, api_name='mix')
        with gr.Tab('All with all'):
            with gr.Row():
                files = [
                    gr.File(label=f'{name}, up to {MAX_SIDE_OF_MATRIX}', file_count='multiple',
                            file_types=['image']) for name in ('Contents', 'Exemplars')
                ]
            button = gr.Button('Translate all', variant='primary', elem_id='translate-all')
            picture = gr.Image(label='Contents at the left, exemplars on top', format='png',
                               interactive=False, buttons=['download', 'fullscreen'])
            button.click(translator.matrix, [*files, direction], picture, api_name='matrix')
    return page.queue(max_size=MAX_WAITING, default_concurrency_limit=1)


def launch(page: gr.Blocks, **kwargs) -> tuple:
    """Serves the page with what does not depend on the command line."""
    # Fonts of the visitor's own: Gradio's themes fetch theirs from a server.
    theme = gr.themes.Default(font=['system-ui', 'sans-serif'], font_mono=['monospace'])
    return page.launch(share=False, show_error=False, ssr_mode=False, run_history=False,
                       enable_monitoring=False, mcp_server=False, theme=theme, css=CSS,
                       app_kwargs=dict(middleware=[Middleware(OwnContentOnly)]), **kwargs)


def main():
    args = parse_args()
    samples = examples(args.examples) if args.examples else {}
    inferencer = EGSCITInferencer(args.config, args.checkpoint, args.device)
    for domain, paths in paths_by_domain(args.mean_of).items():
        inferencer.keep_mean_style([image.path for image in find_images(paths)], domain)
    page = build_page(Translator(inferencer, args.max_pixels), samples)
    launch(page, server_name=args.host, server_port=args.port,
           max_file_size=args.max_upload_mb * 2**20)


if __name__ == '__main__':
    exit_with(main, 'The page is closed')
