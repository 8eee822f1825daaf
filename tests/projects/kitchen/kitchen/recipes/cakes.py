from kitchen import recipe
from kitchen.registry import Dish


class Cake(Dish, course="dessert"):
    pass


@recipe("cake")
def cake(*ingredients):
    return f"cake of {' and '.join(ingredients)}"
