# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What there is in a street, and the category of each kind."""
from types import MappingProxyType

# The eight categories of Cityscapes; a label is a place in this tuple.
CATEGORIES = ('void', 'flat', 'construction', 'object', 'nature', 'sky', 'human', 'vehicle')

_KINDS = dict(
    sky='sky sun cloud',
    flat='pavement road lane kerb',
    construction='skyline facade shop door window lit_window',
    nature='hill grass hedge trunk leaves',
    object='pole sign sign_face lamp light_box red_light green_light',
    human='skin top trousers',
    vehicle='car cabin wheel head_light tail_light plate',
    void='bin',
)
CATEGORY_OF_KIND = MappingProxyType({
    kind: CATEGORIES.index(category) for category, kinds in _KINDS.items()
    for kind in kinds.split()
})
# A kind's number, by which palettes are sorted.
KINDS = tuple(CATEGORY_OF_KIND)
