"""pip-audit on a list of Python packages, from a service on the loopback that knows the same records as we do."""

import http.server
import json
import subprocess
import sys
import tarfile
import threading
import time

import yaml
from packaging.version import InvalidVersion, Version

POLDER, FEED, FOLDER = sys.argv[1:4]
STATE = f"--state={FOLDER}/state"
PACKAGES = 300


def normal(name):
    return name.lower().replace("_", "-").replace(".", "-")


def load():
    records = {}
    with tarfile.open(FEED) as archive:
        for member in archive:
            if member.isfile() and member.name.endswith(".yaml"):
                record = yaml.load(archive.extractfile(member), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
                if not record.get("withdrawn"):
                    for affected in record.get("affected", []):
                        records.setdefault(normal(affected["package"]["name"]), []).append((record, affected))
    return records


def has_flaw(affected, version):
    """As the OSV schema says: in the list, or in a range."""
    if version in affected.get("versions", []):
        return True
    wanted = Version(version)
    for it in affected.get("ranges", []):
        if it["type"] != "ECOSYSTEM":
            continue
        is_in = False
        events = [(Version(value if value != "0" else "0.dev0"), kind) for event in it["events"] for kind, value in event.items()]
        for at, kind in sorted(events, key=lambda it: it[0]):
            if kind == "introduced" and wanted >= at:
                is_in = True
            elif kind == "fixed" and wanted >= at:
                is_in = False
            elif kind == "last_affected" and wanted > at:
                is_in = False
        if is_in:
            return True
    return False


class Service(http.server.BaseHTTPRequestHandler):
    """One question of the OSV service: which records are about this package in this version."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        found = RECORDS.get(normal(asked["package"]["name"]), [])
        vulns = [record for record, affected in found if has_flaw(affected, asked["version"])]
        moment = lambda it: it.strftime("%Y-%m-%dT%H:%M:%SZ")
        body = json.dumps({"vulns": vulns} if vulns else {}, default=moment).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def pinned():
    """The last version on the list of each of the first packages."""
    for name in sorted(RECORDS):
        for _, affected in RECORDS[name]:
            try:
                versions = sorted(affected.get("versions", []), key=Version)
            except InvalidVersion:
                continue
            if versions:
                yield name, versions[-1]
                break


RECORDS = load()
lines = [f"{name}=={version}" for name, version in list(pinned())[:PACKAGES]]
with open(f"{FOLDER}/requirements.txt", "w") as file:
    file.write("\n".join(lines) + "\n")
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
threading.Thread(target=server.serve_forever, daemon=True).start()

subprocess.run([POLDER, "feed", "import", "--quiet", "--anyway", STATE, FEED], check=True)
start = time.time()
ours = subprocess.run([POLDER, "audit", "--format=json", STATE, f"{FOLDER}/requirements.txt"], stdout=subprocess.PIPE)
seconds = time.time() - start
found = set()
for file in json.loads(ours.stdout)["files"]:
    for flaw in file["flaws"]:
        found.add((normal(flaw["library"]["name"]), str(Version(flaw["library"]["version"])), flaw["advisory"]))

command = [sys.executable, "-m", "pip_audit", "-r", f"{FOLDER}/requirements.txt", "--no-deps", "--disable-pip"]
command += ["-s", "osv", "--osv-url", f"http://127.0.0.1:{server.server_port}/v1/query", "-f", "json", "--progress-spinner", "off"]
start = time.time()
theirs = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
beside = time.time() - start
if not theirs.stdout:
    sys.exit(f"pip-audit says nothing: {theirs.stderr.decode()[-500:]}")
told = set()
for it in json.loads(theirs.stdout)["dependencies"]:
    for flaw in it.get("vulns", []):
        told.add((normal(it["name"]), str(Version(it["version"])), flaw["id"]))
print(f"{len(lines)} packages: polder {len(found)} flaws in {seconds:.3f} s, pip-audit {len(told)} in {beside:.2f} s (the service is ours, on the loopback)")
if found != told:
    sys.exit(f"only polder: {sorted(found - told)[:6]}, only pip-audit: {sorted(told - found)[:6]}")
print(f"the same answers in 1/{beside / seconds:.0f} of the time")
