"""Which ports a local cloud takes."""

import socket
from dataclasses import astuple
from pathlib import Path

from localcloud.ports import ANY_PORTS, LOOPBACK, free_ports, taken_ports


def test_a_preferred_port_is_taken_when_it_is_free_and_replaced_when_it_is_not() -> None:
    wanted = free_ports(ANY_PORTS)
    with socket.create_server((LOOPBACK, wanted.edge)):
        chosen = free_ports(wanted)
        assert taken_ports(wanted) == [wanted.edge]
    assert chosen.edge != wanted.edge
    assert (chosen.neon_api, chosen.postgres, chosen.vercel_api) == (
        wanted.neon_api,
        wanted.postgres,
        wanted.vercel_api,
    )


def test_a_port_that_is_kept_is_none_that_outgoing_connections_get() -> None:
    first_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert max(astuple(free_ports(ANY_PORTS))) < first_outgoing


def test_chosen_ports_differ_from_each_other() -> None:
    assert len(set(astuple(free_ports(ANY_PORTS)))) == 5
