"""Drawn posters: single posters, the data set of them, and that shapes, not colours, show the genres."""

import ast
import csv
import hashlib
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from poster_genre.drawing import synthetic
from poster_genre.drawing.composition import MOTIFS, Cast
from poster_genre.drawing.palettes import BRIGHT_INK, DARK_INK, Palette, luminance
from poster_genre.drawing.pen import Pen
from poster_genre.drawing.synthetic import contact_sheet, draw_poster, random_genres, write_dataset
from poster_genre.errors import PosterGenreError, UsageError
from poster_genre.genres import GENRES, INDEX
from tests.unwritable import unwritable_folder

SMALL = (72, 48)


def pixels(genres, seed, size=SMALL):
    return np.asarray(draw_poster(genres, np.random.default_rng(seed), size=size))


# The pen.


def white_page(size=100):
    image = Image.new("RGB", (size, size), (255, 255, 255))
    return image, Pen(image, DARK_INK[0], np.random.default_rng(0))


def centre_of_ink(image):
    rows, columns = np.nonzero(np.asarray(image)[:, :, 0] < 128)
    return columns.mean() / image.width, 1 - rows.mean() / image.height


def test_the_pen_measures_y_upwards_from_the_lower_left_corner():
    image, page = white_page()
    page.disc(0.2, 0.7, 0.05, (0, 0, 0))
    assert centre_of_ink(image) == pytest.approx((0.2, 0.7), abs=0.02)


def test_a_nested_mirrored_and_turned_pen_draws_where_the_transforms_say():
    image, page = white_page()
    # (0.2, 0) turned by 90 degrees is (0, 0.2), shifted to (0.4, 0.2); halved and mirrored about x = 0.6.
    page.at(0.6, 0.3, 0.5, flip=True).at(0.4, 0.0, turn=90).disc(0.2, 0.0, 0.08, (0, 0, 0))
    assert centre_of_ink(image) == pytest.approx((0.6 - 0.2, 0.3 + 0.1), abs=0.02)


def test_a_smooth_outline_passes_through_its_points():
    image, page = white_page(400)
    points = ((0.2, 0.2), (0.8, 0.3), (0.7, 0.8), (0.3, 0.7))
    page.blob(points, (0, 0, 0))
    dark = np.asarray(image)[:, :, 0] < 128
    for x, y in points:
        row, column = int((1 - y) * 400), int(x * 400)
        around = dark[row - 4 : row + 5, column - 4 : column + 5]
        assert around.any()
        assert not around.all()


@pytest.mark.parametrize("palette", DARK_INK + BRIGHT_INK)
def test_ink_stands_out_from_both_ends_of_every_background(palette: Palette):
    for background in (palette.top, palette.low):
        assert abs(luminance(palette.ink) - luminance(background)) > 0.25


# One poster.


def test_every_genre_has_motifs():
    assert set(MOTIFS) == set(GENRES)


@pytest.mark.parametrize("genre", GENRES)
def test_every_motif_of_a_genre_leaves_marks_on_the_page(genre):
    motifs = MOTIFS[genre]
    drawings = [lambda page, draw=draw: draw(page.at(0.5, 0.4, 0.6)) for draw in motifs.heroes]
    drawings += [lambda page, draw=draw: draw(page.at(0.5, 1.0, 0.25)) for draw in motifs.skies]
    drawings += [lambda page, draw=draw: draw(page, 0.4) for draw in motifs.settings]
    drawings += list(motifs.overlays)
    palette = DARK_INK[0]
    for draw in drawings:
        image = Image.new("RGB", (100, 150), palette.low)
        draw(Pen(image, palette, np.random.default_rng(1)))
        changed = np.any(np.asarray(image) != np.array(palette.low), axis=2).mean()
        assert changed > 0.015


def test_every_genre_of_a_poster_has_at_least_one_motif_on_it():
    rng = np.random.default_rng(0)
    for _ in range(300):
        genres = random_genres(rng)
        cast = Cast(genres, rng)
        playing = {*cast.heroes, cast.setting, cast.sky, cast.overlay}
        for genre in genres:
            motifs = MOTIFS[genre]
            assert playing & {*motifs.heroes, *motifs.settings, *motifs.skies, *motifs.overlays}


def test_a_poster_is_rgb_and_has_the_size_asked_for_as_height_and_width():
    poster = draw_poster(["Western"], np.random.default_rng(0), size=(90, 61))
    assert (poster.mode, poster.height, poster.width) == ("RGB", 90, 61)
    assert draw_poster(["Drama"], np.random.default_rng(0)).size == (300, 444)


def test_the_same_seed_draws_the_same_poster_and_another_seed_another():
    assert np.array_equal(pixels(["Horror", "Comedy"], 5), pixels(["Horror", "Comedy"], 5))
    assert not np.array_equal(pixels(["Horror", "Comedy"], 5), pixels(["Horror", "Comedy"], 6))


@pytest.mark.parametrize(
    ("genres", "size"),
    [
        ((), SMALL),
        ("Drama", SMALL),
        (("Drama", "Comedy", "War", "News"), SMALL),
        (("Telenovela",), SMALL),
        (("Drama",), (4, 4)),
    ],
)
def test_impossible_posters_are_refused_in_one_sentence(genres, size):
    with pytest.raises(ValueError, match=r"^draw_poster: [^\n]+$"):
        draw_poster(genres, np.random.default_rng(0), size=size)


def test_a_contact_sheet_holds_every_poster_in_its_place():
    posters = [Image.new("RGB", (4, 6), (i, 0, 0)) for i in range(5)]
    sheet = contact_sheet(posters, 3, margin=1)
    assert sheet.size == (3 * 5 + 1, 2 * 7 + 1)
    assert [sheet.getpixel((1 + i % 3 * 5, 1 + i // 3 * 7))[0] for i in range(5)] == list(range(5))


# The genres of many films.


def test_all_25_genres_occur_among_400_films_and_a_film_has_about_two_and_a_third():
    rng = np.random.default_rng(3)
    films = [random_genres(rng) for _ in range(400)]
    assert {genre for film in films for genre in film} == set(GENRES)
    assert 2.1 < np.mean([len(film) for film in films]) < 2.6
    assert all(len(set(film)) == len(film) for film in films)


def test_drama_is_the_commonest_genre_and_na_stands_alone():
    rng = np.random.default_rng(4)
    films = [random_genres(rng) for _ in range(600)]
    counts = Counter(genre for film in films for genre in film)
    assert [genre for genre, _ in counts.most_common(2)] == ["Drama", "Comedy"]
    assert all(film == ("N/A",) for film in films if "N/A" in film)


def test_genres_with_an_affinity_occur_together_more_often_than_by_chance():
    rng = np.random.default_rng(5)
    films = [set(random_genres(rng)) for _ in range(1500)]

    def share(*genres):
        return np.mean([set(genres) <= film for film in films])

    assert share("Animation", "Family") > 1.5 * share("Animation") * share("Family")
    assert share("Horror", "Family") < 0.7 * share("Horror") * share("Family")


# The data set.


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("synth") / "posters", 40, 7, size=SMALL, progress=False)


def rows_of(folder):
    with (folder / "train.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def fingerprints(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_table_has_the_columns_of_the_public_set_and_agrees_with_itself(dataset):
    rows = rows_of(dataset)
    assert list(rows[0]) == ["Id", "Genre", *GENRES]
    assert len(rows) == 40
    for row in rows:
        genres = ast.literal_eval(row["Genre"])
        assert {genre for genre in GENRES if row[genre] == "1"} == set(genres)
        assert {row[genre] for genre in GENRES} <= {"0", "1"}


def test_every_row_has_its_jpeg_and_every_jpeg_its_row(dataset):
    assert {path.stem for path in (dataset / "Images").iterdir()} == {row["Id"] for row in rows_of(dataset)}
    for path in (dataset / "Images").iterdir():
        with Image.open(path) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (48, 72))


def test_the_ids_fall_into_train_val_and_test(dataset):
    buckets = [int(hashlib.sha1(row["Id"].encode()).hexdigest(), 16) % 100 for row in rows_of(dataset)]
    splits = Counter("train" if bucket < 70 else "val" if bucket < 85 else "test" for bucket in buckets)
    assert splits["train"] > splits["val"] > 0
    assert splits["test"] > 0


def test_the_same_seed_writes_the_same_bytes_and_a_larger_count_only_adds(dataset, tmp_path):
    again = fingerprints(write_dataset(tmp_path / "again", 40, 7, size=SMALL, progress=False))
    assert again == fingerprints(dataset)
    more = fingerprints(write_dataset(tmp_path / "more", 43, 7, size=SMALL, progress=False))
    assert more.pop("train.csv").startswith(again.pop("train.csv"))
    assert more.items() >= again.items()
    other = fingerprints(write_dataset(tmp_path / "other", 3, 8, size=SMALL, progress=False))
    assert all(again[name] != data for name, data in other.items() if name != "train.csv")


def test_an_empty_folder_may_be_filled_and_missing_parents_are_made(tmp_path):
    (tmp_path / "empty").mkdir()
    assert len(rows_of(write_dataset(tmp_path / "empty", 2, 0, size=SMALL, progress=False))) == 2
    assert write_dataset(tmp_path / "a" / "b", 1, 0, size=SMALL, progress=False).is_dir()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "empty"]


def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="not an empty folder"):
        write_dataset(tmp_path, 2, 0, size=SMALL, progress=False)
    with pytest.raises(UsageError, match="not an empty folder"):
        write_dataset(tmp_path / "mine.txt", 2, 0, size=SMALL, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(("count", "seed"), [(0, 0), (-3, 0), (2.5, 0), (True, 0), (2, -1), (2, 0.5)])
def test_numbers_that_make_no_sense_are_a_usage_error_and_write_nothing(tmp_path, count, seed):
    with pytest.raises(UsageError, match=r"^synth: the (count|seed) [^\n]+$"):
        write_dataset(tmp_path / "out", count, seed, progress=False)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_halfway_leaves_nothing_behind(tmp_path, monkeypatch, failure):
    drawn = []

    def draw_until_it_fails(*arguments, **options):
        drawn.append(draw_poster(*arguments, **options))
        if len(drawn) == 3:
            raise failure
        return drawn[-1]

    monkeypatch.setattr(synthetic, "draw_poster", draw_until_it_fails)
    expected = PosterGenreError if isinstance(failure, OSError) else KeyboardInterrupt
    with pytest.raises(expected) as caught:
        write_dataset(tmp_path / "out", 5, 0, size=SMALL, progress=False)
    if isinstance(failure, OSError):
        assert "No space left on device" in str(caught.value)
        assert "\n" not in str(caught.value)
    assert not any(tmp_path.iterdir())


def test_a_folder_that_may_not_be_written_is_one_sentence(tmp_path):
    folder = unwritable_folder(tmp_path)
    with pytest.raises(PosterGenreError, match=r"^cannot write to [^\n]+$"):
        write_dataset(folder / "out", 1, 0, size=SMALL, progress=False)


@pytest.mark.parametrize("below", ["out", "deep/out"])
def test_a_folder_below_a_file_is_refused_by_the_name_of_the_file(tmp_path, below):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError) as caught:
        write_dataset(tmp_path / "file" / below, 1, 0, size=SMALL, progress=False)
    folder, file = tmp_path / "file" / below, tmp_path / "file"
    assert str(caught.value) == f"{folder} cannot be a folder, because {file} is a file; name another folder"


# Shapes show the genres, colours do not.


def colour_histogram(poster):
    """The share of each of 8 x 8 x 8 colours, square-rooted so that small areas count too."""
    bins = (poster.reshape(-1, 3) // 32).astype(int)
    share = np.bincount(bins @ np.array([64, 8, 1]), minlength=512) / len(bins)
    return np.sqrt(share)


def edge_directions(poster):
    """Gradient directions in cells of 6 x 6 pixels, from the normalised luminance: shape without colour."""
    grey = poster @ np.array([0.299, 0.587, 0.114])
    up, across = np.gradient((grey - grey.mean()) / grey.std())
    # Modulo 180 degrees, for light on dark is the same shape as dark on light.
    direction = ((np.arctan2(up, across) % np.pi) / np.pi * 6).astype(int) % 6
    strength = np.hypot(up, across)
    rows, columns = np.indices(grey.shape)
    cell = (rows // 6 * (grey.shape[1] // 6) + columns // 6) * 6 + direction
    cells = np.bincount(cell.ravel(), strength.ravel(), minlength=grey.size // 6)
    return np.sqrt(cells / cells.sum())


def test_logistic_regression_on_shape_beats_logistic_regression_on_colour():
    pytest.importorskip("sklearn")
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.preprocessing import StandardScaler

    posters, labels = [], np.zeros((900, len(GENRES)), dtype=int)
    for i in range(len(labels)):
        rng = np.random.default_rng([11, i])
        genres = random_genres(rng)
        labels[i, [INDEX[genre] for genre in genres]] = 1
        posters.append(np.asarray(draw_poster(genres, rng, size=SMALL)))
    train, val = slice(0, 650), slice(650, None)
    judged = [g for g in range(len(GENRES)) if labels[val, g].sum() >= 10]

    def macro_auc(features):
        x = StandardScaler().fit_transform(np.stack([features(poster) for poster in posters]))
        scores = []
        for g in judged:
            model = LogisticRegression(C=1e-3, max_iter=200).fit(x[train], labels[train, g])
            scores.append(roc_auc_score(labels[val, g], model.decision_function(x[val])))
        return np.mean(scores)

    colour, shape = macro_auc(colour_histogram), macro_auc(edge_directions)
    assert len(judged) >= 15
    assert colour < 0.68
    assert shape > colour + 0.05
