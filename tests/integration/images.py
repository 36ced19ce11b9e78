"""Images made from Debian packages: no registry, no internet."""
import functools
import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
import tempfile

BUSYBOX = "/bin/busybox"
PASSWD = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\nweb:x:1000:1000:web:/home/web:/bin/sh\n"
GROUP = "root:x:0:\nnogroup:x:65534:\nweb:x:1000:\nstaff:x:50:web\n"


ECHO = r"""
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
int main(int argc, char **argv) /* answers every datagram to port argv[1] with itself */
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(argc > 1 ? atoi(argv[1]) : 7)}, from;
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    char b[2048];
    if (bind(s, (void *)&at, sizeof(at)))
        return 1;
    for (;;) {
        socklen_t n = sizeof(from);
        ssize_t r = recvfrom(s, b, sizeof(b), 0, (void *)&from, &n);
        if (r >= 0)
            sendto(s, b, r, 0, (void *)&from, n);
    }
}
"""


def udp_echo():
    """A static program, since busybox has no datagram server."""
    with tempfile.TemporaryDirectory() as d:
        subprocess.run(["gcc", "-x", "c", "-Os", "-static", "-s", "-o", f"{d}/echo", "-"], input=ECHO, text=True, check=True)
        with open(f"{d}/echo", "rb") as f:
            return f.read()


@functools.lru_cache
def busybox_layer():
    return _busybox_layer()


def _add(tar, name, data=None, mode=0o755, kind=tarfile.REGTYPE, link="", uid=0):
    info = tarfile.TarInfo(name)
    info.mode, info.type, info.linkname, info.uid, info.gid, info.mtime = mode, kind, link, uid, uid, 1700000000
    info.size = len(data) if data else 0
    tar.addfile(info, io.BytesIO(data) if data else None)


def _busybox_layer():
    """The uncompressed layer of a small system: busybox and its applets, users, the usual directories."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for d in ("bin", "etc", "dev", "proc", "sys", "root", "home", "home/web", "usr", "usr/bin", "var", "data"):
            _add(tar, d, kind=tarfile.DIRTYPE, uid=1000 if d == "home/web" else 0)
        _add(tar, "tmp", mode=0o1777, kind=tarfile.DIRTYPE)
        with open(BUSYBOX, "rb") as f:
            _add(tar, "bin/busybox", f.read())
        for applet in subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True).stdout.split():
            if applet != "busybox":
                _add(tar, f"bin/{applet}", kind=tarfile.SYMTYPE, link="busybox", mode=0o777)
        _add(tar, "etc/passwd", PASSWD.encode(), 0o644)
        _add(tar, "etc/group", GROUP.encode(), 0o644)
        _add(tar, "etc/nsswitch.conf", b"hosts: files dns\n", 0o644)
        _add(tar, "bin/udpecho", udp_echo())
        _add(tar, "data/seed", b"from the image\n", 0o640, uid=1000)
        _add(tar, "etc/noexec", b"#!/bin/sh\necho no\n", 0o644)
    return out.getvalue()


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def config(diff_ids, **more):
    merged = {"Cmd": ["sh"], "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], **more}
    return json.dumps({"created": "2024-05-01T00:00:00Z", "architecture": "amd64", "os": "linux", "config": merged,
                       "rootfs": {"type": "layers", "diff_ids": diff_ids},
                       "history": [{"created": "2024-05-01T00:00:00Z", "created_by": "busybox"} for _ in diff_ids]}).encode()


def archive(path, layers, tags, **more):
    """A docker-archive of these uncompressed layers."""
    conf = config([digest(layer) for layer in layers], **more)
    name = digest(conf)[7:] + ".json"
    manifest = [{"Config": name, "RepoTags": tags, "Layers": [f"{i}/layer.tar" for i in range(len(layers))]}]
    with tarfile.open(path, "w") as tar:
        _add(tar, "manifest.json", json.dumps(manifest).encode(), 0o644)
        _add(tar, name, conf, 0o644)
        for i, layer in enumerate(layers):
            _add(tar, f"{i}/layer.tar", layer, 0o644)
    return path


def busybox_archive(path):
    return archive(path, [busybox_layer()], ["busybox:latest"])


def push(registry, repository, tag, layers, zstd=False, media="oci", **more):
    """Puts an image into a plain-http registry over the distribution protocol; its manifest's digest."""
    import urllib.request

    def call(method, url, data=None, headers=None):
        if url.startswith("/"):
            url = f"http://{registry}{url}"
        with urllib.request.urlopen(urllib.request.Request(url, data=data, method=method, headers=headers or {})) as r:
            return r.headers, r.read()

    def blob(data):
        headers, _ = call("POST", f"/v2/{repository}/blobs/uploads/", b"")
        where = headers["Location"]
        call("PUT", f"{where}{'&' if '?' in where else '?'}digest={digest(data)}", data,
             {"Content-Type": "application/octet-stream"})
        return {"digest": digest(data), "size": len(data)}

    oci = media == "oci"
    conf = config([digest(layer) for layer in layers], **more)
    packed = []
    for layer in layers:
        if zstd:
            data = subprocess.run(["zstd", "-q", "-c"], input=layer, capture_output=True, check=True).stdout
        else:
            data = gzip.compress(layer, 1, mtime=0)
        kind = ("application/vnd.oci.image.layer.v1.tar+" + ("zstd" if zstd else "gzip")) if oci else \
            "application/vnd.docker.image.rootfs.diff.tar.gzip"
        packed.append({"mediaType": kind, **blob(data)})
    kind = "application/vnd.oci.image.manifest.v1+json" if oci else "application/vnd.docker.distribution.manifest.v2+json"
    conf_kind = "application/vnd.oci.image.config.v1+json" if oci else "application/vnd.docker.container.image.v1+json"
    manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "config": {"mediaType": conf_kind, **blob(conf)},
                           "layers": packed}).encode()
    call("PUT", f"/v2/{repository}/manifests/{tag}", manifest, {"Content-Type": kind})
    return digest(manifest)
