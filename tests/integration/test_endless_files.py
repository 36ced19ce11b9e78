"""What a container puts in the place of files that the engine reads: devices, and files without end."""


def test_an_exec_by_name_does_not_read_what_never_ends(clean):
    clean.docker("run", "-d", "--name", "endless", "busybox", "sleep", "1000")
    clean.docker("exec", "endless", "sh", "-c", "rm /etc/passwd && mknod /etc/passwd c 1 5")
    failed = clean.docker("exec", "-u", "somebody", "endless", "true", check=False, timeout=20)
    assert failed.returncode != 0 and "unable to find user somebody" in failed.stderr
    clean.docker("exec", "endless", "sh", "-c", "rm /etc/passwd && truncate -s 900G /etc/passwd")
    failed = clean.docker("exec", "-u", "somebody", "endless", "true", check=False, timeout=20)
    assert failed.returncode != 0
    clean.docker("rm", "-f", "endless")
