"""The floors of the house: imports point down, siblings are blind to each other."""

import ast
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "jaxopt_dl"

FLOORS = {
    "_core": 0,
    "nn": 1,
    "losses": 1,
    "optim": 1,
    "schedules": 1,
    "data": 1,
    "gradcheck": 1,
    "curvature": 1,
    "telemetry": 1,
    "train": 2,
    "testing": 3,  # it asserts things of every package below, and nothing imports it
    "report": 5,
    "cli": 6,
}

FILES = sorted(PACKAGE.rglob("*.py"))
COMPILE_CACHE = PACKAGE / "train" / "_compilations.py"
"""JAX has no other way to choose a folder for compiled programs after its import."""


def imported_modules(path: pathlib.Path) -> list[tuple[int, str]]:
    """Every module a file imports, relative imports resolved: `(line, dotted name)`."""
    here = ("jaxopt_dl", *path.relative_to(PACKAGE).parent.parts)
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(here[: len(here) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            found += [(node.lineno, f"{module}.{alias.name}") for alias in node.names]
    return found


def our_package(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "jaxopt_dl" and len(parts) > 1 else None


def offenses(path: pathlib.Path) -> list[str]:
    mine = path.relative_to(PACKAGE).parts[0]
    if mine not in FLOORS:
        return []
    wrong = []
    for line, module in imported_modules(path):
        other = our_package(module)
        if other is None or other == mine or other == "__version__":
            continue
        if FLOORS.get(other, 99) >= FLOORS[mine]:
            wrong.append(f"{path.relative_to(ROOT)}:{line} imports {module}")
    return wrong


def test_every_package_has_a_floor():
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert packages == set(FLOORS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: pathlib.Path):
    assert offenses(path) == []


def test_the_floor_check_sees_relative_and_absolute_imports(tmp_path, monkeypatch):
    planted = PACKAGE / "nn" / "_planted.py"
    source = "from jaxopt_dl import train\nfrom ..optim import sgd\nimport jaxopt_dl.cli\n"
    monkeypatch.setattr(pathlib.Path, "read_text", lambda self: source)
    assert [line.split(" imports ")[1] for line in offenses(planted)] == [
        "jaxopt_dl.train",
        "jaxopt_dl.optim.sgd",
        "jaxopt_dl.cli",
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_public_jax_is_used(path: pathlib.Path):
    private = [m for _, m in imported_modules(path) if m.startswith(("jax._src", "jaxlib"))]
    assert private == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_settings_of_jax_are_changed_where_a_user_asks_for_it_alone(path: pathlib.Path):
    nodes = list(ast.walk(ast.parse(path.read_text())))
    uses = [ast.unparse(node) for node in nodes if isinstance(node, ast.Attribute)]
    assert not any(use == "jax.config" for use in uses) or path == COMPILE_CACHE
    assert "from jax import config" not in path.read_text()


def test_modules_inside_a_package_form_no_cycle():
    graph = {}
    for path in FILES:
        name = ".".join(("jaxopt_dl", *path.relative_to(PACKAGE).with_suffix("").parts))
        graph[name.removesuffix(".__init__")] = {m for _, m in imported_modules(path)}
    # `from package import module` depends on the module, `from module import name` on the module.
    nearest = lambda module: module if module in graph else module.rpartition(".")[0]  # noqa: E731
    edges = {
        name: {nearest(m) for m in targets if nearest(m) in graph} - {name}
        for name, targets in graph.items()
    }
    # The top package only imports lazily, so it is nobody's dependency.
    edges = {n: t - {"jaxopt_dl"} for n, t in edges.items() if n != "jaxopt_dl"}
    done: set[str] = set()
    while remaining := {n for n in edges if n not in done}:
        free = {n for n in remaining if edges[n] <= done}
        assert free, f"these modules import each other in a circle: {sorted(remaining)}"
        done |= free


def test_importing_floors_0_to_2_is_cheap_and_touches_no_device():
    packages = [name for name, floor in FLOORS.items() if floor <= 2]
    code = (
        # Processor time, so that a busy machine does not count.
        "import jax, optax, chex, time, sys; start = time.process_time();"
        + "".join(f"import jaxopt_dl.{name};" for name in packages)
        + "took = time.process_time() - start;"
        "extras = {'sklearn', 'matplotlib', 'jinja2', 'rich', 'tyro', 'orbax', 'tomli_w'};"
        "assert not extras & set(sys.modules), extras & set(sys.modules);"
        "print(took)"
    )
    # As an installed package is met: its byte code was kept, here by the first of the runs.
    keeping = os.environ | {"PYTHONDONTWRITEBYTECODE": ""}
    run = [sys.executable, "-c", code]
    seconds = min(
        float(subprocess.run(run, check=True, capture_output=True, env=keeping).stdout)
        for _ in range(4)
    )
    assert seconds < 0.15, f"importing floors 0 to 2 took {seconds:.3f} s on top of jax"
