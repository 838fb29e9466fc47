#!/usr/bin/env bash
# Replays what mybinder.org does with this folder, without Docker: a copy of the repository in an empty home, an empty Python prefix in
# place of the conda environment (so Node and g++ are this machine's), postBuild, then a session started by `start`: JupyterLab answers,
# and the quickstart is executed by its kernel, both within 2 GB (session.py watches the whole process tree).
#   binder/replay.sh [--keep] [--limit MB] [-- options of tunebook run]
set -euo pipefail
cd "$(dirname "$0")/.."

keep='' limit=2000
while [ $# -gt 0 ]; do
  case "$1" in
    --keep) keep=1; shift ;;
    --limit) limit="$2"; shift 2 ;;
    --) shift; break ;;
    *) echo "replay: unknown option $1" >&2; exit 2 ;;
  esac
done

# Downloads may come from this user's caches; everything else is new.
export npm_config_cache="${npm_config_cache:-$(npm config get cache)}"
export PIP_CACHE_DIR="${PIP_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/pip}"

work="$(mktemp -d "${TMPDIR:-/tmp}/tunebook-binder-XXXXXX")"
[ -n "$keep" ] || trap 'rm -rf "$work"' EXIT
echo "replay: in $work"
mkdir -p "$work/home/repo"
git ls-files -z --cached --others --exclude-standard | xargs -0 sh -c 'for f; do [ -e "$f" ] && printf "%s\0" "$f"; done' _ \
  | tar --null -cf - -T - | tar -xf - -C "$work/home/repo"

# Of the caller's environment, what Binder has as well: no TUNEBOOK_*, no virtual environment, no Jupyter settings.
for name in $(compgen -e); do
  case "$name" in TUNEBOOK_* | JUPYTER* | VIRTUAL_ENV | CONDA_* | XDG_* | NODE_OPTIONS | IPYTHONDIR | PYTHON*) unset "$name" ;; esac
done
python="$(command -v python3)"
export HOME="$work/home" USER="${USER:-jovyan}"
cd "$HOME/repo"

echo "replay: environment.yml (a virtual environment with setup/requirements.txt stands in for conda)"
"$python" -m venv "$work/prefix"
export NB_PYTHON_PREFIX="$work/prefix" PATH="$work/prefix/bin:$PATH"
python -m pip install --quiet --disable-pip-version-check -r setup/requirements.txt

echo "replay: postBuild"
binder/postBuild

echo "replay: start, with at most $limit MB"
binder/start python binder/session.py "$limit" "$@"
