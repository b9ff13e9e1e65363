import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.exceptions import DataConversionWarning

from leaf_sklearn._checks import as_targets_array, check_groups, check_weights
from leaf_sklearn._training.targets import MISSING, MultiLabel, MultiTask, Regression, SingleLabel, make_targets


@pytest.mark.parametrize(
    ("y", "kind"),
    [
        (["a", "b", "a"], SingleLabel),
        ([1, 2, 3], SingleLabel),
        ([-1, 1, 1], SingleLabel),
        ([1.0, 2.0, 1.0], SingleLabel),
        ([True, False, True], SingleLabel),
        ([0.5, 1.25, 3.0], Regression),
        ([[0.5, 1.0], [1.5, 2.0], [0.0, 1.0]], Regression),
        ([[0, 1], [1, 1], [0, 0]], MultiLabel),
        ([[0, 3], [1, -1], [-1, 4]], MultiTask),
        ([[0.0, np.nan], [1.0, 5.0], [np.nan, 6.0]], MultiTask),
        (np.array([["a", None], ["b", "x"], [None, "y"]], dtype=object), MultiTask),
        (np.array([0.5, 1.25, 3.0], dtype=object), Regression),
        (np.array([[1, 0], [1, 1], [0, 1]], dtype=object), MultiLabel),
        (np.array([[True, False], [True, True], [False, True]], dtype=object), MultiLabel),
        (pd.DataFrame({"a": [True, False, True], "b": [1, 1, 0]}), MultiLabel),
        (np.array([["n", "-"], ["N", "s"], ["n", "s"]]), MultiTask),
        (np.array([[b"n", b"-"], [b"N", b"s"], [b"n", b"s"]]), MultiTask),
        (pd.DataFrame({"a": [True, False, True], "b": [True, True, False]}, dtype="boolean"), MultiLabel),
        (pd.DataFrame({"a": [1, 2, pd.NA], "b": [pd.NA, 5, 6]}, dtype="Int64"), MultiTask),
    ],
)
def test_y_decides_the_kind(y, kind):
    assert isinstance(make_targets(as_targets_array(y, 3)), kind)


def test_minus_one_is_a_class_where_there_is_one_column():
    targets = make_targets(np.array([-1, 1, 1, -1]))
    assert targets.classes.tolist() == [-1, 1]
    assert targets.values.tolist() == [0, 1, 1, 0]


def test_missing_labels_are_left_out_of_the_loss():
    targets = make_targets(np.array([[0, 5], [1, -1], [-1, 7]]))
    outputs = torch.randn(3, 4, requires_grad=True)
    targets.losses(outputs, torch.from_numpy(targets.values)).sum().backward()
    assert (outputs.grad[1, 2:] == 0).all() and (outputs.grad[2, :2] == 0).all()
    assert (outputs.grad[0] != 0).all()
    assert targets.values.tolist() == [[0, 0], [1, MISSING], [MISSING, 1]]


@pytest.mark.parametrize("missing", [-1, None, float("nan")])
def test_a_missing_label_in_a_list_beside_strings_is_missing(missing):
    targets = make_targets(as_targets_array([["a", missing], ["b", "x"], ["a", "y"]]))
    assert [list(classes) for classes in targets.classes] == [["a", "b"], ["x", "y"]]
    assert targets.values.tolist() == [[0, -1], [1, 0], [0, 1]]


def test_tasks_get_equal_shares_of_the_draws():
    y = np.full((12, 2), -1)
    y[:10, 0] = np.arange(10) % 2
    y[10:, 1] = [0, 1]
    targets = make_targets(y)
    odds = targets.sampling(targets.values)
    assert odds[:10].sum() == pytest.approx(odds[10:].sum())


def test_class_weight_scales_the_loss():
    y = np.array([0, 0, 0, 1])
    outputs, values = torch.zeros(4, 2), torch.from_numpy(y)
    plain = make_targets(y).losses(outputs, values)
    balanced = make_targets(y, "balanced").losses(outputs, values)
    torch.testing.assert_close(balanced / plain, torch.tensor([2 / 3, 2 / 3, 2 / 3, 2.0]))
    by_name = make_targets(np.array(["a", "a", "a", "b"]), {"b": 5.0}).losses(outputs, values)
    torch.testing.assert_close(by_name / plain, torch.tensor([1.0, 1.0, 1.0, 5.0]))


def test_regression_targets_are_standardised():
    targets = make_targets(np.array([10.5, 20.25, 30.75]))
    assert targets.values.mean() == pytest.approx(0, abs=1e-6) and targets.values.std() == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0, 1], "X has 3 clips and y has 2 entries"),
        ([1, 1, 1], "one class"),
        ([0.0, np.nan, 1.0], "NaN"),
        (["a", None, "b"], "NaN or None at entry 1"),
        (["a", "b", float("nan")], "NaN or None at entry 2"),
        (("a", np.nan, "b"), "NaN or None at entry 1"),
        ([0.5, np.inf, 1.0], "infinity"),
        ([1j, 2j, 3j], "Complex"),
        ([[0, -1], [1, -1], [-1, -1]], "one class"),
        ([[0, 5], [1, 5], [2, 5]], r"Column 1 of y holds one class only \(\[5\]\)"),
        ([[0, 1], [1, 0], [-1, -1]], "no label in any column for clip 2"),
        ([[[1]], [[2]], [[3]]], "3 dimensions"),
        ([[0.25, 1.0], [np.nan, 2.0], [1.5, 3.0]], r"Column 0 of y holds 0\.25 at clip 0"),
        (np.array([[1.0, 0.5], [np.nan, 2.0], [2.0, 3.0]], dtype=np.float32), r"Column 1 of y holds 0\.5 at clip 0"),
        ([[1, 2.5], [None, 2], [1, 3]], r"Column 1 of y holds 2\.5 at clip 0"),
        (pd.Series(["a", pd.NA, "b"], dtype=object), "NaN or None at entry 1"),
        (np.column_stack([["a", "b", "a"], [1, -1, 2]]), "Column 1 of y holds the string '-1' at clip 1; .* with None"),
        (np.column_stack([["a", "b", "a"], [1, 2, np.nan]]), "Column 1 of y holds the string 'nan' at clip 2"),
        ([("a",), ("a", "b"), ("b",)], "MultiLabelBinarizer"),
    ],
)
def test_unusable_y_is_refused(y, message):
    with pytest.raises(ValueError, match=message):
        make_targets(as_targets_array(np.array(y, dtype=object) if isinstance(y, list) and None in y else y, 3))


def test_a_sparse_y_is_refused():
    with pytest.raises(TypeError, match=r"y is sparse, .* y\.toarray\(\)"):
        as_targets_array(sparse.csr_array(np.eye(3)))


@pytest.mark.parametrize(
    ("y", "class_weight"),
    [([0, 1, 1], "heavy"), ([0, 1, 1], {7: 2.0}), ([0.5, 1.5, 2.0], "balanced"), ([[0, 1], [1, 1], [0, 0]], {0: 2.0})],
)
def test_a_class_weight_that_does_not_fit_is_refused(y, class_weight):
    with pytest.raises(ValueError, match=r"class_weight|classes"):
        make_targets(np.array(y), class_weight)


def test_validation_targets_must_hold_known_classes():
    targets = make_targets(np.array(["a", "b", "c"]))
    assert targets.encode(np.array(["c", "a"])).tolist() == [2, 0]
    with pytest.raises(ValueError, match="'z'"):
        targets.encode(np.array(["a", "z"]))


def test_a_column_vector_warns_as_in_scikit_learn():
    with pytest.warns(DataConversionWarning):
        assert as_targets_array([[1], [2]], 2).shape == (2,)


def test_weights_are_scaled_to_a_mean_of_one():
    np.testing.assert_allclose(check_weights([1, 3], 2), [0.5, 1.5])
    np.testing.assert_allclose(check_weights(3.0, 2), [1.0, 1.0])
    for weights in ([0, 0], [1, -1], [1], [[1], [1]], [np.nan, 1]):
        with pytest.raises(ValueError, match=r"(?i)weight"):
            check_weights(weights, 2)


def test_groups_need_an_entry_a_clip():
    assert check_groups(["a", "b"], 2).tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="X has 3 clips and groups has 2 entries"):
        check_groups([1, 2], 3)
    with pytest.raises(ValueError, match=r"groups has shape \(3, 2\), expected \(3,\)"):
        check_groups(np.ones((3, 2)), 3)
    for missing in (None, np.nan):
        with pytest.raises(ValueError, match="groups contains NaN or None at entry 1"):
            check_groups(np.array(["a", missing, "b"], dtype=object), 3)
