# CDD-IT on MNIST-Single. It is trained on pairs: each training digit in both domains.
#   python tools/dataset_converters/mnist.py --task single --source mnist --root MNIST_DIR --pairs \
#       --out data/mnist_single_pairs
#   python tools/train.py configs/egscit/cddit_mnist_single.py
_base_ = [
    '_base_/models/cddit.py',
    '_base_/datasets/mnist_single.py',
    '_base_/schedules/adam_poly_cddit.py',
    '_base_/default_runtime.py',
]
# One update of the critics and one of the generators per iteration, both on one minibatch: five
# times EGSC-IT's iterations make as many generator updates.

# 28x28 digits: of five convolutions two have a stride, to 7x7.
_strides = dict(num_downsamples=2)
model = dict(generator=dict(encoder=_strides, decoder=_strides))
_data_root = 'data/mnist_single_pairs'  # its test images are those of data/mnist_single
train_dataloader = dict(
    batch_size=8,
    # Neither flips nor crops, as in the release.
    dataset=dict(data_root=_data_root, pairs=True, pipeline={{_base_.test_pipeline}}))
val_dataloader = dict(dataset=dict(data_root=_data_root))
test_dataloader = val_dataloader
train_cfg = dict(max_iters=5 * 60000)
