# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import math

import pytest
import torch
import torch.nn.functional as F
from mmagic.registry import MODELS
from mmengine.runner import load_checkpoint
from tiny_models import (
    DOMAINS,
    changed,
    coarse_batch,
    drit_cfg,
    optim_wrappers,
    random_batch,
    random_images,
    snapshot,
    tiny_drit,
)
from torch import nn

from egscit_mm.models.losses import (
    bce_loss,
    domain_confusion_loss,
    domain_loss,
    gaussian_kl_loss,
)

F64 = torch.float64
EMA = dict(type='mmengine.ExponentialMovingAverage', momentum=0.25)
WAYS = (('A', 'B'), ('B', 'A'))
STEPS = ('content_discriminator_steps', 'discriminator_steps', 'generator_steps',
         'random_generator_steps')


def only(step, **kwargs):
    """A model whose iteration is one update of this kind."""
    model = tiny_drit(**kwargs)
    for name in STEPS:
        setattr(model, name, int(name == step))
    return model


def bce(logits, target):
    share = logits.sigmoid()
    return -(target * share.log() + (1 - target) * (1 - share).log()).mean()


# ------------------------------------------------------------------------------------- losses
def test_cross_entropies_by_hand():
    logits = torch.tensor([math.log(3.), -math.log(3.)], dtype=F64)  # sigmoid: 0.75, 0.25
    assert bce_loss(logits, 1.).item() == pytest.approx(
        -(math.log(0.75) + math.log(0.25)) / 2)
    assert bce_loss(logits[:1], 0.).item() == pytest.approx(-math.log(0.25))
    of_two = torch.tensor([[math.log(3.), 0.]], dtype=F64).view(1, 2, 1, 1)  # 0.75, 0.25
    assert domain_loss(of_two, 0).item() == pytest.approx(-math.log(0.75))
    assert domain_loss(of_two, 1).item() == pytest.approx(-math.log(0.25))
    assert domain_confusion_loss(of_two).item() == pytest.approx(
        -(math.log(0.75) + math.log(0.25)) / 2)
    half = bce_loss(torch.full((2, ), 1., dtype=torch.bfloat16), 1.)
    assert half.dtype == torch.float32


@pytest.mark.parametrize('domains', [2, 3])
def test_the_encoders_aim_is_a_content_discriminator_that_guesses(domains):
    """With two domains: smallest where it says 0.5."""
    logits = torch.randn(5, domains, 2, 2, dtype=F64, requires_grad=True)
    equal = torch.full_like(logits, 7.)
    assert domain_confusion_loss(equal).item() == pytest.approx(math.log(domains))
    assert domain_confusion_loss(logits) > math.log(domains)
    for _ in range(300):
        gradient, = torch.autograd.grad(domain_confusion_loss(logits), logits)
        logits = (logits - 10 * gradient).detach().requires_grad_()
    torch.testing.assert_close(
        logits.softmax(1), torch.full_like(logits, 1 / domains), atol=1e-3, rtol=0)


def test_two_logits_are_the_papers_one():
    """BCE of a sigmoid: 1 for the first domain, 0 for the second, 0.5 for the encoders."""
    logits = torch.randn(4, 2, 3, 3, dtype=F64)
    one = logits[:, 0] - logits[:, 1]
    for found, target in ((domain_loss(logits, 0), 1.), (domain_loss(logits, 1), 0.),
                          (domain_confusion_loss(logits), 0.5)):
        torch.testing.assert_close(found, bce(one, target))


def test_equal_contents_give_chance():
    """Nothing tells the domains apart then: the loss of both is that of guessing, at its best."""
    model = tiny_drit()
    content = torch.randn(2, 8, 8, 8)
    scores = model.content_discriminator(dict(A=content, B=content))
    assert torch.equal(scores['A'], scores['B'])
    loss = domain_loss(scores['A'], 0) + domain_loss(scores['B'], 1)
    assert loss.item() >= 2 * math.log(2) - 1e-6
    model.generators.forward = lambda images, flows: dict(content=dict(A=content, B=content))
    losses = model.content_discriminator_losses(random_images())
    assert losses['accuracy_content'].item() == 0.5


def test_gaussian_kl_by_hand():
    mean, variance = torch.tensor([[1., 2.], [0., 0.]]), torch.tensor([[1., math.e], [1., 1.]])
    found = gaussian_kl_loss(mean, variance.log())
    # First image: (1 + 1 - 1 - 0) / 2 + (4 + e - 1 - 1) / 2; second: 0.
    assert found.item() == pytest.approx((0.5 + (2 + math.e) / 2) / 2, rel=1e-6)
    normal = torch.distributions.Normal
    torch.testing.assert_close(found, torch.distributions.kl_divergence(
        normal(mean, variance.sqrt()), normal(0., 1.)).sum(1).mean())


@pytest.mark.parametrize('training', [True, False])
def test_generator_losses_equal_the_written_out_ones(training):
    weights = dict(gan=2., content_gan=3., reconstruction=5., cross_cycle=7., attribute_kl=11.,
                   content_l2=13.)
    model = tiny_drit(loss_weights=weights).double().train(training)
    images = random_images(dtype=F64)
    torch.manual_seed(5)
    losses = model.generator_losses(images)
    torch.manual_seed(5)
    outputs = model.generators(images, ['reconstruction', 'translation', 'cycle'])
    contents = model.content_discriminator(outputs['content'])
    expected = {}
    for domain in DOMAINS:
        mean, log_variance = outputs['attributes'][domain]
        kl = (mean**2 + log_variance.exp() - 1 - log_variance).sum() / 2 / len(mean)
        expected.update({
            f'loss_reconstruction_{domain}': 5 * (
                outputs['reconstruction'][domain] - images[domain]).abs().mean(),
            f'loss_content_gan_g_{domain}': 3 * bce(
                contents[domain][:, 0] - contents[domain][:, 1], 0.5),
            f'loss_content_l2_{domain}': 13 * (outputs['content_mean'][domain]**2).mean(),
            f'loss_attribute_kl_{domain}': 11 * kl,
        })
    for s, t in WAYS:
        scores = model.discriminators.networks[t](outputs['translation'][s, t])
        assert len(scores) == 2
        expected[f'loss_gan_g_{t}'] = 2 * sum(bce(scale, 1.) for scale in scores)
        expected[f'loss_cross_cycle_{s}2{t}'] = 7 * (
            outputs['cycle'][s, t] - images[s]).abs().mean()
    torch.testing.assert_close(losses, expected, rtol=1e-5, atol=0, check_dtype=False)


def test_losses_of_the_second_step_by_hand():
    """Constant outputs, so that every term is a number that a human can check."""
    model = tiny_drit(loss_weights=dict(random_gan=2.))
    images = random_images()
    drawn = {('A', 'B'): torch.tensor([[1., 0., -1.]] * 2), ('B', 'A'): torch.zeros(2, 3)}
    outputs = dict(
        random={way: torch.zeros(2, 3, 16, 16) for way in WAYS}, random_attributes=drawn,
        recovered_attributes={way: torch.tensor([[0.5, 0.5, 0.5]] * 2) for way in WAYS})
    model.generators.forward = lambda images, flows: outputs
    model.discriminators.forward = lambda images, random: (
        {}, {domain: [torch.zeros(2, 1, 4, 4)] * 2 for domain in random})
    losses = {name: value.item() for name, value in model.random_generator_losses(images).items()}
    assert losses == pytest.approx({
        'loss_random_gan_g_A': 4 * math.log(2), 'loss_random_gan_g_B': 4 * math.log(2),
        'loss_latent_regression_A2B': 10 * (0.5 + 0.5 + 1.5) / 3,
        'loss_latent_regression_B2A': 10 * 0.5,
    })


def test_discriminator_losses_equal_the_written_out_ones():
    model = tiny_drit(loss_weights=dict(gan=2., random_gan=3.)).double()
    images = random_images(dtype=F64)
    torch.manual_seed(5)
    losses = model.discriminator_losses(images)
    torch.manual_seed(5)
    outputs = model.generators(images, ['translation', 'random'])
    for s, t in WAYS:
        for term, weight, networks, flow in (
                ('gan_d', 2, model.discriminators.networks, 'translation'),
                ('random_gan_d', 3, model.discriminators.random_networks, 'random')):
            expected = weight * sum(
                bce(real, 1.) + bce(fake, 0.)
                for real, fake in zip(networks[t](images[t]), networks[t](outputs[flow][s, t])))
            torch.testing.assert_close(
                losses[f'loss_{term}_{t}'].double(), expected, rtol=1e-5, atol=0)
    assert {name for name in losses if 'loss' in name} == {
        f'loss_{term}_{t}' for term in ('gan_d', 'random_gan_d') for t in DOMAINS}


def test_content_discriminator_losses_equal_the_written_out_ones():
    model = tiny_drit(loss_weights=dict(content_gan=2.)).double().eval()
    images = random_images(dtype=F64)
    losses = model.content_discriminator_losses(images)
    right = []
    for domain, target in (('A', 1.), ('B', 0.)):
        content = model.generators.content_mean(images[domain], domain)
        logits = model.content_discriminator.layers(content)
        one = logits[:, 0] - logits[:, 1]
        torch.testing.assert_close(losses[f'loss_content_gan_d_{domain}'].double(),
                                   2 * bce(one, target), rtol=1e-5, atol=0)
        right.append(((one > 0) == (target == 1)).double().mean().item())
    assert losses['accuracy_content'].item() == pytest.approx(sum(right) / 2)


def test_default_loss_weights_are_the_releases():
    assert tiny_drit().loss_weights == dict(
        gan=1., random_gan=1., content_gan=1., reconstruction=10., cross_cycle=10.,
        attribute_kl=0.01, content_l2=0.01, latent_regression=10.)
    with pytest.raises(ValueError, match=r"unknown keys \['kl'\]"):
        tiny_drit(loss_weights=dict(kl=1.))


# --------------------------------------------------------------------------------- translator
def test_flows_are_what_they_say():
    model = tiny_drit().eval().generators
    images = random_images()
    outputs = model(images)
    content = {d: model.shared_content_block(model.encoders[d](images[d])) for d in DOMAINS}
    codes = {d: model.attribute_encoders[d](images[d])[:, :3] for d in DOMAINS}

    def decoded(code, attributes, target):
        return model.decoders[target](model.shared_generator_block(code), attributes)

    close = torch.testing.assert_close
    for s, t in WAYS:
        close(outputs['reconstruction'][s], decoded(content[s], codes[s], s))
        close(outputs['translation'][s, t], decoded(content[s], codes[t], t))
        close(outputs['translation'][s, t], model.translate(images[s], images[t], s, t))
        x_st, x_ts = outputs['translation'][s, t], outputs['translation'][t, s]
        close(outputs['cycle'][s, t], decoded(
            model.shared_content_block(model.encoders[t](x_st)),
            model.attribute_encoders[s](x_ts)[:, :3], s))
        drawn = outputs['random_attributes'][s, t]
        assert drawn.shape == (2, 3)
        close(outputs['random'][s, t], decoded(content[s], drawn, t))
        close(outputs['recovered_attributes'][s, t],
              model.attribute_encoders[t](outputs['random'][s, t])[:, :3])
    # The discriminators ask for no more than the images.
    assert model(images, flows=['random']).keys() == {
        'content', 'content_mean', 'random', 'random_attributes'}


def test_noise_in_training_only():
    model = tiny_drit(generator=dict(content_noise=0.5)).generators
    mean, log_variance = torch.zeros(20000, 1), torch.full((20000, 1), math.log(4.))
    assert model.noisy(mean).std().item() == pytest.approx(0.5, rel=0.05)
    assert model.drawn(mean, log_variance).std().item() == pytest.approx(2, rel=0.05)
    model.eval()
    assert torch.equal(model.noisy(mean), mean)
    assert torch.equal(model.drawn(mean, log_variance), mean)


@pytest.mark.parametrize('num_downsamples', [0, 2])
def test_decoders(num_downsamples):
    torch.manual_seed(0)
    decoder = MODELS.build(dict(type='DRITDecoder', base_channels=4, num_blocks=2,
                                num_downsamples=num_downsamples, style_dim=3))
    content = torch.randn(2, decoder.in_channels, 5, 6)
    one = torch.randn(1, 3)
    images = decoder(content, one)
    assert images.shape == (2, 3, 5 * 2**num_downsamples, 6 * 2**num_downsamples)
    torch.testing.assert_close(images, decoder(content, one.expand(2, -1)))
    assert not torch.equal(images, decoder(content, torch.randn(1, 3)))


def test_the_attribute_encoder_halves_as_often_as_it_has_blocks():
    encoder = MODELS.build(dict(
        type='DRITAttributeEncoder', base_channels=4, num_blocks=3, style_dim=5))
    assert encoder(torch.zeros(2, 3, 32, 48)).shape == (2, 10)
    assert [layer.out_channels for layer in encoder.modules()
            if isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1)] == [8, 12, 16]


def test_scales_see_halves_of_the_image():
    discriminators = tiny_drit().discriminators
    images = random_images()['A']
    first, second = discriminators.networks['A'](images)
    assert (first.shape, second.shape) == ((2, 1, 4, 4), (2, 1, 2, 2))
    half = F.avg_pool2d(images, 3, 2, 1, count_include_pad=False)
    torch.testing.assert_close(second, discriminators.networks['A'].scales[1](half))


def test_errors():
    with pytest.raises(ValueError, match='8 channels and a code of 4 numbers.*starts with 8 and 3'):
        cfg = drit_cfg()
        cfg['generator']['attribute_encoder']['style_dim'] = 4
        MODELS.build(cfg)
    with pytest.raises(ValueError, match='at least 8 pixels on each side, got 16x7'):
        tiny_drit().discriminators(dict(A=torch.zeros(1, 3, 16, 7)), {})
    content = MODELS.build(dict(type='ContentDiscriminator', in_channels=2, num_downsamples=3))
    assert content(dict(A=torch.zeros(1, 2, 53, 54)))['A'].shape == (1, 2, 1, 1)
    with pytest.raises(ValueError, match="at least 53 .*52x54 in domain 'A'.*num_downsamples"):
        content(dict(A=torch.zeros(1, 2, 52, 54)))
    with pytest.raises(ValueError, match='random_generator_steps must be an integer'):
        tiny_drit(random_generator_steps=-1)
    model = tiny_drit()
    with pytest.raises(ValueError, match=(
            r'into 6 minibatches .*content_discriminator_steps=3 \+ discriminator_steps=1 \+ '
            r'generator_steps=1 \+ random_generator_steps=1')):
        model.train_step(random_batch(4), optim_wrappers(model))


# ----------------------------------------------------------------------------------- training
@pytest.mark.parametrize('step, trained', [
    ('content_discriminator_steps', ('content_discriminator', )),
    ('discriminator_steps', ('discriminators', )),
    ('generator_steps', ('generators', )),
    ('random_generator_steps', (
        'generators.encoders', 'generators.decoders', 'generators.shared_content_block',
        'generators.shared_generator_block')),
])
def test_an_update_changes_its_parameters_and_no_others(step, trained):
    model = only(step)
    before = snapshot(model)
    model.train_step(random_batch(2), optim_wrappers(model))
    names = set(changed(before, snapshot(model)))
    assert names == {name for name, _ in model.named_parameters() if name.startswith(trained)}
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_an_iteration_has_the_updates_in_order():
    model = tiny_drit()
    seen = []
    for name in ('content_discriminator', 'discriminator', 'generator', 'random_generator'):
        losses_of = getattr(model, f'{name}_losses')

        def spy(images, name=name, losses_of=losses_of):
            seen.append((name, images['A'].mean().item()))
            return losses_of(images)

        setattr(model, f'{name}_losses', spy)
    logs = model.train_step(random_batch(6), optim_wrappers(model))
    assert [name for name, _ in seen] == [
        *['content_discriminator'] * 3, 'discriminator', 'generator', 'random_generator']
    assert len({mean for _, mean in seen}) == 6  # each has a minibatch of its own
    assert {'loss_content_d', 'loss_d', 'loss_g', 'loss_random_g', 'accuracy_content',
            'accuracy_real_A', 'accuracy_fake_B', 'grad_norm_content_discriminator'} <= logs.keys()
    assert logs['loss_g'] == pytest.approx(sum(
        value for name, value in logs.items() if name.startswith((
            'loss_gan_g', 'loss_content_gan_g', 'loss_reconstruction', 'loss_content_l2',
            'loss_attribute_kl', 'loss_cross_cycle'))), rel=1e-5)


def test_contents_become_alike():
    """The encoders win against a content discriminator that does not learn."""
    model = only('generator_steps', width=8, loss_weights=dict(
        content_gan=10., gan=0., reconstruction=0., cross_cycle=0.))
    wrappers, batch = optim_wrappers(model, lr=1e-2), random_batch(4)
    logs = [model.train_step(batch, wrappers) for _ in range(20)]
    chance = 10 * math.log(2)
    excess = [log['loss_content_gan_g_A'] + log['loss_content_gan_g_B'] - 2 * chance
              for log in logs]
    assert excess[0] > 0 and excess[-1] < 0.5 * excess[0]


def test_it_learns_to_reconstruct():
    model = tiny_drit(width=8, split_batch=False, generator=dict(content_noise=0.))
    wrappers = optim_wrappers(model, lr=5e-3)
    batch = coarse_batch(2)
    logs = [model.train_step(batch, wrappers) for _ in range(30)]
    for domain in DOMAINS:
        name = f'loss_reconstruction_{domain}'
        assert logs[-1][name] < 0.7 * logs[0][name]


def test_init_weights():
    model = MODELS.build(drit_cfg(width=16, ema_config=EMA))
    for parameter in (p for p in model.parameters() if p.ndim == 4):
        nn.init.constant_(parameter, 9.)
    model.init_weights()
    for name, parameter in model.named_parameters():
        assert not (parameter == 9).any(), name
        if parameter.ndim == 4 and parameter.numel() > 2000:
            assert parameter.std().item() == pytest.approx(0.02, rel=0.1), name
    averaged, trained = model.generators_ema.module.state_dict(), model.generators.state_dict()
    assert changed(averaged, trained) == []


def test_a_checkpoint_for_inference_has_neither_discriminator(tmp_path):
    torch.save(dict(state_dict=tiny_drit().state_dict()), tmp_path / 'drit.pth')
    inference = tiny_drit(discriminator=None, content_discriminator=None)
    load_checkpoint(inference, str(tmp_path / 'drit.pth'))
    torch.save(dict(state_dict=inference.state_dict()), tmp_path / 'small.pth')
    model = tiny_drit(seed=1)
    load_checkpoint(model, str(tmp_path / 'small.pth'))
    assert changed(model.generators.state_dict(), tiny_drit().generators.state_dict()) == []
