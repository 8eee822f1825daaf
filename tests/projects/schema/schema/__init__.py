from .fields import Field, Positive
from .kinds import Color, Feature, Interval, Point, Shape, Size, Square, Tree
from .model import Invalid, Model, User
