"""environment.yml and pyproject.toml name one set of packages."""

from __future__ import annotations

import re
import tomllib

import yaml

from drillbook import home

CONDA = {  # the name on PyPI → the names on conda-forge
    "docker": ("docker-py",),
    "matplotlib": ("matplotlib-base",),
    "playwright": ("playwright-python",),
    "prometheus-client": ("prometheus_client",),
    "psycopg": ("psycopg", "psycopg-c"),
}


def wanted() -> set[str]:
    """What pyproject.toml asks for, extras included, as `name>=version` in conda-forge's names."""
    project = tomllib.loads((home.home() / "pyproject.toml").read_text())["project"]
    extras = (part for extra in project["optional-dependencies"].values() for part in extra)
    found = {f"python{project['requires-python']}"}
    for requirement in (*project["dependencies"], *extras):
        name, version = re.fullmatch(r"([\w.-]+)(?:\[[\w,]+\])?(>=[\d.]+)", requirement).groups()
        found |= {f"{conda}{version}" for conda in CONDA.get(name, (name.lower(),))}
    return found


def given() -> set[str]:
    """What environment.yml gives, from conda-forge or by pip; pip itself apart."""
    parts = yaml.safe_load((home.home() / "environment.yml").read_text())["dependencies"]
    by_pip = [line for part in parts if isinstance(part, dict) for line in part["pip"]]
    return {part.replace(" ", "") for part in (*parts, *by_pip) if isinstance(part, str)} - {"pip"}


def test_conda_and_pip_install_the_same_set() -> None:
    """Whoever chooses conda gets what pip users get, in versions no older."""
    assert given() == wanted()
