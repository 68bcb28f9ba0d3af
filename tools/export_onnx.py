# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Exports the translation network to ONNX and checks the files against PyTorch."""
from egscit_arguments import parser_for


def parse_args():
    parser = parser_for(__doc__)
    parser.add_argument('config', help='config of stage 2')
    parser.add_argument('checkpoint', help='its checkpoint, or a published model')
    parser.add_argument('--out', required=True, help='the ONNX file')
    parser.add_argument('--styles', action='store_true', help='write two files for styles that are '
                        'kept: OUT_style.onnx, exemplar to style, and OUT_translation.onnx, '
                        'content and style to translation')
    parser.add_argument('--source-domain', help='domain of the contents (default: with two '
                        'domains the other one)')
    parser.add_argument('--target-domain', help="domain of the exemplars (default: the model's)")
    parser.add_argument('--opset', type=int, help="ONNX operator set (default: PyTorch's choice)")
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # answers --help and mistakes before the imports below, which take seconds

from egscit_mm.apis.export import export_onnx, onnx_files
from egscit_mm.utils.cli import exit_with


def main():
    args = parse_args()
    print('Exporting and comparing, half a minute or so ...', flush=True)
    differences = export_onnx(
        args.config, args.checkpoint, args.out, args.target_domain, args.opset,
        args.source_domain, args.styles)
    for shapes, difference in differences.items():
        print(f'{shapes}: largest difference to PyTorch {difference:.2g}')
    for path in onnx_files(args.out, args.styles):
        print(f'{path} ({path.stat().st_size:,} bytes)')


if __name__ == '__main__':
    exit_with(main, 'Nothing was written')
