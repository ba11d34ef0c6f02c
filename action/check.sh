#!/usr/bin/env bash
# Run tensorlint on what the inputs name: text into the log, annotations, the job summary, reports and outputs.
set -ufo pipefail

venv=$RUNNER_TEMP/tensorlint-venv
[ -d "$venv/Scripts" ] && bin=$venv/Scripts || bin=$venv/bin
out=$(mktemp -d "$RUNNER_TEMP/tensorlint-report.XXXXXX")
report=$out/report.json

escaped() { # TEXT -> on one line, as workflow commands want it
  local text=${1//'%'/%25}
  text=${text//$'\r'/%0D}
  printf '%s' "${text//$'\n'/%0A}"
}

trimmed() { # TEXT
  local text=${1#"${1%%[![:space:]]*}"}
  printf '%s' "${text%"${text##*[![:space:]]}"}"
}

output() { # NAME VALUE
  echo "$1=$2" >>"$GITHUB_OUTPUT"
}

stop() { # TITLE TEXT [EXIT CODE]
  output verdict error
  echo "::error title=tensorlint: $1::$(escaped "$2")"
  exit "${3:-2}"
}

# -- targets and options

targets=()
while IFS= read -r line; do
  line=$(trimmed "$line")
  [ -z "$line" ] || targets+=("$line")
done <<<"$INPUT_PATH"
if [ -n "$INPUT_REPO_ID" ]; then
  [ ${#targets[@]} -eq 0 ] || stop "two targets" "The inputs path and repo-id exclude each other: leave one out."
  case $INPUT_REVISION in
    '') at= ;;
    refs/pr/* | refs/convert/*) at=@$INPUT_REVISION ;;
    *) at=@${INPUT_REVISION//\//%2F} ;;
  esac
  targets=("hf://$INPUT_REPO_ID$at")
elif [ -n "$INPUT_REVISION" ]; then
  stop "revision without repo-id" "The input revision belongs to repo-id; a path is checked as it is in the workspace."
fi
[ ${#targets[@]} -gt 0 ] || targets=(.)

options=(--format text --format "json=$report" --format "markdown=$out/summary.md" --format "github=$out/annotations")
sarif=
for format in ${INPUT_FORMAT//,/ }; do
  case $format in
    text | json | github | markdown) ;; # always there
    *[!a-z0-9]*) stop "no such format" "The input format holds \"$format\"." ;;
    *) options+=(--format "$format=$out/report.$format") ;;
  esac
  [ "$format" = sarif ] && sarif=$out/report.sarif
done
option() { # NAME VALUE
  [ -z "$2" ] || options+=("$1" "$2")
}
option --depth "$INPUT_DEPTH"
option --fail-on "$INPUT_FAIL_ON"
option --config "$INPUT_CONFIG"
option --engine "$INPUT_ENGINE"
option --baseline "$INPUT_BASELINE"
while IFS= read -r line; do
  option --rules "$(trimmed "$line")"
done <<<"$INPUT_RULES"

# -- the run

"$bin/tensorlint" check "${options[@]}" -- "${targets[@]}" 2>"$out/stderr"
code=$?
cat "$out/stderr" >&2

[ -f "$out/annotations" ] && grep '^::' "$out/annotations"
[ -f "$out/summary.md" ] && cat "$out/summary.md" >>"$GITHUB_STEP_SUMMARY"
if [ -f "$report" ]; then
  output report "$report"
  "$bin/python" "$GITHUB_ACTION_PATH/action/counts.py" "$report" >>"$GITHUB_OUTPUT"
fi
[ -n "$sarif" ] && [ -f "$sarif" ] && output sarif "$sarif"

said=$(head -c 2000 "$out/stderr")
case $code in
  0) output verdict passed ;;
  1)
    output verdict failed
    if grep -q '"container/lfs-pointer"' "$report" 2>/dev/null; then
      echo "::notice title=tensorlint::The workspace holds git-lfs pointers instead of weights: give actions/checkout \`lfs: true\`, or check the model on the Hub with the input repo-id."
    fi
    ;;
  2) stop "not started" "$said"$'\n'"Check the inputs of this step; for a private or gated model set HF_TOKEN in its env." 2 ;;
  3) stop "nothing to check" "$said"$'\n'"Set the input path to the folder of the checkpoint (did actions/checkout run before?), or repo-id to a model on the Hub." 3 ;;
  *) stop "not finished" "$said"$'\n'"What was found before it stopped is in the log; run the job again." "$code" ;;
esac
exit "$code"
