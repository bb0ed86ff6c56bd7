#!/usr/bin/env bash
# Documents: generated pages are up to date, and every relative link of a Markdown file leads
# somewhere.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ -x scripts/docs/protocol.sh ]; then
  scripts/docs/protocol.sh --check
fi
mapfile -t pages < <(git ls-files --cached --others --exclude-standard '*.md')
python3 - "${pages[@]}" <<'PY'
import pathlib, re, sys
bad = 0
for page in map(pathlib.Path, sys.argv[1:]):
    if not page.exists():
        continue
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:|#", target):
            continue
        if not (page.parent / target.split("#")[0]).exists():
            print(f"docs: {page}: the link {target} leads nowhere", file=sys.stderr)
            bad = 1
sys.exit(bad)
PY
echo "docs: ${#pages[@]} pages"
