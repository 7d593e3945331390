#!/bin/sh
# One notebook under nbval: sh nbval.sh PYTHON NOTEBOOK. Every output is compared with the committed one; a notebook whose
# metadata say {"vista_nb": {"nbval": "lax"}} (its numbers hang on data or a cluster that are not everywhere) only has to run.
# A store of its own: the committed notebook shows what a new clone shows.
set -u
python=$1
notebook=$2
how=--nbval
if grep -q '"nbval": "lax"' "$notebook"; then how=--nbval-lax; fi
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
VISTA_NB_UI=static VISTA_NB_STORE_DIR=$room/store "$python" -m pytest "$how" --nbval-current-env --nbval-cell-timeout 600 \
    --nbval-sanitize-with tests/notebooks/sanitize.cfg -p no:cacheprovider -n 0 "$notebook" >"$room/log" 2>&1
status=$?
cat "$room/log"
exit $status
