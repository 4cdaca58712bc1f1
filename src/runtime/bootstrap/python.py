"""The Runtime API client for Python functions: what /var/runtime is on Lambda.

It speaks HTTP over one raw socket, because `http.client` doubles the start and costs two
milliseconds an invocation.
"""

import json
import os
import socket
import sys
import time


class Connection:
    """One kept-alive connection to the Runtime API."""

    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self.host = address
        self.socket = socket.create_connection((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def call(self, method, path, headers=(), body=b""):
        lines = [f"{method} /2018-06-01/runtime/{path} HTTP/1.1", f"Host: {self.host}"]
        lines += [f"{name}: {value}" for name, value in headers]
        lines += [f"Content-Length: {len(body)}", "", ""]
        self.socket.sendall("\r\n".join(lines).encode("latin-1", "replace") + body)
        while b"\r\n\r\n" not in self.buffer:
            self.fill()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        status, *rest = head.decode("latin-1").split("\r\n")
        answer = {}
        for line in rest:
            name, _, value = line.partition(":")
            answer[name.strip().lower()] = value.strip()
        length = int(answer.get("content-length", "0"))
        while len(self.buffer) < length:
            self.fill()
        content, self.buffer = self.buffer[:length], self.buffer[length:]
        return int(status.split(" ", 2)[1]), answer, content

    def fill(self):
        data = self.socket.recv(262144)
        if not data:
            sys.exit(1)
        self.buffer += data


class Fault(Exception):
    """Something that Lambda has a name of its own for."""

    def __init__(self, kind, message, trace=()):
        super().__init__(message)
        self.kind = kind
        self.trace = list(trace)


class Object:
    def __init__(self, **values):
        self.__dict__.update(values)

    def __repr__(self):
        inner = ",".join(f"{key}={value!r}" for key, value in self.__dict__.items())
        return f"{type(self).__name__}([{inner}])"


class CognitoIdentity(Object):
    pass


class ClientContext(Object):
    pass


class Client(Object):
    pass


class LambdaContext:
    def __init__(self, headers):
        environment = os.environ
        self.aws_request_id = headers["lambda-runtime-aws-request-id"]
        self.log_group_name = environment.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = environment.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = environment.get("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = environment.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = environment.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = headers.get("lambda-runtime-invoked-function-arn")
        self.tenant_id = headers.get("lambda-runtime-aws-tenant-id")
        identity = json.loads(headers.get("lambda-runtime-cognito-identity") or "null") or {}
        self.identity = CognitoIdentity(
            cognito_identity_id=identity.get("cognitoIdentityId"),
            cognito_identity_pool_id=identity.get("cognitoIdentityPoolId"),
        )
        self.client_context = None
        client_context = json.loads(headers.get("lambda-runtime-client-context") or "null")
        if client_context:
            client = client_context.get("client") or {}
            names = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")
            self.client_context = ClientContext(
                custom=client_context.get("custom"),
                env=client_context.get("env"),
                client=Client(**{name: client.get(name) for name in names}) if client else None,
            )
        self._deadline_ms = int(headers["lambda-runtime-deadline-ms"])

    def get_remaining_time_in_millis(self):
        return max(self._deadline_ms - int(time.time() * 1000), 0)

    def log(self, message):
        sys.stdout.write(str(message))

    def __repr__(self):
        inner = ",".join(f"{key}={value!r}" for key, value in self.__dict__.items() if not key.startswith("_"))
        return f"LambdaContext([{inner}])"


request_id = ""


def set_up_logging():
    import logging

    class Formatter(logging.Formatter):
        converter = time.gmtime

        def format(self, record):
            record.aws_request_id = request_id
            return super().format(record)

    class JsonFormatter(Formatter):
        def format(self, record):
            entry = {
                "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
                "level": record.levelname,
                "message": record.getMessage(),
                "logger": record.name,
                "requestId": request_id,
            }
            if record.exc_info:
                entry["errorType"] = record.exc_info[0].__name__ if record.exc_info[0] else None
                entry["errorMessage"] = str(record.exc_info[1])
                entry["stackTrace"] = self.formatException(record.exc_info).split("\n")
            return json.dumps(entry, ensure_ascii=False)

    handler = logging.StreamHandler(sys.stdout)
    if os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON":
        handler.setFormatter(JsonFormatter())
        level = {"TRACE": "DEBUG", "FATAL": "CRITICAL", "WARN": "WARNING"}
        wanted = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "INFO").upper()
        logging.getLogger().setLevel(level.get(wanted, wanted))
    else:
        handler.setFormatter(
            Formatter("[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s", "%Y-%m-%dT%H:%M:%S")
        )
    logging.getLogger().addHandler(handler)


def describe(error, identifier, skip):
    """The error's payload: message, type, request id, stack, in the order in which Lambda gives them."""
    if isinstance(error, Fault):
        kind, trace = error.kind, error.trace
    else:
        import traceback

        kind, frames = type(error).__name__, error.__traceback__
        for _ in range(skip):
            frames = frames.tb_next if frames is not None else None
        trace = traceback.format_list(traceback.extract_tb(frames))
    return {"errorMessage": str(error), "errorType": kind, "requestId": identifier, "stackTrace": trace}


def report(payload):
    if os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON":
        entry = {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "log_level": "ERROR",
            **payload,
        }
        sys.stdout.write(json.dumps(entry, ensure_ascii=False) + "\n")
        return
    lines = [f"[ERROR] {payload['errorType']}: {payload['errorMessage']}"]
    if payload["stackTrace"]:
        lines.append("Traceback (most recent call last):")
        for entry in payload["stackTrace"]:
            for line in entry.split("\n"):
                if line:
                    stripped = line.lstrip(" ")
                    lines.append("\u00a0" * (len(line) - len(stripped)) + stripped)
    sys.stdout.write("\n".join(lines) + "\n")


def load(name):
    if "." not in name:
        raise Fault("Runtime.MalformedHandlerName", f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)")
    module_name, _, function_name = name.rpartition(".")
    import importlib

    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        raise Fault("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}") from None
    except SyntaxError as error:
        trace = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        raise Fault("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}", trace) from None
    function = getattr(module, function_name, None)
    if function is None:
        raise Fault("Runtime.HandlerNotFound", f"Handler '{function_name}' missing on module '{module_name}'")
    return function


def invoke(function, event, context):
    try:
        value = json.loads(event)
    except ValueError as error:
        raise Fault("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}") from None
    result = function(value, context)
    if isinstance(result, bytes):
        return result
    try:
        return json.dumps(result, ensure_ascii=False).encode("utf-8", "surrogatepass")
    except (TypeError, ValueError) as error:
        raise Fault("Runtime.MarshalError", f"Unable to marshal response: {error}") from None


def main():
    global request_id
    environment = os.environ
    opt = environment.pop("_SAMARA_OPT", "")
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    layers = [os.path.join(opt, "python", "lib", version, "site-packages"), os.path.join(opt, "python")] if opt else []
    sys.path[:1] = [environment["LAMBDA_TASK_ROOT"], *layers]
    sys.stdout.reconfigure(line_buffering=True)
    connection = Connection(environment["AWS_LAMBDA_RUNTIME_API"])
    set_up_logging()
    try:
        function = load(environment["_HANDLER"])
    except Exception as error:
        payload = describe(error, "", 2)
        report(payload)
        body = json.dumps(payload).encode()
        connection.call("POST", "init/error", [("Lambda-Runtime-Function-Error-Type", payload["errorType"])], body)
        sys.exit(1)

    while True:
        _, headers, event = connection.call("GET", "invocation/next")
        request_id = headers["lambda-runtime-aws-request-id"]
        trace_id = headers.get("lambda-runtime-trace-id")
        if trace_id:
            environment["_X_AMZN_TRACE_ID"] = trace_id
        else:
            environment.pop("_X_AMZN_TRACE_ID", None)
        try:
            body = invoke(function, event, LambdaContext(headers))
        except Exception as error:
            sys.stdout.flush()
            payload = describe(error, request_id, 2)
            report(payload)
            kind = [("Lambda-Runtime-Function-Error-Type", payload["errorType"])]
            connection.call("POST", f"invocation/{request_id}/error", kind, json.dumps(payload).encode())
        else:
            sys.stdout.flush()
            kind = [("Content-Type", "application/json")]
            connection.call("POST", f"invocation/{request_id}/response", kind, body)


main()
