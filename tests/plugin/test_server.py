"""The plugin as the engine asks it: over its protocol, in process, with a resource made for the tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2, provider_pb2_grpc

from environments import log
from environments.errors import FailedError, RefusedError
from environments.plugin import server as plugin
from environments.props import UNKNOWN_VALUE, Lasting, Secret, Unknown, Unwatched, hidden, known
from environments.resources.typed import VERSION_KEY, Checked, State, Typed

URN = "urn:pulumi:prod::environments::environments:index:Environment$environments:index:Thing::served"
PASSWORD = "a password of the tests"


@dataclass(frozen=True, kw_only=True)
class Inputs:
    name: str
    url: Secret[str | Unknown]
    words: Unwatched[str] = ""


@dataclass(frozen=True, kw_only=True)
class Outputs:
    size: int
    born: Lasting[str] = ""
    password: Secret[str] = ""


class Thing(Typed[Inputs, Outputs]):
    """Fails as its name says."""

    VERSION = 2

    def check(self, old: Inputs | None, new: Inputs) -> Checked[Inputs]:
        if new.name == "raises":
            raise RefusedError(f"{new.url} is refused")
        if new.name == "broken":
            raise KeyError(str(new.url))
        return Checked.of(new, "bad is no name" if new.name == "bad" else "")

    def stale(self, old: State[Inputs, Outputs], new: Inputs) -> bool:
        return old.outputs.size == 0

    def create(self, new: Inputs) -> tuple[str, Outputs]:
        if new.name == "fails":
            raise FailedError(f"could not connect to {known(new.url)}")
        log.warn(f"{new.name} is made\nin two lines")
        return "thing-1", Outputs(size=1, born="today", password=PASSWORD)

    def update(self, old: State[Inputs, Outputs], new: Inputs) -> Outputs:
        return replace(old.outputs, size=old.outputs.size + 1)

    def read(self, old: State[Inputs, Outputs]) -> State[Inputs, Outputs] | None:
        return None if old.inputs.name == "gone" else replace(old, inputs=replace(old.inputs, words="read"))

    def upgrade(
        self, version: int, inputs: dict[str, Any], outputs: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        if version == 1:
            return {**inputs, "name": inputs.get("title")}, {**outputs, "size": 7}
        return super().upgrade(version, inputs, outputs)


class Log(engine_pb2_grpc.EngineServicer):
    def __init__(self) -> None:
        self.said: list[tuple[int, str, str]] = []

    def Log(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802 - gRPC's
        self.said.append((request.severity, request.message, request.urn))
        from google.protobuf import empty_pb2  # noqa: PLC0415

        return empty_pb2.Empty()


@pytest.fixture
def engine() -> Iterator[tuple[Log, str]]:
    log_ = Log()
    running = grpc.server(ThreadPoolExecutor(max_workers=2))
    engine_pb2_grpc.add_EngineServicer_to_server(log_, running)
    port = running.add_insecure_port("127.0.0.1:0")
    running.start()
    yield log_, f"127.0.0.1:{port}"
    running.stop(0)


@pytest.fixture
def stub(engine: tuple[Log, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(plugin, "resource_of", lambda _token: Thing())
    running = grpc.server(ThreadPoolExecutor(max_workers=2))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(plugin.Server(engine[1]), running)
    port = running.add_insecure_port("127.0.0.1:0")
    running.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield provider_pb2_grpc.ResourceProviderStub(channel)
    running.stop(0)


def struct(**values: Any) -> Struct:
    made = Struct()
    made.update(values)
    return made


def plain(answer: Struct) -> dict[str, Any]:
    return dict(MessageToDict(answer))


INPUTS = {"name": "a", "url": hidden("postgresql://u:p@h/d"), VERSION_KEY: 2}
STATE = {"size": 1, "born": "today", "password": hidden(PASSWORD), VERSION_KEY: 2}


def test_inputs_come_back_with_their_secrets_hidden_and_the_version_of_the_state(stub: Any) -> None:
    answer = stub.Check(provider_pb2.CheckRequest(urn=URN, news=struct(name="a", url="postgresql://u:p@h/d")))
    assert plain(answer.inputs) == INPUTS | {"words": ""}
    assert list(answer.failures) == []


def test_an_input_that_the_program_gives_as_a_secret_stays_one(stub: Any) -> None:
    answer = stub.Check(provider_pb2.CheckRequest(urn=URN, news=struct(name=hidden("a"), url="postgresql://u:p@h/d")))
    assert plain(answer.inputs)["name"] == hidden("a")


@pytest.mark.parametrize(
    ("news", "told"),
    [
        ({"name": "bad"}, "bad is no name"),
        ({"name": "raises"}, r"\[secret\] is refused"),
        ({"name": "a", "nmae": "b"}, "there is no input nmae"),
        ({"name": 3}, "name is 3.0, not str"),
    ],
)
def test_a_refusal_is_a_failed_check_with_its_text_alone(stub: Any, news: dict[str, Any], told: str) -> None:
    request = provider_pb2.CheckRequest(urn=URN, news=struct(url=hidden("postgresql://u:p@h/d"), **news))
    (failure,) = stub.Check(request).failures
    assert re.fullmatch(told, failure.reason), failure.reason


def test_a_fault_of_ours_is_named_as_one_and_tells_no_secret(stub: Any, engine: tuple[Log, str]) -> None:
    with pytest.raises(grpc.RpcError) as error:
        stub.Check(provider_pb2.CheckRequest(urn=URN, news=struct(name="broken", url=hidden("postgresql://u:p@h/d"))))
    assert "a fault of environments itself, KeyError: '[secret]'" in error.value.details()
    assert not any("u:p@h" in text for _, text, _ in engine[0].said)


def test_an_error_of_ours_reaches_the_user_as_its_text(stub: Any) -> None:
    request = provider_pb2.CreateRequest(urn=URN, properties=struct(name="fails", url=hidden("postgresql://u:p@h/d")))
    with pytest.raises(grpc.RpcError) as error:
        stub.Create(request)
    assert error.value.details() == "could not connect to [secret]"


def test_what_is_said_is_one_diagnostic_of_the_resource(stub: Any, engine: tuple[Log, str]) -> None:
    answer = stub.Create(provider_pb2.CreateRequest(urn=URN, properties=struct(**INPUTS)))
    assert answer.id == "thing-1"
    assert plain(answer.properties) == STATE, "outputs don't repeat inputs"
    assert engine[0].said == [(2, "a is made\nin two lines", URN)]


def test_a_preview_makes_nothing_and_knows_what_lasts(stub: Any) -> None:
    made = stub.Create(provider_pb2.CreateRequest(urn=URN, properties=struct(**INPUTS), preview=True))
    assert made.id == ""
    unknown = {"size": UNKNOWN_VALUE, "born": UNKNOWN_VALUE, "password": hidden(UNKNOWN_VALUE), VERSION_KEY: 2}
    assert plain(made.properties) == unknown
    request = provider_pb2.UpdateRequest(
        id="thing-1", urn=URN, olds=struct(**STATE), old_inputs=struct(**INPUTS), news=struct(**INPUTS), preview=True
    )
    assert plain(stub.Update(request).properties) == unknown | {"born": "today"}


@pytest.mark.parametrize(
    ("news", "olds", "changed"),
    [
        ({}, {}, []),
        ({"words": "others"}, {}, []),
        ({"name": "b"}, {}, ["name"]),
        ({"url": hidden(UNKNOWN_VALUE)}, {}, ["url"]),
    ],
)
def test_a_difference_names_the_inputs_that_changed(
    stub: Any, news: dict[str, Any], olds: dict[str, Any], changed: list[str]
) -> None:
    request = provider_pb2.DiffRequest(
        id="thing-1", urn=URN, olds=struct(**STATE | olds), old_inputs=struct(**INPUTS), news=struct(**INPUTS | news)
    )
    answer = stub.Diff(request)
    some = provider_pb2.DiffResponse.DIFF_SOME
    assert list(answer.diffs) == changed
    assert (answer.changes == some) == bool(changed)


def test_stale_state_is_a_difference_without_a_changed_input(stub: Any) -> None:
    request = provider_pb2.DiffRequest(
        id="thing-1", urn=URN, olds=struct(**STATE | {"size": 0}), old_inputs=struct(**INPUTS), news=struct(**INPUTS)
    )
    assert stub.Diff(request).changes == provider_pb2.DiffResponse.DIFF_SOME


def test_state_of_an_earlier_version_is_brought_up(stub: Any) -> None:
    inputs = {"title": "a", "url": hidden("postgresql://u:p@h/d"), VERSION_KEY: 1}
    request = provider_pb2.UpdateRequest(
        id="thing-1", urn=URN, olds=struct(**{VERSION_KEY: 1}), old_inputs=struct(**inputs), news=struct(**INPUTS)
    )
    assert plain(stub.Update(request).properties)["size"] == 8.0
    answer = stub.Check(provider_pb2.CheckRequest(urn=URN, olds=struct(**inputs), news=struct(**INPUTS)))
    assert list(answer.failures) == []


def test_state_of_a_newer_version_says_what_to_install(stub: Any) -> None:
    request = provider_pb2.ReadRequest(
        id="thing-1", urn=URN, properties=struct(**STATE | {VERSION_KEY: 3}), inputs=struct(**INPUTS | {VERSION_KEY: 3})
    )
    with pytest.raises(grpc.RpcError, match="written by a newer version of environments"):
        stub.Read(request)


def test_a_refresh_tells_what_is_there_and_what_is_gone(stub: Any) -> None:
    found = stub.Read(
        provider_pb2.ReadRequest(id="thing-1", urn=URN, properties=struct(**STATE), inputs=struct(**INPUTS))
    )
    assert found.id == "thing-1"
    assert plain(found.inputs)["words"] == "read"
    gone = provider_pb2.ReadRequest(
        id="thing-1", urn=URN, properties=struct(**STATE), inputs=struct(**INPUTS | {"name": "gone"})
    )
    assert stub.Read(gone).id == ""
