"""`serve`: the page on localhost until Ctrl-C, or in a folder."""

import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
from keras_mdl_export import serving


@pytest.fixture
def export(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend("tests/export")
    import tiny_export

    (tmp_path / "export").mkdir()
    tiny_export.make_export(tmp_path / "export")
    return tmp_path / "export"


def test_it_serves_until_it_is_interrupted(export):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "keras_mdl", "serve", export]
    with subprocess.Popen(
        [*command, "--port", str(port)], stdout=subprocess.PIPE, text=True
    ) as running:
        url = running.stdout.readline().split()[-1]
        assert url.startswith(f"http://localhost:{port}/?export=")
        with urllib.request.urlopen(url) as answer:
            assert b"keras_mdl" in answer.read()
        running.send_signal(signal.SIGTERM)
        assert running.wait() == 0


def test_it_writes_a_folder_for_another_server(run, export, tmp_path):
    out = tmp_path / "site"
    status, said, _ = run("serve", export, "--out", out)
    assert status == 0
    assert f"wrote {out}" in said
    assert {p.name for p in out.iterdir()} >= {"index.html", "export"}
    status, _, err = run("serve", export, "--out", out)
    assert status == 2
    assert "--overwrite" in err
    assert run("serve", export, "--out", out, "--overwrite")[0] == 0


def test_what_cannot_be_served(run, export, tmp_path):
    status, _, err = run("serve", tmp_path)
    assert status == 2
    assert "manifest.json" in err
    key = tmp_path / "key.pem"
    status, _, err = run("serve", export, "--public-key", key)
    assert (status, "key.pem" in err) == (2, True)
    key.write_text("no key")
    (export / "manifest.sig").write_bytes(bytes(64))
    status, _, err = run("serve", export, "--public-key", key)
    assert (status, "public key cannot be read" in err) == (2, True)
    server, _ = serving.server(export)
    with server:
        port = server.server_port
        status, _, err = run("serve", export, "--port", port)
    assert status == 2
    assert f"--port {port} cannot be used" in err
