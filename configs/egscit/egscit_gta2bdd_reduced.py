# GTA5 <-> BDD to try out on a CPU: 64x128 pixels, a quarter of the width, under an hour on
# one core. Its data: gta5.py and bdd100k.py, or folders.py, with --size 64 128.
#   python tools/train.py configs/egscit/egscit_gta2bdd_reduced.py
_base_ = 'egscit_gta2bdd.py'
stage1_config = 'vaegan_gta2bdd_reduced.py'

# As in vaegan_gta2bdd_reduced.py.
_network = dict(
    base_channels=16,
    init_cfg=dict(
        type='TruncNormal', layer=['Conv2d', 'ConvTranspose2d'], std=0.06, a=-0.12, b=0.12))
model = dict(
    generator=dict(encoder=_network, decoder=dict(tanh_scale=1.1, **_network)),
    discriminator=dict(base_channels=16),
    # Averages over the last 100 iterations or so, over fewer at the start.
    ema_config=dict(_delete_=True, type='MomentumAnnealingEMA', momentum=0.01, gamma=10))
train_dataloader = dict(
    batch_size=2 * 6,  # a minibatch for each of the 1 + 5 updates
    num_workers=1, dataset=dict(data_root='data/gta2bdd_reduced'))
optim_wrapper = dict(
    generators=dict(optimizer=dict(lr=4e-4), clip_grad=dict(max_norm=10)),
    discriminators=dict(optimizer=dict(lr=1e-4), clip_grad=dict(max_norm=10)))
train_cfg = dict(max_iters=1200)
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=200))
custom_hooks = [dict(type='TranslationGridHook', interval=200)]
