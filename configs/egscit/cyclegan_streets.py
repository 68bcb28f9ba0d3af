# CycleGAN on painted streets, to compare with egscit_streets.py. It ignores the exemplar.
#   python tools/train.py configs/egscit/cyclegan_streets.py
_base_ = [
    '_base_/models/cyclegan.py',
    '_base_/datasets/streets.py',
    '_base_/schedules/adam_poly_cyclegan.py',
    '_base_/cyclegan_runtime.py',
]
# One discriminator and one generator update per iteration, both on one minibatch: five times
# EGSC-IT's iterations make as many generator updates.

model = dict(generator=dict(num_blocks=9))  # CycleGAN's number for images of 256x256 and more
train_dataloader = dict(batch_size=3)
train_cfg = dict(max_iters=5 * 22000)
