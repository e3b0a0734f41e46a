"""A registry with one image that only one user may pull; it runs in a container, on its own.

Arguments: folder of an unpacked `docker save`, port, user:password.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from pathlib import Path

FOLDER, PORT, LOGIN = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
DOCKER = "application/vnd.docker."
MANIFEST = f"{DOCKER}distribution.manifest.v2+json"


def descriptor(kind: str, blob: bytes) -> dict[str, object]:
    digest = "sha256:" + hashlib.sha256(blob).hexdigest()
    blobs[digest] = blob
    return {"mediaType": DOCKER + kind, "size": len(blob), "digest": digest}


blobs: dict[str, bytes] = {}
(saved,) = json.loads((FOLDER / "manifest.json").read_text())
manifest = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor("container.image.v1+json", (FOLDER / saved["Config"]).read_bytes()),
        "layers": [
            descriptor("image.rootfs.diff.tar", (FOLDER / layer).read_bytes())
            for layer in saved["Layers"]
        ],
    }
).encode()
blobs["sha256:" + hashlib.sha256(manifest).hexdigest()] = manifest


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        wanted = "Basic " + base64.b64encode(LOGIN.encode()).decode()
        *_, kind, reference = self.path.split("/")
        body = blobs.get(reference, manifest if kind == "manifests" else b"")
        if self.headers.get("Authorization") != wanted:
            self.answer(401, b"", ("WWW-Authenticate", 'Basic realm="private"'))
        else:
            media_type = MANIFEST if body == manifest else "application/octet-stream"
            self.answer(200, body, ("Content-Type", media_type))

    do_HEAD = do_GET

    def answer(self, status: int, body: bytes, header: tuple[str, str]) -> None:
        self.send_response(status)
        self.send_header(*header)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


server = ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
print("ready", flush=True)
server.serve_forever()
