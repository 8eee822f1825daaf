class Part:
    def __init__(self, name):
        self.name = name

    def shout(self):
        from acme.extras import louder

        return louder(self.name)
