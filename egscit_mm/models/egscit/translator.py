# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Generator side of stage 2: everything that turns content and exemplar into an image."""
from typing import Dict, Iterable, Optional, Tuple, Union

import torch
from mmagic.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from ...utils.checks import check_not_negative, check_shares
from ...utils.errors import UserError
from ...utils.image_sizes import groups
from ..layers import AdaIN, ResidualBlock, add_latent_noise, feature_mask
from ..networks.encoder import check_fit
from ..networks.generator_side import Translator

CYCLE_MASKS = ('translation', 'original')
FLOWS = ('reconstruction', 'translation', 'cycle')
Direction = Tuple[str, str]
Key = Union[str, Direction]
Style = Optional[Tuple[Tensor, Tensor]]


@MODELS.register_module()
class ExemplarTranslator(Translator):
    """Encoders, shared blocks, decoders and frozen feature networks (paper Fig. 2-3).

    The content image is encoded to a latent, the mask made from *its* features is multiplied
    with the content, and AdaIN gives it the statistics of the *exemplar's* features before it is
    decoded::

        z = E_s(x_s) + noise                  shared block last
        c = shared decoder block (z)
        m = (1 - eta) * sigmoid(F_s(x_s)) + eta
        x_st = G_t(AdaIN(m * c, F_t(x_t)))

    All flows of an update come from one forward, so that a distributed wrapper sees one forward
    per backward, every network sees each image once, and the flows of a domain share one pass of
    its decoder.

    Args:
        encoder (dict): Config of the :class:`ContentEncoder`; the feature networks use it, too.
        decoder (dict): Config of the :class:`ImageDecoder`.
        eta (float): Lower bound of the feature mask, in [0, 1]; 1 means no mask (ablation).
            Defaults to 0.5.
        adain (str | None): Form of :class:`AdaIN`; None means no AdaIN (ablation). With no mask
            either, there are no feature networks: that is UNIT. Defaults to ``'release'``, the
            form of the authors' code. docs/paper.md compares the forms.
        latent_noise (float): Standard deviation of the noise added to the latent in training;
            translation in eval mode is deterministic. Defaults to 1.
        cycle_mask (str): Whose features mask the way back, x_st -> x_sts: ``'translation'``, those
            of x_st, which is the content image there (paper Sec. 3.1), or ``'original'``, those of
            x_s, as in the authors' code. These tell the way back what x_s shows, so that the
            translation need not. Defaults to ``'translation'``.
        detach_cycle (bool): Whether the cycle teaches only the way back, x_st -> x_sts, and not the
            translation that it starts from. Otherwise the translation may learn to hide in x_st
            what cannot be told from the content (Chu et al. 2017, "CycleGAN, a Master of
            Steganography"), and the way back to read it there in place of recognising the content.
            Defaults to False, as in the paper.
        **kwargs: Arguments of :class:`GeneratorSide`. ``equal_start`` needs that of stage 1, too,
            for AdaIN gives the features of one domain to the content of the other.

    Raises:
        ValueError: If an argument is outside its range or the networks do not fit together.
    """

    works_in_tiles = True

    def __init__(self,
                 encoder: dict,
                 decoder: dict,
                 eta: float = 0.5,
                 adain: Optional[str] = 'release',
                 latent_noise: float = 1.,
                 cycle_mask: str = 'translation',
                 detach_cycle: bool = False,
                 **kwargs):
        super().__init__(('gamma', 'beta'), **kwargs)
        check_not_negative(self, latent_noise=latent_noise)
        check_shares(self, eta=eta)
        if cycle_mask not in CYCLE_MASKS:
            raise UserError(f'ExemplarTranslator: cycle_mask must be one of {CYCLE_MASKS}, got '
                            f'{cycle_mask!r}')
        self.eta = eta
        self.cycle_mask = cycle_mask
        self.latent_noise = latent_noise
        self.detach_cycle = detach_cycle
        self.encoders = self.by_domain(encoder)
        self.decoders = self.by_domain(decoder)
        channels = self.encoders[self.domains[0]].out_channels
        check_fit(channels, self.decoders[self.domains[0]].in_channels)
        self.shared_encoder_block = ResidualBlock(channels)
        self.shared_decoder_block = ResidualBlock(channels)
        self.adain = None if adain is None else AdaIN(adain)
        self.feature_networks = None
        if adain is not None or eta < 1:
            self.feature_networks = self.by_domain(encoder).requires_grad_(False)
            # Saved with the weights, so that a resumed or downloaded model knows that its feature
            # networks are trained ones without the stage-1 file.
            self.register_buffer('features_loaded', torch.tensor(False))

    @property
    def makes_masks(self) -> bool:
        """Whether feature masks weight the content."""
        return self.eta < 1

    @property
    def takes_styles(self) -> bool:
        """Whether there is a style: without AdaIN exemplars are ignored."""
        return self.adain is not None

    @property
    def takes_statistics(self) -> bool:
        """Whether :meth:`decode` takes styles of regions, and statistics of other frames."""
        return self.takes_styles

    @property
    def features_missing(self) -> bool:
        """Whether feature networks are needed, but not yet those of a trained stage 1."""
        return self.feature_networks is not None and not bool(self.features_loaded)

    def train(self, mode: bool = True):
        """Sets the mode; the frozen feature networks always stay in eval mode."""
        super().train(mode)
        if self.feature_networks is not None:
            self.feature_networks.eval()
        return self

    def encode(self, images: Dict[str, Tensor]) -> Dict[str, Tensor]:
        """Mean of the latent, by domain: private encoders, then the shared block in one pass."""
        hidden = {
            domain: self.run(self.encoders[domain], batch) for domain, batch in images.items()
        }
        return self._in_one_pass(self.shared_encoder_block, hidden)

    def content(self, latent_means: Dict[Key, Tensor]) -> Dict[Key, Tensor]:
        """Content by domain or direction: latent noise (in training), then the shared block."""
        latents = latent_means
        if self.training and self.latent_noise:
            latents = {domain: add_latent_noise(mean, self.latent_noise)
                       for domain, mean in latent_means.items()}
        return self._in_one_pass(self.shared_decoder_block, latents)

    @torch.no_grad()
    def features(self, images: Dict[str, Tensor]) -> Dict[str, Tensor]:
        """Features F_d(x_d) by domain, without graph."""
        return {domain: self.feature_networks[domain](batch) for domain, batch in images.items()}

    def mask(self, features: Tensor) -> Optional[Tensor]:
        """Feature mask of a content image, None where there is no mask."""
        return feature_mask(features, self.eta) if self.makes_masks else None

    def style(self, features: Tensor) -> Style:
        """AdaIN statistics of an exemplar, None where there is no AdaIN."""
        return None if self.adain is None else self.adain.style(features)

    def styled(self, content: Tensor, mask: Optional[Tensor], style: Style) -> Tensor:
        """AdaIN(m * c): what the decoder of the target domain gets."""
        if mask is not None:
            content = content * mask
        return content if style is None else self.adain(content, style)

    def forward(self, images: Dict[str, Tensor], flows: Iterable[str] = FLOWS) -> dict:
        """Computes the flows of one minibatch (paper Fig. 3).

        Args:
            images (dict[str, Tensor]): RGB in [-1, 1] by domain, each (N, 3, H, W); sizes may
                differ. Image i of a domain is the exemplar of image i of the others.
            flows (Iterable[str]): Which of ``reconstruction``, ``translation`` and ``cycle``
                (which needs the translation) to compute. Defaults to all.

        Returns:
            dict: ``latent_mean`` {d: (N, C, h, w)}, and of the flows asked for:
            ``reconstruction`` {d: x_dd}, ``translation`` {(s, t): x_st}, ``cycle``
            {(s, t): x_sts} and ``cycle_latent_mean`` {(s, t): (N, C, h, w)}; images in [-1, 1].
        """
        flows = set(flows)
        masks = styles = dict.fromkeys(self.domains)
        if self.feature_networks is not None:
            features = self.features(images)
            masks = {domain: self.mask(maps) for domain, maps in features.items()}
            styles = {domain: self.style(maps) for domain, maps in features.items()}
        latent_means = self.encode(images)
        contents = self.content(latent_means)
        outputs = dict(latent_mean=latent_means, reconstruction={}, translation={})

        for target in self.domains:
            sources = [
                source for source in self.domains
                if ('translation' if source != target else 'reconstruction') in flows
            ]
            if not sources:
                continue
            decoded = self._in_one_pass(self.decoders[target], {
                source: self.styled(contents[source], masks[source], styles[target])
                for source in sources
            })
            for source, image in decoded.items():
                if source == target:
                    outputs['reconstruction'][target] = image
                else:
                    outputs['translation'][source, target] = image
        if 'cycle' in flows:
            translations = outputs['translation']
            if self.detach_cycle:
                translations = {way: x.detach() for way, x in translations.items()}
            outputs.update(self.cycle(translations, masks, styles))
        return outputs

    def cycle(self, translations: Dict[Direction, Tensor], masks: Dict[str, Optional[Tensor]],
              styles: Dict[str, Style]) -> dict:
        """Translates back: x_st is encoded by E_t, masked, styled as x_s and decoded by G_s.

        Args:
            translations (dict[tuple[str, str], Tensor]): x_st by (s, t), (N, 3, H, W).
            masks (dict[str, Tensor | None]): Masks of x_s by s, used where ``cycle_mask`` is
                ``'original'``.
            styles (dict[str, tuple | None]): Statistics of x_s by s.

        Returns:
            dict: ``cycle`` and ``cycle_latent_mean``, see :meth:`forward`.
        """
        back = {(s, t): masks[s] for s, t in translations}
        if self.makes_masks and self.cycle_mask == 'translation':
            # F is frozen, but the translation learns through it.
            for target in self.domains:
                maps = self._in_one_pass(self.feature_networks[target], {
                    way: image for way, image in translations.items() if way[1] == target
                })
                back.update({way: self.mask(features) for way, features in maps.items()})
        hidden = {}
        for target in self.domains:
            hidden.update(self._in_one_pass(self.encoders[target], {
                direction: image for direction, image in translations.items()
                if direction[1] == target
            }))
        latent_means = self._in_one_pass(self.shared_encoder_block, hidden)
        contents = self.content(latent_means)
        cycles = {}
        for source in self.domains:
            cycles.update(self._in_one_pass(self.decoders[source], {
                direction: self.styled(content, back[direction], styles[source])
                for direction, content in contents.items() if direction[0] == source
            }))
        return dict(cycle=cycles, cycle_latent_mean=latent_means)

    def encode_style(self, exemplar: Tensor, target: str) -> Style:
        """Style of exemplars: all that :meth:`translate` takes of them.

        Args:
            exemplar (Tensor): RGB in [-1, 1] of domain ``target``, (N, 3, H', W').
            target (str): Its domain.

        Returns:
            tuple[Tensor, Tensor] | None: (gamma, beta), each (N, C, 1, 1); None without AdaIN,
            where exemplars are ignored.
        """
        if self.adain is None:
            return None
        return self.style(self.features({target: exemplar})[target])

    def strengthened(self, style: Style, target: str, strength: float) -> Style:
        """See :meth:`Translator.strengthened`; gamma stays what the form of AdaIN allows."""
        style = super().strengthened(style, target, strength)
        return style if strength == 1 else self.adain.possible(style)

    def translate_to_style(self, content: Tensor, style: Style, source: str,
                           target: str) -> Tensor:
        """Translates content images to a style of :meth:`encode_style`.

        Args:
            content (Tensor): RGB in [-1, 1] of domain ``source``, (N, 3, H, W).
            style (tuple[Tensor, Tensor] | None): (gamma, beta), each (N or 1, C, 1, 1), or maps of
                the features' size.
            source (str): Domain of the content.
            target (str): Domain of the style and the result.

        Returns:
            Tensor: RGB in [-1, 1], (N, 3, H, W).
        """
        return self.decode(self.masked_content(content, source), style, target)

    def masked_content(self, content: Tensor, source: str) -> Tensor:
        """m * c of content images of domain ``source``: (N, 3, H, W) -> (N, C, h, w)."""
        maps = self.content(self.encode({source: content}))[source]
        if self.makes_masks:
            maps = maps * self.mask(self.features({source: content})[source])
        return maps

    def decode(self,
               masked_content: Tensor,
               style: Style,
               target: str,
               statistics: Optional[Tuple[Tensor, Tensor]] = None) -> Tensor:
        """Images of domain ``target``: AdaIN, then the decoder.

        Args:
            masked_content (Tensor): Of :meth:`masked_content`, (N, C, h, w).
            style (tuple[Tensor, Tensor] | None): As for :meth:`translate_to_style`.
            target (str): Domain of the style and the result.
            statistics (tuple[Tensor, Tensor] | None): As for :class:`AdaIN`.

        Returns:
            Tensor: RGB in [-1, 1], (N, 3, H, W).
        """
        if style is not None:
            masked_content = self.adain(masked_content, style, statistics)
        return self.decoders[target](masked_content)

    def _in_one_pass(self, network: BaseModule, batches: Dict[Key, Tensor]) -> Dict[Key, Tensor]:
        """Runs a network once over several batches; once for each size, where these differ."""
        if len(batches) == 1:  # nothing to join; an export could not compare sizes that are free
            return {key: self.run(network, batch) for key, batch in batches.items()}
        keys, outputs = list(batches), {}
        for places in groups([batches[key].shape[1:] for key in keys]):
            group = [keys[place] for place in places]
            # Not len(): it would fix the batch size in an exported model.
            sizes = [batches[key].shape[0] for key in group]
            joint = torch.cat([batches[key] for key in group])  # (sum of sizes, C, h, w)
            output = self.run(network, joint)
            outputs.update(zip(group, output.split(sizes)))
        return {key: outputs[key] for key in batches}
