"""How warm it was."""

from weather.report import Summary, hottest, summarize
from weather.stations import Station, load

__version__ = "0.3.0"
__all__ = ["Station", "Summary", "hottest", "load", "summarize"]
