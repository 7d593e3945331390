"""The downstream routine: encode structured features, split rows, train M per layer, score, compare (DESIGN.md 11)."""
