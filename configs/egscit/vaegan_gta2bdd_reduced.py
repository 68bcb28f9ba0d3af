# Stage 1 of the reduced GTA5 <-> BDD; "python tools/train.py
# configs/egscit/egscit_gta2bdd_reduced.py" runs it.
_base_ = 'vaegan_gta2bdd.py'

# A thousand iterations cannot grow a quarter-width network from the release's std of 0.02.
_network = dict(
    base_channels=16,
    init_cfg=dict(
        type='TruncNormal', layer=['Conv2d', 'ConvTranspose2d'], std=0.06, a=-0.12, b=0.12))
model = dict(
    generator=dict(encoder=_network, decoder=dict(tanh_scale=1.1, **_network)),
    discriminator=dict(base_channels=16))
train_dataloader = dict(
    batch_size=2 * 2,  # a minibatch for each of the 1 + 1 updates
    num_workers=1, dataset=dict(data_root='data/gta2bdd_reduced'))
# The rates of docs/experiments.md; others were not compared.
optim_wrapper = dict(
    generators=dict(optimizer=dict(lr=4e-4), clip_grad=dict(max_norm=10)),
    discriminators=dict(optimizer=dict(lr=1e-4), clip_grad=dict(max_norm=10)))
train_cfg = dict(max_iters=1000)
default_hooks = dict(logger=dict(interval=20))
custom_hooks = [dict(type='TranslationGridHook', interval=200)]
