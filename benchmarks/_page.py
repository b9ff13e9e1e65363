"""The page of the documentation that holds what the benchmarks print."""

from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"


def write_section(name, text, n_rows):
    """Put what benchmarks/NAME.py found between its two marks, and say from how many rows it is."""
    first, last = f"<!-- {name}: written by benchmarks/{name}.py -->", f"<!-- end of {name} -->"
    page = PAGE.read_text(encoding="utf-8")
    if first not in page or last not in page:
        raise ValueError(f"{PAGE} has no section between {first!r} and {last!r}.")
    before, after = page.split(first)[0], page.split(last)[1]
    PAGE.write_text(f"{before}{first}\n\n{text}\n\n{last}{after}", encoding="utf-8")
    print(f"Wrote {PAGE} from {n_rows} rows.")
