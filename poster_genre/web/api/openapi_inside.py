"""The part of the interface behind the Inside page, described in OpenAPI 3.1."""

from __future__ import annotations

from typing import Any

from poster_genre.genres import GENRES, N_GENRES
from poster_genre.web.api.openapi_parts import (
    FORGOTTEN,
    NUMBER,
    PICTURE,
    PROBABILITY,
    TEXT,
    WHOLE,
    Schema,
    answer,
    form,
    problem,
    ref,
    thing,
)

ROOT = "/api/v1/inside"
LARGEST = 999_999
GENRE: Schema = {"type": "string", "enum": list(GENRES)}
MAYBE: Schema = {"type": ["number", "null"]}


def inside_paths() -> Schema:
    visit = f"{ROOT}/{{token}}"
    return {
        ROOT: {"post": enter_operation()},
        f"{visit}/poster.png": {
            "get": png("insidePoster", "The poster as the network sees it", [TOKEN, MIRRORED])
        },
        f"{visit}/maps/{{step}}.png": {
            "get": png(
                "insideMaps",
                "The feature maps of a step",
                [
                    TOKEN,
                    STEP,
                    number("channel", "This map alone, in full size. Left out: all of them as tiles."),
                    one_of("ground", ["light", "dark"], "Colours for a light or a dark page."),
                    MIRRORED,
                ],
                description="Orange is above 0, blue below; the strongest tone is the step's `scale`.",
            )
        },
        f"{visit}/numbers/{{step}}": {"get": numbers_operation()},
        f"{visit}/genres/{{genre}}": {"get": genre_operation()},
        f"{ROOT}/filters.png": {
            "get": png(
                "insideFilters",
                "The filters over the poster's colours, in one row",
                [number("step", "Whose, where several layers look at the poster itself.")],
            )
        },
    }


def enter_operation() -> Schema:
    return {
        "operationId": "insideEnter",
        "summary": "Send one poster through the network and look at every layer",
        "description": (
            "The poster stays in memory under a random `token` until nobody has asked about it for half an "
            "hour; what came out of the layers is asked for with that token."
        ),
        "requestBody": form({"image": PICTURE}),
        "responses": {
            "200": answer(
                "The 25 answers, the steps, and a token; or, where the poster cannot be read and the request "
                "says `Prefer: handling=lenient`, why.",
                {"anyOf": [ref("Visit"), thing(error=TEXT)]},
            ),
            **{
                status: problem(status) for status in ("400", "403", "408", "413", "415", "421", "422", "503")
            },
        },
    }


def numbers_operation() -> Schema:
    return {
        "operationId": "insideNumbers",
        "summary": "Why a number of a step is what it is",
        "description": "The numbers it was made of, and the sum over again in double precision.",
        "parameters": [
            TOKEN,
            STEP,
            number("row", "Of a step that puts out a row of numbers: 0.", required=True),
            number("column", "Likewise.", required=True),
            number("channel", "The map, or the place in the row.", required=True),
            number("input", "The input map whose patch is wanted. Left out: the one that adds most."),
            MIRRORED,
        ],
        "responses": looked_up("What made the number.", ref("Numbers")),
    }


def genre_operation() -> Schema:
    return {
        "operationId": "insideGenre",
        "summary": "Which features pushed a genre up or down",
        "parameters": [TOKEN, in_path("genre", TEXT, "A genre, in any case."), MIRRORED],
        "responses": looked_up("Every feature's part, the greatest first.", ref("Contributions")),
    }


def png(name: str, summary: str, parameters: list[Schema], description: str = "") -> Schema:
    picture = {"description": "The picture.", "content": {"image/png": {"schema": PICTURE}}}
    gone = {"204": {"description": FORGOTTEN}} if TOKEN in parameters else {}
    return {
        "operationId": name,
        "summary": summary,
        **({"description": description} if description else {}),
        "parameters": parameters,
        "responses": {
            "200": picture,
            **gone,
            **{status: problem(status) for status in ("404", "421", "422", "503")},
        },
    }


def looked_up(said: str, schema: Schema) -> Schema:
    return {
        "200": answer(said, schema),
        "204": {"description": FORGOTTEN},
        **{status: problem(status) for status in ("404", "421", "422", "503")},
    }


def in_path(name: str, schema: Schema, description: str) -> Schema:
    return {"name": name, "in": "path", "required": True, "description": description, "schema": schema}


def number(name: str, description: str, required: bool = False) -> Schema:
    schema = {"type": "integer", "minimum": 0, "maximum": LARGEST}
    found = {"name": name, "in": "query", "description": description, "schema": schema}
    return {**found, "required": True} if required else found


def one_of(name: str, values: list[Any], description: str) -> Schema:
    return {
        "name": name,
        "in": "query",
        "description": description,
        "schema": {"enum": values, "default": values[0]},
    }


TOKEN = in_path("token", TEXT, "From `POST /api/v1/inside`.")
STEP = in_path("step", {"type": "integer", "minimum": 0}, "The step's place in the list of steps.")
MIRRORED = one_of("mirrored", [0, 1], "1: of the mirror image, which the prediction may average in.")


def inside_schemas() -> Schema:
    place = {"type": "array", "items": WHOLE, "minItems": 3, "maxItems": 3}
    return {
        "Visit": thing(
            token=TEXT,
            seconds={**NUMBER, "description": "How long an unseen poster is kept."},
            model=TEXT,
            two_views={"type": "boolean", "description": "Whether the mirror image is averaged in."},
            difference={**NUMBER, "description": "Between the plain layers' answers and the prediction's."},
            genres={"type": "array", "items": ref("Verdict"), "minItems": N_GENRES, "maxItems": N_GENRES},
            groups={"type": "array", "items": TEXT, "description": "Headings; a step names its `group`."},
            steps={"type": "array", "items": ref("Step")},
        ),
        "Verdict": thing(
            genre=GENRE,
            log_odds=NUMBER,
            p=PROBABILITY,
            mirrored_log_odds=MAYBE,
            mirrored_p=MAYBE,
            mean=PROBABILITY,
            slope=MAYBE,
            offset=MAYBE,
            log_odds_of_mean=NUMBER,
            probability=PROBABILITY,
            answer={**PROBABILITY, "description": "What `POST /api/v1/predict` answers."},
            answer_difference=NUMBER,
        ),
        "Step": thing(
            step=WHOLE,
            name=TEXT,
            kind=TEXT,
            title=TEXT,
            text=TEXT,
            group=WHOLE,
            branch=TEXT,
            network={**TEXT, "description": "Whose it is, where several networks stand side by side."},
            inputs={"type": "array", "items": WHOLE},
            height=WHOLE,
            width=WHOLE,
            channels=WHOLE,
            image={"type": "boolean", "description": "False: a row of numbers."},
            parameters={"type": "object", "description": "Shapes, by name."},
            count=WHOLE,
            multiply_adds=WHOLE,
            scale=NUMBER,
            tile={"type": "array", "items": WHOLE},
            columns=WHOLE,
            shown={"type": "boolean"},
            filters={"type": "boolean"},
        ),
        "Numbers": thing(
            step=WHOLE,
            place={**place, "description": "Row, column, channel."},
            field={
                "type": "array",
                "items": WHOLE,
                "description": "The pixels it depends on: top, left, bottom, right; the last two excluded.",
            },
            chain={
                "type": "array",
                "items": thing(step=WHOLE, name=TEXT, kind=TEXT, place=place, value=NUMBER),
                "description": "Each number made of the one before; `kind` tells what else stands there.",
            },
        ),
        "Contributions": thing(
            genre=GENRE,
            step=WHOLE,
            log_odds=NUMBER,
            bias=NUMBER,
            total=NUMBER,
            computed=NUMBER,
            difference=NUMBER,
            features={
                "type": "array",
                "items": thing(
                    feature=WHOLE,
                    x=NUMBER,
                    weight=NUMBER,
                    product=NUMBER,
                    origin=thing(how=TEXT, step=WHOLE, channel=WHOLE),
                ),
            },
        ),
    }
