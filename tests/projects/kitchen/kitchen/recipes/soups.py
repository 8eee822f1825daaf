from ..registry import Dish, recipe


class Soup(Dish, course="starter"):
    def __init__(self, *ingredients):
        self.ingredients = ingredients


@recipe("caldo")
def caldo(*ingredients):
    return Soup("caldo", *ingredients)
