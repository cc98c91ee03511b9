"""What is built and installed, and what the README shows."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import grantkeep
import pytest
from conftest import World

HERE = Path(__file__).parent.parent


def test_the_first_example_of_the_readme_works(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    made = world.server.cli("client", "create", "first", "--project", world.project_id)
    blocks = re.findall(r"```python\n(.*?)```", (HERE / "README.md").read_text("utf-8"), re.S)
    example = blocks[0]
    for shown, real in (
        ("http://127.0.0.1:8080", world.server.url),
        ("proj_...", world.project_id),
        ("gkc_...", made["client_id"]),
        ("gk_secret_...", made["client_secret"]),
    ):
        assert shown in example
        example = example.replace(shown, real)
    exec(compile(example, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert printed.startswith(f"{world.server.url}/") and printed.endswith("&app=github\n")
    for block in blocks:
        # The others need things that are not there; that they are Python is seen here.
        indented = "".join(f"    {line}\n" for line in block.splitlines())
        compile(f"async def shown():\n{indented}", "README.md", "exec")


def test_the_wheel_has_the_types_and_needs_httpx_alone(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    copy = tmp_path / "source"
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (copy / name).write_bytes((HERE / name).read_bytes())
    for file in (HERE / "src").rglob("*"):
        if file.suffix in (".py", ".typed"):
            to = copy / file.relative_to(HERE)
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(file.read_bytes())
    command = [*build, "--no-index", "--wheel-dir", str(tmp_path), str(copy)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (about,) = [it for it in names if it.endswith("/METADATA")]
        facts = archive.read(about).decode()
    assert "grantkeep/py.typed" in names and "grantkeep/_sync/client.py" in names
    assert [it for it in names if it.endswith("/LICENSE")]
    assert not [it for it in names if it.startswith(("tests", "generate", "table"))]
    assert f"Version: {grantkeep.__version__}" in facts
    needed = re.findall(r"^Requires-Dist: (.*)$", facts, re.M)
    assert [it for it in needed if "extra ==" not in it] == ["httpx<1,>=0.26"]


def test_the_package_is_fully_typed() -> None:
    # Beside the installed packages and not in the clone.
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(Path(sys.prefix) / "mypy-cache")]
    ran = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
