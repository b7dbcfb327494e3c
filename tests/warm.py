"""`python -m tests.warm`: has the hot loops compiled, lest each process of tests compiles them in its first test.

Compiled code is kept beside its module: this takes a minute once in a checkout, and then two seconds.
"""

from streams.config import parse
from streams.pipeline.warm_up import warm_up

if __name__ == "__main__":
    warm_up(parse('[mode]\ndefault = "enforce"\n', "warm.toml"))
