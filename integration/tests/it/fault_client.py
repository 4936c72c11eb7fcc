"""Asks a server for faults and prints, as JSON, what a client reads and everything that arrived.

usage: fault_client.py grpc|http HOST:PORT NAME...
"""

import http.client
import json
import sys


def ask_grpc(address, names):
    import grpc
    from google.rpc import error_details_pb2
    from grpc_status import rpc_status

    def read(error):
        answer = {"code": error.code().value[0], "message": error.details(), "retry": None}
        for detail in rpc_status.from_call(error).details:
            info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
            if detail.Unpack(info):
                answer.update(reason=info.reason, domain=info.domain, metadata=dict(info.metadata))
            elif detail.Unpack(retry):
                answer["retry"] = retry.retry_delay.ToTimedelta().total_seconds()
            else:
                answer["unexpected"] = detail.type_url
        return answer

    def raw(error):
        metadata = [*error.initial_metadata(), *error.trailing_metadata()]
        return repr(error) + repr([(key, value) for key, value in metadata])

    with grpc.insecure_channel(address) as channel:
        for name in names:
            call = channel.unary_unary(f"/underpin.test.Faults/{name}")
            try:
                call(b"", timeout=10)
                sys.exit(f"{name} did not fail")
            except grpc.RpcError as error:
                yield name, {"read": read(error), "raw": raw(error)}


def ask_http(address, names):
    connection = http.client.HTTPConnection(address, timeout=10)
    for name in names:
        connection.request("GET", f"/{name}")
        response = connection.getresponse()
        body = response.read().decode()
        read = {
            "status": response.status,
            "content_type": response.headers["Content-Type"],
            "retry_after": response.headers["Retry-After"],
            "body": json.loads(body),
        }
        yield name, {"read": read, "raw": repr(response.headers.items()) + body}


def main():
    protocol, address, *names = sys.argv[1:]
    ask = {"grpc": ask_grpc, "http": ask_http}[protocol]
    print(json.dumps(dict(ask(address, names))))


main()
