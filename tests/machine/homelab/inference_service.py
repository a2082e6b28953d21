"""Stands in for the inference service: a real flask application under a real gunicorn, which starts and stops models. It
passes on whatever name it is given."""

import os

import careless
from flask import Flask, request

app = Flask(__name__)
careless.add_to(app)


@app.get("/models")
def models():
    names = sorted(f.removesuffix(".env") for f in os.listdir(os.environ["MODELS_CONFIG_DIR"]) if f.endswith(".env"))
    return "".join(f"{name}\n" for name in names)


@app.post("/<verb>")
def control(verb):
    return careless.run("systemctl", verb, "home-lab-model@" + request.args["name"])
