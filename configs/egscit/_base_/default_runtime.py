default_scope = 'mmagic'
custom_imports = dict(imports=['egscit_mm'], allow_failed_imports=False)

env_cfg = dict(
    cudnn_benchmark=True,  # every image of a task has the same size
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=1),
    dist_cfg=dict(backend='nccl'))
# Generators and discriminators are wrapped one by one, for they are updated in turn.
model_wrapper_cfg = dict(type='MMSeparateDistributedDataParallel', broadcast_buffers=False)

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='CheckpointHook', interval=2000, by_epoch=False, max_keep_ckpts=3, save_last=True),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    # On resuming, the config's rates, betas, ... hold, not the checkpoint's.
    configured_settings=dict(type='ConfiguredSettingsHook'))
custom_hooks = [dict(type='TranslationGridHook', interval=1000)]
log_processor = dict(type='LogProcessor', by_epoch=False, window_size=50)
visualizer = dict(type='Visualizer', vis_backends=[dict(type='AtomicVisBackend')])

log_level = 'INFO'
load_from = None
resume = False
# Every rank draws its own latent noise; the Runner broadcasts the initial weights.
randomness = dict(seed=0, diff_rank_seed=True)
