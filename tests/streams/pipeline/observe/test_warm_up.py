from datetime import date
from typing import Any

import numpy as np
import pytest

from streams.pipeline.batch import Batch
from streams.pipeline.observe import (
    Observer,
    address,
    bot,
    clf,
    combination,
    detail,
    disclosure,
    event_time,
    events,
    fan_out,
    naming,
    origin,
    plain_record,
    surface,
)
from streams.settings import Bot, Group, InputSettings
from streams.surfaces.setting import Surface
from tests.streams.inputs.samples import CLF
from tests.streams.pipeline.observe.records import record, timestamps

KERNELS: list[Any] = [  # a compiled function has no type that names its signatures
    events._unpack,
    clf._read_lines,
    plain_record._read_all,
    event_time._read,
    address._read,
    origin._hash_all,
    bot._recognise,
    surface._match,
    disclosure._disclose,
    detail._details,
    combination._combine,
    naming._find,
    naming._find_members,
    naming._copy_all,
    fan_out._find_tier_texts,
    fan_out._write_rows,
    fan_out._write_details,
    fan_out._write_actors,
]


@pytest.mark.parametrize("surfaces", [[], [Surface(kind="list", path="/**")]])
def test_nothing_is_left_to_compile(surfaces: list[Surface]) -> None:
    """Batches of every shape are met by what `warm_up` has compiled: no record ever waits for the compiler."""
    values = [None, record({"client.address": "::ffff:1.2.3.4"}), record({"weir.targets": [str(n) for n in range(99)]})]
    robot = Bot("b", "o", "r", date(2026, 1, 1), ("::/0",), date(2026, 1, 1), user_agent="agent")
    observer = Observer(InputSettings(), surfaces, 3, [robot], (), lambda some: [origin.Origin()] * len(some))
    grouping = Observer(InputSettings(), surfaces, 3, [robot], [Group("g", ("net", "agent"))])
    grouping.observe(Batch("t", 0, 0, len(values) - 1, values[1:]))
    observer.observe(Batch("t", 0, 0, 0, []))
    observer.observe(Batch("t", 0, 0, 3, [CLF.encode(), b"nonsense", record()]))
    observer.observe(Batch("t", 0, 5, 9, values, offsets=np.array([5, 7, 8]), timestamps_ms=timestamps([-1, -1, -1])))
    assert [len(kernel.signatures) for kernel in KERNELS] == [1] * len(KERNELS)
