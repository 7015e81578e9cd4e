# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""Debian kernels by series: fetched with apt's own client, unpacked into a cache, nothing pinned.

The system's apt configuration and lists stay untouched: each suite gets a private folder of lists. The
archive and its keyring are those of the machine's own Debian entry. Nothing is installed, no file of a
package is run.

Cache: lock, apt/SUITE/ (lists), RELEASE/{vmlinuz,modules/}, series-X.Y -> RELEASE (as old as apt's answer).
"""

import contextlib
import fcntl
import glob
import os
import platform
import re
import shutil
import sys
import tempfile
import time

import processes

MATRIX = ("5.10", "6.1", "6.12", "6.18", "7.0", "7.3")
SERIES = re.compile(r"\d+\.\d+$")
NEW = ("trixie-backports", "forky", "sid")
SUITES = {
    "5.10": ("bullseye-security", "bullseye"),
    "6.1": ("bookworm-security", "bookworm", "bullseye-security"),
    "6.12": ("bookworm-security", "trixie-security", "bookworm-backports", "trixie"),
}
ASK_APT_AGAIN_S = 7 * 86400
UNUSED_RELEASE_S = 86400
LISTS_FRESH_S = 3600
# A suite can list a release that its archive no longer holds; the next older one may be there.
RELEASES_TRIED = 3


class Unavailable(Exception):
    """No kernel of a series could be had; the text says what was looked for, where, and what apt said."""


class Kernel:
    """A bootable kernel. `modules` is the folder that holds its module files, or None."""

    def __init__(self, name, release, image, modules):
        self.name, self.release, self.image, self.modules = name, release, image, modules


def read_deb822(text):
    """The stanzas of a .sources file, as dictionaries with lower-case keys; continuation lines are kept."""
    for stanza in re.split(r"\n\s*\n", text):
        fields, key = {}, None
        for line in stanza.splitlines():
            if line.startswith("#"):
                continue
            if line[:1].isspace() and key:
                fields[key] += "\n" + line
            elif ":" in line:
                key, value = line.split(":", 1)
                key = key.strip().lower()
                fields[key] = value.strip()
        if fields:
            yield fields


def read_one_line(text):
    """The `deb [options] URI SUITE COMPONENT…` lines of a .list file, in the form of read_deb822()."""
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[(.*?)\]\s*)?(\S+)\s+(\S+)\s+([^#]+)", line)
        if match:
            signed_by = re.search(r"signed-by=(\S+)", match[1] or "")
            entry = {"types": "deb", "uris": match[2], "suites": match[3], "components": match[4]}
            yield {**entry, "signed-by": signed_by[1]} if signed_by else entry


def apt_entries():
    for path in ["/etc/apt/sources.list", *sorted(glob.glob("/etc/apt/sources.list.d/*"))]:
        reader = {".list": read_one_line, ".sources": read_deb822}.get(os.path.splitext(path)[1])
        with contextlib.suppress(FileNotFoundError):
            with open(path, encoding="utf-8", errors="replace") as file:
                yield from reader(file.read()) if reader else ()


def debian_entry(is_security, entries):
    """The machine's own entry for Debian's main or security archive, or None.

    Other archives use Debian's suite names too: the component must be main, and Debian's keyring, an address
    that ends like Debian's and the machine's own release name decide among several.
    """
    best, best_score = None, 0
    own_name = platform.freedesktop_os_release().get("VERSION_CODENAME", "?")
    for entry in entries:
        suites = entry.get("suites", "").split()
        if ("deb" not in entry.get("types", "").split() or "main" not in entry.get("components", "").split()
                or entry.get("enabled", "yes").lower() in ("no", "false", "0")):
            continue
        if any(re.search(r"(-security|/updates)$", suite) for suite in suites) != is_security:
            continue
        uri = entry.get("uris", "").rstrip("/")
        score = 2 * ("debian-archive-keyring" in entry.get("signed-by", ""))
        score += uri.endswith("/debian-security" if is_security else "/debian")
        score += any(suite.startswith(own_name) for suite in suites)
        if score > best_score:
            best, best_score = entry, score
    return best


def version_key(release):
    """Sorts releases as people read them: 6.1.0-9 before 6.1.0-56."""
    parts = re.findall(r"\d+|\D+", release)
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]


class Suite:
    """One suite of the archive, asked through apt with a private configuration."""

    def __init__(self, name, folder, entry, children):
        self.name, self.folder, self.entry, self.children = name, folder, entry, children
        self.config = os.path.join(folder, "apt.conf")

    def configure(self):
        for sub in ("lists/partial", "cache/archives/partial", "none"):
            os.makedirs(os.path.join(self.folder, sub), exist_ok=True)
        sources = os.path.join(self.folder, "suite.sources")
        with open(sources, "w", encoding="utf-8") as file:
            file.write(f"Types: deb\nURIs: {self.entry['uris']}\nSuites: {self.name}\nComponents: main\n"
                       "Architectures: amd64\n")
            if "signed-by" in self.entry:
                file.write(f"Signed-By: {self.entry['signed-by']}\n")
        none = os.path.join(self.folder, "none")
        settings = {"Dir::Etc::SourceList": sources, "Dir::Etc::SourceParts": none,
                    "Dir::Etc::Preferences": "/dev/null", "Dir::Etc::PreferencesParts": none,
                    "Dir::State::Lists": os.path.join(self.folder, "lists"),
                    "Dir::State::Status": "/dev/null", "APT::Sandbox::User": "root",
                    "Dir::Cache": os.path.join(self.folder, "cache"),
                    "APT::Update::Error-Mode": "any", "Acquire::Languages": "none",
                    "Acquire::Retries": "2",
                    "Acquire::http::Timeout": "30", "Acquire::https::Timeout": "30",
                    "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled": "false"}
        with open(self.config, "w", encoding="utf-8") as file:
            file.write("#clear APT::Update::Post-Invoke;\n#clear APT::Update::Post-Invoke-Success;\n")
            file.writelines(f'{key} "{value}";\n' for key, value in settings.items())

    def apt(self, tool, *arguments, **options):
        status, output = self.children.run([tool, "-c", self.config, "-q", *arguments], **options)
        if status != 0:
            said = [line for line in output.splitlines() if line[:2] in ("E:", "W:")] or output.splitlines()
            raise Unavailable(f"{self.name}: {tool} {' '.join(arguments)} failed: " + " / ".join(said[-4:]))
        return output

    def package_names(self):
        """Names of the kernel packages that the suite lists, after an update of lists older than an hour."""
        stamp = os.path.join(self.folder, "updated")
        if not is_younger(stamp, LISTS_FRESH_S):
            self.configure()
            self.apt("apt-get", "update")
            with open(stamp, "w", encoding="ascii"):
                pass
        return self.apt("apt-cache", "pkgnames", "linux-").split()

    def unpack(self, package, into):
        """Download a package and unpack its files into the folder `into`."""
        print(f"fetching {package} from {self.name}", file=sys.stderr, flush=True)
        self.apt("apt-get", "download", package, cwd=into)
        for archive in glob.glob(os.path.join(into, "*.deb")):
            status, output = self.children.run(["dpkg-deb", "-x", archive, into])
            if status != 0:
                raise Unavailable(f"{self.name}: cannot unpack {package}: {output.strip()}")
            os.unlink(archive)


def is_younger(path, seconds):
    try:
        return time.time() - os.lstat(path).st_mtime < seconds
    except FileNotFoundError:
        return False


def releases(series, names):
    """{release: package names to try in turn} of a series, newest release first.

    From 6.19 on the image lies in linux-binary-RELEASE and the package linux-image-RELEASE is empty; modules
    and the list of built-in ones may lie in linux-modules-RELEASE and linux-base-RELEASE.
    """
    release = rf"{re.escape(series)}\.\d[^-]*(?:-[^-]+)?-cloud-amd64"
    pattern = re.compile(rf"linux-(binary|image)-({release})(-unsigned)?$")
    found = {}
    for match in sorted(filter(None, map(pattern.match, names)), key=lambda match: match[0]):
        found.setdefault(match[2], []).append(match[0])
    return {release: found[release] for release in sorted(found, key=version_key, reverse=True)}


class Cache:
    """The cache of kernels. Every change happens under its lock and arrives by rename."""

    def __init__(self, children):
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        self.folder = os.path.join(base, "dill", "kernels")
        self.children = children
        self.failed_suites = {}

    @contextlib.contextmanager
    def lock(self):
        os.makedirs(self.folder, exist_ok=True)
        with open(os.path.join(self.folder, "lock"), "w", encoding="ascii") as file:
            waits = False
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if not waits:
                        print("waiting for another fetch of kernels", file=sys.stderr)
                    waits = True
                    if self.children.stopped.wait(0.2):
                        raise processes.Interrupted from None
            yield

    def current(self, series):
        """The cached kernel of a series, or None."""
        folder = os.path.join(self.folder, f"series-{series}")
        image = os.path.join(folder, "vmlinuz")
        if not os.path.exists(image):
            return None
        folder = os.path.realpath(folder)
        return Kernel(series, os.path.basename(folder), os.path.join(folder, "vmlinuz"),
                      os.path.join(folder, "modules"))

    def get(self, series):
        """The newest kernel of a series that can be had; a cached one when apt was asked within a week."""
        link = os.path.join(self.folder, f"series-{series}")
        if self.current(series) and is_younger(link, ASK_APT_AGAIN_S):
            return self.current(series)
        with self.lock():
            if not (self.current(series) and is_younger(link, ASK_APT_AGAIN_S)):
                try:
                    self.fetch(series)
                except (Unavailable, OSError) as error:
                    if not self.current(series):
                        raise Unavailable(str(error)) from error
                    print(f"{error}\nusing the cached {self.current(series).release}", file=sys.stderr)
            return self.current(series)

    def fetch(self, series):
        problems = []
        for name in SUITES.get(series, NEW):
            try:
                release = self.fetch_from(self.suite(name), series, problems)
            except Unavailable as error:
                problems.append(str(error))
                continue
            if release:
                self.point(series, release)
                self.prune()
                return
        raise Unavailable(f"no Debian kernel {series} (linux-binary-{series}.*-cloud-amd64 or "
                          f"linux-image-{series}.*-cloud-amd64) could be had:\n  " + "\n  ".join(problems))

    def suite(self, name):
        """The suite of that name. Unavailable when the machine's apt has no entry to go by."""
        is_security = name.endswith("-security")
        entry = debian_entry(is_security, apt_entries())
        if not entry:
            raise Unavailable(f"{name}: no Debian {'security ' * is_security}entry with component main in "
                              "/etc/apt/sources.list and /etc/apt/sources.list.d/")
        return Suite(name, os.path.join(self.folder, "apt", name), entry, self.children)

    def fetch_from(self, suite, series, problems):
        """The newest release of a series from one suite, unpacked; None, and `problems` say why, if none."""
        if suite.name in self.failed_suites:
            raise Unavailable(self.failed_suites[suite.name])
        try:
            names = suite.package_names()
        except Unavailable as error:
            self.failed_suites[suite.name] = str(error)
            raise
        listed = releases(series, names)
        if not listed:
            problems.append(f"{suite.name}: lists none")
        for release, packages in list(listed.items())[:RELEASES_TRIED]:
            if os.path.exists(os.path.join(self.folder, release, "vmlinuz")):
                return release
            extra = {f"linux-modules-{release}", f"linux-base-{release}"}.intersection(names)
            for package in packages:
                try:
                    if self.install(suite, release, [package, *sorted(extra)]):
                        return release
                    problems.append(f"{suite.name}: {package} holds no kernel image")
                except Unavailable as error:
                    problems.append(str(error))
        return None

    def install(self, suite, release, packages):
        """Unpack packages and move image and modules to RELEASE/. False when there is no image in them."""
        for stale in glob.glob(os.path.join(self.folder, "unpack.*")):
            shutil.rmtree(stale, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=self.folder, prefix="unpack.") as work:
            tree, ready = os.path.join(work, "tree"), os.path.join(work, "ready")
            os.mkdir(tree)
            os.mkdir(ready)
            suite.unpack(packages[0], tree)
            # usr/lib/modules from 7.2 on.
            images = glob.glob(os.path.join(tree, "boot/vmlinuz-*"))
            images += glob.glob(os.path.join(tree, "usr/lib/modules/*/vmlinuz"))
            if not images:
                return False
            for package in packages[1:]:
                suite.unpack(package, tree)
            os.rename(images[0], os.path.join(ready, "vmlinuz"))
            for lib in ("lib", "usr/lib"):
                with contextlib.suppress(FileNotFoundError):
                    shutil.copytree(os.path.join(tree, lib, "modules", release),
                                    os.path.join(ready, "modules"), symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(os.path.join(self.folder, release), ignore_errors=True)
            os.rename(ready, os.path.join(self.folder, release))
        return True

    def point(self, series, release):
        link = os.path.join(self.folder, f"series-{series}")
        if self.current(series):
            # The age of a replaced release counts from now on: another run may be starting with it.
            os.utime(os.path.realpath(link))
        with contextlib.suppress(FileNotFoundError):
            os.unlink(link + ".new")
        os.symlink(release, link + ".new")
        os.rename(link + ".new", link)

    def prune(self):
        """Remove releases that no series points to, once no run can be using them any more."""
        used = {os.readlink(link) for link in glob.glob(os.path.join(self.folder, "series-*"))}
        for image in glob.glob(os.path.join(self.folder, "*", "vmlinuz")):
            folder = os.path.dirname(image)
            is_used = os.path.islink(folder) or os.path.basename(folder) in used
            if not is_used and not is_younger(folder, UNUSED_RELEASE_S):
                shutil.rmtree(folder, ignore_errors=True)
