# Neural style transfer (Gatys et al., CVPR 2016): 500 evaluations of L-BFGS on the pixels of each
# image, resized to 512 as EGSC-IT's authors did.
model = dict(
    type='NeuralStyle',
    generator=dict(type='PixelOptimisation', size=512, evaluations=500),
    data_preprocessor=dict(
        type='DataPreprocessor',
        mean=[127.5] * 3,
        std=[127.5] * 3,
        output_channel_order='RGB',
        data_keys=None))
