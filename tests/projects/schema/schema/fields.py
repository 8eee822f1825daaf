class Field:
    """A descriptor that knows its name."""

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        return instance.__dict__[self.name]

    def __set__(self, instance, value):
        self.check(value)
        instance.__dict__[self.name] = value

    def check(self, value):
        pass


class Positive(Field):
    def check(self, value):
        from schema.model import Invalid

        if value <= 0:
            raise Invalid(self.name, value, why="not positive")
