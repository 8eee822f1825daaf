"""Keeps at top level what no pickle can hold."""

import atexit
import contextvars
import functools
import itertools
import logging
import queue
import socket
import sqlite3
import tempfile
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

log = logging.getLogger(__name__)
lock = threading.Lock()
condition = threading.Condition()
local = threading.local()
request = contextvars.ContextVar("request", default="nobody")
database = sqlite3.connect(":memory:", check_same_thread=False)
database.execute("create table seen (word text)")
jobs = queue.Queue()
pair = socket.socketpair()
scratch = tempfile.TemporaryFile("w+")
here = open(__file__, encoding="utf-8")  # noqa: SIM115
numbers = itertools.count()
workers = ThreadPoolExecutor(1)
alive = weakref.WeakValueDictionary()
forever = (n for n in itertools.count())


def _serve():
    while (job := jobs.get()) is not None:
        job.append(threading.current_thread().name)
        job.append("done")


thread = threading.Thread(target=_serve, name="keeper", daemon=True)
thread.start()


@atexit.register
def close():
    jobs.put(None)
    workers.shutdown(wait=False, cancel_futures=True)
    for end in pair:
        end.close()


def remember(word):
    with lock:
        database.execute("insert into seen values (?)", [word])
        log.info("remembered %s", word)
        return database.execute("select count(*) from seen where word = ?", [word]).fetchone()[0]


@functools.cache
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


@functools.lru_cache(maxsize=32)
def slow(word):
    return word[::-1]


@functools.singledispatch
def kind(value):
    return "thing"


@kind.register
def _(value: int):
    return "number"


@kind.register(str)
def _text(value):
    return "text"


class Registry:
    _lock = threading.RLock()
    instances = alive

    @functools.cached_property
    def heavy(self):
        with self._lock:
            return fibonacci(20)

    @functools.singledispatchmethod
    def show(self, value):
        return f"<{value}>"

    @show.register
    def _(self, value: int):
        return f"#{value}"


registry = Registry()


def in_thread(function, *given):
    return workers.submit(function, *given).result(10)
