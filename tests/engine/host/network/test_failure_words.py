"""Why there is no answer is said in words."""

from __future__ import annotations

import http.client
import re
import socket
import ssl

import pytest

from hero_engine.host.network.web import failure_in_words


def certificate_refused() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


def wrong_version() -> ssl.SSLError:
    error = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)")
    error.reason = "WRONG_VERSION_NUMBER"
    return error


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "the connection was refused: nothing listens there"),
        (ConnectionResetError(104, "Connection reset by peer"), "the server closed the connection"),
        (http.client.RemoteDisconnected("Remote end closed"), "the server closed the connection"),
        (BrokenPipeError(32, "Broken pipe"), "the server closed the connection"),
        (TimeoutError(), "there was no answer in time"),
        (socket.gaierror(-2, "Name or service not known"), "the host cannot be found: Name or service not known"),
        (certificate_refused(), "its certificate cannot be trusted: self-signed certificate"),
        (wrong_version(), "TLS failed: wrong version number"),
        (OSError(101, "Network is unreachable"), "Network is unreachable"),
        (OSError(), "the connection failed"),
        (http.client.IncompleteRead(b"abc", 7), "the answer ended after 3 bytes, 7 more were promised"),
        (http.client.IncompleteRead(b"abc"), "the answer ended after 3 bytes"),
        (http.client.BadStatusLine("rubbish"), "the answer is not HTTP: rubbish"),
        (http.client.LineTooLong("header line"), "the answer is not HTTP: got more than 65536 bytes"),
        (ValueError("the URL has no host"), "the URL has no host"),
    ],
)
def test_failure_is_said_without_names_of_classes(error: Exception, text: str) -> None:
    said = failure_in_words(error)
    assert said.startswith(text)
    assert not re.search(r"Error|Errno|_ssl|Exception", said)
