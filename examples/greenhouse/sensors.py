"""Measures the air every minute, and writes a page with the values.

usage: sensors.py PAGE
"""

import glob
import html
import os
import sys
import time

# What the kernel offers: files with a number, and what to divide it by.
SENSORS = {
    "temperature (°C)": ("/sys/bus/iio/devices/*/in_temp_input", 1000),
    "humidity (%)": ("/sys/bus/iio/devices/*/in_humidityrelative_input", 1000),
    "processor (°C)": ("/sys/class/thermal/thermal_zone*/temp", 1000),
}


def measure():
    for name, (pattern, divisor) in SENSORS.items():
        for path in sorted(glob.glob(pattern)):
            try:
                with open(path) as file:
                    yield name, f"{int(file.read()) / divisor:.1f}"
            except OSError:
                yield name, "no answer"


def write(page, values):
    rows = "".join(f"<tr><td>{html.escape(name)}<td>{value}" for name, value in values)
    text = f"<!doctype html><meta charset=utf-8><title>Greenhouse</title><h1>Greenhouse</h1><p>{time.ctime()}"
    # A reader sees the old page or the new one, never half of one.
    with open(page + ".new", "w") as file:
        file.write(f"{text}<table>{rows or '<tr><td>no sensor is connected'}</table>\n")
    os.replace(page + ".new", page)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: sensors.py PAGE")
    while True:
        write(sys.argv[1], measure())
        time.sleep(60)
