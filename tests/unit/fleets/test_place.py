"""Where nodes are, as their pool's record keeps it."""

from __future__ import annotations

import json
from dataclasses import asdict

from skyward_jupyter.agent.accelerators import Accelerator
from skyward_jupyter.fleets.place import Place, place_from
from skyward_jupyter.providers.base import Instance


def test_a_place_survives_its_journey() -> None:
    gpu = Accelerator(0, "GPU-1", "NVIDIA H100 80GB HBM3", 81559)
    instance = Instance("m1", "10.0.0.1", 2222, "me")
    place = Place("k", "/d", "/w", "::1", 25520, 8265, (gpu,))
    facts = json.loads(json.dumps({"rank": 2, "instance": asdict(instance), "place": asdict(place)}))
    assert place_from(facts) == (2, instance, place)
    assert (place.address, place.http_address) == ("[::1]:25520", "127.0.0.1:8265")
    del facts["place"]["accelerators"], facts["place"]["inside"]
    assert place_from(facts)[2].accelerators == ()
    assert place_from(facts)[2].http_address == "[::1]:8265"
