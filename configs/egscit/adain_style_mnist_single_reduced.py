# AdaIN for a CPU: digits of twice their size, with a VGG-16, in a short training.
#   python tools/train.py configs/egscit/adain_style_mnist_single_reduced.py
_base_ = ['_base_/models/adain_style.py', '_base_/reduced/mnist_single.py']

# torchvision's vgg16-397923af.pth, or any file with weights in its layout.
# With the style's weight of 10 a short training loses the content.
model = dict(
    generator=dict(size=56, arch='vgg16', pretrained='data/vgg16.pth'),
    loss_weights=dict(style=1))
optim_wrapper = dict(
    _delete_=True, type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-3, betas=(0.9, 0.999)))
train_dataloader = dict(batch_size=2)  # four pairs
train_cfg = dict(max_iters=4000)
