"""JSON-RPC over HTTP with a deadline and a size limit for every single answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from kizuna.errors import ChainError, RpcUnavailable

MAX_ANSWER_BYTES = 64 * 1024 * 1024
_CHUNK = 64 * 1024


class RpcRefused(ChainError):
    """The node answered with an error that is no revert. `error` is the JSON-RPC error object."""

    def __init__(self, method: str, error: object) -> None:
        code = error.get("code") if isinstance(error, dict) else None
        text = str(error.get("message") if isinstance(error, dict) else error)[:300]
        super().__init__(f"the node refused {method}: {text} (code {code})")
        self.method, self.error, self.code = method, error, code


class HttpTransport:
    """One upstream. Answers arrive whole within the deadline, or not at all."""

    def __init__(self, url: str, *, clock: Callable[[], float]) -> None:
        self.url = url
        self._clock = clock
        self._session = requests.Session()
        self._ids = count(1)

    def request(self, method: str, params: list[Any], *, timeout_s: float) -> Any:
        """The result of one call.

        Raises RpcUnavailable (no whole answer in time, or one that is not JSON-RPC) and RpcRefused.
        """
        number = next(self._ids)
        body = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        status, text = self._post(body, timeout_s)
        try:
            answer = json.loads(text)
        except (ValueError, RecursionError):
            answer = None
        if isinstance(answer, dict) and answer.get("error") is not None:
            self._raise_if_busy(status, answer["error"])
            raise RpcRefused(method, answer["error"])
        if isinstance(answer, dict) and "result" in answer and answer.get("id") == number:
            return answer["result"]
        if status in (429, 408) or status >= 500 or status < 400:
            raise RpcUnavailable(f"{self.url}: {method}: HTTP {status}, no JSON-RPC answer")
        raise RpcRefused(method, {"code": status, "message": text[:300].decode(errors="replace")})

    def close(self) -> None:
        self._session.close()

    def _raise_if_busy(self, status: int, error: object) -> None:
        # "Too many requests" is a state of the node, not of the question: worth asking again, slower.
        code = error.get("code") if isinstance(error, dict) else None
        if status == 429 or code == 429:
            raise RpcUnavailable(f"{self.url}: too many requests")

    def _post(self, body: dict[str, Any], timeout_s: float) -> tuple[int, bytes]:
        ends = self._clock() + timeout_s
        text = bytearray()
        try:
            with self._session.post(self.url, json=body, timeout=timeout_s, stream=True) as answer:
                for chunk in answer.iter_content(_CHUNK):
                    text += chunk
                    # requests limits the time between two bytes only; a dripping node would hold us for ever.
                    if self._clock() > ends:
                        raise RpcUnavailable(f"{self.url}: no whole answer in {timeout_s:g} s")
                    if len(text) > MAX_ANSWER_BYTES:
                        raise RpcUnavailable(f"{self.url}: answer above {MAX_ANSWER_BYTES} bytes")
                return answer.status_code, bytes(text)
        except (requests.RequestException, HTTPError) as error:  # the latter for host names that cannot be
            raise RpcUnavailable(f"{self.url}: {type(error).__name__}") from error
