"""A real upgrade: what is left to be read of it, and whether one altered byte in it goes unseen.

A root of Debian's point release, a baseline of it, then the updates that were published since.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import time

POLDER, FOLDER = sys.argv[1:3]
ROOT = os.path.realpath(f"{FOLDER}/root")
FLAGS = [f"--root={ROOT}", f"--state={FOLDER}/state"]
MIRROR = "http://deb.debian.org/debian"
SUITE = "bookworm"
PACKAGES = "nginx-light php-fpm python3 openssh-server ca-certificates imagemagick curl"
SHOWN_MAX = 4
TAMPERS, AT_ONCE = 1_000, 50


def run(*command, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}")
    return done.stdout


def apt(*arguments):
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive", LC_ALL="C")
    options = ["-qy", "-o", "APT::Keep-Downloaded-Packages=true", "-o", "Dpkg::Options::=--force-confold"]
    run("chroot", ROOT, "apt-get", *options, *arguments, env=environment)


def check():
    start = time.time()
    done = subprocess.run([POLDER, "baseline", "check", "--json", *FLAGS], stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout), time.time() - start


def prepare():
    run("debootstrap", SUITE, ROOT, MIRROR)
    with open(f"{ROOT}/usr/sbin/policy-rc.d", "w") as file:
        file.write("#!/bin/sh\nexit 101\n")
    os.chmod(f"{ROOT}/usr/sbin/policy-rc.d", 0o755)
    with open(f"{FOLDER}/passphrase", "w") as file:
        file.write("correct horse battery\n")
    sources([(SUITE, MIRROR)])
    apt("update")
    apt("install", *PACKAGES.split())
    # Both are there already: what an administrator changes by hand is no part of the upgrade.
    sources([(SUITE, MIRROR), (f"{SUITE}-updates", MIRROR), (f"{SUITE}-security", f"{MIRROR}-security")])
    # What was just written is read each time; that is not what is measured.
    time.sleep(3)
    run(POLDER, "baseline", "init", "--quiet", f"--passphrase-file={FOLDER}/passphrase", *FLAGS)
    apt("update")
    apt("dist-upgrade")


def sources(suites):
    with open(f"{ROOT}/etc/apt/sources.list", "w") as file:
        for suite, place in suites:
            file.write(f"deb {place} {suite} main\n")


def files(packages):
    """Plain files of upgraded packages."""
    found = set()
    for name in packages:
        for stem in [name, f"{name}:amd64"]:
            path = f"{ROOT}/var/lib/dpkg/info/{stem}.list"
            if os.path.exists(path):
                found.update(line.rstrip("\n") for line in open(path))
    places = {os.path.realpath(ROOT + it)[len(ROOT):] for it in found}
    return sorted(it for it in places if os.path.isfile(ROOT + it) and os.path.getsize(ROOT + it))


def tamper(path, kind):
    """Does one thing to a file, and returns how to undo it."""
    full, before = ROOT + path, os.stat(ROOT + path)
    if kind == "mode":
        os.chmod(full, before.st_mode ^ 0o020)
        return lambda: os.chmod(full, before.st_mode)
    if kind == "owner":
        os.chown(full, 12_345, -1)
        # Changing the owner takes set-uid away.
        return lambda: (os.chown(full, before.st_uid, -1), os.chmod(full, before.st_mode))
    if kind == "attribute":
        os.setxattr(full, "user.x", b"y")
        return lambda: os.removexattr(full, "user.x")
    at = random.randrange(before.st_size)

    def flip():
        with open(full, "r+b") as file:
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 1]))
        os.utime(full, ns=(before.st_atime_ns, before.st_mtime_ns))

    flip()
    return flip


def main():
    prepare()
    value, seconds = check()
    shown = [it["path"] for it in value["changes"]]
    print(f"{len(value['packages'])} packages upgraded, {value['proved']} changes proved in {seconds:.1f} s;"
          f" {len(shown)} left to be read: {', '.join(shown)}")
    pool = files([it["name"] for it in value["packages"] if not it["because"]])
    random.seed(1)
    told = 0
    for _ in range(TAMPERS // AT_ONCE):
        chosen = random.sample(pool, AT_ONCE)
        undo = [tamper(it, random.choice(["byte", "mode", "owner", "attribute"])) for it in chosen]
        paths = {it["path"] for it in check()[0]["changes"]}
        missed = [it for it in chosen if it not in paths]
        told += len(chosen) - len(missed)
        for it in missed:
            print(f"not told: {it}")
        for it in undo:
            it()
    print(f"{told} of {TAMPERS} tampers inside of what was upgraded are told ({len(pool)} files)")
    shutil.rmtree(ROOT)
    if len(shown) > SHOWN_MAX or told < TAMPERS:
        sys.exit("more is left to be read, or less is told, than may be")


main()
