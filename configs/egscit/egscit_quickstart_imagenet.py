# The quickstart with the paper's perceptual loss: VGG-19's ImageNet weights, which torchvision
# downloads, its five layers and the weights of Table 6. On digits, with a VGG-16 of natural images,
# half of the pictures had outlines for strokes (docs/experiments.md).
#   bash tools/quickstart.sh --features imagenet
_base_ = 'egscit_quickstart.py'

model = dict(
    perceptual_loss=dict(
        _delete_=True, type='VGGPerceptualLoss', pretrained='torchvision', content_weight=1e1,
        style_weight=1e3))
