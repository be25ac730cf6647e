"""Speaks the engine's plugin protocol for one package, over the table-driven provider."""

import functools
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf import empty_pb2
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from localcloud.plugins import provider
from localcloud.plugins.api import Api, ApiError
from localcloud.plugins.schema import package_schema
from localcloud.plugins.table import Json, Package, Resource
from localcloud.plugins.values import UNKNOWN, from_struct, to_struct

_WORKERS = 64
_KIND = {
    ("ADD", False): "ADD",
    ("ADD", True): "ADD_REPLACE",
    ("DELETE", False): "DELETE",
    ("DELETE", True): "DELETE_REPLACE",
    ("UPDATE", False): "UPDATE",
    ("UPDATE", True): "UPDATE_REPLACE",
}
_OWN_KEYS = ("version", "pluginDownloadURL")  # what the engine itself adds to a provider's configuration

Answer = Callable[..., Any]


def _reported(method: Answer) -> Answer:
    """Turns an exception into the status that the engine shows, without the secrets of the request."""

    @functools.wraps(method)
    def answered(self: "PluginServer", request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(self, request, context)
        except Exception as error:  # noqa: BLE001  any failure must become an answer
            told = isinstance(error, ApiError | RuntimeError) or type(error) is LookupError
            text = str(error) if told else f"{type(error).__name__}: {error}"
            context.abort(grpc.StatusCode.UNKNOWN, _redacted(request, text))

    return answered


def _redacted(request: Any, text: str) -> str:
    for name in ("news", "olds", "properties", "args", "old_inputs"):
        if isinstance(getattr(request, name, None), Struct):
            values, secrets = from_struct(getattr(request, name))
            for secret in secrets:
                if isinstance(values[secret], str) and values[secret]:
                    text = text.replace(values[secret], "[secret]")
    return text


class PluginServer(provider_pb2_grpc.ResourceProviderServicer):
    """The engine's side of a package."""

    def __init__(self, package: Package) -> None:
        self._package = package
        self._connected: Api | None = None
        self._cancelled = threading.Event()

    @property
    def _api(self) -> Api:
        if self._connected is None:
            raise RuntimeError(f"{self._package.name} is not configured")
        return self._connected

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, supports_autonaming_configuration=True)

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        base = self._package.base
        return plugin_pb2.PluginInfo(version=base[1] if base else self._package.version)

    @_reported
    def Parameterize(self, request: Any, context: grpc.ServicerContext) -> Any:
        package, asked = self._package, request.value
        arguments = list(request.args.args)
        if (arguments and arguments[0] != "kislerdm/neon") or asked.name not in ("", package.name):
            raise RuntimeError(f"this stand-in serves {package.name} {package.version} only")
        # For an explicit provider the engine names the version of the plugin, for a default one that of the package.
        versions = ("", package.version, *(package.base or ())[1:2])
        if asked.version not in versions or arguments[1:2] not in ([], [package.version]):
            raise RuntimeError(f"this stand-in serves {package.name} {package.version} only")
        return provider_pb2.ParameterizeResponse(name=package.name, version=package.version)

    def GetSchema(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.GetSchemaResponse(schema=json.dumps(package_schema(self._package)))

    @_reported
    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        config, _ = from_struct(request.news)
        known = {field.name for field in self._package.config}
        failures = [
            provider_pb2.CheckFailure(reason=f"{self._package.name} has no setting {name!r}")
            for name in config
            if name not in known and name not in _OWN_KEYS and not name.startswith("__")
        ]
        api = self._package.connect(config)
        if not api.token:
            failures.append(provider_pb2.CheckFailure(reason=api.missing_token))
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        old, _ = from_struct(request.old_inputs)
        new, _ = from_struct(request.news)
        names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        some, none = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=some if names else none, diffs=names)

    @_reported
    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:
        config, _ = from_struct(request.args)
        known = {name: value for name, value in config.items() if value != UNKNOWN}
        api = self._package.connect(known)
        self._connected = api.with_cancellation(self._cancelled)
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, supports_autonaming_configuration=True
        )

    @_reported
    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:
        arguments, _ = from_struct(request.args)
        result = self._package.function(request.tok).run(self._api, arguments)
        return provider_pb2.InvokeResponse(**{"return": to_struct({**arguments, **result})})

    @_reported
    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
        resource = self._package.resource(_type(request.urn))
        (old, _), (new, secrets) = from_struct(request.olds), from_struct(request.news)
        proposed = request.autonaming.proposed_name
        if resource.autoname and proposed and new.get("name") is None:
            new["name"] = old.get("name") or proposed
        inputs, failures = provider.check(resource, request.urn.split("::")[-1], old, new, request.randomSeed)
        return provider_pb2.CheckResponse(
            inputs=to_struct(inputs, secrets),
            failures=[provider_pb2.CheckFailure(property=name, reason=reason) for name, reason in failures],
        )

    @_reported
    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:
        resource = self._package.resource(_type(request.urn))
        state, old, new = (from_struct(part)[0] for part in (request.olds, request.old_inputs, request.news))
        changes = provider.diff(resource, provider.Plan(state, old, new, frozenset(request.ignoreChanges)))
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if changes else provider_pb2.DiffResponse.DIFF_NONE,
            diffs=[change.path for change in changes],
            replaces=[change.path for change in changes if change.replaces],
            detailedDiff={
                change.path: provider_pb2.PropertyDiff(
                    kind=provider_pb2.PropertyDiff.Kind.Value(_KIND[change.kind, change.replaces])
                )
                for change in changes
            },
            hasDetailedDiff=True,
        )

    @_reported
    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:
        resource = self._package.resource(_type(request.urn))
        new, secrets = from_struct(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=_outputs(resource, provider.planned(resource, new), secrets))
        made = self._api.attempt(lambda: provider.create(self._api, resource, new))
        return provider_pb2.CreateResponse(id=made.id, properties=_outputs(resource, made.properties, secrets))

    @_reported
    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:
        resource = self._package.resource(_type(request.urn))
        (state, hidden), (old, secrets) = from_struct(request.properties), from_struct(request.inputs)
        found = provider.read(self._api, resource, request.id, state, old)
        if found is None:
            return provider_pb2.ReadResponse()
        now, inputs = found
        hidden |= {field.name for field in resource.fields if field.secret}
        return provider_pb2.ReadResponse(
            id=now.id,
            properties=_outputs(resource, now.properties, hidden | secrets),
            inputs=to_struct(inputs, hidden | secrets),
        )

    @_reported
    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:
        resource = self._package.resource(_type(request.urn))
        (state, _), (old, _) = from_struct(request.olds), from_struct(request.old_inputs)
        new, secrets = from_struct(request.news)
        if request.preview:
            return provider_pb2.UpdateResponse(
                properties=_outputs(resource, provider.planned(resource, new, state), secrets)
            )
        plan = provider.Plan(state, old, new, frozenset(request.ignoreChanges))
        made = self._api.attempt(lambda: provider.update(self._api, resource, request.id, plan))
        return provider_pb2.UpdateResponse(properties=_outputs(resource, made, secrets))

    @_reported
    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:
        resource = self._package.resource(_type(request.urn))
        state, _ = from_struct(request.properties)
        self._api.attempt(lambda: provider.delete(self._api, resource, request.id, state))
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._cancelled.set()
        return empty_pb2.Empty()


def _type(urn: str) -> str:
    """The type of a URN: what follows the last `$` of its third part."""
    return urn.split("::")[2].rpartition("$")[2]


def _outputs(resource: Resource, properties: Json, secrets: frozenset[str]) -> Any:
    hidden = {field.name for field in resource.fields if field.secret}
    kept = {field.name for field in resource.fields if not field.write_only}
    return to_struct({name: value for name, value in properties.items() if name in kept}, hidden | secrets)


def listen(package: Package) -> tuple[grpc.Server, int]:
    """Starts to serve on a free loopback port."""
    unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(ThreadPoolExecutor(max_workers=_WORKERS), options=unlimited)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(PluginServer(package), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port
