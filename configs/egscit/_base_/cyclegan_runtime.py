# MMagic's CycleGAN has no rows for TranslationGridHook; MMagic's own hook draws it.
_base_ = 'default_runtime.py'
custom_hooks = [
    dict(
        type='VisualizationHook',
        interval=1000,
        fixed_input=True,
        n_samples=8,
        save_at_test=False,
        vis_kwargs_list=dict(type='TranslationVal', name='translation'))
]
