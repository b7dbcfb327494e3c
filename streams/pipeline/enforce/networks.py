"""Which targets contain an address: one look-up for each length of prefix that there is."""

from collections.abc import Iterator
from typing import Final

from streams.pipeline.enforce.target import Network, Target, network_of

BITS: Final = {4: 32, 6: 128}


class Networks:
    """Targets that are addresses or ranges."""

    def __init__(self) -> None:
        """There are none."""
        self._by_prefix: dict[tuple[int, int], dict[int, list[Target]]] = {}
        """By version of IP and length of prefix, then by the bits of the prefix."""

    def add(self, target: Target) -> None:
        """Take one in; one that is upon no address is left out."""
        network = network_of(target)
        if network is not None:
            self._by_prefix.setdefault((network.version, network.prefixlen), {}).setdefault(_bits(network), []).append(
                target
            )

    def remove(self, target: Target) -> None:
        """Forget one that was taken in."""
        network = network_of(target)
        if network is None:
            return
        place = network.version, network.prefixlen
        same = self._by_prefix[place]
        same[_bits(network)].remove(target)
        if not same[_bits(network)]:
            del same[_bits(network)]
        if not same:
            del self._by_prefix[place]

    def containing(self, network: Network) -> Iterator[Target]:
        """Targets that contain all of a network, the widest first."""
        bits, width = _bits(network), network.prefixlen
        for (version, prefix), targets in sorted(self._by_prefix.items(), key=lambda item: item[0]):
            if version == network.version and prefix <= width:
                yield from targets.get(bits >> (width - prefix), [])

    def within(self, network: Network) -> Iterator[Target]:
        """Targets of which all lies in a network; looks at each, of which there may be many."""
        bits, width = _bits(network), network.prefixlen
        for (version, prefix), targets in sorted(self._by_prefix.items(), key=lambda item: item[0]):
            if version == network.version and prefix >= width:
                for place, found in list(targets.items()):
                    if place >> (prefix - width) == bits:
                        yield from list(found)


def _bits(network: Network) -> int:
    """The bits of its prefix as a number."""
    return int(network.network_address) >> (BITS[network.version] - network.prefixlen)
