"""Images: pull from Debian's docker-registry on loopback, tag, save, load, remove."""
import json
import subprocess
import tarfile
import time
import urllib.request

import pytest

import images
from conftest import wait_for

REGISTRY = "127.0.0.1:5057"


@pytest.fixture(scope="module")
def registry(work):
    base = work / "registry"
    base.mkdir()
    (base / "config.yml").write_text(f"""version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {base}/data}}, delete: {{enabled: true}}}}
http: {{addr: "{REGISTRY}"}}
""")
    with open(base / "log", "wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", str(base / "config.yml")], stdout=log, stderr=log)

    def up():
        try:
            return urllib.request.urlopen(f"http://{REGISTRY}/v2/").status == 200
        except OSError:
            return False
    wait_for("the registry answers", up)
    yield REGISTRY
    process.terminate()
    process.wait()


@pytest.mark.parametrize("name, options", [("gz", {}), ("zst", {"zstd": True}), ("v2s2", {"media": "docker"})])
def test_pull_then_run(clean, registry, name, options):
    digest = images.push(registry, f"base/{name}", "1", [images.busybox_layer()], **options)
    ref = f"{registry}/base/{name}:1"
    text = clean.out("pull", ref)
    assert f"Digest: {digest}" in text and f"Status: Downloaded newer image for {ref}" in text
    assert f"Status: Image is up to date for {ref}" in clean.out("pull", ref)
    assert clean.out("run", "--rm", ref, "echo", "pulled") == "pulled"
    assert clean.out("inspect", "-f", "{{index .RepoDigests 0}}", ref) == f"{registry}/base/{name}@{digest}"
    clean.docker("rmi", ref)
    assert clean.docker("run", "--rm", "--pull", "never", ref, "true", check=False).returncode == 125
    assert clean.docker("run", "--rm", ref, "echo", "again").stdout == "again\n"
    clean.docker("rmi", ref)


def test_an_index_gives_the_image_of_this_platform(clean, registry):
    images.push(registry, "multi", "amd64", [images.busybox_layer()], Labels={"arch": "amd64"})
    with urllib.request.urlopen(urllib.request.Request(f"http://{registry}/v2/multi/manifests/amd64", headers={
            "Accept": "application/vnd.oci.image.manifest.v1+json"})) as r:
        body = r.read()
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [
        {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": images.digest(body), "size": len(body),
         "platform": {"os": "linux", "architecture": "amd64"}}]}
    data = json.dumps(index).encode()
    urllib.request.urlopen(urllib.request.Request(f"http://{registry}/v2/multi/manifests/latest", data=data, method="PUT",
                                                  headers={"Content-Type": index["mediaType"]}))
    clean.docker("pull", f"{registry}/multi")
    assert clean.out("inspect", "-f", "{{.Config.Labels.arch}}", f"{registry}/multi") == "amd64"
    clean.docker("rmi", f"{registry}/multi")


def test_what_is_not_there_is_said_clearly(clean, registry):
    done = clean.docker("pull", f"{registry}/no/such:1", check=False)
    assert done.returncode == 1 and "not found" in done.stderr
    done = clean.docker("pull", "127.0.0.1:1/x:1", check=False)
    assert done.returncode == 1 and "connection refused" in done.stderr
    done = clean.docker("run", "--rm", "--pull", "never", "nosuch:1", check=False)
    assert "No such image: nosuch:1" in done.stderr


def test_tag_save_load_round_trip(clean, work):
    before = clean.inspect("busybox")["Id"]
    clean.docker("tag", "busybox", "copy/of:1")
    saved = work / "saved.tar"
    clean.docker("save", "-o", saved, "copy/of:1")
    with tarfile.open(saved) as tar:
        names = tar.getnames()
    assert {"manifest.json", "index.json", "oci-layout"} <= set(names)
    clean.docker("rmi", "copy/of:1")
    assert "Loaded image: copy/of:1" in clean.out("load", "-i", saved)
    assert clean.inspect("copy/of:1")["Id"] == before
    zipped = work / "saved.tar.gz"
    zipped.write_bytes(subprocess.run(["gzip", "-c", str(saved)], capture_output=True, check=True).stdout)
    assert "Loaded image: copy/of:1" in clean.out("load", "-i", zipped)
    clean.docker("rmi", "copy/of:1")


def test_save_is_readable_for_skopeo(clean, work):
    saved = work / "skopeo.tar"
    clean.docker("save", "-o", saved, "busybox")
    done = subprocess.run(["skopeo", "inspect", f"docker-archive:{saved}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["Os"] == "linux"


def test_import_makes_an_image_of_a_plain_tree(clean, work):
    tree = work / "tree.tar"
    tree.write_bytes(images.busybox_layer())
    clean.docker("import", "--change", "CMD [\"echo\", \"imported\"]", tree, "flat:1")
    assert clean.out("run", "--rm", "flat:1") == "imported"
    clean.docker("rmi", "flat:1")


def test_an_image_in_use_is_not_removed(clean):
    clean.docker("run", "-d", "--name", "user", "busybox", "sleep", "1000")
    done = clean.docker("rmi", "busybox", check=False)
    assert done.returncode == 1 and "conflict" in done.stderr
    assert "busybox" in clean.out("images", "--format", "{{.Repository}}")


def test_a_damaged_archive_changes_nothing(clean, work):
    bad = work / "bad.tar"
    bad.write_bytes((work / "busybox.tar").read_bytes()[:200000])
    before = clean.out("images", "-q")
    done = clean.docker("load", "-i", bad, check=False)
    assert done.returncode == 1 and done.stderr.strip()
    assert clean.out("images", "-q") == before


def test_a_hostile_layer_touches_nothing_outside(clean, work):
    import io
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        images._add(tar, "esc", kind=tarfile.SYMTYPE, link="/")
        images._add(tar, "esc/var/tmp/ballast-was-here", b"x")
        images._add(tar, "../ballast-was-here", b"x")
    images.archive(work / "evil.tar", [images.busybox_layer(), out.getvalue()], ["evil:1"])
    clean.docker("load", "-i", work / "evil.tar", check=False)
    import os
    assert not os.path.exists("/var/tmp/ballast-was-here")
    clean.docker("rmi", "evil:1", check=False)


def test_events_tell_of_pull_and_tag(clean):
    since = int(time.time())
    clean.docker("tag", "busybox", "ev:1")
    clean.docker("rmi", "ev:1")
    text = clean.out("events", "--since", str(since), "--until", str(int(time.time()) + 1), "--filter", "type=image",
                     "--format", "{{.Action}}")
    assert "tag" in text.split() and "untag" in text.split()
