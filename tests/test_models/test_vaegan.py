# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import pytest
import torch
from tiny_models import (
    DOMAINS,
    assert_init_weights_reaches_all,
    changed,
    optim_wrappers,
    random_batch,
    random_images,
    snapshot,
    tiny_vaegan,
    vaegan_cfg,
)

from egscit_mm.models import VAEGAN

F64 = torch.float64


def test_built_without_a_data_preprocessor_config():
    cfg = vaegan_cfg(data_preprocessor=None)
    cfg.pop('type')
    assert VAEGAN(**cfg).generator_steps == 1  # stage 1: one update of each side


def test_generator_losses_equal_the_written_out_ones():
    model = tiny_vaegan(loss_weights=dict(gan=2., reconstruction=3., kl=5.)).double().eval()
    images = random_images(dtype=F64)
    losses = model.generator_losses(images)
    expected = {}
    for d in DOMAINS:
        g = model.generators
        mean = g.encoder_blocks[d](g.encoders[d](images[d]))
        image = g.decoders[d](g.decoder_blocks[d](mean))
        score = model.discriminators.networks[d](image)
        expected[f'loss_gan_g_{d}'] = 2 * ((score.float() - 1)**2).mean()
        expected[f'loss_reconstruction_{d}'] = 3 * (image - images[d]).abs().mean()
        expected[f'loss_kl_{d}'] = 5 * (mean**2).mean()
    torch.testing.assert_close(losses, expected, rtol=1e-5, atol=0, check_dtype=False)


def test_discriminator_losses_equal_the_written_out_ones():
    model = tiny_vaegan(loss_weights=dict(gan=2.)).double().eval()
    images = random_images(dtype=F64)
    losses = model.discriminator_losses(images)
    reconstructions = model.generators(images)['reconstruction']
    assert {name for name in losses if 'loss' in name} == {'loss_gan_d_A', 'loss_gan_d_B'}
    for d in DOMAINS:
        network = model.discriminators.networks[d]
        real, fake = network(images[d]), network(reconstructions[d])
        expected = 2 * 0.5 * (((real - 1)**2).mean() + (fake**2).mean())
        torch.testing.assert_close(losses[f'loss_gan_d_{d}'].double(), expected, rtol=1e-5, atol=0)


def test_default_loss_weights_are_the_papers():
    assert tiny_vaegan().loss_weights == dict(gan=10., reconstruction=100., kl=0.1)
    assert tiny_vaegan(loss_weights=dict(kl=1)).loss_weights == dict(
        gan=10., reconstruction=100., kl=1)


def test_init_weights_reaches_every_layer():
    model = tiny_vaegan()
    assert_init_weights_reaches_all(model)
    encoders = model.generators.encoders
    assert not torch.equal(encoders['A'].convs[0].weight, encoders['B'].convs[0].weight)


def test_domains_train_each_other_in_no_way():
    """Another image in B changes nothing of A: one run, but two models."""
    models = [tiny_vaegan(latent_noise=0.) for _ in range(2)]
    for model, seed in zip(models, (1, 2), strict=True):
        batch = random_batch(2)
        batch['inputs']['img_B'] = random_batch(2, seed=seed)['inputs']['img_B']
        model.train_step(batch, optim_wrappers(model))
    names = changed(*map(snapshot, models))
    assert names and all('.B.' in name for name in names)


def test_train_step_logs():
    logs = tiny_vaegan().train_step(random_batch(2), optim_wrappers(tiny_vaegan()))
    assert set(logs) == {
        'loss_d', 'loss_g', 'grad_norm_generators', 'grad_norm_discriminators',
        *(f'loss_{term}_{d}' for term in ('gan_d', 'gan_g', 'reconstruction', 'kl')
          for d in DOMAINS),
        *(f'accuracy_{images}_{d}' for images in ('real', 'fake') for d in DOMAINS)
    }


def test_forward_gives_reconstructions():
    model = tiny_vaegan().eval()
    images = random_images()
    outputs = model({f'img_{d}': batch for d, batch in images.items()})
    expected = model.generators(images)['reconstruction']
    assert outputs.keys() == set(DOMAINS)
    assert all(torch.equal(outputs[d], expected[d]) for d in DOMAINS)


def test_forward_has_no_loss_mode():
    with pytest.raises(ValueError, match="only mode='tensor', got 'loss'; losses come from "
                       'train_step'):
        tiny_vaegan()({}, mode='loss')


@pytest.mark.parametrize('step', ['val_step', 'test_step'])
def test_test_step_puts_out_bgr(step):
    model = tiny_vaegan().eval()
    batch = random_batch(3)
    samples = getattr(model, step)(batch)
    assert len(samples) == 3
    images = {  # RGB in [-1, 1]
        d: torch.stack(batch['inputs'][f'img_{d}']).flip(1).float() / 127.5 - 1 for d in DOMAINS
    }
    expected = model.generators(images)['reconstruction']
    for i, sample in enumerate(samples):
        for d in DOMAINS:
            image = sample.get(f'rec_{d}')
            assert sample.metainfo[f'img_{d}_path'] == f'test{d}/{i}.png'
            assert not image.requires_grad
            torch.testing.assert_close(image, (expected[d][i].detach().flip(0) + 1) * 127.5,
                                       rtol=1e-5, atol=1e-3)


def test_rows():
    model = tiny_vaegan().eval()
    images = random_images(3)
    grids = model.rows(images)
    assert grids.keys() == set(DOMAINS)
    for d, rows in grids.items():
        assert list(rows) == ['image', 'reconstruction']
        assert torch.equal(rows['image'], images[d])
        assert rows['reconstruction'].shape == (3, 3, 16, 16)
        assert not rows['reconstruction'].requires_grad
