import typing

from schema.fields import Field, Positive


class Invalid(ValueError):
    """Takes more than its message, as errors of real packages do."""

    def __init__(self, field, value, *, why):
        super().__init__(f"{field}={value!r}: {why}")
        self.field, self.value, self.why = field, value, why


class ModelMeta(type):
    models = {}

    def __new__(mcls, name, bases, namespace, **given):
        cls = super().__new__(mcls, name, bases, namespace, **given)
        cls.__fields__ = {n: v for base in reversed(cls.__mro__) for n, v in vars(base).items() if isinstance(v, Field)}
        cls.__signature__ = f"{name}({', '.join(cls.__fields__)})"
        mcls.models[name] = cls
        return cls

    def __instancecheck__(cls, instance):
        return super().__instancecheck__(instance)

    def __call__(cls, **values):
        made = cls.__new__(cls)
        for name in cls.__fields__:
            setattr(made, name, values[name])
        return made


class Model(metaclass=ModelMeta):
    model_config: typing.ClassVar[dict] = {"frozen": False}

    def __init_subclass__(cls, table=None, **given):
        super().__init_subclass__(**given)
        cls.table = table or cls.__name__.lower()

    def __eq__(self, other):
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self):
        return hash(tuple(vars(self).items()))

    def dump(self):
        return {name: getattr(self, name) for name in type(self).__fields__}


class User(Model, table="people"):
    name = Field()
    age = Positive()

    class Address(Model):
        city = Field()
