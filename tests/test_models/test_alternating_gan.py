# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What both stages have in common: updates in turn, on minibatches of one batch."""
import math

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import load_checkpoint
from tiny_models import (
    DISCRIMINATOR,
    changed,
    optim_wrappers,
    random_batch,
    random_images,
    snapshot,
    tiny_egscit,
    tiny_vaegan,
)
from torch import nn

from egscit_mm.models import AlternatingGAN

F64 = torch.float64
STAGES = {'vaegan': tiny_vaegan, 'egscit': tiny_egscit}
# Updates of the discriminators and generators in one iteration.
STEPS = {'vaegan': (1, 1), 'egscit': (1, 5)}


@pytest.fixture(params=STAGES)
def stage(request):
    return request.param


def spy_on_updates(model, monkeypatch):
    """Records (side, images by domain) of every update."""
    seen = []
    for side in ('discriminator', 'generator'):
        losses_of = getattr(model, f'{side}_losses')

        def spy(images, side=side, losses_of=losses_of):
            seen.append((side, {domain: batch.clone() for domain, batch in images.items()}))
            return losses_of(images)

        monkeypatch.setattr(model, f'{side}_losses', spy)
    return seen


def noiseless(model):
    model.generators.latent_noise = 0.
    return model.double()


# ------------------------------------------------------------------------------- minibatches
def test_every_update_has_its_own_minibatch_in_order(stage, monkeypatch):
    model = STAGES[stage]()
    d_steps, g_steps = STEPS[stage]
    updates = d_steps + g_steps
    batch = random_batch(2 * updates)
    seen = spy_on_updates(model, monkeypatch)
    model.train_step(batch, optim_wrappers(model))
    assert [side for side, _ in seen] == ['discriminator'] * d_steps + ['generator'] * g_steps
    for domain in model.domains:
        images = torch.stack(batch['inputs'][f'img_{domain}']).flip(1).float() / 127.5 - 1  # RGB
        for update, (_, minibatch) in enumerate(seen):
            torch.testing.assert_close(minibatch[domain], images[2 * update:2 * update + 2])


def test_split_batch_false_reuses_one_minibatch(stage, monkeypatch):
    model = STAGES[stage](split_batch=False)
    seen = spy_on_updates(model, monkeypatch)
    model.train_step(random_batch(3), optim_wrappers(model))  # divides by no number of updates
    assert len(seen) == sum(STEPS[stage])
    for _, minibatch in seen:
        for domain, images in minibatch.items():
            assert len(images) == 3
            assert torch.equal(images, seen[0][1][domain])


@pytest.mark.parametrize('d_steps, g_steps', [(2, 3), (1, 0), (0, 2)])
def test_numbers_of_updates(stage, d_steps, g_steps, monkeypatch):
    model = STAGES[stage](discriminator_steps=d_steps, generator_steps=g_steps)
    seen = spy_on_updates(model, monkeypatch)
    model.train_step(random_batch(d_steps + g_steps), optim_wrappers(model))
    assert [side for side, _ in seen] == ['discriminator'] * d_steps + ['generator'] * g_steps


def test_batch_that_does_not_divide(stage):
    model = STAGES[stage]()
    updates = sum(STEPS[stage])
    before = snapshot(model)
    message = (f'batch of {updates + 1} cannot be split into {updates} minibatches .*'
               f'discriminator_steps=1 .* generator_steps={updates - 1}.*multiple of {updates}')
    with pytest.raises(ValueError, match=message):
        model.train_step(random_batch(updates + 1), optim_wrappers(model))
    assert changed(before, snapshot(model)) == []


def test_batch_without_a_domain(stage):
    model = STAGES[stage]()
    batch = random_batch(6, domains=('A', ))
    with pytest.raises(ValueError, match=r"has no \['img_B'\], only \['img_A'\]"):
        model.train_step(batch, optim_wrappers(model))
    with pytest.raises(ValueError, match=r"has no \['img_B'\]"):
        model.test_step(batch)


# ---------------------------------------------------------------------- which side is updated
def test_updates_of_one_side_leave_the_other_untouched(stage):
    for steps, moving, still in [((1, 0), 'discriminators.', 'generators.'),
                                 ((0, 1), 'generators.', 'discriminators.')]:
        model = STAGES[stage](discriminator_steps=steps[0], generator_steps=steps[1])
        before = snapshot(model)
        model.train_step(random_batch(2), optim_wrappers(model))
        names = changed(before, snapshot(model))
        assert names and all(name.startswith(moving) for name in names)
        assert not any('feature_networks' in name for name in names)
        side = getattr(model, moving[:-1])
        trainable = {
            moving + name for name, parameter in side.named_parameters() if parameter.requires_grad
        }
        assert set(names) == trainable
        assert any(name.startswith(still) for name in before)


def test_updates_leave_no_gradients_behind(stage):
    """Neither side may start its next update with gradients of this one."""
    model = STAGES[stage]()
    model.train_step(random_batch(6), optim_wrappers(model))
    assert all(parameter.grad is None for parameter in model.parameters())


def test_discriminators_are_frozen_during_the_generator_update(stage, monkeypatch):
    model = STAGES[stage]()
    trainable = {}
    for side in ('discriminator', 'generator'):
        losses_of = getattr(model, f'{side}_losses')

        def spy(images, side=side, losses_of=losses_of):
            losses = losses_of(images)
            trainable[side] = {p.requires_grad for p in model.discriminators.parameters()}
            return losses

        monkeypatch.setattr(model, f'{side}_losses', spy)
    model.train_step(random_batch(6), optim_wrappers(model))
    assert trainable == dict(discriminator={True}, generator={False})
    assert all(parameter.requires_grad for parameter in model.discriminators.parameters())


def test_discriminators_are_trainable_again_after_an_error(stage, monkeypatch):
    model = STAGES[stage]()
    monkeypatch.setattr(model, 'generator_losses', lambda images: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model.train_step(random_batch(6), optim_wrappers(model))
    assert all(parameter.requires_grad for parameter in model.discriminators.parameters())


def test_every_trainable_parameter_gets_a_gradient(stage):
    model = STAGES[stage]()
    images = random_images(2, size=32)
    for side in ('discriminator', 'generator'):
        model.zero_grad()
        sum(getattr(model, f'{side}_losses')(images).values()).backward()
        module = getattr(model, f'{side}s')
        for name, parameter in module.named_parameters():
            if parameter.requires_grad:
                assert parameter.grad is not None and parameter.grad.any(), name
                assert parameter.grad.isfinite().all(), name
            else:
                assert 'feature_networks' in name and parameter.grad is None


def test_discriminator_losses_build_no_graph_of_the_generators(stage):
    model = STAGES[stage]()
    graphs = []
    for decoder in model.generators.decoders.values():
        decoder.register_forward_hook(
            lambda module, args, output: graphs.append(output.requires_grad))
    model.discriminator_losses(random_images())
    assert graphs == [False, False]


# ---------------------------------------------------------------------------------------- GAN
class Scores(nn.Module):
    """Stands in for the discriminators: the mean of each image is its score."""

    def forward(self, images):
        return {domain: batch.mean((1, 2, 3), keepdim=True) for domain, batch in images.items()}


def test_lsgan_by_hand(stage):
    model = STAGES[stage](loss_weights=dict(gan=3.))
    model.discriminators = Scores()

    def images(*means):
        return torch.stack([torch.full((3, 4, 4), mean) for mean in means])

    real = dict(A=images(1., 0.5), B=images(0., -1.))
    fake = dict(A=images(0., 0.5), B=images(1., 1.))
    # A: 3 * 0.5 * ([0 + 0.25] / 2 + [0 + 0.25] / 2); B: 3 * 0.5 * ([1 + 4] / 2 + [1 + 1] / 2).
    assert model.losses_against(fake, real) == dict(
        loss_gan_d_A=0.375, loss_gan_d_B=5.25,
        accuracy_real_A=0.5, accuracy_fake_A=0.5, accuracy_real_B=0., accuracy_fake_B=0.)
    # A: 3 * [1 + 0.25] / 2; B: 0.
    assert model.weighted(model.gan_terms(fake)) == dict(loss_gan_g_A=1.875, loss_gan_g_B=0.)


def test_real_and_fake_batches_may_differ_in_size(stage):
    """With three domains there are two translations per real image."""
    model = STAGES[stage](loss_weights=dict(gan=1.))
    model.discriminators = Scores()
    real, fake = dict(A=torch.ones(1, 3, 4, 4)), dict(A=torch.ones(3, 3, 4, 4))
    assert model.losses_against(fake, real) == dict(
        loss_gan_d_A=0.5, accuracy_real_A=1., accuracy_fake_A=0.)


def test_every_term_has_its_weight(stage):
    """Those of both sides of the GAN share one."""
    model = STAGES[stage](loss_weights=dict(gan=3., kl=0.5))
    terms = {('gan_d', 'A'): 1., ('gan_g', 'B'): 2., ('reconstruction', 'A'): 1., ('kl', 'B'): 4.}
    assert model.weighted(terms) == dict(
        loss_gan_d_A=3., loss_gan_g_B=6., loss_reconstruction_A=100., loss_kl_B=2.)


def test_a_model_has_to_say_its_losses():
    class Mute(AlternatingGAN):
        def forward(self, inputs, data_samples=None, mode='tensor'):
            return inputs

    with pytest.raises(TypeError, match='discriminator_losses.*generator_losses.*test_images'):
        Mute(generator={}, discriminator=None)


def test_unknown_loss_weight(stage):
    with pytest.raises(ValueError, match=r"unknown keys \['cylce'\]; known are \['"):
        STAGES[stage](loss_weights=dict(cylce=1.))


# --------------------------------------------------------------------------------------- logs
def test_logs_are_means_over_the_updates(stage, monkeypatch):
    model = STAGES[stage]()
    values = iter(range(100))
    for side in ('discriminator', 'generator'):
        weight = next(getattr(model, f'{side}s').parameters())
        monkeypatch.setattr(
            model, f'{side}_losses', lambda images, side=side, weight=weight: {
                f'loss_{side}': weight.sum() * 0 + next(values), 'loss_same': weight.sum() * 0 + 1})
    logs = model.train_step(random_batch(6), optim_wrappers(model))
    g_steps = STEPS[stage][1]
    mean = sum(range(1, g_steps + 1)) / g_steps  # of the generator's 1, 2, ...
    assert logs == dict(loss_discriminator=0., loss_generator=mean, loss_same=1.,
                        loss_d=1., loss_g=mean + 1, grad_norm_generators=0.,
                        grad_norm_discriminators=0.)


def test_logs_are_plain_numbers_and_the_totals_are_their_sums(stage):
    model = STAGES[stage]()
    logs = model.train_step(random_batch(6), optim_wrappers(model))
    assert all(type(value) is float for value in logs.values())
    for total, marker in (('loss_d', True), ('loss_g', False)):
        terms = [
            value for name, value in logs.items()
            if name not in ('loss_d', 'loss_g') and name.startswith('loss')
            and ('_gan_d_' in name) == marker
        ]
        assert len(terms) > 1
        assert logs[total] == pytest.approx(sum(terms), rel=1e-5)


# --------------------------------------------------------------------------------- not finite
def test_a_loss_that_is_not_finite_stops_the_training(stage, request):
    MessageHub.get_instance(request.node.name)  # one that no other test's training has counted in
    model = STAGES[stage](
        loss_weights=dict(reconstruction=1e39), discriminator_steps=1, generator_steps=1)
    with pytest.raises(FloatingPointError) as stopped:
        model.train_step(random_batch(2), optim_wrappers(model))
    message = str(stopped.value)
    wrong, rest = message.split('The other terms:')
    assert wrong.startswith('Iteration 1: not finite: loss_reconstruction_A in [\'inf')
    assert 'loss_gan_g_A' not in wrong and 'loss_kl_A' in message
    assert 'loss_gan_d_A' in rest
    for domain in model.domains:
        for index in range(2):
            assert f'test{domain}/{index}.png' in rest


def test_a_gradient_that_is_not_finite_stops_the_training(stage):
    """The losses of the iteration are finite, the weights after its last update are not."""
    model = STAGES[stage](discriminator_steps=1, generator_steps=1)
    weight = next(p for p in model.generators.parameters() if p.requires_grad)
    weight.register_hook(lambda gradient: gradient * float('nan'))
    with pytest.raises(FloatingPointError, match='not finite: weights of the generators. The'):
        model.train_step(random_batch(2), optim_wrappers(model))


def test_an_update_that_is_not_finite_is_left_out_and_counted(stage):
    model = STAGES[stage](discriminator_steps=1, generator_steps=3, skip_non_finite=True)
    weight = next(p for p in model.generators.parameters() if p.requires_grad)
    factors = iter([1., float('nan'), 1., float('inf'), 1., 1.])
    weight.register_hook(lambda gradient: gradient * next(factors))
    wrappers = optim_wrappers(model)
    logs = model.train_step(random_batch(8), wrappers)
    assert logs['skipped_updates'] == 1
    assert all(math.isfinite(value) for value in logs.values())
    assert all(p.isfinite().all() for p in model.parameters())
    assert wrappers['generators'].optimizer.state[weight]['step'] == 2
    assert model.train_step(random_batch(8), wrappers)['skipped_updates'] == 2


def test_a_skipped_update_of_several_parts_leaves_no_trace(stage, monkeypatch):
    """Also where the first of its parts is the one that is not finite."""
    model = STAGES[stage](discriminator_steps=1, generator_steps=2, skip_non_finite=True)
    losses_of, factors = model.generator_losses, iter([float('nan'), 1., 1., 1.])
    monkeypatch.setattr(model, 'generator_losses', lambda images: {
        name: value * factor for factor in [next(factors)]
        for name, value in losses_of(images).items()})
    logs = model.train_step(random_batch(6), optim_wrappers(model, accumulative_counts=2))
    assert logs['skipped_updates'] == 1
    assert all(math.isfinite(value) for value in logs.values())


def test_a_loss_scaler_hears_of_the_update_that_is_left_out(stage):
    class Scaled(OptimWrapper):
        loss_scaler = torch.amp.GradScaler('cpu', init_scale=1024.)

        def backward(self, loss):
            self.loss_scaler.scale(loss).backward()
            self._inner_count += 1

        def step(self):
            self.loss_scaler.step(self.optimizer)
            self.loss_scaler.update()

    model = STAGES[stage](discriminator_steps=0, generator_steps=2, skip_non_finite=True)
    weights = [p for p in model.generators.parameters() if p.requires_grad]
    factors = iter([float('inf'), 1.])
    weights[0].register_hook(lambda gradient: gradient * next(factors))
    wrapper = Scaled(torch.optim.Adam(weights))
    logs = model.train_step(random_batch(2), OptimWrapperDict(generators=wrapper))
    assert logs['skipped_updates'] == 1
    assert wrapper.loss_scaler.get_scale() == 512.  # halved by the one, not by the other
    assert wrapper.optimizer.state[weights[0]]['step'] == 1
    assert 0 < logs['grad_norm_generators'] < float('inf')


def test_gradient_norm_by_hand(stage, monkeypatch):
    model = STAGES[stage](discriminator_steps=1, generator_steps=2)
    weights = {side: next(getattr(model, side).parameters()) for side in (
        'generators', 'discriminators')}
    scales = iter([3., 1., 2.])  # of D's update, then of G's two
    for side, weight in weights.items():
        monkeypatch.setattr(
            model, f'{side[:-1]}_losses',
            lambda images, weight=weight: dict(loss=next(scales) * weight.sum()))
    logs = model.train_step(random_batch(3), optim_wrappers(model))
    sizes = {side: weight.numel()**0.5 for side, weight in weights.items()}
    assert logs['grad_norm_discriminators'] == pytest.approx(3 * sizes['discriminators'])
    assert logs['grad_norm_generators'] == pytest.approx(1.5 * sizes['generators'])


# ------------------------------------------------------------------------------- accumulation
def test_accumulation_equals_one_update_of_the_whole_minibatch(stage):
    """Instance norm works per sample, so two halves give the gradient of the whole."""
    batch = random_batch(4 * sum(STEPS[stage]))
    models = [noiseless(STAGES[stage]()) for _ in range(2)]
    logs = []
    for model, counts in zip(models, (1, 2), strict=True):
        wrappers = optim_wrappers(model, accumulative_counts=counts)
        logs.append([model.train_step(batch, wrappers) for _ in range(2)])
    states = [model.state_dict() for model in models]
    for name, value in states[0].items():
        torch.testing.assert_close(states[1][name], value, rtol=0, atol=1e-9, msg=name)
    for whole, halves in zip(*logs, strict=True):
        assert halves == pytest.approx(whole, rel=1e-5)


def test_accumulation_keeps_the_number_of_updates(stage, monkeypatch):
    model = STAGES[stage]()
    wrappers = optim_wrappers(model, accumulative_counts=2)
    steps = {}
    for side, wrapper in wrappers.items():
        step = wrapper.step
        monkeypatch.setattr(
            wrapper, 'step', lambda side=side, step=step: (
                steps.update({side: steps.get(side, 0) + 1}), step()))
    model.train_step(random_batch(2 * sum(STEPS[stage])), wrappers)
    assert (steps['discriminators'], steps['generators']) == STEPS[stage]


def test_minibatch_that_cannot_be_accumulated(stage):
    model = STAGES[stage]()
    wrappers = optim_wrappers(model, accumulative_counts=2)
    with pytest.raises(ValueError, match='minibatch of 3 cannot be accumulated in 2 parts .*'
                       'optim_wrapper.discriminators.accumulative_counts'):
        model.train_step(random_batch(3 * sum(STEPS[stage])), wrappers)


# -------------------------------------------------------------------------------- checkpoints
def save(model, path):
    torch.save(dict(state_dict=model.state_dict()), path)
    return str(path)


def test_checkpoint_round_trip(stage, tmp_path):
    model, other = STAGES[stage](), STAGES[stage](seed=1)
    load_checkpoint(other, save(model, tmp_path / 'model.pth'))
    assert changed(snapshot(model), snapshot(other)) == []
    other.load_state_dict(model.state_dict())  # PyTorch's own, strict


def test_checkpoint_of_the_other_stage(stage, tmp_path):
    other = {'vaegan': 'egscit', 'egscit': 'vaegan'}[stage]
    model = STAGES[stage]()
    before = snapshot(model)
    with pytest.raises(ValueError, match=f'not one of this {type(model).__name__}: .* found '
                       'nothing. Give a checkpoint of the same stage'):
        load_checkpoint(model, save(STAGES[other](), tmp_path / 'other.pth'))
    assert changed(before, snapshot(model)) == []


@pytest.mark.parametrize('setting, value', [
    ('output_channel_order', 'BGR'), ('output_channel_order', None), ('mean', 0), ('std', 255),
    ('mean', [123.7, 116.3, 103.5])])
def test_a_preprocessor_must_make_rgb_from_minus_one_to_one(stage, setting, value):
    preprocessor = dict(type='DataPreprocessor', output_channel_order='RGB', data_keys=None)
    assert STAGES[stage](data_preprocessor=preprocessor).in_channels == 3
    with pytest.raises(ValueError, match=f'data_preprocessor.{setting} must be'):
        STAGES[stage](data_preprocessor={**preprocessor, setting: value})


def test_checkpoint_of_a_model_with_more_parts(tmp_path):
    checkpoint = save(tiny_egscit(), tmp_path / 'more.pth')
    with pytest.raises(ValueError, match="it has 'generators.features_loaded', which this model"):
        load_checkpoint(tiny_egscit(generator=dict(eta=1, adain=None)), checkpoint)


def test_checkpoint_of_other_domains(stage, tmp_path):
    checkpoint = save(STAGES[stage](domains=('A', 'C')), tmp_path / 'other.pth')
    with pytest.raises(ValueError, match=r"'generators.encoders.B.* found nothing"):
        load_checkpoint(STAGES[stage](), checkpoint)


def test_checkpoint_of_another_width(stage, tmp_path):
    wide = tiny_egscit(generator=dict(width=8)) if stage == 'egscit' else tiny_vaegan(width=8)
    with pytest.raises(ValueError, match=r'should have the shape \(4, .* found \(8, '):
        load_checkpoint(STAGES[stage](), save(wide, tmp_path / 'wide.pth'))


def test_checkpoint_with_other_discriminators(stage, tmp_path, monkeypatch,
                                                capsys):
    """Discriminators of random weights would be trained on; without any the rest is usable."""
    model = STAGES[stage]()
    wide = STAGES[stage](discriminator={**DISCRIMINATOR, 'base_channels': 8})
    with pytest.raises(ValueError, match=r"'discriminators.*should have the shape \(4, .* found "
                       r'\(8, '):
        load_checkpoint(model, save(wide, tmp_path / 'wide.pth'))
    state = {k: v for k, v in model.state_dict().items() if not k.startswith('discriminators')}
    torch.save(dict(state_dict=state), tmp_path / 'published.pth')
    before, said = snapshot(model.discriminators), []
    monkeypatch.setattr('egscit_mm.models.base.alternating_gan.print_log',
                        lambda message, logger: said.append(message))
    load_checkpoint(model, str(tmp_path / 'published.pth'))
    assert len(said) == 1 and 'made for inference, without discriminators' in said[0]
    assert 'missing keys' not in capsys.readouterr().out
    assert changed(before, snapshot(model.discriminators)) == []


# ---------------------------------------------------------------------------------- overfitting
def test_one_batch_is_overfitted(stage):
    """50 generator updates on two images of a few coloured squares."""
    kwargs = dict(perceptual_loss=None) if stage == 'egscit' else {}
    model = STAGES[stage](split_batch=False, generator_steps=5, loss_weights=dict(gan=1.),
                          **kwargs)
    wrappers = optim_wrappers(model, lr=1e-2)
    batch = random_batch(2, size=2)
    for images in batch['inputs'].values():
        images[:] = [image.repeat_interleave(8, 1).repeat_interleave(8, 2) for image in images]
    losses = []
    for _ in range(10):
        logs = model.train_step(batch, wrappers)
        losses.append(logs['loss_reconstruction_A'] + logs['loss_reconstruction_B'])
    assert losses[-1] < 0.7 * losses[0]
    assert losses == sorted(losses, reverse=True)
