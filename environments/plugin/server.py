"""The engine's side of our resources: decodes what it asks, calls the resource, encodes the answer.

A refusal, or another error of this library, reaches the user as its text alone; anything else names its kind and says
that it is a fault of ours. Secrets of the request are masked in both.
"""

from __future__ import annotations

import functools
import json
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf import empty_pb2
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, plugin_pb2, provider_pb2, provider_pb2_grpc

from environments import log
from environments.errors import EnvironmentsError
from environments.plugin.registry import resource_of
from environments.plugin.schema import package_schema
from environments.props import hidden, is_secret, secrets_in
from environments.review import model
from environments.review.left_behind import LeftBehindError
from environments.review.telling import record
from environments.version import VERSION

_WORKERS = 32
_WATCH_SECONDS = 0.5
_END_SECONDS = 300.0
"""How long a call may take to end once the engine is gone: a move is then whole, or undone."""

Answer = Callable[..., Any]


def _reported(method: Answer) -> Answer:
    """Turn an exception into the text that the engine shows."""

    @functools.wraps(method)
    def answered(self: Server, request: Any, context: grpc.ServicerContext) -> Any:
        with self.call(request):
            try:
                return method(self, request, context)
            except Exception as error:  # noqa: BLE001 - any failure must become an answer
                context.abort(grpc.StatusCode.UNKNOWN, self.text_of(error, request))

    return answered


class Server(provider_pb2_grpc.ResourceProviderServicer):
    """Answers the engine for every resource of this package."""

    def __init__(self, engine: str) -> None:
        """Connect to the engine's log at the address `engine`, if there is one."""
        self._engine = engine_pb2_grpc.EngineStub(grpc.insecure_channel(engine)) if engine else None
        self._calls = 0
        self._lock = threading.Lock()

    @property
    def busy(self) -> bool:
        """Whether a call is under way."""
        return self._calls > 0

    @contextmanager
    def call(self, request: Any) -> Iterator[None]:
        """Count the call as under way, and send what is said in it to the engine, as of the request's resource."""
        urn = getattr(request, "urn", "")
        with self._lock:
            self._calls += 1
        try:
            with log.sent_to(lambda severity, text: self._said(severity, _masked(text, request), urn)):
                yield
        finally:
            with self._lock:
                self._calls -= 1

    def text_of(self, error: Exception, request: Any) -> str:
        """Return what a user is told of an error, without the secrets of the request."""
        text = str(error)
        if not isinstance(error, EnvironmentsError):
            self._log("debug", _masked("".join(traceback.format_exception(error)), request), request.urn)
            text = f"a fault of environments itself, {type(error).__name__}: {text} (pulumi up --debug shows where)"
        return _masked(text, request)

    def _said(self, severity: log.Severity, text: str, urn: str) -> None:
        if severity == "warning":
            record(model.Warning(text=text, about=urn))
        self._log(severity, text, urn)

    def _log(self, severity: str, text: str, urn: str) -> None:
        if self._engine is None:
            return
        level = engine_pb2.LogSeverity.Value(severity.upper())
        try:
            self._engine.Log(engine_pb2.LogRequest(severity=level, message=text, urn=urn))
        except grpc.RpcError:
            return  # the engine is gone, and nobody reads it

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True)

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetSchema(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.GetSchemaResponse(schema=json.dumps(package_schema()))

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    @_reported
    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
        resource, raw = resource_of(_type(request.urn)), _values(request.news)
        try:
            new = resource.decoded_inputs(raw)
            old = resource.decoded_inputs(_values(request.olds)) if request.olds.fields else None
            checked = resource.check(old, new)
        except EnvironmentsError as error:
            reason, behind = self.text_of(error, request), error.behind if isinstance(error, LeftBehindError) else None
            record(model.Refusal(text=reason, about=request.urn, behind=behind))
            return provider_pb2.CheckResponse(inputs=request.news, failures=[provider_pb2.CheckFailure(reason=reason)])
        reasons = [f"there is no input {key}" for key in resource.strange(raw)] + list(checked.refusals)
        reasons = [_masked(reason, request) for reason in reasons]
        for reason in reasons:
            record(model.Refusal(text=reason, about=request.urn))
        return provider_pb2.CheckResponse(
            inputs=_struct(_kept_secret(resource.encoded(checked.inputs), raw)),
            failures=[provider_pb2.CheckFailure(reason=reason) for reason in reasons],
        )

    @_reported
    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:
        resource = resource_of(_type(request.urn))
        old = resource.decoded_state(request.id, _values(request.old_inputs), _values(request.olds))
        new = resource.decoded_inputs(_values(request.news))
        changed = resource.changed(old, new)
        some, none = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE
        stale = resource.stale(old, new)
        update = provider_pb2.PropertyDiff.Kind.Value("UPDATE")
        return provider_pb2.DiffResponse(
            changes=some if changed or stale else none,
            diffs=changed,
            detailedDiff={name: provider_pb2.PropertyDiff(kind=update, inputDiff=True) for name in changed},
            hasDetailedDiff=bool(changed),
        )

    @_reported
    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:
        resource = resource_of(_type(request.urn))
        new = resource.decoded_inputs(_values(request.properties))
        if request.preview:
            return provider_pb2.CreateResponse(properties=_struct(resource.planned(None, new)))
        id_, outputs = resource.create(new)
        return provider_pb2.CreateResponse(id=id_, properties=_struct(resource.encoded(outputs)))

    @_reported
    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:
        resource = resource_of(_type(request.urn))
        old = resource.decoded_state(request.id, _values(request.old_inputs), _values(request.olds))
        new = resource.decoded_inputs(_values(request.news))
        if request.preview:
            return provider_pb2.UpdateResponse(properties=_struct(resource.planned(old, new)))
        outputs = resource.update(old, new)
        return provider_pb2.UpdateResponse(properties=_struct(resource.encoded(outputs)))

    @_reported
    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:
        resource = resource_of(_type(request.urn))
        inputs, outputs = _values(request.inputs), _values(request.properties)
        found = resource.read(resource.decoded_state(request.id, inputs, outputs))
        if found is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=found.id,
            properties=_struct(_kept_secret(resource.encoded(found.outputs), outputs)),
            inputs=_struct(_kept_secret(resource.encoded(found.inputs), inputs)),
        )

    @_reported
    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:
        resource = resource_of(_type(request.urn))
        old = resource.decoded_state(request.id, _values(request.old_inputs), _values(request.properties))
        resource.delete(old)
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        return empty_pb2.Empty()


def serve(engine: str) -> None:
    """Serve on a free loopback port, which is printed, until the engine that started this process is gone."""
    unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    running = grpc.server(ThreadPoolExecutor(max_workers=_WORKERS), options=unlimited)
    server = Server(engine)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(server, running)
    port = running.add_insecure_port("127.0.0.1:0")
    parent = os.getppid()
    running.start()
    print(port, flush=True)
    while os.getppid() == parent:
        time.sleep(_WATCH_SECONDS)
    deadline = time.monotonic() + _END_SECONDS
    while server.busy and time.monotonic() < deadline:
        time.sleep(_WATCH_SECONDS)
    os._exit(0)


def _type(urn: str) -> str:
    """Return the type of a URN's resource: what follows the last `$` of its third part."""
    return urn.split("::")[2].rpartition("$")[2]


def _values(struct: Struct) -> dict[str, Any]:
    values: dict[str, Any] = MessageToDict(struct)
    return values


def _struct(values: Mapping[str, Any]) -> Struct:
    struct = Struct()
    struct.update(dict(values))
    return struct


def _kept_secret(encoded: dict[str, Any], raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values, those hidden that the engine holds as secrets, whatever their type says of them."""
    return {
        key: hidden(value) if is_secret(raw.get(key)) and not is_secret(value) else value
        for key, value in encoded.items()
    }


def _masked(text: str, request: Any) -> str:
    for name in ("news", "olds", "properties", "old_inputs", "inputs"):
        if isinstance(struct := getattr(request, name, None), Struct):
            for secret in secrets_in(_values(struct)):
                text = text.replace(secret, "[secret]")
    return text
