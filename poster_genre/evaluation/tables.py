"""An evaluation as text: the model beside both baselines, and genre by genre."""

from __future__ import annotations

from poster_genre.evaluation.measures import TITLES, Scores
from poster_genre.model.thresholds import MIN_POSITIVES


def comparison(result: Scores) -> str:
    """The measures of a model as a text table, with both baselines beside them."""
    baselines = result["baselines"]
    ends = result.get("intervals", {})
    wide = 17 if ends else 0
    lines = [
        f"{result['n_posters']} posters of the split {result['split']!r}",
        "",
        f"{'':<17}{'model':>9}{'95 % interval' if ends else '':>{wide}}{'genre priors':>15}{'all zeros':>12}",
    ]
    for key, title in TITLES.items():
        row = (result[key], baselines["genre_priors"][key], baselines["all_zeros"][key])
        between = f"{ends[key][0]:.3f} to {ends[key][1]:.3f}" if key in ends else ""
        lines.append(
            f"{title:<17}{number(row[0]):>9}{between:>{wide}}{number(row[1]):>15}{number(row[2]):>12}"
        )
    return "\n".join(lines)


def table(result: Scores, *, calibrated: bool) -> str:
    """An evaluation as text: the comparison, the conventions, then a table of the genres.

    ``calibrated``: whether the model has a calibration and thresholds fitted on val posters.
    """
    lines = [
        comparison(result),
        "",
        f"Macro means are over the {result['n_genres_macro']} genres with at least {MIN_POSITIVES} positives "
        "in this split.",
        about_thresholds(result, calibrated=calibrated),
        "Binary accuracy uses 0.5; the column 'all zeros' predicts no genre at all.",
        "",
        f"{'genre':<13}{'posters':>8}{'AP':>8}{'prior':>8}{'AUC':>8}{'threshold':>11}{'precision':>11}"
        f"{'recall':>8}{'F1':>8}",
    ]
    rows = sorted(result["per_genre"].items(), key=lambda item: -item[1]["positives"])
    for genre, row in rows:
        lines.append(
            f"{genre:<13}{row['positives']:>8}{number(row['ap']):>8}{number(row['prior']):>8}"
            f"{number(row['auc']):>8}{number(row['threshold']):>11}{number(row['precision']):>11}"
            f"{number(row['recall']):>8}{number(row['f1']):>8}"
        )
    return "\n".join(lines)


def about_thresholds(result: Scores, *, calibrated: bool) -> str:
    """A sentence on the origin of the thresholds behind F1, precision, recall and Hamming loss."""
    if not calibrated:
        return (
            "F1 and Hamming loss use a threshold of 0.5 for every genre, and no probability is calibrated: "
            "the model was trained without val posters."
        )
    chosen = "F1 and Hamming loss use the thresholds in the model file, which were chosen on val"
    if not result["cross_fitted_folds"]:
        return f"{chosen}."
    return (
        f"{chosen}; on these posters they and the calibration are {result['cross_fitted_folds']}-fold "
        "cross-fitted: the thresholds listed are the file's, and those of the folds decide precision, recall "
        "and F1."
    )


def number(value: float | None) -> str:
    """Three decimals, or "-" for a measure that is not defined."""
    return "-" if value is None else f"{value:.3f}"
