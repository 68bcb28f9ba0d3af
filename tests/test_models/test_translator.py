# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import numpy as np
import pytest
import torch
from mmagic.registry import MODELS
from tiny_models import DOMAINS, networks, random_images, tiny_translator, translator_cfg

from egscit_mm.models.layers import ADAIN_FORMS

F64 = torch.float64
ABLATIONS = {
    **{form: dict(adain=form) for form in ADAIN_FORMS},
    'no mask': dict(eta=1.),
    'no adain': dict(adain=None),
    'unit': dict(eta=1., adain=None),
    'other eta': dict(eta=0.2),
}


# -------------------------------------------------------------------- a slow, written-out version
def slow_flow(net, content_code, content_image, exemplar, mask_domain, target):
    """Mask, AdaIN and decoder of one image, statistics in NumPy (paper Sec. 3.1, Eq. 1-2).

    Args:
        net (ExemplarTranslator): Its networks are used one by one.
        content_code (Tensor): c, of one image.
        content_image (Tensor): What the mask is made from.
        exemplar (Tensor): Image of ``target``.
        mask_domain (str): Domain of ``content_image``.
        target (str): Domain of the result.
    """
    c = content_code.numpy().copy()
    if net.eta < 1:
        f = net.feature_networks[mask_domain](content_image).numpy()
        c = c * ((1 - net.eta) / (1 + np.exp(-f)) + net.eta)
    if net.adain is not None:
        f = net.feature_networks[target](exemplar).numpy()
        axes = dict(axis=(2, 3), keepdims=True)
        mean, var, eps = f.mean(**axes), f.var(**axes), net.adain.eps
        gamma, beta, delta = dict(
            std=(np.sqrt(var + eps), mean, np.sqrt(c.var(**axes) + eps)),
            var=(var, mean, c.var(**axes) + eps),
            release=(mean, var, c.var(**axes) + eps))[net.adain.form]
        c = gamma * (c - c.mean(**axes)) / delta + beta
    return net.decoders[target](torch.from_numpy(c))


def slow_code(net, image, domain):
    """(latent mean, content) of one image, without noise."""
    mean = net.shared_encoder_block(net.encoders[domain](image))
    return mean, net.shared_decoder_block(mean)


@torch.no_grad()
def slow_forward(net, images):
    """All flows of paper Fig. 3, one image of one flow at a time."""
    number = len(images[net.domains[0]])
    outputs = dict(latent_mean={}, reconstruction={}, translation={}, cycle={},
                   cycle_latent_mean={})
    for i in range(number):
        x = {domain: images[domain][i:i + 1] for domain in images}
        one = dict(latent_mean={}, reconstruction={}, translation={}, cycle={},
                   cycle_latent_mean={})
        for s in net.domains:
            mean, code = slow_code(net, x[s], s)
            one['latent_mean'][s] = mean
            one['reconstruction'][s] = slow_flow(net, code, x[s], x[s], s, s)
            for t in net.domains:
                if t == s:
                    continue
                x_st = slow_flow(net, code, x[s], x[t], s, t)
                cycle_mean, cycle_code = slow_code(net, x_st, t)
                one['translation'][s, t] = x_st
                one['cycle_latent_mean'][s, t] = cycle_mean
                # Back to s: the style of x_s, and the mask of the content image, which is x_st.
                mask = (x_st, t) if net.cycle_mask == 'translation' else (x[s], s)
                one['cycle'][s, t] = slow_flow(net, cycle_code, mask[0], x[s], mask[1], s)
        for name, parts in one.items():
            for key, tensor in parts.items():
                outputs[name].setdefault(key, []).append(tensor)
    return {
        name: {key: torch.cat(tensors) for key, tensors in parts.items()}
        for name, parts in outputs.items()
    }


@pytest.mark.parametrize('arguments', ABLATIONS.values(), ids=ABLATIONS.keys())
@pytest.mark.parametrize('training', [True, False])
def test_flows_equal_the_slow_version(arguments, training):
    net = tiny_translator(latent_noise=0., **arguments).double().train(training)
    images = random_images(3, dtype=F64)
    torch.testing.assert_close(net(images), slow_forward(net, images), rtol=1e-9, atol=1e-12)


def test_flows_of_three_domains_equal_the_slow_version():
    domains = ('day', 'dusk', 'night')
    net = tiny_translator(domains=domains, latent_noise=0.).double()
    images = random_images(2, dtype=F64, domains=domains)
    outputs = net(images)
    assert len(outputs['translation']) == len(outputs['cycle']) == 6
    torch.testing.assert_close(outputs, slow_forward(net, images), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize('arguments', ABLATIONS.values(), ids=ABLATIONS.keys())
def test_translate_is_the_translation_flow(arguments):
    net = tiny_translator(**arguments).double().eval()
    images = random_images(3, dtype=F64)
    with torch.no_grad():
        expected = slow_forward(net, images)['translation']
        for source, target in net.directions:
            result = net.translate(images[source], images[target], source, target)
            torch.testing.assert_close(result, expected[source, target], rtol=1e-9, atol=1e-12)


def test_translate_takes_one_exemplar_of_any_size():
    net = tiny_translator().double().eval()
    content = random_images(3, dtype=F64)['A']
    exemplar = random_images(1, size=24, dtype=F64)['B']
    with torch.no_grad():
        result = net.translate(content, exemplar, 'A', 'B')
        assert result.shape == content.shape
        for i in range(3):
            torch.testing.assert_close(
                result[i:i + 1], net.translate(content[i:i + 1], exemplar, 'A', 'B'))


def test_a_batch_equals_its_images_one_by_one():
    net = tiny_translator().double().eval()
    images = random_images(3, dtype=F64)
    together = net(images)
    for i in range(3):
        alone = net({domain: batch[i:i + 1] for domain, batch in images.items()})
        part = {
            name: {key: tensor[i:i + 1] for key, tensor in parts.items()}
            for name, parts in together.items()
        }
        torch.testing.assert_close(part, alone)


# ----------------------------------------------------------------------------------- properties
def relabelled(name):
    return {'A': 'B', 'B': 'A'}.get(name, name)


@pytest.mark.parametrize('adain', [*ADAIN_FORMS, None])
def test_relabelling_the_domains_swaps_the_outputs(adain):
    net = tiny_translator(adain=adain).double().eval()
    twin = tiny_translator(adain=adain, seed=1).double().eval()
    twin.load_state_dict({
        '.'.join(relabelled(part) for part in key.split('.')): value
        for key, value in net.state_dict().items()
    })
    images = random_images(2, dtype=F64)
    swapped = twin({relabelled(domain): batch for domain, batch in images.items()})

    def relabel(key):
        return relabelled(key) if isinstance(key, str) else tuple(relabelled(d) for d in key)

    swapped = {
        name: {relabel(key): tensor for key, tensor in parts.items()}
        for name, parts in swapped.items()
    }
    torch.testing.assert_close(swapped, net(images), rtol=0, atol=1e-13)


@pytest.mark.parametrize('arguments', [{}, dict(eta=1.), dict(adain=None)])
def test_only_the_flows_asked_for_are_computed(arguments, monkeypatch):
    net = tiny_translator(**arguments).double().eval()
    images = random_images(dtype=F64)
    full = net(images)
    passes = []
    for domain, decoder in net.decoders.items():
        decoder.register_forward_pre_hook(
            lambda module, args, domain=domain: passes.append((domain, len(args[0]))))
    monkeypatch.setattr(net, 'cycle', None)
    outputs = net(images, flows=['translation'])
    assert passes == [('A', 2), ('B', 2)]
    assert outputs.keys() == {'latent_mean', 'reconstruction', 'translation'}
    assert outputs['reconstruction'] == {}
    for direction, image in full['translation'].items():
        torch.testing.assert_close(outputs['translation'][direction], image)
    outputs = net(images, flows=['reconstruction'])
    assert outputs['translation'] == {}
    assert outputs['reconstruction'].keys() == set(DOMAINS)


def test_each_network_runs_once_per_image_and_flow():
    """Speed is part of the design: the flows of an update share passes."""
    net = tiny_translator()
    passes = []
    named = {
        **{f'F_{d}': network for d, network in net.feature_networks.items()},
        **{f'E_{d}': network for d, network in net.encoders.items()},
        **{f'G_{d}': network for d, network in net.decoders.items()},
        'E_shared': net.shared_encoder_block, 'G_shared': net.shared_decoder_block,
    }
    for name, network in named.items():
        network.register_forward_pre_hook(
            lambda module, args, name=name: passes.append((name, len(args[0]))))
    net(random_images(2))
    first = [('E_A', 2), ('E_B', 2), ('E_shared', 4), ('G_shared', 4), ('G_A', 4), ('G_B', 4)]
    cycle = [('E_A', 2), ('E_B', 2), ('E_shared', 4), ('G_shared', 4), ('G_A', 2), ('G_B', 2)]
    # F sees the images and, for the masks of the way back, the translations.
    assert sorted(passes) == sorted([*2 * [('F_A', 2), ('F_B', 2)], *first, *cycle])


def test_the_exemplar_steers_and_the_mask_does_not_come_from_it():
    """Without AdaIN nothing of the exemplar may reach the translation."""
    images = random_images(1)
    other = dict(images, B=random_images(1, seed=9)['B'])
    net = tiny_translator().eval()
    assert not torch.equal(net(images)['translation']['A', 'B'],
                           net(other)['translation']['A', 'B'])
    net = tiny_translator(adain=None).eval()
    assert torch.equal(net(images)['translation']['A', 'B'], net(other)['translation']['A', 'B'])


def test_std_form_gives_the_decoder_the_exemplars_statistics():
    net = tiny_translator(adain='std').double().eval()
    images = random_images(2, dtype=F64)
    seen = []
    net.decoders['B'].register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    net.translate(images['A'], images['B'], 'A', 'B')
    features = net.feature_networks['B'](images['B'])
    torch.testing.assert_close(seen[0].mean((2, 3)), features.mean((2, 3)))
    torch.testing.assert_close(seen[0].std((2, 3)), features.std((2, 3)), rtol=1e-2, atol=0)


# ------------------------------------------------------------------------------------ ablations
def test_eta_1_asks_for_no_mask(monkeypatch):
    net = tiny_translator(eta=1.).eval()
    assert net.mask(torch.zeros(1, 1, 1, 1)) is None
    monkeypatch.setattr('egscit_mm.models.egscit.translator.feature_mask', None)
    images = random_images()
    net(images)
    # The content image does not pass a feature network, only the exemplar does.
    passes = []
    for domain, network in net.feature_networks.items():
        network.register_forward_pre_hook(
            lambda module, args, domain=domain: passes.append(domain))
    net.translate(images['A'], images['B'], 'A', 'B')
    assert passes == ['B']


def test_no_adain_needs_no_features_of_the_exemplar():
    net = tiny_translator(adain=None).eval()
    images = random_images()
    passes = []
    for domain, network in net.feature_networks.items():
        network.register_forward_pre_hook(
            lambda module, args, domain=domain: passes.append(domain))
    net.translate(images['A'], None, 'A', 'B')
    assert passes == ['A']


def test_without_mask_and_adain_it_is_unit():
    net = tiny_translator(eta=1., adain=None)
    assert net.feature_networks is None
    assert not net.features_missing
    assert not any('feature' in key for key in net.state_dict())
    assert all(parameter.requires_grad for parameter in net.parameters())


@pytest.mark.parametrize('arguments, message', [
    (dict(domains=('A', 'A')), 'at least 2 different names'),
    (dict(domains=('A', )), 'at least 2 different names'),
    (dict(eta=1.5), r'eta must lie in \[0, 1\], got 1.5'),
    (dict(eta=-0.1), r'eta must lie in \[0, 1\], got -0.1'),
    (dict(adain='batch'), "adain form must be one of .* got 'batch'"),
])
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        tiny_translator(**arguments)


def test_encoder_and_decoder_must_fit():
    cfg = translator_cfg()
    cfg['decoder'] = networks(width=8)['decoder']
    with pytest.raises(ValueError, match='ends with 8 channels, the decoder starts with 16'):
        MODELS.build(cfg)


# ----------------------------------------------------------------------- noise, mode, gradients
def test_eval_is_deterministic_and_training_adds_noise():
    net = tiny_translator()
    images = random_images()
    first, second = net(images), net(images)
    assert torch.equal(first['latent_mean']['A'], second['latent_mean']['A'])
    for flow in ('reconstruction', 'translation', 'cycle'):
        for key in first[flow]:
            assert not torch.equal(first[flow][key], second[flow][key]), (flow, key)
    net.eval()
    state = torch.get_rng_state()
    torch.testing.assert_close(net(images), net(images), rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize('latent_noise', [0., 0.25, 1.])
def test_standard_deviation_of_the_noise(latent_noise):
    net = tiny_translator(latent_noise=latent_noise)
    net.shared_decoder_block = torch.nn.Identity()
    means = {domain: torch.randn(4, 8, 16, 16) for domain in DOMAINS}
    contents = net.content(means)
    noise = {domain: contents[domain] - means[domain] for domain in DOMAINS}
    for domain in DOMAINS:
        assert abs(noise[domain].mean()) < 0.03
        assert abs(noise[domain].std() - latent_noise) < 0.03
    if latent_noise:
        assert not torch.equal(noise['A'], noise['B'])


@pytest.mark.parametrize('cycle_mask', ['translation', 'original'])
def test_the_way_back_knows_the_original_by_its_style_alone(cycle_mask):
    """Otherwise the translation need not show what the original shows."""
    net = tiny_translator(latent_noise=0., cycle_mask=cycle_mask).double()
    images = random_images(2, dtype=F64)
    outputs = net(images)
    torch.testing.assert_close(outputs, slow_forward(net, images), rtol=1e-9, atol=1e-12)
    translations = {way: x.detach() for way, x in outputs['translation'].items()}
    back = []
    for x in (images, random_images(2, seed=1, dtype=F64)):
        masks = {domain: net.mask(maps) for domain, maps in net.features(x).items()}
        styles = {domain: net.style(maps) for domain, maps in net.features(images).items()}
        back.append(net.cycle(translations, masks, styles)['cycle'])
    for way, image in back[0].items():
        assert torch.equal(image, back[1][way]) == (cycle_mask == 'translation')


def test_the_translation_learns_through_the_mask_of_the_way_back():
    """By finite differences of the cycle: F is frozen, but what it sees is not."""
    net = tiny_translator(latent_noise=0.).double()
    images = random_images(1, dtype=F64)
    way = ('A', 'B')
    x_st = net(images)['translation'][way].detach().requires_grad_()
    styles = {domain: net.style(maps) for domain, maps in net.features(images).items()}

    def cycle(translation):
        return net.cycle({way: translation}, dict.fromkeys(DOMAINS), styles)['cycle'][way].sum()

    gradient, = torch.autograd.grad(cycle(x_st), x_st)
    direction = torch.randn(x_st.shape, dtype=F64, generator=torch.Generator().manual_seed(0))
    step = 1e-5 * direction
    with torch.no_grad():
        slope = (cycle(x_st + step) - cycle(x_st - step)) / 2e-5
    torch.testing.assert_close((gradient * direction).sum(), slope, rtol=1e-5, atol=1e-8)
    assert all(parameter.grad is None for parameter in net.feature_networks.parameters())


def test_unknown_cycle_mask():
    with pytest.raises(ValueError, match="cycle_mask must be one of .*'original'.*, got 'none'"):
        tiny_translator(cycle_mask='none')


@pytest.mark.parametrize('detach_cycle', [False, True])
def test_detached_cycle_teaches_the_way_back_only(detach_cycle):
    net = tiny_translator(latent_noise=0., detach_cycle=detach_cycle).double()
    images = random_images(2, dtype=F64)
    outputs = net(images)
    torch.testing.assert_close(outputs, slow_forward(net, images), rtol=1e-9, atol=1e-12)
    for (source, target), cycle in outputs['cycle'].items():
        translation = outputs['translation'][source, target]
        latent_mean = outputs['cycle_latent_mean'][source, target]
        gradients = torch.autograd.grad(cycle.sum() + latent_mean.sum(), [
            translation, net.encoders[target].convs[0].weight, net.decoders[source].layers[-1].bias
        ], retain_graph=True, allow_unused=True)
        assert (gradients[0] is None) == detach_cycle
        assert all(gradient.abs().sum() > 0 for gradient in gradients[1:])


def test_feature_networks_are_frozen_and_stay_in_eval_mode():
    net = tiny_translator().train()
    assert net.training and not net.feature_networks.training
    assert not any(parameter.requires_grad for parameter in net.feature_networks.parameters())
    outputs = net(random_images())
    sum(image.sum() for image in outputs['cycle'].values()).backward()
    assert all(parameter.grad is None for parameter in net.feature_networks.parameters())
    images = {domain: batch.requires_grad_() for domain, batch in random_images().items()}
    assert not net.features(images)['A'].requires_grad


def test_shared_blocks_are_shared():
    net = tiny_translator()
    for flow in (('A', 'B'), ('B', 'A')):
        net.zero_grad()
        net(random_images(), flows=['translation'])['translation'][flow].sum().backward()
        for block in (net.shared_encoder_block, net.shared_decoder_block):
            assert all(parameter.grad.any() for parameter in block.parameters())
        source, target = flow
        for unused in (net.encoders[target], net.decoders[source]):
            assert not any(p.grad is not None and p.grad.any() for p in unused.parameters())


def test_features_loaded_travels_with_the_weights():
    net, other = tiny_translator(), tiny_translator(seed=1)
    assert net.features_missing
    net.features_loaded.fill_(True)
    other.load_state_dict(net.state_dict())
    assert not other.features_missing


@pytest.mark.parametrize('equal_start', [False, True])
@pytest.mark.parametrize('kind', ['ExemplarTranslator', 'DomainAutoencoders'])
def test_the_networks_of_all_domains_start_alike_where_that_is_asked_for(kind, equal_start):
    cfg = translator_cfg(domains=('A', 'B', 'C'), equal_start=equal_start)
    net = MODELS.build(dict(cfg, type=kind))
    net.init_weights()
    for group in (net.encoders, net.decoders):
        first, *others = (torch.cat([p.flatten() for p in network.parameters()])
                          for network in group.values())
        assert [torch.equal(first, other) for other in others] == [equal_start] * 2
    with torch.no_grad():  # alike, but not the same
        next(net.encoders['A'].parameters()).zero_()
    assert next(net.encoders['B'].parameters()).any()
