# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Networks of CDD-IT (Gonzalez-Garcia et al. 2018, <https://arxiv.org/abs/1805.09730>)."""
from itertools import permutations
from typing import Dict, Sequence, Tuple, Union

import torch
from mmagic.registry import MODELS
from mmengine.model import BaseModule, ModuleDict
from torch import Tensor, nn

from ...utils.checks import check_domains, check_integers, check_not_negative, check_shares
from ...utils.errors import UserError
from ..layers import add_latent_noise, at_least_float32
from ..networks.discriminator import patch_discriminator
from ..networks.encoder import check_divisible

_INITIAL = [
    dict(type='Kaiming', layer=['Conv2d', 'ConvTranspose2d'], mode='fan_in'),
    dict(type='Xavier', layer='Linear'),
]


def _widths(base_channels: int, num_convs: int) -> list:
    """Channels behind each convolution of an encoder: doubling, up to eight times the first."""
    return [base_channels * 2**min(level, 3) for level in range(num_convs)]


def _check(owner: nn.Module, num_convs: int, num_downsamples: int, **widths: int) -> None:
    check_integers(owner, 1, **widths)
    check_integers(owner, 2, num_convs=num_convs)
    check_integers(owner, 0, num_downsamples=num_downsamples)
    if num_downsamples > num_convs:
        raise UserError(f'{type(owner).__name__}: num_downsamples must be at most num_convs, got '
                        f'{num_downsamples} and {num_convs}')


@MODELS.register_module()
class CDDITEncoder(BaseModule):
    """Image to what the domains share, a map, and to what is exclusive to its own, a code.

    ``num_convs`` convolutions, the first ``num_downsamples`` of them 4x4 with stride 2 and the
    others 3x3, each but the first with layer norm, LeakyReLU(0.2) between them; the last one puts
    out the shared part. The exclusive one is linear in the mean of what goes into it.

    Layer norm stands in the place of the release's batch norm, see :class:`CDDITDecoder`.

    Args:
        in_channels (int): Channels of the image. Defaults to 3.
        base_channels (int): Width of the first layer. Defaults to 64.
        num_convs (int): Defaults to 5.
        num_downsamples (int): 5 in the release; 2 for 28x28 digits. Defaults to 5.
        style_dim (int): Length of the exclusive code. Defaults to 8.
        init_cfg (dict | list): Initialisation; Kaiming by default, Xavier of linear layers.

    Raises:
        ValueError: If a width or a number of layers is outside its range.
    """

    def __init__(self,
                 in_channels: int = 3,
                 base_channels: int = 64,
                 num_convs: int = 5,
                 num_downsamples: int = 5,
                 style_dim: int = 8,
                 init_cfg: Union[dict, list] = _INITIAL):
        super().__init__(init_cfg)
        _check(self, num_convs, num_downsamples, in_channels=in_channels,
               base_channels=base_channels, style_dim=style_dim)
        self.in_channels = in_channels
        self.stride = 2**num_downsamples
        self.style_dim = style_dim
        widths = [in_channels, *_widths(base_channels, num_convs)]
        self.out_channels = widths[-1]
        layers = []
        for level, (width, next_width) in enumerate(zip(widths, widths[1:])):
            layers.append(
                nn.Conv2d(width, next_width, 4, stride=2, padding=1) if level < num_downsamples
                else nn.Conv2d(width, next_width, 3, padding=1))
            if level:
                layers.append(nn.GroupNorm(1, next_width))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
        *layers, last, _, _ = layers
        self.layers = nn.Sequential(*layers)
        # Without a scale, which could shrink: no map is as equal to another one as nothing is.
        self.shared = nn.Sequential(last, nn.GroupNorm(1, widths[-1], affine=False))
        self.exclusive = nn.Linear(widths[-2], style_dim)

    def forward(self, images: Tensor) -> Tuple[Tensor, Tensor]:
        """Encodes images.

        Args:
            images (Tensor): RGB in [-1, 1], (N, 3, H, W); H and W divisible by ``stride``.

        Returns:
            tuple[Tensor, Tensor]: The shared part, (N, out_channels, H / stride, W / stride), and
            the exclusive one, (N, style_dim).

        Raises:
            ValueError: If H or W is not divisible by ``stride``.
        """
        check_divisible(images, self.stride)
        features = self.layers(images)
        return self.shared(features), self.exclusive(features.mean((2, 3)))


@MODELS.register_module()
class CDDITDecoder(BaseModule):
    """Shared part and exclusive code to image; the code stands at every position.

    In training with noise on both. Then a :class:`CDDITEncoder` backwards: ReLU and a convolution
    3x3, or a transposed one 4x4 with stride 2, ``num_convs`` times, each but the last with layer
    norm, the first two with dropout in training; tanh.

    The release's batch norm takes the statistics of the batch in tests, too, so that a result
    depends on what else is in it. Instance norm would remove the code, which is the same at every
    position; layer norm, over channels and positions, does not.

    Args:
        out_channels (int): Channels of the image. Defaults to 3.
        base_channels (int): Width of the last hidden layer. Defaults to 64.
        num_convs (int): As in the encoder. Defaults to 5.
        num_downsamples (int): As in the encoder. Defaults to 5.
        style_dim (int): Length of the exclusive code. Defaults to 8.
        noise (float): Standard deviation of the noise. Defaults to 0.1.
        dropout (float): Probability. Defaults to 0.5.
        takes_shared (bool): Whether the shared part goes in; else the code alone, without noise:
            the release's exclusive decoder. Defaults to True.
        init_cfg (dict | list): Initialisation; Kaiming by default, Xavier of linear layers.

    Raises:
        ValueError: If a width or a number of layers is outside its range.
    """

    def __init__(self,
                 out_channels: int = 3,
                 base_channels: int = 64,
                 num_convs: int = 5,
                 num_downsamples: int = 5,
                 style_dim: int = 8,
                 noise: float = 0.1,
                 dropout: float = 0.5,
                 takes_shared: bool = True,
                 init_cfg: Union[dict, list] = _INITIAL):
        super().__init__(init_cfg)
        _check(self, num_convs, num_downsamples, out_channels=out_channels,
               base_channels=base_channels, style_dim=style_dim)
        check_not_negative(self, noise=noise)
        check_shares(self, dropout=dropout)
        self.takes_shared = takes_shared
        self.noise = noise
        self.style_dim = style_dim
        widths = _widths(base_channels, num_convs)[::-1]
        self.in_channels = widths[0]
        widths = [style_dim + self.in_channels * takes_shared, *widths[1:], out_channels]
        layers = []
        for level, (width, next_width) in enumerate(zip(widths, widths[1:])):
            layers += [
                nn.ReLU(),
                nn.Conv2d(width, next_width, 3, padding=1) if level < num_convs - num_downsamples
                else nn.ConvTranspose2d(width, next_width, 4, stride=2, padding=1)
            ]
            if level < num_convs - 1:
                layers.append(nn.GroupNorm(1, next_width))
            if level < 2:
                layers.append(nn.Dropout(dropout))
        self.layers = nn.Sequential(*layers)

    def forward(self, shared: Tensor, code: Tensor) -> Tensor:
        """Decodes.

        Args:
            shared (Tensor): (N, in_channels, h, w); only its size is used unless ``takes_shared``.
            code (Tensor): Exclusive code, (N or 1, style_dim).

        Returns:
            Tensor: RGB in [-1, 1], (N, 3, h * stride, w * stride).
        """
        x = code[..., None, None].expand(shared.shape[0], -1, *shared.shape[-2:])
        if self.takes_shared:
            x = torch.cat([shared, x.to(shared.dtype)], 1)
            if self.training:
                x = add_latent_noise(x, self.noise)
        return at_least_float32(self.layers(x)).tanh()


def pair_key(source: str, target: str) -> str:
    """Name of the critic of pairs of content and translation."""
    return f'{source}2{target}'


def exclusive_key(source: str, target: str) -> str:
    """Name of the critic of pairs of content and what its exclusive code alone makes."""
    return f'exclusive_{source}2{target}'


@MODELS.register_module()
class PairCritics(BaseModule):
    """Critics of pairs of images, two for each direction: :func:`pair_key`, :func:`exclusive_key`.

    Both images are concatenated. Convolutions 4x4 with stride 2 and LeakyReLU(0.2), without any
    norm, as the gradient penalty wants it; a score for each patch, whose mean is the pair's.

    Args:
        domains (Sequence[str]): Names of the domains. Defaults to ('A', 'B').
        in_channels (int): Channels of each of both images. Defaults to 3.
        base_channels (int): Width of the first layer, doubling. Defaults to 64.
        num_convs (int): Strided convolutions. Defaults to 3.
        init_cfg (dict | list): Initialisation; Kaiming by default, Xavier of linear layers.

    Raises:
        ValueError: If there are fewer than two domains, or a width is below 1.
    """

    def __init__(self,
                 domains: Sequence[str] = ('A', 'B'),
                 in_channels: int = 3,
                 base_channels: int = 64,
                 num_convs: int = 3,
                 init_cfg: Union[dict, list] = _INITIAL):
        super().__init__(init_cfg)
        check_domains(self, domains, 2)
        check_integers(self, 1, in_channels=in_channels, base_channels=base_channels,
                       num_convs=num_convs)
        self.networks = ModuleDict({
            key(*direction): patch_discriminator(
                2 * in_channels, base_channels, num_convs, norm=False)
            for direction in permutations(domains, 2) for key in (pair_key, exclusive_key)
        })

    def forward(self, pairs: Dict[str, Tensor]) -> Dict[str, Tensor]:
        """Scores pairs.

        Args:
            pairs (dict[str, Tensor]): RGB in [-1, 1], (N, 2 * 3, H, W), by critic.

        Returns:
            dict[str, Tensor]: Scores, (N, ), by critic.
        """
        return {key: self.networks[key](pair).mean((1, 2, 3)) for key, pair in pairs.items()}
