# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""MMagic without importing what only its diffusion models and a few odd corners need.

``import mmagic.models`` imports every model, and with them diffusers, transformers, scikit-learn
and pandas: half of the time and a third of the memory, and releases that hold everything else at
old versions. MMEngine imports sharded training, and with it sympy: a third of what is left. A
finder loads the modules named in :data:`DEFERRED` itself. Of their top-level statements, those
that bind one of the named names wait until that name is looked up (PEP 562); all others run as
released. A registry that misses a name runs the waiting statements that register.

Nothing of any other package is touched, and no placeholder stands in ``sys.modules``.
"""
from __future__ import annotations
import __future__

import ast
import functools
import importlib
import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

from ..utils.errors import MissingPackageError

_EDITORS = {
    'AnimateDiff', 'ClipWrapper', 'ControlStableDiffusion', 'DiscoDiffusion', 'FastComposer',
    'UNet3DConditionMotionModel', 'ViCo'
}
# Module of MMagic 1.2.0, torchvision or MMEngine: the names whose statements wait. Behind the #:
# what these would import.
DEFERRED = {
    'mmagic.models.editors': _EDITORS,  # diffusers, transformers, lpips, pandas, resize_right
    'mmagic.models.archs': {  # diffusers
        'AttentionInjection', 'REGISTERED_DIFFUSERS_MODELS', 'REGISTERED_DIFFUSERS_PIPELINES'},
    'mmagic.models.diffusion_schedulers': {'REGISTERED_DIFFUSERS_SCHEDULERS'},  # diffusers
    'mmagic.models.editors.restormer.restormer_net': {'rearrange'},  # einops
    'mmagic.models.editors.stylegan2.ada.augment': {'scipy'},  # scipy.signal, scipy.stats
    'mmagic.evaluation.metrics.ppl': {'lpips'},
    'mmagic.evaluation.metrics.ms_ssim': {'signal'},  # scipy.signal, scipy.stats
    'mmagic.evaluation.metrics.inception_score': {'entropy'},  # scipy.stats
    'mmagic.datasets.transforms.albu_function': {'albu'},  # albumentations
    'mmagic.datasets.transforms.albumentations': {'albumentations', 'Compose'},
    'mmagic.datasets.transforms.generate_assistant': {
        'face_alignment', 'has_face_alignment'},  # numba, scikit-image
    'mmagic.datasets.transforms.random_degradations': {'av', 'has_av'},
    'mmagic.visualization.vis_backend': {'imageio'},
    'mmagic.utils.io_utils': {'click', 'requests', 'InvalidURL', 'RequestException', 'Timeout'},
    'mmagic.apis.inferencers.controlnet_animation_inferencer': {'HEDdetector', 'requests'},
    'torchvision.ops.roi_align': {'is_compile_supported'},  # torch._dynamo, sympy
    'mmengine.optim.optimizer.builder': {'TRANSFORMERS_OPTIMIZERS'},  # transformers
    # torch.distributed.optim and torch.distributed.fsdp: sympy
    'mmengine.optim.optimizer': {'ZeroRedundancyOptimizer'},
    'mmengine.optim': {'ZeroRedundancyOptimizer'},
    'mmengine.model.wrappers': {'MMFullyShardedDataParallel'},
    'mmengine.model': {'MMFullyShardedDataParallel'},
    'mmengine._strategy': {'FSDPStrategy'},
}
# (scope, name) of a registry: the modules whose waiting statements register into it, and what these
# cannot do without.
_REGISTERING = {
    ('mmagic', 'model'): {'mmagic.models.archs': 'diffusers', 'mmagic.models.editors': 'diffusers'},
    ('mmagic', 'diffusion scheduler'): {'mmagic.models.diffusion_schedulers': 'diffusers'},
    ('mmengine', 'optimizer'): {'mmengine.optim.optimizer.builder': 'transformers',
                                'mmengine.optim.optimizer': 'torch.distributed.optim'},
    ('mmengine', 'model_wrapper'): {'mmengine.model.wrappers': 'torch.distributed.fsdp'},
    ('mmengine', 'strategy'): {'mmengine._strategy': 'torch.distributed.fsdp'},
}
# What is looked for in vain without them, so that the error should say why. The classes of
# diffusers itself are too many to name.
_DIFFUSION = _EDITORS | {
    'AttentionInjection', 'AutoencoderKL', 'ControlNetModel', 'ControlStableDiffusionImg2Img',
    'DDIMScheduler', 'DDPMScheduler', 'SecondaryDiffusionImageNet2', 'UNet2DConditionModel'
}
_HINT = 'pip install "egscit_mm[diffusion]"'

_complaints: dict[str, list[str]] = {}  # of the modules whose waiting statements were run


def defer_imports() -> None:
    """Import the modules of :data:`DEFERRED` without what waits in them, from now on.

    Modules that were imported before stay as they are.
    """
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, _Finder())
    from mmengine.registry import Registry
    Registry.get = _completing(Registry.get)


def offer_deferred_models() -> None:
    """Let ``mmagic.models``, which has its names by a star import, look up what waits."""
    from mmagic import models
    if hasattr(models.editors, '__waiting__'):
        models.__getattr__ = models.editors.__getattr__


class _Finder(MetaPathFinder):

    def find_spec(self, name, path=None, target=None):
        if name not in DEFERRED:
            return None
        spec: ModuleSpec | None = PathFinder.find_spec(name, path)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    """Loads a source file. Bytecode of the released text is neither read nor written."""

    def exec_module(self, module: ModuleType) -> None:
        """Run all statements but those that wait."""
        tree = ast.parse(self.get_data(self.path), self.path)
        tree.body = [part for statement in tree.body for part in _by_name(statement)]
        waiting: dict[str, list[ast.stmt]] = {}
        for statement in list(tree.body):
            if names := _bound(statement) & DEFERRED[self.name]:
                tree.body.remove(statement)
                for name in names:
                    waiting.setdefault(name, []).append(statement)

        def look_up(name):
            space = vars(module)
            if name not in space:
                if name not in waiting:
                    raise AttributeError(f'module {self.name!r} has no attribute {name!r}')
                exec(compile(ast.Module(waiting[name], []), self.path, 'exec'), space)
            return space[name]

        module.__getattr__, module.__waiting__ = look_up, frozenset(waiting)
        tree = ast.fix_missing_locations(_LookUps(waiting).visit(tree))
        # Annotations stay text, for they may name what waits.
        flags = __future__.annotations.compiler_flag
        exec(compile(tree, self.path, 'exec', flags, True), vars(module))
        if hasattr(module, '__all__'):  # a star import would look them up
            module.__all__ = [name for name in module.__all__ if name not in waiting]


class _LookUps(ast.NodeTransformer):
    """Lets the module's own code find a waiting name as others do: by its ``__getattr__``."""

    def __init__(self, names):
        self.names = names

    def visit_Name(self, node):  # noqa: N802
        """Replace a name that waits where it is read."""
        if node.id not in self.names or not isinstance(node.ctx, ast.Load):
            return node
        call = ast.Call(ast.Name('__getattr__', ast.Load()), [ast.Constant(node.id)], [])
        return ast.copy_location(call, node)


def _by_name(statement: ast.stmt) -> list[ast.stmt]:
    """An import of several names as several, for one of them may have to wait."""
    if not isinstance(statement, ast.ImportFrom):
        return [statement]
    return [ast.copy_location(ast.ImportFrom(statement.module, [alias], statement.level), statement)
            for alias in statement.names]


def _bound(statement: ast.stmt) -> set[str]:
    """Names that a top-level import, assignment, if or try binds."""
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return {alias.asname or alias.name.partition('.')[0] for alias in statement.names}
    if isinstance(statement, ast.Assign):
        return {node.id for target in statement.targets for node in ast.walk(target)
                if isinstance(node, ast.Name)}
    if isinstance(statement, (ast.If, ast.Try)):
        return set().union(*map(_bound, statement.body))
    return set()


def _completing(released: Callable) -> Callable:

    @functools.wraps(released)
    def get(self, key):
        found, registry, complaints = released(self, key), self, []
        while found is None and registry is not None:
            for needs in _REGISTERING.get((registry.scope, registry.name), {}).items():
                complaints += _complete(*needs)
            registry = registry.parent
            found = released(self, key)
        if found is None and complaints and key.rpartition('.')[2] in _DIFFUSION:
            raise MissingPackageError(f'{complaints[0]}, which {key} of MMagic needs: {_HINT}')
        return found

    return get


def _complete(name: str, needed: str) -> list[str]:
    """Run what waits in a module, once; says why some of it cannot."""
    module = sys.modules.get(name)
    if module is None:
        return []
    if name not in _complaints:
        # What it imports may miss names meanwhile, too: it finds the list there.
        complaints = _complaints[name] = []
        try:
            # Where it is missing, MMagic warns only, in words that name nothing that was asked for.
            importlib.import_module(needed)
            waiting = sorted(getattr(module, '__waiting__', ()))
        except Exception as error:  # whatever a foreign release does at import
            complaints.append(f'{type(error).__name__}: {error}')
            waiting = []
        for name_in_it in waiting:
            try:
                getattr(module, name_in_it)
            except Exception as error:
                complaints.append(f'{type(error).__name__}: {error}')
    return _complaints[name]
