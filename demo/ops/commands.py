"""The command line of the studio: one function a command, each over the same services as the server."""

from __future__ import annotations

import argparse
import errno
import json
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from demo.ops.job_commands import accepted, add_job_commands, open_runner
from demo.ops.logs import begin_logging
from demo.ops.mcp_command import add_mcp_command
from demo.ops.style_commands import add_style_commands
from demo.store.errors import ServiceError
from demo.store.settings import Settings, SettingsError, settings_table

if TYPE_CHECKING:
    from demo.studio.services import Services


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        settings = Settings.from_env()
        begin_logging(settings)
        os.umask(0o077)
        with ExitStack() as arguments.closing:
            return arguments.run(settings, arguments)
    except ServiceError as error:
        print(f"error: {_message_of(error)}", file=sys.stderr)
        return 2
    except (SettingsError, ValueError, FileNotFoundError, FileExistsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC):
            raise
        print(f"error: {error}: make DATA_DIR ({settings.data_dir}) writable, or set another", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m demo", description="그려줘: an image studio that reads Korean.")
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(run: object, name: str, help: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=help, description=help)
        added.set_defaults(run=run)
        return added

    command(serve, "serve", "Serve the studio on HOST:PORT (127.0.0.1:5000) until Ctrl-C.")
    add_job_commands(command)
    add_style_commands(command)
    add_mcp_command(command)
    finding = command(search, "search", "Find past prompts, Korean or English.")
    finding.add_argument("query")
    finding.add_argument("-k", type=int, default=10)
    finding.add_argument("--owner", help="search as this owner (default: public ones only)")
    bringing = command(import_folder, "import", "Bring in a folder of pictures with prompts (imagefolder).")
    bringing.add_argument("folder", type=Path)
    bringing.add_argument("--owner", required=True, help="whose they become")
    bringing.add_argument("--public", action="store_true")
    making = command(gallery, "gallery", "Draw the starter gallery anew with the checkpoint in use.")
    making.add_argument("--out", type=Path, help="folder with prompts.txt (default demo/starter)")
    command(reindex, "reindex", "Build the search index anew from the database.")
    command(verify, "verify", "Check database, files and index against each other.")
    taking = command(export, "export", "Write everything of an owner into a zip.")
    taking.add_argument("owner")
    taking.add_argument("-o", "--out", type=Path, help="file (default OWNER.zip)")
    forgetting = command(forget, "forget", "Delete everything of an owner, with a receipt.")
    forgetting.add_argument("owner")
    letting = command(token, "token", "Make an API token for a program (shown once).")
    letting.add_argument("--owner", help="for this owner (default: a new one)")
    letting.add_argument("--name", default="command line")
    keeping = command(back_up, "backup", "Copy database, pictures and secrets into a folder, while the studio runs.")
    keeping.add_argument("-o", "--out", type=Path, help="new folder (default DATA_DIR/backups/TIME)")
    returning = command(restore, "restore", "Put a backup in the place of what is there (the studio must not run).")
    returning.add_argument("folder", type=Path)
    inviting = command(code, "code", "Make a code that lets one browser in, or moves an owner to it.")
    inviting.add_argument("--owner", help="for this owner (default: a new one)")
    command(ready, "ready", "Say whether a worker on this machine is ready to draw (a probe: status 0 or 1).")
    command(show_settings, "settings", "List every setting with its default.")
    _add_children(commands)
    return parser


def _add_children(commands: argparse._SubParsersAction) -> None:
    """The processes that `serve` starts; a worker may be started by people too."""
    web = commands.add_parser("web")
    web.add_argument("--fd", type=int, required=True)
    text = "Draw for a studio that runs elsewhere, with the same DATABASE_URL and STORAGE_URL, until Ctrl-C."
    worker = commands.add_parser("worker", help=text, description=text)
    for child, run in ((web, _web), (worker, _worker)):
        child.set_defaults(run=run)
        child.add_argument("--parent", type=int, help=argparse.SUPPRESS)


def serve(settings: Settings, _arguments: argparse.Namespace) -> int:
    from demo.ops.supervisor import serve

    return serve(settings)


def _web(settings: Settings, arguments: argparse.Namespace) -> int:
    from demo.ops.processes import run_web

    return run_web(settings, arguments.fd, arguments.parent)


def _worker(settings: Settings, arguments: argparse.Namespace) -> int:
    from demo.ops.processes import run_worker

    return run_worker(settings, arguments.parent)


def search(settings: Settings, arguments: argparse.Namespace) -> int:
    from demo.studio.visibility import Viewer

    services = _services(settings, arguments)
    vector = services.searcher.vector(arguments.query)
    for found in services.searcher.near(arguments.query, vector, arguments.k, Viewer(arguments.owner)):
        print(f"{found.score:.3f}  {found.generation.id}  {found.generation.prompt}")
    return 0


def import_folder(settings: Settings, arguments: argparse.Namespace) -> int:
    from demo.studio.importing import read_folder
    from demo.studio.starter import keep

    services = _services(settings, arguments)
    examples, skipped = read_folder(arguments.folder)
    count = keep(services, _owner_id(arguments.owner), examples, arguments.public)
    for name, reason in skipped:
        print(f"skipped {name}: {reason}", file=sys.stderr)
    print(f"{count} pictures are in, {len(skipped)} skipped")
    return 0 if count else 1


def gallery(settings: Settings, arguments: argparse.Namespace) -> int:
    from demo.studio.starter import build
    from jobspec import Draw, Order

    runner, folder = open_runner(settings, "draw"), arguments.out or Path(settings.starter)

    def draw(prompt: str, seed: int) -> tuple:
        job = accepted(Draw, {"prompt": prompt, "n": 1, "seed": seed}, {}, settings).job
        picture = runner.run([Order(job)])[0].pictures[0]
        print(f"{seed:4}  {prompt}", file=sys.stderr)
        return picture.image, picture.recipe

    pictures, size = build(draw, folder)
    print(f"{pictures} pictures, {size / 1e6:.2f} MB in {folder}")
    return 0


def reindex(settings: Settings, arguments: argparse.Namespace) -> int:
    from demo.studio.opening import embed_anew

    services = _services(settings, arguments)
    count = embed_anew(services.searcher, services)
    services.searcher.index.rebuild()
    print(f"{count} prompts embedded anew; {json.dumps(services.searcher.index.stats(), ensure_ascii=False)}")
    return 0


def verify(settings: Settings, arguments: argparse.Namespace) -> int:
    from demo.studio.verifying import problems

    found = problems(_services(settings, arguments, encoder=False))
    for problem in found:
        print(problem)
    print(f"{len(found)} problems")
    return 1 if found else 0


def export(settings: Settings, arguments: argparse.Namespace) -> int:
    from demo.studio.visibility import Viewer
    from demo.web import present

    services, path = _services(settings, arguments, encoder=False), arguments.out or Path(f"{arguments.owner}.zip")
    with path.open("xb") as file:
        for piece in services.user_data.export(Viewer(arguments.owner), present.generation):
            file.write(piece)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")
    return 0


def forget(settings: Settings, arguments: argparse.Namespace) -> int:
    from demo.web import present

    services = _services(settings, arguments, encoder=False)
    erased = services.deletion.owner(arguments.owner)
    if erased.receipt.vectors:
        services.searcher.index.rebuild()
        erased = services.deletion.receipt(erased.receipt.id)
    print(json.dumps(present.receipt(erased), indent=1))
    return 0


def token(settings: Settings, arguments: argparse.Namespace) -> int:
    owner_id = _owner_id(arguments.owner)
    _, secret = _services(settings, arguments, encoder=False).owners.make_token(owner_id, arguments.name)
    print(f"owner {owner_id}\n{secret}")
    return 0


def back_up(settings: Settings, arguments: argparse.Namespace) -> int:
    from demo.ops.backup import back_up, default_folder
    from demo.store.database import open_database
    from demo.store.storage import Storage

    database = open_database(settings)
    arguments.closing.callback(database.close)
    folder = arguments.out or default_folder(settings)
    made = back_up(settings, database, Storage(settings.files_url), folder)
    print(f"{made.folder}: {made.pictures} pictures, {made.bytes / 1e6:.1f} MB, {len(made.missing)} cannot be read")
    return 1 if made.missing else 0


def restore(settings: Settings, arguments: argparse.Namespace) -> int:
    from demo.ops.backup import restore

    made = restore(settings, arguments.folder)
    print(f"{made.pictures} pictures are back; what was there is in {settings.data_dir / 'backups'}")
    return 0


def code(settings: Settings, arguments: argparse.Namespace) -> int:
    made, _ = _services(settings, arguments, encoder=False).owners.make_code(_owner_id(arguments.owner))
    print(made)
    return 0


def ready(settings: Settings, arguments: argparse.Namespace) -> int:
    from demo.ops.probe import workers_here

    states = workers_here(settings)
    print(", ".join(states) or "there is no worker on this machine")
    return 0 if "ready" in states else 1


def show_settings(_settings: Settings, _arguments: argparse.Namespace) -> int:
    print(settings_table())
    return 0


def _services(settings: Settings, arguments: argparse.Namespace, encoder: bool = True) -> Services:
    """The services, with the encoder opened (or known to be missing) unless it is not needed."""
    from demo.studio.services import open_encoder, open_services, open_worker_index

    services = open_services(settings, open_encoder, open_worker_index)
    arguments.closing.callback(services.close)
    if encoder:
        services.searcher.open()
        try:
            services.searcher.require()
        except ServiceError as error:
            raise ValueError(_message_of(error)) from error
    else:
        services.searcher.stay_closed()
    return services


def _owner_id(given: str | None) -> str:
    from demo.store.tables import new_id

    if given is not None and (len(given) != 32 or set(given) - set("0123456789abcdef")):
        raise ValueError(f"{given!r} is not an owner id (32 hexadecimal digits; GET /api/v1/me tells one's own)")
    return given or new_id()


def _message_of(error: ServiceError) -> str:
    from demo.store.errors import message

    return message(error.code, error.values)
