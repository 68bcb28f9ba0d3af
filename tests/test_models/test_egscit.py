# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import copy
import re

import pytest
import torch
from mmagic.models.base_models import BaseTranslationModel
from mmagic.registry import MODELS
from mmengine.optim import OptimWrapperDict
from mmengine.runner import load_checkpoint
from tiny_models import (
    DOMAINS,
    PERCEPTUAL_LOSS,
    assert_init_weights_reaches_all,
    batch_part,
    changed,
    egscit_cfg,
    optim_wrappers,
    random_batch,
    random_images,
    snapshot,
    tiny_egscit,
    tiny_vaegan,
)
from torch import nn

from egscit_mm.engine import AutocastOptimWrapper
from egscit_mm.models.egscit import mask_image

F64 = torch.float64
EMA = dict(type='ExponentialMovingAverage', momentum=0.25)
DIRECTIONS = ('A2B', 'B2A')


def stage1_checkpoint(path, **kwargs):
    model = tiny_vaegan(seed=7, **kwargs)
    torch.save(dict(state_dict=model.state_dict(), meta={}), path)
    return str(path), model


# ------------------------------------------------------------------------------------- losses
def test_generator_losses_equal_the_written_out_ones():
    weights = dict(gan=2., reconstruction=3., kl=5., cycle=7., cycle_kl=11.)
    model = tiny_egscit(loss_weights=weights).double().eval()
    images = random_images(size=32, dtype=F64)
    losses = model.generator_losses(images)
    outputs = model.generators(images)
    content, style = model.perceptual_loss(images, outputs['translation'])
    expected = {}
    for d in DOMAINS:
        expected[f'loss_reconstruction_{d}'] = 3 * (outputs['reconstruction'][d] -
                                                    images[d]).abs().mean()
        expected[f'loss_kl_{d}'] = 5 * (outputs['latent_mean'][d]**2).mean()
    for source, target in (('A', 'B'), ('B', 'A')):
        direction = f'{source}2{target}'
        score = model.discriminators.networks[target](outputs['translation'][source, target])
        expected[f'loss_gan_g_{target}'] = 2 * ((score - 1)**2).mean()
        expected[f'loss_cycle_{direction}'] = 7 * (outputs['cycle'][source, target] -
                                                   images[source]).abs().mean()
        expected[f'loss_cycle_kl_{direction}'] = 11 * (
            outputs['cycle_latent_mean'][source, target]**2).mean()
        expected[f'loss_content_{direction}'] = content[source, target]
        expected[f'loss_style_{direction}'] = style[source, target]
    torch.testing.assert_close(losses, expected, rtol=1e-5, atol=0, check_dtype=False)


def test_smooth_l1_beta_is_that_of_reconstructions_and_cycles():
    images = random_images()
    losses = []
    for beta in (0., 0.5):
        model = tiny_egscit(smooth_l1_beta=beta, generator=dict(latent_noise=0.))
        losses.append(model.generator_losses(images))
    outputs = model.generators(images)
    for name, image, real in (('reconstruction_A', outputs['reconstruction']['A'], images['A']),
                              ('cycle_B2A', outputs['cycle']['B', 'A'], images['B'])):
        d = (image - real).abs()
        squared = 100 * torch.where(d < 0.5, d.square(), d - 0.25).mean()  # d^2 / (2 * 0.5)
        torch.testing.assert_close(losses[1][f'loss_{name}'], squared)
        torch.testing.assert_close(losses[0][f'loss_{name}'], 100 * d.mean())
    same = {name for name in losses[0] if torch.equal(losses[0][name], losses[1][name])}
    assert {name for name in losses[0] if 'loss_reconstruction' in name or (
        'loss_cycle' in name and 'kl' not in name)} == losses[0].keys() - same
    with pytest.raises(ValueError, match='smooth_l1_beta must be a number of at least 0, got -1'):
        tiny_egscit(smooth_l1_beta=-1)


def test_discriminator_losses_equal_the_written_out_ones():
    """Each domain's real images against the translations to it, and nothing else."""
    model = tiny_egscit(loss_weights=dict(gan=2.)).double().eval()
    images = random_images(dtype=F64)
    losses = model.discriminator_losses(images)
    assert {name for name in losses if 'loss' in name} == {'loss_gan_d_A', 'loss_gan_d_B'}
    for source, target in (('A', 'B'), ('B', 'A')):
        network = model.discriminators.networks[target]
        fake = model.generators.translate(images[source], images[target], source, target)
        expected = 2 * 0.5 * (((network(images[target]) - 1)**2).mean() + (network(fake)**2).mean())
        torch.testing.assert_close(
            losses[f'loss_gan_d_{target}'].double(), expected, rtol=1e-5, atol=0)


def test_discriminator_update_builds_translations_only():
    model = tiny_egscit()
    passes = []
    for domain, decoder in model.generators.decoders.items():
        decoder.register_forward_pre_hook(
            lambda module, args, domain=domain: passes.append((domain, len(args[0]))))
    model.discriminator_losses(random_images(2))
    assert passes == [('A', 2), ('B', 2)]


def test_default_loss_weights_are_the_papers():
    assert tiny_egscit().loss_weights == dict(
        gan=10., reconstruction=100., kl=0.1, cycle=100., cycle_kl=0.1)


def test_relabelling_the_domains_swaps_the_losses():
    def relabelled(text):
        return ''.join({'A': 'B', 'B': 'A'}.get(letter, letter) for letter in text)

    model, twin = tiny_egscit().double().eval(), tiny_egscit(seed=1).double().eval()
    twin.load_state_dict({
        '.'.join(relabelled(part) if part in DOMAINS else part for part in key.split('.')): value
        for key, value in model.state_dict().items()
    })
    images = random_images(size=32, dtype=F64)
    swapped = {relabelled(domain): batch for domain, batch in images.items()}
    for side in ('discriminator', 'generator'):
        losses = getattr(model, f'{side}_losses')(images)
        for name, value in getattr(twin, f'{side}_losses')(swapped).items():
            torch.testing.assert_close(value, losses[relabelled(name)], msg=name)


@pytest.mark.parametrize('kwargs, missing', [
    (dict(perceptual_loss=None), {'content', 'style'}),
    (dict(generator=dict(eta=1.)), set()),
    (dict(generator=dict(adain=None)), set()),
    (dict(generator=dict(eta=1., adain=None), perceptual_loss=None), {'content', 'style'}),
], ids=['no perceptual loss', 'no mask', 'no adain', 'unit'])
def test_ablations_train(kwargs, missing):
    model = tiny_egscit(**kwargs)
    before = snapshot(model)
    logs = model.train_step(random_batch(6), optim_wrappers(model))
    terms = {name.split('_')[1] for name in logs}
    assert {'content', 'style'} - terms == missing
    assert all(torch.tensor(value).isfinite() for value in logs.values())
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    assert set(changed(before, snapshot(model))) <= trained


def test_three_domains_train():
    """Domains are data."""
    domains = ('day', 'dusk', 'night')
    model = tiny_egscit(domains=domains)
    logs = model.train_step(random_batch(6, domains=domains), optim_wrappers(model))
    directions = {f'{s}2{t}' for s in domains for t in domains if s != t}
    assert {name.rsplit('_', 1)[1] for name in logs if name.startswith('loss_cycle_kl')
            } == directions
    assert {name.rsplit('_', 1)[1] for name in logs if name.startswith('loss_gan_d')
            } == set(domains)


# ------------------------------------------------------------------------------- frozen parts
def test_feature_networks_and_vgg_never_change():
    model = tiny_egscit(ema_config=EMA)
    model.generators_ema.module.load_state_dict(model.generators.state_dict())
    before = snapshot(model)
    wrappers = optim_wrappers(model, lr=1e-2)
    for seed in range(2):
        model.train_step(random_batch(6, seed=seed), wrappers)
    names = changed(before, snapshot(model))
    assert not [n for n in names if n.startswith(('generators.feature_networks', 'perceptual'))]
    assert {n for n in names if not n.startswith('generators_ema.')} == {
        n for n, p in model.named_parameters() if p.requires_grad
    }


def test_vgg_has_no_parameters_and_is_not_in_the_state_dict():
    model = tiny_egscit(ema_config=EMA)
    assert not any(name.startswith('perceptual_loss') for name in model.state_dict())
    assert not any(name.startswith('perceptual_loss') for name, _ in model.named_parameters())
    assert any(name.startswith('perceptual_loss') for name, _ in model.named_buffers())


def test_init_weights():
    model = MODELS.build(egscit_cfg(ema_config=EMA))
    assert_init_weights_reaches_all(model)
    assert model.perceptual_loss.vgg.loaded
    averaged, trained = model.generators_ema.module.state_dict(), model.generators.state_dict()
    assert changed(averaged, trained) == []
    weights = torch.cat([p.flatten() for n, p in model.generators.named_parameters()
                         if n.endswith('weight')])
    assert abs(weights.std() - 0.0176) < 2e-4


# ------------------------------------------------------------------------- feature checkpoint
def test_feature_checkpoint_is_loaded_by_init_weights(tmp_path):
    path, stage1 = stage1_checkpoint(tmp_path / 'iter_9.pth')
    model = MODELS.build(egscit_cfg(feature_checkpoint=path, ema_config=EMA))
    assert model.generators.features_missing  # building reads no file
    model.init_weights()
    for generators in (model.generators, model.generators_ema.module):
        assert bool(generators.features_loaded) and not generators.features_missing
        for name, value in stage1.generators.encoders.state_dict().items():
            assert torch.equal(generators.feature_networks.state_dict()[name], value)
    encoders = model.generators.encoders.state_dict()
    assert len(changed(encoders, stage1.generators.encoders.state_dict())) > 0
    model.train_step(random_batch(6), optim_wrappers(model))


def test_feature_checkpoint_as_a_bare_state_dict(tmp_path):
    torch.save(tiny_vaegan().state_dict(), tmp_path / 'bare.pth')
    model = tiny_egscit(seed=1)
    model.load_feature_networks(str(tmp_path / 'bare.pth'))
    expected = tiny_vaegan().generators.encoders.state_dict()
    assert changed(model.generators.feature_networks.state_dict(), expected) == []


@pytest.mark.parametrize('path', [None, 'nowhere.pth'])
def test_training_without_stage_1_says_what_to_type(path, tmp_path):
    path = path and str(tmp_path / path)
    model = MODELS.build(egscit_cfg(feature_checkpoint=path))
    model.init_weights()  # no error yet: a checkpoint to resume may hold the feature networks
    with pytest.raises(RuntimeError, match='F of stage 1 are not loaded') as error:
        model.train_step(random_batch(6), optim_wrappers(model))
    message = str(error.value)
    assert repr(path) in message
    assert 'python tools/train.py configs/egscit/vaegan_' in message
    assert 'model.feature_checkpoint=' in message


def test_resumed_training_needs_no_stage_1_file(tmp_path):
    torch.save(dict(state_dict=tiny_egscit().state_dict()), tmp_path / 'iter_5.pth')
    model = MODELS.build(egscit_cfg(feature_checkpoint=str(tmp_path / 'gone.pth')))
    model.init_weights()
    load_checkpoint(model, str(tmp_path / 'iter_5.pth'))
    assert not model.generators.features_missing
    assert changed(model.generators.state_dict(), tiny_egscit().generators.state_dict()) == []
    model.train_step(random_batch(6), optim_wrappers(model))


def test_unit_needs_no_stage_1():
    model = MODELS.build(egscit_cfg(dict(eta=1., adain=None), feature_checkpoint='nowhere.pth'))
    model.init_weights()
    assert model.generators.feature_networks is None
    before = copy.deepcopy(model.generators.state_dict())
    losses = model.train_step(random_batch(6), optim_wrappers(model))
    assert losses['loss_g'] > 0 and changed(model.generators.state_dict(), before)


def test_stage_2_checkpoint_given_as_stage_1(tmp_path):
    torch.save(dict(state_dict=tiny_egscit().state_dict()), tmp_path / 'stage2.pth')
    model = MODELS.build(egscit_cfg(feature_checkpoint=str(tmp_path / 'stage2.pth')))
    with pytest.raises(ValueError, match=r'stage2.pth is not a stage-1 \(VAEGAN\) checkpoint'):
        model.init_weights()
    assert model.generators.features_missing


def test_some_other_checkpoint_given_as_stage_1(tmp_path):
    torch.save(dict(weight=torch.zeros(3)), tmp_path / 'other.pth')
    with pytest.raises(ValueError, match=r'other.pth is not a stage-1'):
        tiny_egscit().load_feature_networks(str(tmp_path / 'other.pth'))


@pytest.mark.parametrize('kwargs, message', [
    (dict(width=8), r"'A.blocks.0.layers.0.bias' should be \(8,\), is \(16,\) there"),
    (dict(domains=('A', 'C')), r"feature network '[BC].*(should be nothing|is nothing there)"),
    (dict(domains=('A', 'B', 'C')), r"feature network 'C.* should be nothing"),
])
def test_stage_1_of_another_architecture(kwargs, message, tmp_path):
    path, _ = stage1_checkpoint(tmp_path / 'other.pth', **kwargs)
    model = tiny_egscit()
    model.generators.features_loaded.fill_(False)
    before = snapshot(model)
    with pytest.raises(ValueError, match=message):
        model.load_feature_networks(path)
    assert changed(before, snapshot(model)) == []


# ---------------------------------------------------------------------------------------- EMA
def test_averaged_weights():
    """The first iteration copies, later ones move a quarter of the way."""
    model = tiny_egscit(ema_config=EMA)
    wrappers = optim_wrappers(model, lr=1e-2)
    expected = None
    for seed in range(3):
        model.train_step(random_batch(6, seed=seed), wrappers)
        weight = model.generators.encoders['A'].convs[0].weight.detach().double()
        expected = weight if expected is None else 0.75 * expected + 0.25 * weight
        averaged = model.generators_ema.module.encoders['A'].convs[0].weight
        torch.testing.assert_close(averaged.double(), expected, rtol=0, atol=1e-7)
    assert not torch.equal(averaged, model.generators.encoders['A'].convs[0].weight)
    assert bool(model.generators_ema.module.features_loaded)
    assert not any(parameter.requires_grad for parameter in model.generators_ema.parameters())


@pytest.mark.parametrize('scope, tolerance', [('mmengine', 0.), ('mmagic', 1e-4)])
def test_averaged_feature_networks_stay_the_feature_networks(scope, tolerance):
    """They are frozen: the average of equal numbers may differ by rounding at most."""
    model = tiny_egscit(
        ema_config=dict(type=f'{scope}.ExponentialMovingAverage', momentum=1e-3))
    for _ in range(100):
        model.after_updates()
    averaged = model.generators_ema.module.feature_networks.state_dict()
    for name, value in model.generators.feature_networks.state_dict().items():
        torch.testing.assert_close(averaged[name], value, rtol=tolerance, atol=0)


def test_inference_uses_the_averaged_weights():
    model = tiny_egscit(ema_config=EMA).eval()
    assert model.inference_generators is model.generators_ema.module
    assert model._get_target_generator('B') is model.generators_ema.module
    images, batch = random_images(), random_batch(2)
    averaged = model.generators_ema.module
    expected = averaged.translate(images['A'], images['B'], 'A', 'B')
    before = model.test_step(batch), model.rows(images)
    for parameter in model.generators.parameters():
        parameter.data.zero_()
    assert torch.equal(model.translation(images['A'], 'B', images['B']), expected)
    after = model.test_step(batch), model.rows(images)
    assert torch.equal(before[0][0].fake_B, after[0][0].fake_B)
    assert torch.equal(before[1]['A2B']['cycle'], after[1]['A2B']['cycle'])
    assert tiny_egscit().inference_generators is not None


def test_checkpoint_without_the_average_is_refused(tmp_path):
    """Else inference would run with the random weights of an average never made."""
    torch.save(dict(state_dict=tiny_egscit().state_dict()), tmp_path / 'model.pth')
    with pytest.raises(ValueError, match="'generators_ema.*found nothing.*ema_config"):
        load_checkpoint(tiny_egscit(ema_config=EMA), str(tmp_path / 'model.pth'))


def test_checkpoint_with_the_average_can_be_used_without_it(tmp_path):
    model = tiny_egscit(ema_config=EMA)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'model.pth')
    other = tiny_egscit(seed=1)
    load_checkpoint(other, str(tmp_path / 'model.pth'))
    assert changed(other.generators.state_dict(), model.generators.state_dict()) == []


def test_average_starts_at_the_weights_of_a_published_model():
    published = {
        name: value for name, value in tiny_egscit().state_dict().items()
        if name.startswith('generators.')
    }
    model = tiny_egscit(seed=1, ema_config=EMA)
    model.generators_ema.steps.fill_(7)
    model.load_state_dict(published, strict=False)
    averaged = model.generators_ema.module
    for generators in (model.generators, averaged):
        assert changed(generators.state_dict(), tiny_egscit().generators.state_dict()) == []
    model.train_step(random_batch(6), optim_wrappers(model, lr=1e-2))
    assert changed(averaged.state_dict(), tiny_egscit().generators.state_dict()) != []
    assert changed(averaged.state_dict(), model.generators.state_dict()) == []
    assert model.generators_ema.steps == 1


def test_average_survives_the_round_trip(tmp_path):
    model = tiny_egscit(ema_config=EMA)
    model.train_step(random_batch(6), optim_wrappers(model))
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'model.pth')
    other = tiny_egscit(seed=1, ema_config=EMA)
    load_checkpoint(other, str(tmp_path / 'model.pth'))
    assert changed(other.state_dict(), model.state_dict()) == []
    assert other.generators_ema.steps == 1


# -------------------------------------------------------------------------------------- bf16
def test_bfloat16_losses_are_near_those_of_float32():
    model = tiny_egscit(
        generator=dict(latent_noise=0.), perceptual_loss={**PERCEPTUAL_LOSS, 'base_channels': 8})
    images = random_images(2, size=64)
    for side in ('discriminator', 'generator'):
        exact = getattr(model, f'{side}_losses')(images)
        with torch.autocast('cpu', torch.bfloat16):
            losses = getattr(model, f'{side}_losses')(images)
        assert losses.keys() == exact.keys()
        for name, value in losses.items():
            assert value.dtype == torch.float32, name
            if 'loss' not in name:
                continue  # an accuracy jumps where a score crosses 0.5
            # 16 layers of VGG add up their rounding.
            rtol = 0.05 if 'content' in name or 'style' in name else 0.01
            torch.testing.assert_close(value, exact[name], rtol=rtol, atol=0, msg=name)


def test_bfloat16_training_is_finite():
    model = tiny_egscit()
    wrappers = OptimWrapperDict(**{
        side: AutocastOptimWrapper(optimizer=torch.optim.Adam(
            [p for p in getattr(model, side).parameters() if p.requires_grad], lr=1e-3))
        for side in ('generators', 'discriminators')
    })
    before = snapshot(model)
    for _ in range(2):
        logs = model.train_step(random_batch(6), wrappers)
        assert all(torch.tensor(value).isfinite() for value in logs.values())
    after = snapshot(model)
    assert all(value.isfinite().all() and value.dtype == before[name].dtype
               for name, value in after.items())
    assert set(changed(before, after)) == {n for n, p in model.named_parameters()
                                           if p.requires_grad}


# ---------------------------------------------------------------------------------- inference
def test_it_is_a_translation_model_of_mmagic():
    model = tiny_egscit().eval()
    assert isinstance(model, BaseTranslationModel)
    images = random_images()
    results = model(images['A'], test_mode=True, target_domain='B', exemplar=images['B'])
    assert results.keys() == {'source', 'target'}
    assert torch.equal(results['source'], images['A'])
    expected = model.generators.translate(images['A'], images['B'], 'A', 'B')
    assert torch.equal(results['target'], expected)
    results = model(images['B'], target_domain='A', exemplar=images['A'])
    assert torch.equal(
        results['target'], model.generators.translate(images['B'], images['A'], 'B', 'A'))


def test_domain_queries_of_mmagic():
    model = tiny_egscit()
    assert model._default_domain == 'B'
    assert model.is_domain_reachable('A') and not model.is_domain_reachable('C')
    assert model.get_other_domains('A') == ['B']
    assert model.get_module(model.generators) is model.generators
    assert model._get_target_generator('A') is model.generators
    assert model._get_target_discriminator('A') is model.discriminators.networks['A']


def test_default_domain():
    images = random_images()
    model = tiny_egscit(default_domain='A').eval()
    assert torch.equal(model.translation(images['B'], exemplar=images['A']),
                       model.translation(images['B'], 'A', images['A'], 'B'))


def test_one_exemplar_for_a_batch():
    model = tiny_egscit().eval()
    images, exemplar = random_images(3), random_images(1, seed=5)['B']
    torch.testing.assert_close(
        model.translation(images['A'], 'B', exemplar),
        model.translation(images['A'], 'B', exemplar.expand(3, -1, -1, -1)))


@pytest.mark.parametrize('call, message', [
    (lambda model, x: model.translation(x, 'C', x), "domain 'C'; this model has ['A', 'B']"),
    (lambda model, x: model.translation(x, 'B', x, 'C'), "Unknown domain 'C'"),
    (lambda model, x: model.translation(x, 'B'), "give \"exemplar\", images of domain 'B'"),
    (lambda model, x: model(x, test_mode=True, target_domain='A'), "images of domain 'A'"),
    (lambda model, x: model.translation(x, x), 'expected in place of a Tensor'),
    (lambda model, x: model._get_target_generator('C'), "Unknown domain 'C'"),
    (lambda model, x: model._get_target_discriminator('C'), "Unknown domain 'C'"),
    (lambda model, x: tiny_egscit(default_domain='C'), "Unknown domain 'C'"),
])
def test_bad_domains_and_exemplars(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call(tiny_egscit(), random_images()['A'])


def test_with_three_domains_the_source_must_be_named():
    domains = ('A', 'B', 'C')
    model = tiny_egscit(domains=domains).eval()
    images = random_images(domains=domains)
    with pytest.raises(ValueError, match=r"source_domain is needed, one of \['A', 'B'\]"):
        model.translation(images['A'], 'C', images['C'])
    assert torch.equal(model.translation(images['A'], 'C', images['C'], 'A'),
                       model.generators.translate(images['A'], images['C'], 'A', 'C'))


def test_inference_needs_neither_discriminator_nor_files(tmp_path):
    model = tiny_egscit(ema_config=EMA)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'model.pth')
    perceptual_loss = {**PERCEPTUAL_LOSS, 'pretrained': str(tmp_path / 'gone.pth')}
    for kwargs in (dict(discriminator=None, perceptual_loss=None),
                   dict(perceptual_loss=perceptual_loss, feature_checkpoint='gone.pth')):
        other = MODELS.build(egscit_cfg(ema_config=EMA, **kwargs)).eval()
        load_checkpoint(other, str(tmp_path / 'model.pth'))
        batch = random_batch(2)
        expected = model.eval().test_step(batch)
        assert torch.equal(other.test_step(batch)[1].fake_A, expected[1].fake_A)


@pytest.mark.parametrize('step', ['val_step', 'test_step'])
def test_test_step_puts_out_bgr(step):
    """fake_B is img_A after img_B: float BGR in 0..255, samples in order, metainfo kept."""
    model = tiny_egscit().eval()
    batch = random_batch(3)
    for i, sample in enumerate(batch['data_samples']):
        sample.set_tensor_data(dict(gt_A2B=torch.full((3, 16, 16), i, dtype=torch.uint8)))
    samples = getattr(model, step)(batch)
    assert len(samples) == 3
    images = {  # RGB in [-1, 1]
        d: torch.stack(batch['inputs'][f'img_{d}']).flip(1).float() / 127.5 - 1 for d in DOMAINS
    }
    for source, target in (('A', 'B'), ('B', 'A')):
        fake = model.generators.translate(images[source], images[target], source, target).detach()
        expected = (fake.flip(1) + 1) * 127.5
        for i, sample in enumerate(samples):
            image = sample.get(f'fake_{target}')
            assert image.shape == (3, 16, 16) and image.dtype == torch.float32
            assert not image.requires_grad
            torch.testing.assert_close(image, expected[i], rtol=1e-5, atol=1e-3)
    for i, sample in enumerate(samples):
        assert sample.metainfo['img_A_path'] == f'testA/{i}.png'
        assert sample.metainfo['img_B_path'] == f'testB/{i}.png'
        assert (sample.gt_A2B == i).all() and sample.gt_A2B.dtype == torch.uint8


def test_channel_order():
    """A translator that hands the exemplar on must leave a red image red."""

    class Copy(nn.Module):
        directions = (('A', 'B'), ('B', 'A'))
        feature_networks = None

        def translate(self, content, exemplar, source, target):
            assert exemplar.amin((0, 2, 3)).tolist() == [1, -1, -1]  # red, as RGB in [-1, 1]
            return exemplar

    model = tiny_egscit()
    model.generators = Copy()
    red = torch.zeros(3, 4, 4, dtype=torch.uint8)
    red[2] = 255  # BGR, as images are read
    batch = dict(random_batch(1), inputs=dict(img_A=[red.clone()], img_B=[red.clone()]))
    sample, = model.test_step(batch)
    assert torch.equal(sample.fake_B, red.float()) and torch.equal(sample.fake_A, red.float())
    # The same image, read as RGB by a pipeline that says so.
    batch = dict(random_batch(1), inputs=dict(img_A=[red.flip(0)], img_B=[red.flip(0)]))
    batch['data_samples'][0].set_metainfo(
        dict(img_A_channel_order='RGB', img_B_channel_order='RGB'))
    sample, = model.test_step(batch)
    assert torch.equal(sample.fake_B, red.float())


def test_evaluation_of_a_batch_equals_that_of_its_images():
    model = tiny_egscit().eval()
    batch = random_batch(3)
    together = model.test_step(batch)
    for i in range(3):
        alone, = model.test_step(batch_part(batch, i, i + 1))
        for d in DOMAINS:
            torch.testing.assert_close(
                alone.get(f'fake_{d}'), together[i].get(f'fake_{d}'), rtol=0, atol=1e-3)


def test_evaluation_is_deterministic_and_leaves_the_random_numbers_alone():
    model = tiny_egscit().eval()
    batch = random_batch(2)
    state = torch.get_rng_state()
    first, second = model.test_step(batch), model.test_step(batch)
    assert torch.equal(first[0].fake_B, second[0].fake_B)
    assert torch.equal(torch.get_rng_state(), state)


# --------------------------------------------------------------------------------------- rows
@pytest.mark.parametrize('generator, with_mask', [({}, True), (dict(eta=1.), False),
                                                  (dict(adain=None), True)])
def test_rows(generator, with_mask):
    model = tiny_egscit(generator=generator).eval()
    images = random_images(3)
    grids = model.rows(images)
    outputs = model.generators(images)
    names = ['content', 'exemplar', 'mask', 'translation', 'reconstruction', 'cycle']
    if not with_mask:
        names.remove('mask')
    assert grids.keys() == set(DIRECTIONS)
    for source, target in (('A', 'B'), ('B', 'A')):
        rows = grids[f'{source}2{target}']
        assert list(rows) == names
        for row in rows.values():
            assert row.shape == (3, 3, 16, 16)
            assert row.min() >= -1 and row.max() <= 1 and not row.requires_grad
        assert torch.equal(rows['content'], images[source])
        assert torch.equal(rows['exemplar'], images[target])
        assert torch.equal(rows['translation'], outputs['translation'][source, target])
        assert torch.equal(rows['reconstruction'], outputs['reconstruction'][source])
        assert torch.equal(rows['cycle'], outputs['cycle'][source, target])


def test_mask_row_by_hand():
    """Grey value from -1 (mask is eta) to 1 (mask is 1), at the size of the image."""
    model = tiny_egscit(generator=dict(eta=0.2)).eval()

    class Features(nn.Module):

        def forward(self, images):
            features = torch.full((len(images), 2, 2, 2), 100.)
            features[:, :, 0] = -100.  # upper half
            features[:, 0, 1, 1] = -100.  # one channel of two
            return features

    model.generators.feature_networks['A'] = Features()
    row = mask_image(model.generators, torch.zeros(1, 3, 4, 4), 'A')
    assert row.shape == (1, 3, 4, 4)
    expected = torch.tensor([[-1., -1, -1, -1], [-1, -1, -1, -1], [1, 1, 0, 0], [1, 1, 0, 0]])
    torch.testing.assert_close(row, expected.expand(1, 3, 4, 4))
