"""archives.py DIR: the image archives of the virtual machine.

busybox.tar is the one of the integration tests; layers.tar is the same with 120 more layers above
it, which older kernels cannot be told of in the way newer ones are.
"""
import io
import pathlib
import sys
import tarfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
import images  # noqa: E402

MORE = 120


def layer(i):
    """Adds /layers/NNN, says in /layers/last who was the last, and hides what the one below had to hide."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        images._add(tar, "layers", kind=tarfile.DIRTYPE)
        for name, text in ((f"{i:03}", "here"), ("last", str(i)), (f"hide{i:03}", "")):
            images._add(tar, f"layers/{name}", text.encode(), 0o644)
        if i:
            images._add(tar, f"layers/.wh.hide{i - 1:03}", b"", 0o644)
    return out.getvalue()


base = images.busybox_layer()
images.archive(f"{sys.argv[1]}/busybox.tar", [base], ["busybox:latest"])
images.archive(f"{sys.argv[1]}/layers.tar", [base, *map(layer, range(MORE))], ["layers:latest"])
