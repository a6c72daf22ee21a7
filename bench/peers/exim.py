"""Exim from Debian's package (exim4-daemon-light).  Its limit of immediate
deliveries a connection is lifted, or most mail would wait for a queue run."""
import os, shutil

import peers

LOCAL = ("""out:
  driver = accept
  domains = bench.test
  check_local_user
  transport = out
""", """out:
  driver = appendfile
  directory = $home/Maildir
  maildir_format
  create_directory = false
  delivery_date_add
  envelope_to_add
  return_path_add
""")
RELAY = (f"""out:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = out
""", f"""out:
  driver = smtp
  port = {peers.SINK}
  allow_localhost
  hosts_avoid_tls = *
  hosts_try_dane =
  dnssec_request_domains =
""")


class Server(peers.Peer):
    name = "exim"
    weight = 0.15
    most = 100

    def setup(self, mode):
        self.mkdir("conf")
        for d in ("spool", "logs"):
            self.mkdir(d, 0o750, "Debian-exim")
        for f in ("cert.pem", "key.pem"):
            shutil.copy(self.world.path(f), self.path("conf", f))
            shutil.chown(self.path("conf", f), "root", "Debian-exim")
            os.chmod(self.path("conf", f), 0o640)
        shutil.rmtree("/etc/exim4", ignore_errors=True)
        os.mkdir("/etc/exim4")          # compiled in
        router, transport = LOCAL if mode in ("local", "idle") else RELAY
        with open("/etc/exim4/exim4.conf", "w") as f:
            f.write(f"""primary_hostname = mail.{peers.DOMAIN}
spool_directory = {self.path("spool")}
log_file_path = {self.path("logs")}/%slog
daemon_smtp_ports = {peers.PORT}
local_interfaces = 127.0.0.1
pid_file_path = {self.path("exim.pid")}
disable_ipv6 = true
host_lookup =
rfc1413_query_timeout = 0s
smtp_accept_max = 1000
smtp_accept_queue_per_connection = 0
smtp_accept_max_per_connection = 1000000
smtp_connect_backlog = 512
tls_advertise_hosts = *
tls_certificate = {self.path("conf/cert.pem")}
tls_privatekey = {self.path("conf/key.pem")}
split_spool_directory = true
message_logs = false
queue_run_max = 20
remote_max_parallel = 4
acl_smtp_rcpt = acl_ok
acl_smtp_data = acl_ok
never_users = root
keep_environment =
begin acl
acl_ok:
  accept
begin routers
{router}begin transports
{transport}begin retry
* * F,2h,15m
""")

    def argv(self):
        return ["/usr/sbin/exim4", "-bdf", "-q10s"]

    def queued(self):
        return sum(f.endswith("-H") for _, _, files in
                   os.walk(self.path("spool/input")) for f in files)
