"""Lets a function of a package and a module in it have one name: `cvr_bench.audit(...)` and `cvr_bench/audit/`.

Importing a submodule puts it in the place of the function; a module that was made callable calls that function.
"""

import sys
from types import ModuleType


def call_as_function(name: str) -> None:
    """Make the module of this name call the function of its parent that it takes the place of.

    A module calls it while it is imported, when the function is still there.
    """
    parent, _, own = name.rpartition(".")
    function = vars(sys.modules[parent])[own]
    kind = type("CallableModule", (ModuleType,), {"__call__": staticmethod(function)})
    sys.modules[name].__class__ = kind
