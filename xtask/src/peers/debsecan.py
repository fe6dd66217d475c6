"""Writes advisories in the form that debsecan fetches, and compares its answers with ours."""

import gzip
import json
import sys
import zlib


def convert(rows, names, out):
    """A list of names, then rows about binary packages; says how many."""
    load = lambda path: json.load(gzip.open(path))
    by_oid = {it["oid"]: it["advisory_id"] for it in load(names)}
    head, body = ["VERSION 1"], []
    for at, advisory in enumerate(load(rows)["advisories"]):
        head.append(f"{by_oid.get(advisory['oid'], advisory['oid'])},,")
        for package in advisory["fixed_packages"]:
            body.append(f"{package['name']},{at},B ?F,{package['full_version']},")
    text = "\n".join(head + [""] + body + ["", ""])
    with open(out, "wb") as file:
        file.write(zlib.compress(text.encode()))
    print(len(body))


def age(status, out):
    """The packages of this host, every third of them as old as can be."""
    lines, at = [], 0
    for line in open(status, errors="surrogateescape"):
        if line.startswith("Version:"):
            at += 1
            line = "Version: 0\n" if at % 3 == 0 else line
        lines.append(line)
    with open(out, "w", errors="surrogateescape") as file:
        file.writelines(lines)


def unseen(status, rows):
    """Packages whose own rows debsecan passes: it takes those of the source package, where there are any."""
    named = {package["name"] for it in json.load(gzip.open(rows))["advisories"] for package in it["fixed_packages"]}
    packages, name = set(), ""
    for line in open(status, errors="surrogateescape"):
        if line.startswith("Package:"):
            name = line.split()[1]
        elif line.startswith("Source:") and line.split()[1] in named - {name}:
            packages.add(name)
    return packages


def compare(ours, theirs, status, rows):
    """Pairs of advisory and package on both sides; what only one has is printed."""
    found = set()
    for row in json.load(open(ours))["rows"]:
        if row["verdict"] in ("fixable_now", "fixable_elsewhere"):
            found |= {(row["advisory"], package) for package in row["packages"]}
    beside = {tuple(line.split()[:2]) for line in open(theirs)}
    passed = {it for it in found - beside if it[1] in unseen(status, rows)}
    print(f"{len(found)} flaws of packages, debsecan {len(beside)}")
    if passed:
        print(f"{len(passed)} of ours concern packages whose own rows debsecan does not read: {sorted(passed)}")
    found -= passed
    for name, only in (("polder", found - beside), ("debsecan", beside - found)):
        if only:
            sys.exit(f"only {name} says: {sorted(only)[:9]}")


if __name__ == "__main__":
    {"convert": convert, "age": age, "compare": compare}[sys.argv[1]](*sys.argv[2:])
