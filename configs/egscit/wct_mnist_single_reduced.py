# WCT for a CPU: digits of twice their size, with a VGG-16, in a short training.
#   python tools/train.py configs/egscit/wct_mnist_single_reduced.py
_base_ = ['_base_/models/wct.py', '_base_/reduced/mnist_single.py']

# torchvision's vgg16-397923af.pth, or any file with weights in its layout.
# Features of digits are large, up to a mean square of 200: with their weight of 1 the deep decoders
# learn strokes first and colours late.
model = dict(
    generator=dict(size=56, arch='vgg16', pretrained='data/vgg16.pth'),
    loss_weights=dict(feature=0.01))
optim_wrapper = dict(
    _delete_=True, type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-3, betas=(0.9, 0.999)))
train_dataloader = dict(batch_size=2)  # images of each domain
train_cfg = dict(max_iters=2000)
