import pytest
from golden import cases, parity_table


@pytest.fixture(scope="session")
def parity():
    """Worst deviations by case, filled by the golden tests and written to docs/parity.md where that is asked for."""
    rows = {}
    yield rows
    parity_table.write(rows, [*cases.CASES, *cases.PARTS])
