"""What the services answer of lists, closets and posts, as JSON."""

from __future__ import annotations

from demo.studio import views
from demo.web.present import image, moment


def pictures(found: views.Pictures) -> dict:
    return {"items": [picture(one) for one in found.items], "next_cursor": found.next_cursor, "total": found.total}


def picture(one: views.OnePicture) -> dict:
    return image(one.image) | {
        "prompt": one.prompt,
        "created_at": moment(one.moment),
        "position": one.image.position,
        "visibility": one.visibility,
        "mine": one.mine,
        "liked": one.liked,
    }


def shelf(one: views.Shelf) -> dict:
    row = one.collection
    return {
        "id": row.id,
        "name": row.name,
        "created_at": moment(row.created_at),
        "count": one.count,
        "cover": image(one.cover) if one.cover else None,
    }


def closet(found: views.Closet) -> dict:
    return {"collections": [shelf(one) for one in found.shelves], "liked": found.liked}


def post(found: views.Posted) -> dict:
    said = found.post
    return {
        "image": image(found.image),
        "prompt": found.generation.prompt,
        "caption": said.caption if said else "",
        "author": said.author if said else "",
        "created_at": moment(said.created_at if said else found.image.created_at),
        "mine": found.mine,
        "url": f"/p/{found.image.id}",
    }
