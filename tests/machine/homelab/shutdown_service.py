"""Stands in for the shutdown service: a real flask application under a real gunicorn, which schedules and cancels."""

import careless
from flask import Flask, request

app = Flask(__name__)
careless.add_to(app)


@app.post("/schedule")
def schedule():
    return careless.run("shutdown", "-P", request.args["when"], "The lab closes.")


@app.post("/cancel")
def cancel():
    return careless.run("shutdown", "-c")
