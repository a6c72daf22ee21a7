"""world.py - the private world `make bench` runs in, and its end.

Namespaces of its own (mounts, processes, network): a copy of /etc with the
users that the servers want, their packages laid over /usr, a fresh /run,
/var/spool and /var/lib, and a journalled ext4 on a loop device.  All of it,
processes too, ends with its first process, whatever happens to us.
"""
import ctypes, fcntl, os, shutil, signal, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
FIRST_UID = 41000
CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET = 0x20000, 0x20000000, 0x40000000
PR_SET_PDEATHSIG = 1
TOOLS = ("mount", "losetup", "mkfs.ext4", "ip", "openssl", "useradd")
CGROUPS = "/sys/fs/cgroup"


class Refused(Exception):
    pass


def libc(name, *args):
    lib = ctypes.CDLL(None, use_errno=True)
    if getattr(lib, name)(*args) == -1:
        raise OSError(ctypes.get_errno(), name)


def run(*argv, **kw):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True,
                          **kw).stdout.strip()


def add_options(ap):
    ap.add_argument("build")
    ap.add_argument("--owners", type=int, default=100,
                    help="mailboxes, each of a uid of its own")
    ap.add_argument("--store", help="disk and packages, made once; "
                    "BUILD/bench")
    ap.add_argument("--disk-mb", type=int, default=3072)
    ap.add_argument("--out", help="a file of Markdown; our section of it "
                    "is replaced")


def check(peers):
    """Raises Refused, with the reason, where the bench cannot run."""
    if os.getuid() != 0:
        raise Refused("needs root (uids, mounts, cgroups)")
    tools = TOOLS + (("apt-get", "dpkg") if peers else ())
    lacking = [t for t in tools if shutil.which(t) is None]
    if lacking:
        raise Refused("is not installed: " + ", ".join(lacking))
    if not os.path.exists("/dev/loop-control"):
        raise Refused("there are no loop devices")
    if not os.path.exists("/sys/fs/cgroup"):
        raise Refused("there are no cgroups")


# ---- what is made once, and kept in the build directory ----

def image(path, mb):
    """A file of that size, written out: so its blocks are there already."""
    if os.path.exists(path):
        return
    print(f"bench: writing the disk, {mb} MB", file=sys.stderr)
    zeros = bytes(1 << 20)
    with open(path + ".new", "wb") as f:
        for _ in range(mb):
            f.write(zeros)
        os.fsync(f.fileno())
    os.rename(path + ".new", path)


def packages(directory):
    subprocess.run(["sh", HERE + "/packages.sh", directory], check=True)


# ---- outside ----

class World:
    """Outside: enter() runs a function in there, and cleans up after it."""

    def __init__(self, args, with_peers):
        self.build = os.path.abspath(args.build)
        self.store = os.path.abspath(args.store or self.build + "/bench")
        self.disk_mb = args.disk_mb
        self.peers = self.store + "/peers" if with_peers else None
        self.owners = args.owners
        self.cgroup = f"facteur-bench-{os.getpid()}"
        self.top = None

    def enter(self, function):
        os.makedirs(self.store, exist_ok=True)
        with open(self.store + "/lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Refused("another bench runs on this build directory")
            image(self.store + "/disk", self.disk_mb)
            if self.peers:
                packages(self.peers)
            self.top = tempfile.mkdtemp(prefix="fb.")
            try:
                return self._child(function)
            finally:
                self._clean()

    def _child(self, function):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
        with open("/proc/self/ns/pid") as ours:
            libc("unshare", CLONE_NEWPID)
            pid = os.fork()
            if pid == 0:
                self._inside(function)
            libc("setns", ours.fileno(), CLONE_NEWPID)   # for later children
        try:
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        except BaseException:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)      # returns when the last process is gone
            raise

    def _inside(self, function):
        status = 1
        try:
            os.setsid()
            libc("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            libc("unshare", CLONE_NEWNS | CLONE_NEWNET)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            self._mounts()
            self._users()
            status = function(self) or 0
        except subprocess.CalledProcessError as e:
            print(f"bench: {' '.join(e.cmd)}: status {e.returncode}",
                  file=sys.stderr)
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _clean(self):
        for line in run("losetup", "-j", self.store + "/disk").splitlines():
            subprocess.run(["losetup", "-d", line.split(":")[0]])
        for d in cgroup_dirs(self.cgroup):
            for sub in os.listdir(d) if os.path.isdir(d) else ():
                if os.path.isdir(f"{d}/{sub}"):
                    os.rmdir(f"{d}/{sub}")
            if os.path.isdir(d):
                os.rmdir(d)
        os.rmdir(self.top)

    # ---- inside ----

    def path(self, *names):
        return os.path.join(self.top, *names)

    def disk(self, *names):
        return self.path("disk", *names)

    def _mounts(self):
        run("mount", "--make-rprivate", "/")
        run("mount", "-t", "proc", "proc", "/proc")
        run("ip", "link", "set", "lo", "up")
        run("mount", "-t", "tmpfs", "-o", "mode=755", "bench", self.top)
        for d in ("disk", "tree", "run", "lib"):
            os.mkdir(self.path(d))
        run("mount", "--bind", self.build, self.path("tree"))
        self._disk()
        run("cp", "-a", "/etc", self.path("etc"))
        for name, at in (("etc", "/etc"), ("run", "/run"), ("lib", "/var/lib"),
                         ("disk/spool", "/var/spool")):
            run("mount", "--bind", self.path(name), at)
        if self.peers:
            run("mount", "-t", "overlay", "-o",
                f"lowerdir={self.peers}/usr:/usr", "bench", "/usr")
        os.umask(0o022)

    def _disk(self):
        """mkfs's defaults, but what it would do later in the background."""
        device = run("losetup", "-f", "--show", "--direct-io=on",
                     self.store + "/disk")
        run("mkfs.ext4", "-q", "-F", "-E",
            "lazy_itable_init=0,lazy_journal_init=0", device)
        run("mount", device, self.path("disk"))
        run("losetup", "-d", device)    # goes with the last mount of it
        os.chmod(self.path("disk"), 0o755)
        os.mkdir(self.disk("spool"))

    def _users(self):
        """The servers' own, and the owners of the mailboxes."""
        names = ["postfix", "postdrop", "opensmtpd", "opensmtpq",
                 "Debian-exim"]
        names += [f"user{i}" for i in range(self.owners)]
        with open("/etc/passwd", "a") as passwd, \
                open("/etc/group", "a") as group:
            for i, name in enumerate(names):
                uid = FIRST_UID + i
                passwd.write(f"{name}:x:{uid}:{uid}::"
                             f"{self.disk('home', name)}:/bin/false\n")
                group.write(f"{name}:x:{uid}:\n")
        run(self.path("tree/bin/facteur"), "setup", "--users")
        with open("/etc/resolv.conf", "w") as f:
            f.write("lookup file\nnameserver 127.0.0.1\n")    # no DNS
        with open("/etc/hosts", "w") as f:
            f.write("127.0.0.1 localhost mail.bench.test\n")
        os.mkdir(self.disk("home"))
        for maildir in self.maildirs():
            os.mkdir(os.path.dirname(maildir), 0o700)
            for d in ("", "tmp", "new", "cur"):
                os.mkdir(os.path.join(maildir, d), 0o700)
        self.own_homes()
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
            "-subj", "/CN=mail.bench.test", "-keyout", self.path("key.pem"),
            "-out", self.path("cert.pem"), stderr=subprocess.DEVNULL)

    def own_homes(self, single=None):
        """Each mailbox is its owner's; or all are of a single uid."""
        for i, maildir in enumerate(self.maildirs()):
            uid = FIRST_UID + 5 + i if single is None else single
            os.chown(os.path.dirname(maildir), uid, uid)
            for d in ("", "tmp", "new", "cur"):
                os.chown(os.path.join(maildir, d), uid, uid)

    def maildirs(self):
        return [self.disk("home", f"user{i}", "Maildir")
                for i in range(self.owners)]


# ---- cgroups, of version 2 or 1 ----

def cgroup_roots():
    """Where memory is told, where CPU time, and what perf knows: all one in
    version 2."""
    if os.path.exists(CGROUPS + "/cgroup.controllers"):
        return [CGROUPS]
    return [r for r in (CGROUPS + "/memory", CGROUPS + "/cpuacct",
                        CGROUPS + "/unified") if os.path.isdir(r)]


def cgroup_dirs(name):
    return [f"{r}/{name}" for r in cgroup_roots()]


class Cgroup:
    """One server's processes: their CPU time, ended ones' too, and memory."""

    def __init__(self, world, name):
        self.two = len(cgroup_roots()) == 1
        self.dirs = [f"{d}/{name}" for d in cgroup_dirs(world.cgroup)]
        self.perf = f"{world.cgroup}/{name}"
        for d in self.dirs:
            parent = os.path.dirname(d)
            for p in (os.path.dirname(parent), parent) if self.two else ():
                os.makedirs(p, exist_ok=True)
                with open(p + "/cgroup.subtree_control", "w") as f:
                    f.write("+cpu +memory")
            os.makedirs(d, exist_ok=True)

    def enter(self):
        for d in self.dirs:
            with open(d + "/cgroup.procs", "w") as f:
                f.write("0")

    def pids(self):
        with open(self.dirs[0] + "/cgroup.procs") as f:
            return [int(x) for x in f.read().split()]

    def _stat(self, name, key):
        with open(name) as f:
            for line in f:
                if line.split()[0] == key:
                    return int(line.split()[1])
        return 0

    def cpu(self):
        """Seconds."""
        if self.two:
            return self._stat(self.dirs[0] + "/cpu.stat", "usage_usec") / 1e6
        with open(self.dirs[1] + "/cpuacct.usage") as f:
            return int(f.read()) / 1e9

    def memory(self):
        """Bytes of private memory, without page cache."""
        return self._stat(self.dirs[0] + "/memory.stat",
                          "anon" if self.two else "rss")
