"""Uses the generated client as its users do: python use_client.py URL KEY FOLDER. Prints each step that held."""

import hashlib
import json
import sys
from pathlib import Path

from image_store import (
    AlbumCreate,
    AlbumsApi,
    ApiClient,
    Configuration,
    EventsApi,
    FocalPoint,
    ImageFields,
    ImagePatch,
    ImagesApi,
)
from image_store.exceptions import NotFoundException

url, key, folder = sys.argv[1:]
ALBUM = "Python: söme name"
files = {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}
(first, first_bytes), *others = files.items()

with ApiClient(Configuration(host=url, access_token=key)) as client:
    albums, images, events = AlbumsApi(client), ImagesApi(client), EventsApi(client)

    album = albums.create_album(AlbumCreate(name=ALBUM, title="By Python", metadata={"a": "b"}))
    assert (album.name, album.description, album.image_count) == (ALBUM, None, 0)
    print("createAlbum")

    image = images.create_image(ALBUM, first, first_bytes, idempotency_key="once")
    assert image.sha256 == hashlib.sha256(first_bytes).hexdigest()
    assert (image.focal_point, image.exif, image.described) == (None, None, False)
    again = images.create_image_with_http_info(ALBUM, first, first_bytes, idempotency_key="once")
    assert (again.data.id, again.headers["Idempotent-Replayed"]) == (image.id, "true")
    print("uploadRaw")

    created = images.create_images(ALBUM, others, record=ImageFields(title="One", tags=["x"]))
    assert [one.name for one in created.items] == [name for name, _ in others]
    assert [one.title for one in created.items] == ["One"] + [None] * (len(others) - 1)
    print("uploadForm")

    assert [one.name for one in images.list_images(ALBUM, order_by="name").items] == list(files)
    assert [one.name for one in images.list_images(ALBUM, tag="x").items] == [others[0][0]]
    print("list")

    names, token = [], None
    while True:
        page = images.list_images(ALBUM, page_size=1, page_token=token)
        names += [one.name for one in page.items]
        token = page.next_page_token
        if token is None:
            break
    assert names == list(files)
    print("page")

    for name, content in files.items():
        assert bytes(images.get_image_content(ALBUM, name)) == content
    assert bytes(images.get_image_content(ALBUM, first, range="bytes=0-7")) == first_bytes[:8]
    assert images.get_image_content_with_http_info(ALBUM, first, w=2, format="webp").headers["Content-Type"] == "image/webp"
    print("download")

    patched = images.update_image(ALBUM, first, ImagePatch(focalPoint=FocalPoint(x=0.5, y=0.25)))
    assert patched.focal_point == FocalPoint(x=0.5, y=0.25)
    assert images.update_image(ALBUM, first, ImagePatch.from_dict({"focalPoint": None})).focal_point is None
    print("patch")

    log = events.list_events(album_id=album.id, type=["album.created", "imagestore.image.created"])
    assert [one.data.actual_instance.name for one in log.items] == [ALBUM, *files]
    assert [type(one.data.actual_instance).__name__ for one in log.items][:2] == ["AlbumEventData", "ImageEventData"]
    assert events.list_events(after=log.next_cursor, album_id=album.id, wait=0).next_cursor
    assert [one.id for one in events.list_event_batch(album_id=album.id)][0] == log.items[0].id
    print("events")

    streamed = events.stream_events(album_id=album.id, type=["album.created"], duration=1)
    data = [line.removeprefix("data: ") for line in streamed.splitlines() if line.startswith("data: ")]
    assert [json.loads(line)["id"] for line in data] == [str(log.items[0].id)]
    print("stream")

    images.delete_image(ALBUM, first)
    try:
        images.get_image(ALBUM, first)
        raise AssertionError("the deleted image is there")
    except NotFoundException as error:
        assert json.loads(error.body)["code"] == "image_not_found"
    print("delete")
