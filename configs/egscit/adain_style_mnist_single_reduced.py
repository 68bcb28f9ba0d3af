# AdaIN for a CPU: digits of four times their size, with a VGG-16, in a short training.
#   python tools/train.py configs/egscit/adain_style_mnist_single_reduced.py
_base_ = ['_base_/models/adain_style.py', '_base_/reduced/mnist_single.py']

# torchvision's vgg16-397923af.pth, or any file with weights in its layout.
# At twice the size of digits a stroke is half a cell of relu4_1: the losses want a blob there.
# With the style's weight of 10 a short training loses the content; without the pixels' loss, which
# AdaIN does not have, it comes to the colours later.
model = dict(
    generator=dict(size=112, arch='vgg16', pretrained='data/vgg16.pth'),
    loss_weights=dict(style=1, pixel=300))
optim_wrapper = dict(
    _delete_=True, type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-3, betas=(0.9, 0.999)))
train_dataloader = dict(batch_size=2)  # four pairs
train_cfg = dict(max_iters=2000)
