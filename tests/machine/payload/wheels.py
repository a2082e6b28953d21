"""Makes the wheels of a test, and their lock.

usage: wheels.py FOLDER; the lock also has MarkupSafe from PyPI, which has a wheel for each version of Python.
"""

import json
import re
import sys
import urllib.request

from wheel import lock, wheel

MARKUPSAFE = "3.0.2"


def from_pypi(name, version, pattern):
    request = urllib.request.Request(
        f"https://pypi.org/simple/{name}/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}
    )
    with urllib.request.urlopen(request) as answer:
        files = json.load(answer)["files"]
    lines = [
        f'    {{ url = "{file["url"]}", size = {file["size"]}, hashes = {{ sha256 = "{file["hashes"]["sha256"]}" }} }},\n'
        for file in files
        if re.fullmatch(pattern, file["filename"])
    ]
    return f'[[packages]]\nname = "{name}"\nversion = "{version}"\nwheels = [\n{"".join(lines)}]\n'


def main(folder):
    main = (
        "import sys\nimport markupsafe\nimport only_old_or_new\n\n"
        "def main():\n"
        "    import greet.later\n"
        "    print(markupsafe.escape('<hello>'), markupsafe._speedups.__file__.split('/')[-1].split('-')[1],\n"
        "          only_old_or_new.WORD, greet.later.WORD, sys.prefix, flush=True)\n"
    )
    greet = wheel(
        "greet",
        files=[
            ("greet/__init__.py", ""),
            ("greet/main.py", main),
            ("greet/later.py", "WORD = 'later'\n"),
            ("greet/tests/test_greet.py", "assert False\n"),
            ("greet-1.0.data/scripts/greet-script", "#!python\nprint('script')\n"),
            ("greet-1.0.data/data/share/greet/words", "words\n"),
        ],
        commands="greet = greet.main:main",
        folder=folder,
    )
    choices = [
        wheel("only_old_or_new", version, [("only_old_or_new.py", f"WORD = '{word}'\n")],
              more=f'marker = "{marker}"\n', folder=folder)
        for word, version, marker in (("old", "1.0", "python_version < '3.12'"), ("new", "2.0", "python_version >= '3.12'"))
    ]
    pattern = rf"(?i)markupsafe-{MARKUPSAFE}-cp3(11|13)-cp3\d+-.*manylinux.*\.whl"
    windows = '[[packages]]\nname = "windows-only"\nversion = "1.0"\nmarker = "sys_platform == \'win32\'"\n'
    lock(greet, *choices, from_pypi("markupsafe", MARKUPSAFE, pattern), windows, folder=folder)


main(sys.argv[1])
