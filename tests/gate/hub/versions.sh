#!/bin/sh
# The tests in which huggingface_hub plays a part, against other versions of it, each in a virtual environment below $1.
# usage: tests/gate/hub/versions.sh FOLDER [REQUIREMENT]...
set -u
folder=${1:?usage: tests/gate/hub/versions.sh FOLDER [REQUIREMENT]...}
shift
[ $# -gt 0 ] || set -- "huggingface_hub==0.34.*" "huggingface_hub<1" "huggingface_hub<2" "huggingface_hub<3"
failed=0
for requirement in "$@"; do
    place="$folder/$(printf %s "$requirement" | tr -c 'a-z0-9._\n' '-')"
    [ -x "$place/bin/python" ] || python3 -m venv "$place" || exit 4
    "$place/bin/pip" install -q -e . "$requirement" hf_xet pytest pytest-xdist hypothesis || exit 4
    "$place/bin/python" -c 'import huggingface_hub; print("== huggingface_hub", huggingface_hub.__version__)'
    "$place/bin/python" -m pytest -p no:cacheprovider -n auto tests/gate tests/sources tests/test_hubserver.py \
        --ignore tests/gate/hub/test_partial.py --ignore tests/sources/test_tensors.py || failed=1
done
exit $failed
