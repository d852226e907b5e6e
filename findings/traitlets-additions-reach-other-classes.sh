#!/usr/bin/env bash
# traitlets 5.16.1 (with nbconvert 7.17.2): what a configuration adds to a list, set or dict gives each class the
# default of the class that was made first, and the additions of other classes too. So a notebook that is exported as
# LaTeX after HTML, with one configuration, lacks its results.
#
# Expected: the documentation of traitlets says that a configuration controls defaults "on a class by class basis" and
# that a class takes over what is configured for its base classes; the docstring of `LazyConfigValue` says that
# `append`, `insert`, `update` and so on add to defaults. So a class has its own default, with what is added for its
# base classes and for itself, whichever class was made before.
#
# Happens: the object behind `c.Base.names.append("x")` keeps the first list that it has made (`get_value` returns
# `_value` from then on), and all subclasses get that list in place of their default. Where a base class and its
# subclasses have additions, making one class writes its additions into those of the base class (`merge_into` extends
# the list of the other object in place), so that a sibling gets them. A default that depends on the instance is that of
# the first instance. No error, no warning; values that are assigned, not added, are right.
#
# Concerns: processes that make more than one object from one configuration: servers that offer downloads in several
# formats, scripts that export one notebook twice, hubs that start things for several users. In nbconvert every exporter
# sets its own order of preference among the formats of an output; with one format added in the configuration, the order
# of HTML is used for LaTeX, which cannot show HTML and leaves the output out. A way out is to load the configuration
# anew, or to take a `copy.deepcopy` of it, for each object.
#
# Known? Not found in the project's issues (searched 2026-12). https://github.com/ipython/traitlets/pull/558 added the
# merging of additions.
#
# The settings of this product are one class, whose options have one default.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check \
    "traitlets==5.16.1" "nbconvert==7.17.2" "nbformat==5.11.1"

HOME="$folder" "$folder/venv/bin/python" - <<'PYTHON'
import copy
import sys
from importlib.metadata import version

from nbconvert.exporters import HTMLExporter, LatexExporter
from nbformat.v4 import new_code_cell, new_notebook, new_output
from traitlets import Dict, List, Unicode, default
from traitlets.config import Config, Configurable

print(*(f"{name} {version(name)}" for name in ("traitlets", "nbconvert")))


class Base(Configurable):
    names = List(Unicode(), ["base"]).tag(config=True)


class Left(Base):
    names = List(Unicode(), ["left"]).tag(config=True)


class Right(Base):
    names = List(Unicode(), ["right"]).tag(config=True)


class Server(Configurable):
    user = Unicode()
    labels = Dict().tag(config=True)

    @default("labels")
    def _labels(self):
        return {"user": self.user}


def names(config, *classes):
    return [each(config=config).names for each in classes]


def one():
    config = Config()
    config.Base.names.append("added")
    return config


def all_three():
    config = one()
    config.Left.names.append("for left")
    config.Right.names.append("for right")
    return config


def exported(config, *exporters):
    outputs = {"text/html": "<b>by HTML</b>", "text/latex": "by LaTeX", "text/plain": "by text"}
    cell = new_code_cell("table", outputs=[new_output("execute_result", outputs, execution_count=1)])
    found = {}
    for exporter in exporters:
        text, _ = exporter(config=config).from_notebook_node(new_notebook(cells=[cell]))
        found[exporter.__name__] = [each for each in outputs.values() if each in text]
    return found


def own_format():
    config = Config()
    config.NbConvertBase.display_data_priority.insert(0, "application/vnd.of-our-own")
    return config


alone = [names(one(), each)[0] for each in (Base, Left, Right)]
together = names(one(), Base, Left, Right)
print("one addition, alone:    ", alone)
print("one addition, together: ", together)
siblings_alone = [names(all_three(), each)[0] for each in (Left, Right)]
siblings = names(all_three(), Left, Right)
print("siblings, alone:        ", siblings_alone)
print("siblings, together:     ", siblings)
config = Config()
config.Server.labels.update({"team": "research"})
labels = [Server(config=config, user=user).labels for user in ("ann", "bob")]
print("servers of ann and bob: ", labels)
config = own_format()
each_alone = {**exported(copy.deepcopy(config), HTMLExporter), **exported(copy.deepcopy(config), LatexExporter)}
one_after_the_other = exported(config, HTMLExporter, LatexExporter)
print("exports, each alone:    ", each_alone)
print("exports, one by one:    ", one_after_the_other)

right = [["base", "added"], ["left", "added"], ["right", "added"]]
right_siblings = [["left", "added", "for left"], ["right", "added", "for right"]]
right_exports = {"HTMLExporter": ["<b>by HTML</b>"], "LatexExporter": ["by LaTeX"]}
if (alone, siblings_alone, each_alone) != (right, right_siblings, right_exports):
    sys.exit("No longer as described: a class alone has something else.")
if (together, siblings[1], labels[1], one_after_the_other) != (
    [["base", "added"]] * 3,
    ["right", "added", "for left", "for right"],
    {"user": "ann", "team": "research"},
    {"HTMLExporter": ["<b>by HTML</b>"], "LatexExporter": []},
):
    sys.exit("No longer as described: what was made before matters less, or differently.")
print("As described: defaults and additions of other classes, and a LaTeX document without the result.")
PYTHON
