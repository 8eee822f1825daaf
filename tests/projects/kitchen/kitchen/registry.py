RECIPES = {}


def recipe(name):
    def register(function):
        RECIPES[name] = function
        return function

    return register


def cook(name, *ingredients):
    return RECIPES[name](*ingredients)


class Dish:
    kinds = {}

    def __init_subclass__(cls, /, course="main", **given):
        super().__init_subclass__(**given)
        Dish.kinds[cls.__name__] = course
