#!/usr/bin/env bash
# Reads every shell script with shellcheck, and the syntax of every Python program.
set -euo pipefail
cd "$(dirname "$0")/../.."
mapfile -t all < <(git ls-files --cached --others --exclude-standard)
shell=() python=()
for file in "${all[@]}"; do
  [ -f "$file" ] || continue
  case $file in
    *.sh | *.sbatch) shell+=("$file") ;;
    *.py) python+=("$file") ;;
    *.*) ;;
    *) if head -n 1 "$file" | grep -aqE '^#!.*\b(ba)?sh$'; then shell+=("$file"); fi ;;
  esac
done
command -v shellcheck >/dev/null || {
  echo "scripts: error: shellcheck is not installed: run 'make deps'." >&2
  exit 1
}
shellcheck --severity=warning --shell=bash "${shell[@]}"
python3 - "${python[@]}" <<'PY'
import ast, sys
for name in sys.argv[1:]:
    ast.parse(open(name, encoding="utf-8").read(), name)
PY
echo "scripts: ${#shell[@]} shell scripts, ${#python[@]} Python programs"
