#!/usr/bin/python3
"""Real receivers: each message becomes a file. `receivers.py DIRECTORY` is a mail server on port 2525 and a web server
on 8080; `receivers.py DIRECTORY desktop` has the desktop's name on the session bus."""
import email
import http.server
import os
import socketserver
import sys
import threading

GOT = sys.argv[1]
LOCK = threading.Lock()


def keep(kind, text):
    with LOCK:
        number = sum(name.startswith(kind) for name in os.listdir(GOT))
        with open(f"{GOT}/.new", "w") as file:
            file.write(text)
        os.rename(f"{GOT}/.new", f"{GOT}/{kind}-{number}")


class Smtp(socketserver.StreamRequestHandler):
    def say(self, line):
        self.wfile.write(line.encode() + b"\r\n")

    def handle(self):
        self.say("220 receiver")
        to = []
        while line := self.rfile.readline().decode().strip():
            verb = line.split(":")[0].upper()
            if verb == "RCPT TO":
                to.append(line)
            if verb.startswith("DATA"):
                self.say("354 go on")
                lines = []
                while (line := self.rfile.readline()) != b".\r\n":
                    lines.append(line)
                mail = email.message_from_bytes(b"".join(lines))
                body = mail.get_payload(decode=True).decode().replace("\r\n", "\n")
                keep("mail", f"{' '.join(to)}\nSubject: {mail['Subject']}\nTo: {mail['To']}\n\n{body}")
            self.say("221 bye" if verb == "QUIT" else "250 ok")


class Web(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        keep("web", self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


def desktop():
    from jeepney import MessageType, new_method_return
    from jeepney.bus_messages import message_bus
    from jeepney.io.blocking import open_dbus_connection

    bus = open_dbus_connection(bus="SESSION")
    bus.send_and_get_reply(message_bus.RequestName("org.freedesktop.Notifications"))
    keep("ready", "")
    while message := bus.receive():
        if message.header.message_type == MessageType.method_call:
            keep("desktop", "\n".join(map(str, message.body)))
            bus.send(new_method_return(message, "u", (1,)))


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True


if sys.argv[2:] == ["desktop"]:
    desktop()
else:
    threading.Thread(target=Server(("127.0.0.1", 2525), Smtp).serve_forever).start()
    web = Server(("127.0.0.1", 8080), Web)
    keep("ready", "")
    web.serve_forever()
