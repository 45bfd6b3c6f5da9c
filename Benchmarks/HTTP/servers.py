"""The servers that are measured beside each other: processes, and which of their ports speaks what."""

import argparse
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from typing import IO

HERE = os.path.dirname(os.path.abspath(__file__))
# What is asked for, about 1.4 KB.
HOT = "/v1/top-items?location=1&n=7&window=PT24H"
NAMES = ["topitems", "nginx", "hummingbird", "flyingfox", "epoll"]

NGINX = """
worker_processes {cores};
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log error;
events {{ worker_connections 4096; multi_accept on; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  default_type application/json;
  sendfile on; tcp_nopush off; tcp_nodelay on; postpone_output 0;
  keepalive_requests 1000000000; keepalive_timeout 600s;
  open_file_cache max=100 inactive=600s; open_file_cache_valid 600s;
  ssl_certificate {folder}/certificate.pem; ssl_certificate_key {folder}/key.pem;
  ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:s:1m; ssl_buffer_size 16k;
  server {{
    listen 127.0.0.1:{plain} reuseport;
    listen 127.0.0.1:{tls} ssl reuseport;
    listen 127.0.0.1:{h2} http2 reuseport;
    listen 127.0.0.1:{h2tls} ssl http2 reuseport;
    location / {{ root {folder}; try_files /answer.json =404; }}
  }}
}}
"""


class Server:
    """A process that listens, and on which ports it speaks what."""

    def __init__(
        self,
        name: str,
        command: list[str],
        ports: dict[str, int],
        log: IO[str],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.ports = ports
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **(environment or {})}
        )

    def wait(self) -> None:
        """Until every port answers."""
        for port in self.ports.values():
            deadline = time.monotonic() + 20
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    if self.process.poll() is not None or time.monotonic() > deadline:
                        sys.exit(f"bench-http: {self.name} does not listen on {port}")
                    time.sleep(0.05)

    def cpu_seconds(self) -> float:
        """Of the process and its children, which some have."""
        total = 0
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                with open(f"/proc/{entry}/stat") as file:
                    fields = file.read().rpartition(")")[2].split()
            except OSError:
                continue
            if self.process.pid in (int(entry), int(fields[1])):
                total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def serve(arguments: argparse.Namespace, log: IO[str], ports: dict[str, int], *options: str) -> Server:
    return Server(
        "topitems", [arguments.binary, "serve", "--listen", f"127.0.0.1:{min(ports.values())}", *options], ports, log
    )


def start(arguments: argparse.Namespace, folder: str, log: IO[str], servers: list[Server]) -> int:
    """Appends the servers to a list as they come; all serve the bytes that ours answers. Returns how many."""
    certificate, key, answer = f"{folder}/certificate.pem", f"{folder}/key.pem", f"{folder}/answer.json"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-keyout",
            key,
            "-out",
            certificate,
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    plain, tls, *others = free_ports(11)

    def add(server: Server) -> None:
        if server.name in arguments.servers:
            servers.append(server)
            server.wait()

    servers.append(serve(arguments, log, {"http/1.1": plain, "h2": plain}))
    servers.append(
        serve(arguments, log, {"http/1.1 tls": tls, "h2 tls": tls}, "--tls-cert", certificate, "--tls-key", key)
    )
    for server in servers:
        server.wait()
    with urllib.request.urlopen(f"http://127.0.0.1:{plain}{HOT}") as got:
        body = got.read()
    with open(answer, "wb") as file:
        file.write(body)
    os.chmod(folder, 0o755)
    if "nginx" in arguments.servers:
        ports = dict(zip(["plain", "tls", "h2", "h2tls"], others[:4], strict=False))
        with open(f"{folder}/nginx.conf", "w") as configuration:
            configuration.write(NGINX.format(folder=folder, cores=os.cpu_count(), **ports))
        add(
            Server(
                "nginx",
                ["nginx", "-p", folder, "-c", f"{folder}/nginx.conf"],
                dict(zip(["http/1.1", "http/1.1 tls", "h2", "h2 tls"], ports.values(), strict=False)),
                log,
            )
        )
    hummingbird, hummingbird_tls, flyingfox, epoll, epoll_tls = others[4:9]
    if "hummingbird" in arguments.servers:
        program = f"{arguments.peers}/hummingbird-peer"
        add(Server("hummingbird", [program, answer, str(hummingbird)], {"http/1.1": hummingbird}, log))
        add(
            Server(
                "hummingbird",
                [program, answer, str(hummingbird_tls), certificate, key],
                {"http/1.1 tls": hummingbird_tls},
                log,
            )
        )
    if "flyingfox" in arguments.servers:
        add(
            Server(
                "flyingfox", [f"{arguments.peers}/flyingfox-peer", answer, str(flyingfox)], {"http/1.1": flyingfox}, log
            )
        )
    if "epoll" in arguments.servers:
        program = f"{folder}/epoll"
        subprocess.run(["cc", "-O2", "-o", program, f"{HERE}/epoll.c", "-lssl", "-lcrypto"], check=True)
        add(Server("epoll", [program, answer, str(epoll)], {"http/1.1": epoll}, log))
        add(Server("epoll", [program, answer, str(epoll_tls), certificate, key], {"http/1.1 tls": epoll_tls}, log))
    return len(body)
