"""What an address says about who may reach it, and from where; and places in a row."""

import socket

import pytest

from echotui.server.naming import beyond_loopback, ordinal, reached_at, why_not_listening


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::1%lo"])
def test_the_loopback_is_this_machine_only(address: str) -> None:
    assert not beyond_loopback(address)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.5", "10.0.0.1", "fe80::1%eth0", "2001:db8::1"])  # noqa: S104
def test_everything_else_is_not(address: str) -> None:
    assert beyond_loopback(address)


@pytest.mark.parametrize(("host", "at"), [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("localhost", "localhost")])  # noqa: S104
def test_who_listens_on_all_networks_is_reached_on_the_loopback(host: str, at: str) -> None:
    assert reached_at(host) == at


def test_a_host_that_no_resolver_knows_is_said_to_be_so_whoever_has_raised_it() -> None:
    for error in (
        socket.gaierror(-2, "Name or service not known"),
        OSError(-2, "Name or service not known (while attempting to bind on address ('example.invalid', 80))"),
    ):
        says = "that host is not known (Name or service not known): choose another with --host"
        assert why_not_listening(error, 80) == says


def test_places_in_a_row_are_written_as_people_say_them() -> None:
    said = "1st 2nd 3rd 4th 10th 11th 12th 13th 20th 21st 22nd 101st 111th 112th 1003rd"
    assert [ordinal(int(word[:-2])) for word in said.split()] == said.split()
