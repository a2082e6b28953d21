"""Makes wheels and lines of a lock for tests."""

import base64
import hashlib
import os
import zipfile


def archive(path, entries):
    """Writes a zip archive of (name, content) or (name, content, mode), as hostile as they are."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content, *mode in entries:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (mode[0] if mode else 0o100644) << 16
            file.writestr(info, content)


def locked(path, name, version, more=""):
    """Returns the lines of a lock for one wheel beside it."""
    with open(path, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    return (
        f'[[packages]]\nname = "{name}"\nversion = "{version}"\n{more}'
        f'wheels = [{{ path = "{os.path.basename(path)}", hashes = {{ sha256 = "{digest}" }} }}]\n'
    )


def wheel(name, version="1.0", files=(), commands="", tag="py3-none-any", license="MIT", more="", folder="."):
    """Writes a wheel with these (name, content, mode), and returns its lines of the lock."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    files = [
        *files,
        (f"{info}/METADATA", metadata + (f"License: {license}\n" if license else "")),
        (f"{info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n"),
    ]
    if commands:
        files.append((f"{info}/entry_points.txt", f"[console_scripts]\n{commands}\n"))
    record = ""
    for path, content, *_ in files:
        content = content.encode() if isinstance(content, str) else content
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(content)}\n"
    files.append((f"{info}/RECORD", f"{record}{info}/RECORD,,\n"))
    path = os.path.join(folder, f"{name}-{version}-{tag}.whl")
    archive(path, files)
    return locked(path, name.replace("_", "-"), version, more)


def lock(*packages, head="", folder="."):
    """Writes the lock."""
    with open(os.path.join(folder, "pylock.toml"), "w") as file:
        file.write(f'lock-version = "1.0"\ncreated-by = "test"\n{head}')
        file.write("".join(packages))
