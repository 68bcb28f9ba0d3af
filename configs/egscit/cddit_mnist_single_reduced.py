# CDD-IT with the quickstart's recipe: digits, width, minibatch, generator updates, average of the
# weights, and its rates. It is trained on pairs: each training digit in both domains.
#   python tools/dataset_converters/mnist.py --source digits --pairs \
#       --out work_dirs/quickstart/data_pairs
#   python tools/train.py configs/egscit/cddit_mnist_single_reduced.py
_base_ = ['_base_/models/cddit.py', '_base_/reduced/mnist_single.py']

# 28x28 digits: of five convolutions two have a stride, to 7x7.
_networks = dict(base_channels=32, num_downsamples=2)
model = dict(
    # Without dropout, which learns more slowly than this schedule lasts.
    generator=dict(encoder=_networks, decoder=dict(dropout=0., **_networks)),
    discriminator=dict(base_channels=32),
    # All differences are squared: by L1 the networks stop at the ground's colour, without a digit.
    # A square d^2 / 4 is small beside what the critics say, hence the weight.
    smooth_l1_beta=2,
    loss_weights=dict(autoencoding=1000),
    ema_config=dict(_delete_=True, type='MomentumAnnealingEMA', momentum=0.01, gamma=10))
_data_root = 'work_dirs/quickstart/data_pairs'  # its test images are those of the quickstart
# One update of the critics and one of the generators per iteration, both on one minibatch: five
# times the iterations make as many generator updates.
train_dataloader = dict(
    batch_size=4,
    # Neither flips nor crops, as in the release.
    dataset=dict(data_root=_data_root, pairs=True, pipeline={{_base_.test_pipeline}}))
test_dataloader = dict(dataset=dict(data_root=_data_root))
train_cfg = dict(max_iters=5 * 500)
