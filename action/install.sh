#!/usr/bin/env bash
# Install tensorlint into an environment of its own: the code of the action, or TENSORLINT_VERSION from PyPI.
set -uo pipefail

stop() { # TITLE TEXT
  echo "::error title=tensorlint: $1::$2"
  exit 1
}

venv=$RUNNER_TEMP/tensorlint-venv
version=${TENSORLINT_VERSION#v}
case $version in
  '') wanted=$GITHUB_ACTION_PATH ;;
  *[!0-9A-Za-z.+!-]*) stop "no such version" "The input version holds \"$(tr -d '\r\n%' <<<"$version")\"; write it like 0.1.0." ;;
  *) wanted=tensorlint==$version ;;
esac

if [ "$(cat "$venv/wanted" 2>/dev/null)" = "$wanted" ]; then
  exit 0 # an earlier step of the job has installed it
fi
python=$(command -v python3 || command -v python) ||
  stop "no Python" "There is no python3 on this runner; put actions/setup-python before this step."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
  stop "Python is too old" "$("$python" --version) is older than 3.10; put actions/setup-python before this step."
rm -rf "$venv"
"$python" -m venv "$venv" ||
  stop "no environment" "$python -m venv failed; put actions/setup-python before this step."
[ -d "$venv/Scripts" ] && bin=$venv/Scripts || bin=$venv/bin
"$bin/python" -m pip install --quiet --disable-pip-version-check "$wanted" ||
  stop "not installed" "pip could not install $wanted; the lines above say why."
echo "$wanted" >"$venv/wanted"
"$bin/tensorlint" --version
