"""Hand-written modules for what PyTorch's op database does not reach; one file per family, one pack per file."""

from op_modules import dtypes, in_place, recurrent, views, weights
from op_modules.case import Case

FAMILIES: dict[str, dict[str, Case]] = {
    family.__name__.rsplit(".", 1)[-1]: family.cases
    for family in (dtypes, in_place, recurrent, views, weights)
}
