"""The page of the documentation that holds what the benchmarks print."""

from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"


def write_section(name, text, n_rows, page="benchmarks.md"):
    """Put what benchmarks/NAME.py found between its two marks of a page, and say from how many rows it is."""
    path = DOCS / page
    first, last = f"<!-- {name}: written by benchmarks/{name}.py -->", f"<!-- end of {name} -->"
    found = path.read_text(encoding="utf-8")
    if first not in found or last not in found:
        raise ValueError(f"{path} has no section between {first!r} and {last!r}.")
    before, after = found.split(first)[0], found.split(last)[1]
    path.write_text(f"{before}{first}\n\n{text}\n\n{last}{after}", encoding="utf-8")
    print(f"Wrote {path} from {n_rows} rows.")
