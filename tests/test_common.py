"""scikit-learn's own checks, those that check_estimator leaves out included, and how many of them ran."""

import pytest
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from leaf_sklearn import LeafClassifier, LeafTransformer, MelTransformer

# mini-batches drawn at random see a repeated clip differently from a weighted one
EXPECTED_FAILURES = {"check_sample_weight_equivalence_on_dense_data": "mini-batches are drawn at random"}
EXTRA_CHECKS = [
    "check_param_validation",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_global_output_transform_pandas",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
    "check_dataframe_column_names_consistency",
    "check_inplace_ensure_writeable",
]


def estimators():
    return [
        LeafTransformer(max_steps=8, compression_search=False),
        LeafTransformer(max_steps=2, frontend="mel"),
        MelTransformer(),
        LeafClassifier(LeafTransformer(max_steps=8, compression_search=False, random_state=0)),
    ]


def expected_failures(estimator):
    return {} if isinstance(estimator, MelTransformer) else EXPECTED_FAILURES


@parametrize_with_checks(estimators(), expected_failed_checks=expected_failures)
def test_scikit_learn_check(estimator, check):
    check(estimator)


# the checks transform arrays after a fit on a data frame, and the other way round
@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names")
@pytest.mark.parametrize("estimator", estimators(), ids=lambda estimator: type(estimator).__name__)
@pytest.mark.parametrize("name", EXTRA_CHECKS)
def test_check_that_check_estimator_leaves_out(estimator, name):
    if "transform" in name and not hasattr(estimator, "transform"):
        pytest.skip("not a transformer")
    getattr(estimator_checks, name)(type(estimator).__name__, estimator)


@pytest.mark.parametrize(("estimator", "n_checks"), list(zip(estimators(), [54, 54, 47, 67], strict=True)))
def test_how_many_checks_scikit_learn_has_for_each(estimator, n_checks):
    assert len(list(estimator_checks_generator(estimator))) == n_checks
