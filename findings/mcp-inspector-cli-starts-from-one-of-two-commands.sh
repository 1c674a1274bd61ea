#!/bin/sh
# @modelcontextprotocol/inspector 1.0.3: of its two command lines, mcp-inspector-cli cannot start and mcp-inspector --cli can.
#
# Behaviour: the package brings @modelcontextprotocol/inspector-cli, whose command mcp-inspector-cli reads ../../package.json
# of the folder that it lies in. In its own repository that is the inspector's; as npm installs it (flat) there is none, and
# the command ends with "Cannot find module", whatever it is asked, --method tools/list of a good server as well. The same
# code, started by mcp-inspector --cli, works. The message speaks of a missing module, so that one looks at one's own server or
# installation first; a CI that only wants the command line meets it by the name that suggests itself.
#
# Installs @modelcontextprotocol/inspector 1.0.3 (Node.js 20 or newer) and the mcp SDK 1.28.1 for Python into a temporary folder;
# uses nothing of this repository. The server is four lines of the SDK's own.
# Output seen, November 2026:
#   mcp-inspector --cli: tools hello
#   mcp-inspector-cli --cli: Cannot find module …/@modelcontextprotocol/package.json
# Fails (exit 1) where that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check mcp==1.28.1
cat > "$folder/server.py" <<'PYTHON'
from mcp.server.fastmcp import FastMCP

server = FastMCP("findings")


@server.tool()
def hello(name: str = "you") -> str:
    """Say hello."""
    return f"hello {name}"


server.run()
PYTHON
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @modelcontextprotocol/inspector@1.0.3 >/dev/null 2>&1
ask() { "./node_modules/.bin/$1" --cli "$folder/venv/bin/python" "$folder/server.py" --method tools/list 2>&1 || true; }
good=$(ask mcp-inspector | sed -n 's/.*"name": "\(hello\)".*/\1/p' | head -1)
bad=$(ask mcp-inspector-cli | grep -o 'Cannot find module [^ ]*' | sed "s#$folder/node_modules#…#; s#'##g" | head -1)
echo "mcp-inspector --cli: tools $good"
echo "mcp-inspector-cli --cli: $bad"
if [ "$good" != hello ] || [ "$bad" != "Cannot find module …/@modelcontextprotocol/package.json" ]; then
  echo "the behaviour has changed" >&2
  exit 1
fi
