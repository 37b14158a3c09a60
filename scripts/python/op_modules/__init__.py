"""Hand-written modules for what PyTorch's op database does not reach; one file per family, one pack per file."""

from op_modules import attention, control, dtypes, in_place, in_place_views, layers, pytrees, recurrent, shapes, spectral, views, weights
from op_modules.case import Case

FAMILIES: dict[str, dict[str, Case]] = {
    family.__name__.rsplit(".", 1)[-1]: family.cases
    for family in (attention, control, dtypes, in_place, in_place_views, layers, pytrees, recurrent, shapes, spectral, views, weights)
}
