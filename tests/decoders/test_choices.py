"""The best option of a question, with probabilities among the options sent."""

import numpy as np
import torch

from ernie_triton.decoders.choices import ChoiceDecoder


def test_each_question_has_its_own_choice_and_of_equal_options_the_first() -> None:
    logits = np.array([[-3.0], [1.5], [1.5], [90.0], [0.0], [91.0]], np.float32)
    rows = np.array([[0], [0], [0], [1], [1], [1]], np.int32)
    decoder = ChoiceDecoder({"task": "choice"}, ())
    [found] = decoder.run([decoder.read({"logits": logits, "query_row": rows})])
    table = logits.reshape(2, 3)
    assert found["choice"].tolist() == [[1], [2]]
    assert found["choice"].dtype == np.int64
    assert found["scores"].tolist() == table.tolist()
    expected = torch.from_numpy(table).softmax(dim=1).numpy()
    np.testing.assert_allclose(found["probabilities"], expected, atol=1e-6)
