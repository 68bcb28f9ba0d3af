# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What MMagic asks of a translation model, answered for one module that has all domains."""
from typing import List, Optional, Tuple

from mmagic.models.base_models import BaseTranslationModel
from mmengine.model import BaseModel
from torch import nn

from ...utils.errors import UserError
from ...utils.wrappers import unwrapped


class DomainQueries(BaseTranslationModel):
    """MMagic's BaseTranslationModel, whose tools ask whether a model is one, without its networks.

    Its constructor builds one generator and one discriminator per domain, and its init_weights
    initialises them one by one. Here one module holds those of all domains, so that an update is
    one forward of it. A subclass builds it and has ``domains``, ``discriminators``,
    ``inference_generators`` and ``_default_domain``, the target where none is given.
    """

    domains: Tuple[str, ...]
    _default_domain: str

    def __init__(self, data_preprocessor: Optional[dict] = None):
        # In the place of BaseTranslationModel's constructor, whose networks nobody would use.
        BaseModel.__init__(self, data_preprocessor)

    @property
    def _reachable_domains(self) -> List[str]:
        return list(self.domains)

    _related_domains = _reachable_domains

    def direction(self, source_domain: Optional[str] = None,
                  target_domain: Optional[str] = None) -> Tuple[str, str]:
        """Domains of content and exemplar, where not both are given.

        Args:
            source_domain (str | None): With two domains the other one if None.
            target_domain (str | None): The default domain if None; with two domains, the one that
                is not the source.

        Raises:
            ValueError: If a domain is unknown, both are the same, or one cannot do without.
        """
        for domain in (source_domain, target_domain):
            if domain is not None:
                self._check_domain(domain)
        if target_domain is None:
            others = [domain for domain in self.domains if domain != source_domain]
            target_domain = self._default_domain if self._default_domain in others else others[0]
            if len(others) > 1 and target_domain != self._default_domain:
                raise UserError(f'Content of domain {source_domain!r}: target_domain is needed, '
                                f'one of {others}')
        if source_domain is None:
            others = [domain for domain in self.domains if domain != target_domain]
            if len(others) > 1:
                raise UserError(f'Translation to domain {target_domain!r}: source_domain is '
                                f'needed, one of {others}')
            source_domain = others[0]
        if source_domain == target_domain:
            raise UserError(f'Source and target domain are both {target_domain!r}; this model '
                            f'translates between {list(self.domains)}')
        return source_domain, target_domain

    def target(self, target_domain: Optional[str] = None) -> str:
        """Domain of the exemplars; the default one where it is not given.

        Raises:
            ValueError: If it is unknown.
        """
        target_domain = target_domain or self._default_domain
        self._check_domain(target_domain)
        return target_domain

    def _check_domain(self, domain: str) -> None:
        if not isinstance(domain, str):
            raise UserError(f'The name of a domain, one of {list(self.domains)}, was expected in '
                            f'place of a {type(domain).__name__}')
        if domain not in self.domains:
            raise UserError(f'Unknown domain {domain!r}; this model has {list(self.domains)}')

    def _get_target_generator(self, domain: str) -> nn.Module:
        self._check_domain(domain)
        return self.inference_generators

    def _get_target_discriminator(self, domain: str) -> nn.Module:
        self._check_domain(domain)
        return unwrapped(self.discriminators).networks[domain]
