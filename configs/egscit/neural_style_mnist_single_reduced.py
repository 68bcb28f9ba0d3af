# Neural style transfer for a CPU: digits of twice their size, fewer evaluations.
#   python tools/test.py configs/egscit/neural_style_mnist_single_reduced.py none
_base_ = 'neural_style_mnist_single.py'

# torchvision's vgg16-397923af.pth, or any file with weights in its layout.
model = dict(
    generator=dict(size=56, evaluations=60, arch='vgg16', pretrained='data/vgg16.pth'))
test_dataloader = dict(num_workers=1, dataset=dict(data_root='work_dirs/quickstart/data'))
