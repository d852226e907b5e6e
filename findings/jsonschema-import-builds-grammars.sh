#!/usr/bin/env bash
# jsonschema 4.26.0 with rfc3987-syntax 1.1.0: `import jsonschema` builds 39 grammars, even if no format is ever
# checked, and in each process again.
#
# Expected: a package for one optional check (the formats "iri" and "iri-reference") costs something when that check
# is made. The documentation of jsonschema says that formats are not checked at all unless a validator is given a
# format checker.
#
# Happens: where rfc3987-syntax is installed, jsonschema imports it at once, and it makes a parser of the library lark
# for each of its rules as it is imported. Where it is not installed, the same import makes none. That is most of the
# time that the import takes (more than a second of CPU on slow machines; this script counts and does not time).
#
# Concerns: nearly every Jupyter user without knowing it: jupyter-events, and so Jupyter Server, asks for
# `jsonschema[format-nongpl]`, which brings the package. A kernel in the same environment pays at its first
# `import jsonschema`, also through altair and nbformat, and so does each worker of a test run.
#
# Known? Yes: https://github.com/python-jsonschema/jsonschema/issues/1428 (closed) and, for the cost in images of
# notebooks, https://github.com/opendatahub-io/notebooks/issues/3532.
#
# Users of this product meet it too, and nothing is done about it: the first question with a JSON Schema for its
# answer imports jsonschema (answers/shape.py) before it is sent. Loading the extension and other questions do not.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
count='
made = []
try:
    import lark
except ImportError:
    pass
else:
    build = lark.Lark.__init__
    def counted(self, *arguments, **options):
        made.append(self)
        build(self, *arguments, **options)
    lark.Lark.__init__ = counted
import jsonschema
print(len(made))
jsonschema.validate({"name": "a"}, {"type": "object", "required": ["name"]})
'
built() {
    python3 -m venv "$folder/$1"
    "$folder/$1/bin/pip" install -qq --disable-pip-version-check "${@:2}"
    "$folder/$1/bin/python" -c "$count"
}
without=$(built plain "jsonschema==4.26.0")
with=$(built jupyter "jsonschema==4.26.0" "jupyter-events==0.12.1" "rfc3987-syntax==1.1.0" "lark==1.3.1")
echo "jsonschema 4.26.0 alone: import jsonschema builds $without grammars"
echo "with jupyter-events 0.12.1, which brings rfc3987-syntax 1.1.0: $with"
if [ "$without" != 0 ] || [ "$with" != 39 ]; then
    echo "No longer as described: the import does not build 39 grammars." >&2
    exit 1
fi
echo "As described: the import alone builds 39 grammars."
