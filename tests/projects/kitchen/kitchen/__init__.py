"""Recipes that register themselves when their module is imported."""

import importlib
import pkgutil

from kitchen.registry import RECIPES, cook, recipe


def discover():
    from kitchen import recipes

    for found in pkgutil.iter_modules(recipes.__path__, recipes.__name__ + "."):
        importlib.import_module(found.name)
    return sorted(RECIPES)
