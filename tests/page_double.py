"""A stand-in for the service, for looking at the page while nothing can draw: the routes of docs/api.md in memory.

Run `python tests/page_double.py 5055` and open it. Pictures are crude shapes; words in a prompt steer what happens:
'거절' is rejected, '가득' finds the queue full, '실패' fails, '느리게' takes its time, '멈춤' stays waiting.
"""

from __future__ import annotations

import io
import json
import random
import re
import sys
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta

from flask import Flask, Response, g, jsonify, request, send_file
from PIL import Image, ImageDraw, ImageFilter

from demo import pages

COLOURS = ("#c94f3d", "#2f5d8c", "#e3b23c", "#4d7c5a", "#8a5a83", "#d98c9f", "#5b6770", "#b98a5e", "#27384a", "#7fb0b5")
GARMENTS = ("원피스", "저고리", "두루마기", "코트", "재킷", "치마", "셔츠", "한복", "운동화", "모자")
ABOUT = {
    "name": "그려줘",
    "notice": {
        "ko": "이 서비스의 그림은 생성형 인공지능이 그립니다. 실제 사진이나 사람이 그린 그림이 아니에요.",
        "en": "The pictures of this service are drawn by generative AI. They are no photographs and no person drew them.",
    },
    "retention_days": 0,
    "limits": {
        "prompt_characters": 2000,
        "n": 10,
        "upload_bytes": 10_485_760,
        "upload_pixels": 25_000_000,
        "queue": 400,
        "jobs_per_owner": 100,
    },
    "defaults": {
        "n": 4,
        "steps": None,
        "guidance_scale": None,
        "refine": True,
        "refine_strength": None,
        "strength": 0.6,
    },
    "examples": [
        {"ko": "빨간 체크무늬 원피스", "en": "a red checkered dress"},
        {"ko": "옥색 저고리와 다홍 치마, 수채화", "en": "a jade jeogori and a crimson chima, watercolour"},
        {"ko": "단청 무늬 두루마기를 입은 사람", "en": "a person in a durumagi with dancheong patterns"},
        {"ko": "노란 줄무늬 셔츠에 청바지", "en": "a yellow striped shirt with jeans"},
    ],
    "chips": [
        {"kind": kind, "label": {"ko": ko, "en": en}, "words": [{"ko": a, "en": b} for a, b in words]}
        for kind, ko, en, words in (
            ("garment", "옷", "Garments", [(x, f"garment {i}") for i, x in enumerate(GARMENTS)]),
            (
                "colour",
                "색",
                "Colours",
                [("빨간", "red"), ("쪽빛", "indigo"), ("노란", "yellow"), ("옥색", "jade"), ("하얀", "white")],
            ),
            ("pattern", "무늬", "Patterns", [("체크무늬", "checkered"), ("줄무늬", "striped"), ("꽃무늬", "floral")]),
            ("background", "배경", "Backgrounds", [("궁궐", "palace"), ("바닷가", "seaside")]),
        )
    ],
}


class World:
    """All rows, and one thread that draws; `pause` is the length of a step in seconds."""

    def __init__(self, pause: float = 0.12) -> None:
        self.pause, self.rows, self.pictures, self.lock = pause, {}, {}, threading.RLock()
        self.keys, self.news = {}, threading.Condition()
        self.stopped = False
        threading.Thread(target=self._draw_forever, daemon=True).start()

    def add(self, owner: str, body: dict, status: str = "queued") -> dict:
        row = {
            "id": uuid.uuid4().hex,
            "status": status,
            "created_at": datetime.now(UTC).isoformat(),
            "negative_prompt": "",
            "n": 4,
            "seed": random.randrange(2**32),
            "steps": None,
            "guidance_scale": None,
            "refine": True,
            "refine_strength": None,
            "style": None,
            "style_weight": 1.0,
            "source_image": None,
            "strength": None,
            "visibility": "private",
            "position": 0,
            "progress": None,
            "images": [],
            "timings": {},
            "warnings": [],
            "error": None,
            "hidden": False,
            **body,
            "owner": owner,
        }
        with self.lock:
            self.rows[row["id"]] = row
        return row

    def picture(self, owner: str, row: dict | None, image: Image.Image, base: Image.Image | None, seed: int | None) -> dict:
        name = uuid.uuid4().hex
        url = f"/api/v1/images/{name}"
        shown = {
            "id": name,
            "kind": "generation" if row else "upload",
            "generation_id": row and row["id"],
            "url": url,
            "thumbnail_url": f"{url}?size=thumbnail",
            "base_url": f"{url}?stage=base" if base else None,
            "width": image.width,
            "height": image.height,
            "seed": seed,
        }
        self.pictures[name] = {"owner": owner, "row": row, "image": image, "base": base, "shown": shown}
        return shown

    def finish(self, row: dict) -> None:
        for i in range(row["n"]):
            seed = (row["seed"] + i) % 2**32
            sharp = paint(seed, 256)
            base = paint(seed, 128).filter(ImageFilter.GaussianBlur(1)) if row["refine"] else None
            row["images"].append(self.picture(row["owner"], row, sharp, base, seed))
        row.update(status="succeeded", progress=None, position=None, timings={"base": 1.2, "refiner": 2.3})

    def _draw_forever(self) -> None:
        while not self.stopped:
            waiting = [r for r in list(self.rows.values()) if r["status"] == "queued" and "멈춤" not in r["prompt"]]
            for place, row in enumerate(waiting):
                row["position"] = place
            if waiting:
                self._draw(waiting[0])
            else:
                time.sleep(0.03)

    def _draw(self, row: dict) -> None:
        pause = self.pause * (12 if "느리게" in row["prompt"] else 1)
        time.sleep(pause)
        stages = ["base", "refiner"] if row["refine"] else ["base"]
        for stage in stages:
            for step in range(1, 9):
                if row["status"] == "cancelled" or self.stopped:
                    return
                left = (8 - step + (8 if stage == "base" and row["refine"] else 0)) * pause
                urls = [
                    f"/api/v1/generations/{row['id']}/previews/{i}?v={stage[0]}{step}" for i in range(row["n"])
                ]
                row.update(status="running", position=None)
                row["progress"] = {
                    "stage": stage,
                    "step": step,
                    "steps": 8,
                    "seconds_left": left,
                    "preview_url": urls[0],
                    "preview_urls": urls,
                }
                time.sleep(pause)
                if "실패" in row["prompt"] and step == 5:
                    error = {"code": "draw_failed", "message": "."}
                    row.update(status="failed", error=error, progress=None)
                    return
        with self.lock:
            if row["status"] == "running":
                self.finish(row)


def paint(seed: int, size: int) -> Image.Image:
    """A garment-like shape in two colours: enough to see layout by, nothing like a real picture."""
    dice = random.Random(seed)
    image = Image.new("RGB", (size * 2, size * 2), dice.choice(("#e9e5da", "#dfe7ea", "#efe3de", "#e4e8dd")))
    pen, s = ImageDraw.Draw(image), size * 2 / 100
    main, second = dice.sample(COLOURS, 2)
    pen.ellipse([42 * s, 8 * s, 58 * s, 26 * s], fill="#e8c4a4")
    pen.polygon([(x * s, y * s) for x, y in ((38, 26), (62, 26), (78, 56), (70, 60), (62, 46), (38, 46), (30, 60), (22, 56))], fill=main)
    hem = dice.randint(20, 34)
    pen.polygon([(x * s, y * s) for x, y in ((38, 45), (62, 45), (50 + hem, 92), (50 - hem, 92))], fill=second)
    for line in range(50, 92, dice.choice((6, 9, 14))):
        pen.line([(30 * s, line * s), (70 * s, line * s)], fill=main, width=int(s))
    return image.resize((size, size), Image.Resampling.LANCZOS)


def create_double(world: World, starters: int = 14) -> Flask:
    """The application over one world; the world outlives it, as a database outlives a server."""
    app = Flask("double")
    app.register_blueprint(pages.blueprint)
    app.extensions["gallery"] = type("Gallery", (), {"about": staticmethod(lambda: ABOUT)})()
    if not world.rows:
        for i in range(starters):
            dice = random.Random(i)
            prompt = f"{dice.choice(('빨간', '쪽빛', '노란', '하얀'))} {dice.choice(('체크무늬', '꽃무늬', '줄무늬'))} {GARMENTS[i % 10]}"
            row = world.add("house", {"prompt": prompt, "seed": i * 7, "n": 1, "visibility": "public"}, "done")
            row["created_at"] = (datetime.now(UTC) - timedelta(hours=i)).isoformat()
            world.finish(row)

    @app.context_processor
    def _nonce() -> dict:
        g.nonce = g.get("nonce") or uuid.uuid4().hex
        return {"csp_nonce": lambda: g.nonce}

    @app.before_request
    def _who() -> None:
        g.owner = request.cookies.get("geuryeojwo") or uuid.uuid4().hex

    @app.after_request
    def _headers(response: Response) -> Response:
        response.set_cookie("geuryeojwo", g.owner, httponly=True, samesite="Lax")
        nonce = g.get("nonce", "none")
        response.headers["Content-Security-Policy"] = (
            f"default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; img-src 'self' "
            "blob: data:; connect-src 'self'; font-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; "
            "form-action 'self'; frame-ancestors 'none'"
        )
        return response

    def problem(status: int, code: str, after: int = 0) -> Response:
        response = jsonify(status=status, error={"code": code, "message": code})
        response.status_code = status
        if after:
            response.headers["Retry-After"] = str(after)
        return response

    def seen(row: dict) -> dict:
        return {k: v for k, v in row.items() if k != "owner"} | {"mine": row["owner"] == g.owner}

    def own(key: str) -> dict | None:
        row = world.rows.get(key)
        return row if row and row["owner"] == g.owner else None

    def past(q: str, scope: str = "all", k: int = 12) -> list[dict]:
        words, found = q.split(), []
        for row in list(world.rows.values()):
            mine, public = row["owner"] == g.owner, row["visibility"] == "public"
            if row["status"] != "succeeded" or not {"all": mine or public, "mine": mine, "public": public}[scope]:
                continue
            score = sum(w in row["prompt"] for w in words) / max(1, len(words))
            if score:
                found.append({**seen(row), "generation_id": row["id"], "score": score})
        return sorted(found, key=lambda r: -r["score"])[:k]

    api = "/api/v1"

    @app.post(f"{api}/generations")
    def create():
        body, key = request.get_json(), request.headers.get("Idempotency-Key")
        prompt = body.get("prompt", "")
        if "거절" in prompt:
            return problem(422, "prompt_rejected")
        if "가득" in prompt:
            return problem(429, "queue_full", 20)
        with world.lock:
            if key not in world.keys:
                fields = {k: v for k, v in body.items() if v is not None or k in ("steps", "style")}
                world.keys[key] = world.add(g.owner, fields)
            row = world.keys[key]
        return jsonify({**seen(row), "similar": past(prompt)}), 202

    @app.get(f"{api}/generations")
    def mine():
        return _listed([r for r in world.rows.values() if r["owner"] == g.owner])

    @app.get(f"{api}/gallery")
    def gallery():
        return _listed([r for r in world.rows.values() if r["visibility"] == "public" and r["status"] == "succeeded"])

    def _listed(rows: list[dict]):
        rows = sorted(rows, key=lambda r: r["created_at"], reverse=True)
        limit, at = int(request.args.get("limit", 24)), int(request.args.get("cursor") or 0)
        more = str(at + limit) if at + limit < len(rows) else None
        return jsonify(items=[seen(r) for r in rows[at : at + limit]], next_cursor=more)

    @app.get(f"{api}/generations/<key>")
    def one(key: str):
        row = world.rows.get(key)
        if not row or (row["owner"] != g.owner and row["visibility"] != "public"):
            return problem(404, "not_found")
        return jsonify(seen(row))

    @app.get(f"{api}/generations/<key>/events")
    def events(key: str):
        row = own(key)
        if not row:
            return problem(404, "not_found")
        view = dict

        def stream():
            last, number = None, 0
            while not world.stopped:
                now = json.dumps([row["status"], row["progress"], row["position"]])
                if now != last:
                    last, number = now, number + 1
                    status = row["status"]
                    data = {"status": status, **(row["progress"] or {}), "position": row["position"], "error": row["error"]}
                    name = {"running": "progress", "succeeded": "done"}.get(status, status)
                    data = {**view(row), "mine": True} if name == "done" else data
                    yield f"id: {number}\nevent: {name}\ndata: {json.dumps(data)}\n\n"
                    if status not in ("queued", "running"):
                        return
                time.sleep(0.03)

        return Response(stream(), mimetype="text/event-stream")

    @app.get(f"{api}/generations/<key>/previews/<int:i>")
    def preview(key: str, i: int):
        row = own(key)
        if not row or not row["progress"]:
            return problem(404, "not_found")
        progress = row["progress"]
        blur = 16 - progress["step"] if progress["stage"] == "base" else 7 - progress["step"] * 0.8
        return _sent(paint(row["seed"] + i, 128).filter(ImageFilter.GaussianBlur(max(0, blur))))

    @app.post(f"{api}/generations/<key>/cancel")
    def cancel(key: str):
        row = own(key)
        if row["status"] not in ("queued", "running"):
            return problem(409, "already_finished")
        row.update(status="cancelled", progress=None)
        return jsonify(seen(row))

    @app.route(f"{api}/generations/<key>", methods=["PATCH", "DELETE"])
    def change(key: str):
        row = own(key)
        if not row:
            return problem(404, "not_found")
        if request.method == "DELETE":
            world.rows.pop(key)
            row["status"] = "cancelled"
            return jsonify(receipt="r", complete=True)
        row.update(request.get_json())
        return jsonify(seen(row))

    @app.post(f"{api}/generations/<key>/report")
    def report(key: str):
        return jsonify(reported=True), 202

    @app.get(f"{api}/images/<key>")
    def image(key: str):
        held = world.pictures.get(key)
        row = held and held["row"]
        if not held or (held["owner"] != g.owner and not (row and row["visibility"] == "public")):
            return problem(404, "not_found")
        shown = held["base"] if request.args.get("stage") == "base" else held["image"]
        return _sent(shown, request.args.get("format", "webp"), request.args.get("download") == "1")

    def _sent(picture: Image.Image, kind: str = "webp", download: bool = False) -> Response:
        data = io.BytesIO()
        picture.save(data, kind)
        data.seek(0)
        return send_file(data, mimetype=f"image/{kind}", as_attachment=download, download_name=f"picture.{kind}")

    @app.post(f"{api}/images")
    def upload():
        try:
            picture = Image.open(request.files["file"].stream, formats=["PNG", "JPEG", "WEBP"]).convert("RGB")
        except OSError:
            return problem(422, "bad_image")
        return jsonify(world.picture(g.owner, None, picture, None, None)), 201

    @app.get(f"{api}/search")
    def search():
        args = request.args
        found = past(args.get("q", ""), args.get("scope", "all"), int(args.get("k", 10)))
        return jsonify(query=args.get("q"), results=found, took_ms=1.0)

    @app.get(f"{api}/suggest")
    def suggest():
        q = request.args["q"]
        head, _, tail = q.rpartition(" ")
        hits = [w for w in (*GARMENTS, "빨간", "파란", "체크무늬", "줄무늬") if tail and w.startswith(tail[:1]) and w != tail]
        return jsonify(suggestions=[{"text": w, "kind": "word", "completed": f"{head} {w}".strip()} for w in hits])

    @app.post(f"{api}/prompts/analyze")
    def analyze():
        prompt = request.get_json()["prompt"]
        unknown = [{"word": w, "start": 0, "end": 0} for w in re.findall("우주선|공룡|spaceship", prompt)]
        return jsonify(
            normalized=prompt,
            characters=len(prompt),
            tokens=len(prompt.split()) * 3 + 2,
            max_tokens=77,
            unknown_words=unknown,
            warnings=[],
            allowed="거절" not in prompt,
        )

    @app.get(f"{api}/styles")
    def styles():
        named = (("watercolour", "수채화"), ("ink", "수묵화"), ("flat", "평면 그림"))
        return jsonify(styles=[{"name": n, "kind": "prompt", "label": {"ko": k, "en": n}} for n, k in named])

    @app.get(f"{api}/models")
    def models():
        return jsonify(defaults={"steps": 8, "guidance_scale": 3.0, "refine_strength": 0.4})

    @app.route(f"{api}/me", methods=["GET", "DELETE"])
    def me():
        rows = [r for r in world.rows.values() if r["owner"] == g.owner]
        n = sum(len(r["images"]) for r in rows)
        if request.method == "DELETE":
            for row in rows:
                world.rows.pop(row["id"])
            return jsonify(receipt="9c01fe22aa", complete=True, generations=len(rows), images=n)
        return jsonify(kind="browser", generations=len(rows), active=0, images=n, bytes=n * 41000)

    @app.post(f"{api}/me/code")
    def code():
        soon = (datetime.now(UTC) + timedelta(hours=24)).isoformat()
        return jsonify(code="ABCD-EFGH-JKMN-PQRS", expires_at=soon), 201

    @app.post(f"{api}/me/claim")
    def claim():
        return problem(404, "not_found")

    @app.get("/healthz")
    def healthz():
        return jsonify(ok=True)

    return app


if __name__ == "__main__":
    create_double(World(float(sys.argv[2]) if len(sys.argv) > 2 else 0.12)).run(port=int(sys.argv[1]), threaded=True)
