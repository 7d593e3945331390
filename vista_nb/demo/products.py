"""The made-up products: what each one is, and whether it sells.

Reads a seed and a row number. Returns `Product` values; a product depends on (seed, row) alone, so the first rows
of a long catalogue are the rows of a short one.
May touch nothing.

The label has two causes of about equal weight. One stands in the table (price, rating_count, department), the other
only in the photo: the motif printed on the product. So neither table nor photo alone suffices (docs/demo_data.md).
"""

from dataclasses import dataclass
from typing import Final

__all__ = ["DEPARTMENTS", "MOTIF_APPEAL", "Product", "draw_product"]

DEPARTMENTS: Final[dict[str, tuple[str, str]]] = {
    "kitchen": ("mug", "bottle"),
    "living": ("lamp", "cushion"),
    "wardrobe": ("shirt", "bag"),
    "garden": ("pot", "birdhouse"),
}
"""Department -> the silhouettes it sells. A photo's silhouette says little that the department has not said."""

MOTIF_APPEAL: Final[dict[str, float]] = {"stripes": 1.3, "dots": 1.3, "checks": -1.3, "crosses": -1.3}
"""Motif -> its pull on the label. This is the part of the label that no column holds."""

DEPARTMENT_APPEAL: Final[dict[str, float]] = {"kitchen": 0.7, "living": 0.3, "wardrobe": -0.3, "garden": -0.7}
TYPICAL_PRICE: Final[dict[str, float]] = {"kitchen": 18.0, "living": 34.0, "wardrobe": 42.0, "garden": 26.0}
TYPICAL_WEIGHT: Final[dict[str, float]] = {"kitchen": 0.5, "living": 1.3, "wardrobe": 0.4, "garden": 2.1}
LUCK: Final = 0.3
"""Spread of the part of the label that nothing explains: the best possible model stays below 100 %."""


@dataclass(frozen=True)
class Product:
    """One product: the columns of the table, and what its photo shows (`shape`, `motif`: in no column)."""

    id: str
    department: str
    price: float
    weight: float
    rating: float
    rating_count: int
    bestseller: int
    shape: str
    motif: str


def draw_product(seed: int, row: int) -> Product:
    """Return product number `row` of the catalogue `seed`."""
    import numpy as np

    rng = np.random.default_rng([seed, row, 0])
    department = list(DEPARTMENTS)[int(rng.integers(len(DEPARTMENTS)))]
    shape = DEPARTMENTS[department][int(rng.integers(2))]
    motif = list(MOTIF_APPEAL)[int(rng.integers(len(MOTIF_APPEAL)))]
    dear, heavy, liked, known, luck = (float(x) for x in rng.standard_normal(5).clip(-2.5, 2.5))
    score = 1.05 * known - 0.9 * dear + DEPARTMENT_APPEAL[department] + MOTIF_APPEAL[motif] + LUCK * luck
    return Product(
        id=f"p{row:05d}",
        department=department,
        price=round(TYPICAL_PRICE[department] + 6.0 * dear, 2),
        weight=round(TYPICAL_WEIGHT[department] * (1.0 + 0.25 * heavy), 3),
        rating=round(4.0 + 0.35 * liked, 1),
        rating_count=round(260.0 + 100.0 * known),
        bestseller=int(score > 0.0),
        shape=shape,
        motif=motif,
    )
