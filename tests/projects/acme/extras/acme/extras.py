from acme.core import Part


def louder(text):
    return text.upper() + "!"


class Spare(Part):
    pass
