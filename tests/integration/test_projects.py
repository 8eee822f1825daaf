"""Scripts that use packages of their own: what the nodes have of them is what the script has, as people write them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.layouts import Environment, answers, compiler, copied, run, write


def test_a_src_layout_that_is_installed_editable(tmp_path: Path) -> None:
    environment = Environment(tmp_path / "env")
    environment.install(copied("weather", tmp_path / "weather"))
    text = """
    import weather
    from weather import Station, load

    @sky.compute
    def report():
        return weather.summarize(load())

    @sky.compute
    def hottest(stations):
        assert all(type(station) is Station for station in stations)
        return weather.hottest(stations), isinstance(stations[0], weather.stations.Station)

    @sky.compute
    def same(function, made):
        return function is weather.load and made is weather.Station

    with pool:
        summary = (report() @ pool)[1]
        answers["summary"] = [[one.station.name, one.mean] for one in summary]
        answers["types"] = [type(summary[0]) is weather.Summary, type(summary[0].station) is Station]
        found, known = hottest(load()) >> pool
        answers["hottest"] = [found.name, type(found) is Station, known]
        answers["same"] = same(weather.load, Station) >> pool
        try:
            sky.compute(load)("Faro") >> pool
        except weather.stations.NoSuchStation as error:
            answers["error"] = [error.name, error.known, str(error)]
    """
    work = tmp_path / "work"
    work.mkdir()
    assert answers(work, text, python=environment.python) == {
        "summary": [["Lisboa", 23.0], ["Oslo", 6.5], ["Recife", 29.0]],
        "types": [True, True],
        "hottest": ["Recife", True, True],
        "same": True,
        "error": ["Faro", ["Lisboa", "Oslo", "Recife"], "no station 'Faro'; there are Lisboa, Oslo, Recife"],
    }


def test_modules_that_import_each_other(tmp_path: Path) -> None:
    copied("shop", tmp_path)
    text = """
    import shop
    from shop import models, orders

    @sky.compute
    def order(item):
        assert isinstance(item, models.Item)
        made = shop.Order([item, models.Item("sugar", 2)])
        return made.pay(), shop.total(made), orders.ship(made), hash(item)

    @sky.compute
    def ship(order):
        orders.ship(order)

    with pool:
        item = models.Item("tea", 3)
        made, total, labels, hashed = order(item) >> pool
        answers["order"] = [type(made) is shop.Order, made.items[0] == item, made.paid, total, labels]
        answers["loaded"] = "shop.bank" in sys.modules
        try:
            ship(shop.place(("tea", 3))) >> pool
        except orders.Unpaid as error:
            answers["unpaid"] = type(error.args[0]) is orders.Order
    """
    assert answers(tmp_path, text) == {
        "order": [True, True, True, "5.00 EUR", ["tea (EUR)", "sugar (EUR)"]],
        "loaded": False,
        "unpaid": True,
    }


def test_plugins_that_register_when_they_are_imported(tmp_path: Path) -> None:
    copied("kitchen", tmp_path)
    text = """
    import kitchen
    from kitchen.registry import Dish

    @sky.compute
    def discovered():
        return kitchen.discover(), sorted(kitchen.RECIPES), Dish.kinds, kitchen.registry.RECIPES is kitchen.RECIPES

    @sky.compute
    def cooked():
        return kitchen.cook("caldo", "kale")

    with pool:
        answers["before"] = sorted(kitchen.RECIPES)
        answers["there"] = (discovered() @ pool)[0]
        answers["still"] = sorted(kitchen.RECIPES)
        kitchen.discover()
        soup = cooked() >> pool
        answers["soup"] = [type(soup) is sys.modules["kitchen.recipes.soups"].Soup, soup.ingredients]
    """
    assert answers(tmp_path, text) == {
        "before": [],
        "there": [["cake", "caldo"], ["cake", "caldo"], {"Soup": "starter", "Cake": "dessert"}, True],
        "still": [],
        "soup": [True, ["caldo", "kale"]],
    }


def test_what_the_script_has_registered_by_imports_is_registered_there(tmp_path: Path) -> None:
    copied("kitchen", tmp_path)
    text = """
    import kitchen
    import kitchen.recipes.cakes

    @sky.compute
    def cooked(name):
        return kitchen.cook(name, "figs")

    with pool:
        answers["cake"] = cooked("cake") @ pool
    """
    assert answers(tmp_path, text) == {"cake": ["cake of figs"] * 2}


def test_classes_of_every_kind_are_the_same_here_and_there(tmp_path: Path) -> None:
    copied("schema", tmp_path)
    text = """
    import typing
    import schema
    from schema import *
    from schema import model

    @sky.compute
    def there(given):
        assert isinstance(given["user"], schema.Model)
        assert type(given["user"]) is schema.User is model.ModelMeta.models["User"]
        assert given["color"] is schema.Color.RED
        assert given["class"] is schema.User and given["meta"] is model.ModelMeta
        assert isinstance(given["square"], schema.Shape)
        assert isinstance(given["interval"], schema.kinds.Figure)
        assert given["size"] is Size.L
        return given | {
            "made": User(name="Eva", age=3), "address": User.Address(city="Beja"), "color": Color("b"),
            "feature": Feature.FAST | Feature.GOOD, "square": Square(4, Color.BLUE), "tree": Tree(2, Tree(1), Tree(3)),
            "alias": Tree[int], "interval": Interval(low=1, high=2, tags=["there"]),
        }

    @sky.compute
    def invalid():
        return User(name="Ana", age=-1)

    with pool:
        given = {
            "user": User(name="Ana", age=30), "color": Color.RED, "class": User, "meta": model.ModelMeta,
            "point": Point(3, 4), "square": Square(2), "size": Size.L, "interval": Interval(low=0, high=2),
            "protocol": Shape, "tree": None, "field": User.name,
        }
        back = there(given) >> pool
        answers["same"] = {
            "user": back["user"] == given["user"] and type(back["user"]) is User,
            "made": type(back["made"]) is User and back["made"].dump() == {"name": "Eva", "age": 3},
            "address": type(back["address"]) is User.Address and back["address"].city == "Beja",
            "class": back["class"] is User and back["meta"] is model.ModelMeta and back["protocol"] is Shape,
            "color": back["color"] is Color.BLUE and back["color"].pretty == "Blue",
            "feature": back["feature"] == Feature.FAST | Feature.GOOD and type(back["feature"]) is Feature,
            "point": type(back["point"]) is Point and back["point"].norm() == 5,
            "square": back["square"] == Square(4, Color.BLUE) and isinstance(back["square"], Shape),
            "size": back["size"] is Size.L,
            "interval": back["interval"] == Interval(low=1, high=2) and back["interval"].tags == ["there"],
            "tree": type(back["tree"]) is Tree and list(back["tree"]) == [1, 2, 3],
            "alias": typing.get_origin(back["alias"]) is Tree,
        }
        answers["models"] = sorted(model.ModelMeta.models)
        try:
            invalid() >> pool
        except Invalid as error:
            answers["error"] = [error.field, error.value, error.why, type(error) is Invalid]
    """
    said = answers(tmp_path, text)
    assert said.pop("same") == dict.fromkeys(
        (
            "user", "made", "address", "class", "color", "feature", "point", "square", "size", "interval", "tree",
            "alias",
        ),
        True,
    )  # fmt: skip
    assert said == {"models": ["Address", "Model", "User"], "error": ["age", -1, "not positive", True]}


def test_data_files_lie_beside_the_code(tmp_path: Path) -> None:
    copied("atlas", tmp_path)
    text = """
    import atlas

    @sky.compute
    def read():
        return {
            "units": atlas.units(), "cities": atlas.CITIES, "rivers": atlas.RIVERS, "html": atlas.by_resources(),
            "grid": [atlas.as_file(), atlas.by_pkgutil()], "listed": atlas.listed(), "query": atlas.query("largest"),
        }

    with pool:
        answers["there"] = read() @ pool
        answers["here"] = read.local()
    """
    said = answers(tmp_path, text)
    assert said["there"] == [said["here"]] * 2
    assert said["here"]["rivers"] == ["Tejo", "Douro", "Guadiana", "Mondego"]
    assert said["here"]["grid"] == [1024, 1024]


@pytest.mark.skipif(not compiler(), reason="there is no C compiler")
def test_a_compiled_extension_of_an_editable_install(tmp_path: Path) -> None:
    environment = Environment(tmp_path / "env")
    environment.install(copied("fastsum", tmp_path / "fastsum"))
    text = """
    import fastsum

    @sky.compute
    def compiled(numbers, counter):
        assert type(counter) is fastsum.Counter
        return fastsum.total(numbers), fastsum.mean(numbers), fastsum._fast.__file__.rpartition(".")[2], counter

    with pool:
        total, mean, kind, counter = compiled([1, 2, 6], fastsum.Counter()) >> pool
        answers["numbers"] = [total, mean, kind, type(counter) is fastsum.Counter]
        answers["by_name"] = sky.compute(fastsum.total)([1, 2]) @ pool
    """
    work = tmp_path / "work"
    work.mkdir()
    said = answers(work, text, python=environment.python)
    assert said == {"numbers": [9.0, 3.0, "so", True], "by_name": [3.0, 3.0]}


def test_a_package_that_is_run(tmp_path: Path) -> None:
    copied("pipeline", tmp_path)
    said, _ = run("-m", "pipeline", folder=tmp_path)
    assert said == {"cost": 4, "is_step": True, "is_local": True, "failed": "bad"}


def test_a_script_beside_its_package(tmp_path: Path) -> None:
    copied("pipeline", tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    said, _ = run(tmp_path / "app.py", folder=elsewhere)
    assert said == {"cost": 6, "same": True, "modules": ["__main__", "pipeline.steps"]}


@pytest.mark.parametrize("how", ["PYTHONPATH", "append"])
def test_a_package_in_several_folders(tmp_path: Path, how: str) -> None:
    copied("acme", tmp_path / "acme")
    work = tmp_path / "work"
    work.mkdir()
    folders = [str(tmp_path / "acme" / part) for part in ("core", "extras")]
    text = f"""
    {"" if how == "PYTHONPATH" else f"sys.path += {folders!r}"}
    import acme.core
    from acme.extras import Spare

    @sky.compute
    def shout(part):
        assert isinstance(part, acme.core.Part)
        return part.shout(), Spare("wheel")

    with pool:
        said, spare = shout(acme.core.Part("gear")) >> pool
        answers["said"] = [said, type(spare) is Spare, isinstance(spare, acme.core.Part)]
    """
    env = {"PYTHONPATH": os.pathsep.join(folders)} if how == "PYTHONPATH" else {}
    assert answers(work, text, env=env) == {"said": ["GEAR!", True, True]}


def test_a_package_that_changes_a_library(tmp_path: Path) -> None:
    copied("patches", tmp_path)
    text = """
    import textwrap
    import patches
    from json import dumps

    @sky.compute
    def patched(value):
        import json
        made = json.dumps({"b": {value.__class__}, "a": 1}), dumps({"d": 1, "c": 2}), textwrap.shout("  a")
        return *made, isinstance(value, patches.Decimalish), json.dumps is dumps is patches.dumps

    with pool:
        answers["there"] = patched(patches.Decimalish(2)) @ pool
    """
    one = ["""{"a": 1, "b": "{<class 'patches.Decimalish'>}"}""", '{"c": 2, "d": 1}', "A", True, True]
    assert answers(tmp_path, text) == {"there": [one, one]}


def test_what_no_pickle_can_hold_stays_in_each_process(tmp_path: Path) -> None:
    copied("keeper", tmp_path)
    text = """
    import keeper
    from keeper import fibonacci, kind, registry, slow

    @sky.compute
    def used(word):
        done = []
        keeper.jobs.put(done)
        while len(done) < 2:
            pass
        keeper.pair[0].send(b"hello")
        return {
            "seen": [keeper.remember(word) for _ in range(2)],
            "cached": [fibonacci(80), slow("tea"), fibonacci.cache_info().currsize],
            "kinds": [kind(1), kind("a"), kind(None), registry.show(1), registry.show("a"), registry.heavy],
            "thread": done, "in_thread": keeper.in_thread(len, word), "sent": keeper.pair[1].recv(5).decode(),
            "request": keeper.request.get(), "line": keeper.here.readline(), "lock": keeper.lock.locked(),
            "next": [next(keeper.numbers), next(keeper.forever)],
        }

    with pool:
        keeper.request.set("somebody")
        keeper.remember("tea")
        answers["there"] = used("tea") @ pool
        answers["by_name"] = [sky.compute(f)(*given) >> pool for f, given in [
            (fibonacci, [30]), (slow, ["abc"]), (kind, [3]), (keeper.remember, ["other"])]]
        answers["here"] = keeper.remember("tea")
        answers["fails"] = ""
        try:
            sky.compute(len)(keeper.lock) >> pool
        except Exception as error:
            answers["fails"] = str(error)
    """
    said = answers(tmp_path, text)
    there = {
        "seen": [1, 2],
        "cached": [23416728348467685, "aet", 81],
        "kinds": ["number", "text", "thing", "#1", "<a>", 6765],
        "thread": ["keeper", "done"],
        "in_thread": 3,
        "sent": "hello",
        "request": "nobody",
        "line": '"""Keeps at top level what no pickle can hold."""\n',
        "lock": False,
        "next": [0, 0],
    }
    assert said["there"] == [there, there]
    assert said["by_name"] == [832040, "cba", "number", 1]
    assert said["here"] == 2
    assert "lock" in said["fails"]


def test_things_of_a_module_that_no_pickle_can_hold_are_found_there_by_name(tmp_path: Path) -> None:
    copied("keeper", tmp_path)
    text = """
    import keeper
    from keeper import database, lock, local, log, request, workers

    @sky.compute
    def used():
        with lock:
            inside = keeper.lock.locked()
        return {
            "same": [lock is keeper.lock, local is keeper.local, database is keeper.database, log is keeper.log,
                     request is keeper.request, workers is keeper.workers],
            "inside": inside, "request": request.get(), "worked": workers.submit(len, "abc").result(10),
        }

    with pool:
        answers["there"] = used() @ pool
    """
    one = {"same": [True] * 6, "inside": True, "request": "nobody", "worked": 3}
    assert answers(tmp_path, text) == {"there": [one, one]}


TASKS = """
import functools, threading
from pathlib import Path
import skyward as sky

HERE = Path(__file__).parent
lock = threading.Lock()
seen = []
_model = None


def logged(function):
    @functools.wraps(function)
    def inner(*given):
        with lock:
            seen.append(function.__name__)
        return function(*given)

    return inner


class Part:
    def __init__(self, number):
        self.number = number

    def plus(self, other):
        with lock:
            return self.number + other

    @classmethod
    def made(cls, number):
        return cls(number)


@sky.compute
def model():
    global _model
    with lock:
        _model = (_model or 0) + 1
    return _model, (HERE / "words.txt").read_text(), Path(__file__).is_file()


@sky.compute
@logged
def both(number):
    return Part(number), len(seen)


@logged
def plain(number):
    return number + 1


def adder(number):
    def add(other):
        with lock:
            return number + other

    return add


add_five = adder(5)
twice = lambda number: (lock.locked(), number * 2)
part = functools.partial(plain, 5)


@sky.compute
def parts(count):
    for number in range(count):
        with lock:
            yield Part(number)
"""


def test_functions_that_a_module_decorates_binds_and_makes(tmp_path: Path) -> None:
    """What goes by value for that, or is streamed, has the names of its module there: they last, as here."""
    write(tmp_path / "tasks.py", TASKS)
    write(tmp_path / "words.txt", "words")
    text = """
    import tasks
    from functools import partial

    with sky.ComputePool(nodes=1) as pool:
        answers["model"] = [tasks.model() >> pool for _ in range(3)]
        both = [tasks.both(number) >> pool for number in range(2)]
        answers["both"] = [[type(made) is tasks.Part, length] for made, length in both]
        calls = [partial(tasks.plain, 1), partial(tasks.Part(2).plus, 3), partial(tasks.add_five, 1), tasks.part,
                 partial(tasks.twice, 2)]
        answers["calls"] = [sky.compute(call)() >> pool for call in calls]
        answers["made"] = type(sky.compute(tasks.Part.made)(1) >> pool) is tasks.Part
        answers["parts"] = [type(one) is tasks.Part for one in tasks.parts(2) >> pool]
        answers["here"] = [tasks._model, tasks.seen]
    """
    assert answers(tmp_path, text) == {
        "model": [[1, "words", True], [2, "words", True], [3, "words", True]],
        "both": [[True, 1], [True, 2]],
        "calls": [2, 5, 6, 6, [False, 4]],
        "made": True,
        "parts": [True, True],
        "here": [None, []],
    }


def test_a_module_that_puts_an_object_in_its_place(tmp_path: Path) -> None:
    write(
        tmp_path / "replaced.py",
        "import sys, types\nclass Lazy(types.ModuleType):\n    @property\n    def value(self): return 42\n"
        "made = Lazy(__name__)\nmade.__file__, made.__spec__ = __file__, __spec__\nsys.modules[__name__] = made\n",
    )
    text = """
    import replaced

    with pool:
        answers["value"] = sky.compute(lambda: replaced.value)() @ pool
    """
    assert answers(tmp_path, text) == {"value": [42, 42]}


EAGER = """
import skyward as sky

class Part:
    def __init__(self, number):
        self.number = number

def made(number):
    return Part(number)

@sky.compute
def work(number):
    return made(number)

with sky.ComputePool(nodes=1, name="eager") as pool:
    found = work(3) >> pool
"""


def test_a_module_that_starts_a_pool_when_it_is_imported(tmp_path: Path) -> None:
    """While it is imported here its code goes by value; a node that would import it starts no pool of its own."""
    write(tmp_path / "eager.py", EAGER)
    text = """
    import eager

    with pool:
        answers["found"] = [type(eager.found) is eager.Part, eager.found.number]
        try:
            sky.compute(eager.made)(1) >> pool
        except sky.SkywardError as error:
            answers["later"] = str(error)
    """
    said = answers(tmp_path, text)
    assert said["found"] == [True, 3]
    assert "a node imports eager, whose top level starts pool 'eager'" in said["later"]
    assert '__name__ == "__main__"' in said["later"]
