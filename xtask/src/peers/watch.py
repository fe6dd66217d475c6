"""The watch on a file system in memory: what it costs, whom it names, and what a flood hides.

Beside it inotifywait, which watches each folder by itself and knows no process.
"""

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
import time

POLDER, FOLDER = sys.argv[1:3]
ROOT = os.path.realpath(f"{FOLDER}/root")
FLAGS = [f"--state={FOLDER}/state", f"--config={FOLDER}/polder.toml"]
FILES, FOLDERS, RUNS = 100, 350, 5


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def init():
    command = [POLDER, "baseline", "init", "--again", "--quiet", *FLAGS]
    command.append(f"--passphrase-file={FOLDER}/passphrase")
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


class Watch:
    """A watch that runs, with what it tells and when."""

    def __init__(self):
        self.events = []
        command = [POLDER, "watch", "--json", *FLAGS]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self.read, daemon=True).start()
        while (self.status() or {}).get("swept") is None or self.status()["pid"] != self.process.pid:
            time.sleep(0.1)

    def read(self):
        for line in self.process.stdout:
            self.events.append((time.time(), json.loads(line)))

    def status(self):
        try:
            return json.load(open(f"{FOLDER}/state/watch/status.json"))
        except (OSError, ValueError):
            return None

    def changes(self, part):
        found = [(when, it) for when, it in list(self.events) if it.get("change")]
        return [(when, it) for when, it in found if part in it["change"]["path"]]

    def processor(self):
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.terminate()
        self.process.wait()


def unpack():
    shutil.rmtree(f"{ROOT}/x", ignore_errors=True)
    os.makedirs(f"{ROOT}/x")
    time.sleep(1.5)
    start = time.time()
    subprocess.run(["tar", "xf", f"{FOLDER}/files.tar", "-C", f"{ROOT}/x"], check=True)
    return time.time() - start


def median(values):
    return sorted(values)[len(values) // 2]


def cost():
    """Unpacking 35,000 files without a watch, with ours, and with inotifywait."""
    for folder in range(FOLDERS):
        os.makedirs(f"{FOLDER}/files/{folder}")
        for file in range(FILES):
            with open(f"{FOLDER}/files/{folder}/{file}", "wb") as out:
                out.write(os.urandom(2_000))
    subprocess.run(["tar", "cf", f"{FOLDER}/files.tar", "-C", f"{FOLDER}/files", "."], check=True)
    plain = [unpack() for _ in range(RUNS)]
    shutil.rmtree(f"{ROOT}/x")
    init()
    watch = Watch()
    before, events = watch.processor(), watch.status()["events"]
    ours = [unpack() for _ in range(RUNS)]
    time.sleep(3)
    spent, status = watch.processor() - before, watch.status()
    watch.stop()
    print(f"unpacking {FILES * FOLDERS} files, median of {RUNS}: {median(plain):.2f} s alone, "
          f"{median(ours):.2f} s with `polder watch` ({100 * (median(ours) / median(plain) - 1):+.0f} %)")
    print(f"  {status['events'] - events} events, {spent / RUNS:.2f} s of its processor time a run, blind {status['blind']} times")
    if shutil.which("inotifywait"):
        command = ["inotifywait", "-m", "-r", "-q", "-e", "modify,attrib,close_write,move,create,delete", ROOT]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as peer:
            time.sleep(2)
            theirs = [unpack() for _ in range(RUNS)]
            peer.terminate()
        print(f"  {median(theirs):.2f} s with inotifywait ({100 * (median(theirs) / median(plain) - 1):+.0f} %), which judges nothing")
    shutil.rmtree(f"{ROOT}/x")


def who():
    """A thousand programs that live for a moment: whose files they are."""
    init()
    watch = Watch()
    for at in range(1_000):
        subprocess.run(["/usr/bin/touch", f"{ROOT}/who-{at}"])
        if at % 50 == 49:
            time.sleep(0.3)
    time.sleep(3)
    told = watch.changes("/who-")
    known = [it for _, it in told if ((it.get("who") or {}).get("executable") or "").endswith("/touch")]
    watch.stop()
    print(f"who: of {len(told)} files that short `touch` processes made, the program is named for {len(known)}"
          f" ({100 * len(known) / max(1, len(told)):.1f} %)")
    for at in range(1_000):
        os.unlink(f"{ROOT}/who-{at}")


def flood(number, seconds, queue):
    start, count = time.time(), 0
    while time.time() - start < seconds:
        for _ in range(200):
            path = f"{ROOT}/flood/{number}-{count % 20_000}"
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
            os.unlink(path)
            count += 1
    queue.put(count)


def hidden():
    """Two processes make and remove files as fast as they can for five seconds; one file stays."""
    os.makedirs(f"{ROOT}/flood", exist_ok=True)
    init()
    watch = Watch()
    queue = multiprocessing.Queue()
    floods = [multiprocessing.Process(target=flood, args=(at, 5, queue)) for at in range(2)]
    for it in floods:
        it.start()
    time.sleep(2.5)
    begun = time.time()
    write(f"{ROOT}/tamper", "x")
    for it in floods:
        it.join()
    made = queue.get() + queue.get()
    while not watch.changes("/tamper") and time.time() - begun < 60:
        time.sleep(0.05)
    told = watch.changes("/tamper")
    status = watch.status()
    watch.stop()
    if not told:
        sys.exit("a file was hidden by the flood")
    # Made, opened for writing and closed, removed: three events each.
    print(f"flood: {3 * made / 5:,.0f} events a second for five seconds; one file among them told after "
          f"{told[0][0] - begun:.2f} s; blind {status['blind']} times, {status['blind_seconds']:.1f} s")


if __name__ == "__main__":
    settings = f'[baseline]\ndefaults = false\nwatch = ["{ROOT}"]\n'
    write(f"{FOLDER}/polder.toml", settings + "[watch]\nsyslog = false\nheartbeat_seconds = 1\nscrub_minutes = 0\n")
    write(f"{FOLDER}/passphrase", "correct horse battery\n")
    cost()
    who()
    hidden()
